// time_buckets.h - rows grouped by time bucket.
#ifndef NODEDB_TS_MEMTABLE_TIME_BUCKETS_H
#define NODEDB_TS_MEMTABLE_TIME_BUCKETS_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/large_memory.h"
#include "memtable/flush_source.h"

namespace nodedb_ts::memtable {

// k of the bucket [k * width, (k + 1) * width) that holds a time. REQUIRES: width > 0.
inline int64_t BucketOf(int64_t time, int64_t width) {
  const int64_t quotient = time / width;
  return time % width < 0 ? quotient - 1 : quotient;
}

// The rows of one bucket, behind those of the bucket before.
struct BucketRows {
  size_t end;
  bool has_time;   // false: NULL times, or no time column
  int64_t number;  // has_time: k
};

// Reorders rows by bucket, ascending, NULL times first, keeping the order within a
// bucket. buckets: those that have rows.
void GroupByBucket(const FlushSource& source, base::LargeVector<uint32_t>* rows,
                   std::vector<BucketRows>* buckets);

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_TIME_BUCKETS_H
