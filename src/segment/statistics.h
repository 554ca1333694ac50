// statistics.h - what a chunk knows of each of its vectors, for pruning and for
// aggregates that need no decoding; and the order of words.
#ifndef NODEDB_TS_SEGMENT_STATISTICS_H
#define NODEDB_TS_SEGMENT_STATISTICS_H

#include <cstdint>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "segment/format.h"

namespace nodedb_ts::segment {

struct VectorStatistics {
  uint32_t null_count = 0;
  bool has_range = false;  // some value is not NULL
  uint64_t min = 0;        // words; floats in PostgreSQL's order (NaN is greatest)
  uint64_t max = 0;
  bool has_sum = false;    // INT columns whose sums all fit into 64 bits
  int64_t sum = 0;
};

// Range and sum of the values that are not NULL.
VectorStatistics ComputeStatistics(const codec::WordShape& shape, const uint64_t* words,
                                   const uint8_t* nulls, size_t count);
// Widens *into by *from.
void MergeRange(const codec::WordShape& shape, const VectorStatistics& from, bool* has_range,
                uint64_t* min, uint64_t* max);

// A number that is ordered as the words' values are; different for different words.
inline uint64_t OrderOf(const codec::WordShape& shape, uint64_t word) {
  if (shape.kind == codec::WordKind::kInt) return word ^ uint64_t{1} << 63;
  const uint64_t sign = uint64_t{1} << (8 * shape.width - 1);
  return word & sign ? ~word & (sign | (sign - 1)) : word | sign;
}

// Any number of words with NULLs, as vectors with their lengths before them.
void WriteWordList(const codec::WordShape& shape, const std::vector<uint64_t>& words,
                   const std::vector<uint8_t>& nulls, base::ByteWriter* out);
// Reads `count` words, which the caller has bounded; false when the bytes are wrong.
[[nodiscard]] bool ReadWordList(const codec::WordShape& shape, base::ByteReader* in, size_t count,
                                std::vector<uint64_t>* words, std::vector<uint8_t>* nulls);

void WriteStatistics(const codec::WordShape& shape, const std::vector<VectorStatistics>& vectors,
                     base::ByteWriter* out);
// Reads vectors->size() entries.
[[nodiscard]] bool ReadStatistics(const codec::WordShape& shape, base::ByteReader in,
                                  std::vector<VectorStatistics>* vectors);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_STATISTICS_H
