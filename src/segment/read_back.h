// read_back.h - reads what was just encoded and compares it with what went in.
//
// Compaction replaces the only copy of data by what it wrote, so a mistake of an encoder must
// stop it before that. Decoding is much cheaper than encoding for size.
#ifndef NODEDB_TS_SEGMENT_READ_BACK_H
#define NODEDB_TS_SEGMENT_READ_BACK_H

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"

namespace nodedb_ts::segment {

// Keeps buffers between chunks; one thread. Errors: kBug when the chunk does not hold the values.
class ReadBack {
 public:
  base::Status CheckWords(const ColumnShape& shape, const ChunkSummary& summary,
                          std::span<const uint8_t> chunk, std::span<const uint32_t> vector_rows,
                          const uint64_t* words, const uint8_t* nulls);
  base::Status CheckBytes(const ColumnShape& shape, const ChunkSummary& summary,
                          std::span<const uint8_t> chunk, std::span<const uint32_t> vector_rows,
                          const std::string_view* values, const uint8_t* nulls,
                          const codec::TrainedDictionary* trained = nullptr);

 private:
  void Begin(const ColumnShape& shape, const ChunkSummary& summary,
             std::span<const uint8_t> chunk, std::span<const uint32_t> vector_rows);

  ChunkCache cache_;
  ChunkRef ref_;
  std::vector<uint32_t> starts_;
  std::vector<uint64_t> data_;
  uint64_t values_[kMaxVectorRows];
  uint8_t nulls_[kMaxVectorRows];
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_READ_BACK_H
