// segment_list.h - segments and batches in memory: a reference for tests.
#ifndef NODEDB_TS_MEMTABLE_SEGMENT_LIST_H
#define NODEDB_TS_MEMTABLE_SEGMENT_LIST_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "memtable/segment_sink.h"

namespace nodedb_ts::memtable {

class SegmentList final : public SegmentSink {
 public:
  struct Entry {
    NtsOutput output;  // bytes point into `bytes`
    std::vector<uint8_t> bytes;
  };

  base::Status Write(const NtsOutput& output) override;

  // Retention: drops the entries whose newest row is older than the cutoff (rows
  // exactly at it stay) and returns how many. Rows without a time have no age, so
  // an entry that holds one stays.
  size_t DropOlderThan(int64_t cutoff);

  const std::vector<Entry>& entries() const { return entries_; }
  uint64_t rows() const;
  void Clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_SEGMENT_LIST_H
