#include "segment/read_back.h"

#include <cstring>

namespace nodedb_ts::segment {
namespace {

using base::Status;

Status Differs() { return Status::Bug("an encoded column chunk does not hold its values"); }

}  // namespace

void ReadBack::Begin(const ColumnShape& shape, const ChunkSummary& summary,
                     std::span<const uint8_t> chunk, std::span<const uint32_t> vector_rows) {
  cache_ = {};
  starts_.clear();
  uint32_t rows = 0;
  for (const uint32_t n : vector_rows) {
    starts_.push_back(rows);
    rows += n;
  }
  ref_ = {};
  ref_.shape = shape;
  ref_.codec = summary.codec;
  ref_.vectors = static_cast<uint32_t>(vector_rows.size());
  ref_.rows = rows;
  ref_.vector_starts = starts_.data();
  ref_.bytes = chunk.data();
  ref_.length = chunk.size();
  ref_.cache = &cache_;
}

Status ReadBack::CheckWords(const ColumnShape& shape, const ChunkSummary& summary,
                            std::span<const uint8_t> chunk,
                            std::span<const uint32_t> vector_rows, const uint64_t* words,
                            const uint8_t* nulls) {
  Begin(shape, summary, chunk, vector_rows);
  for (uint32_t v = 0; v < vector_rows.size(); v++) {
    const uint32_t n = vector_rows[v];
    uint64_t cursor = 0;
    bool any_null;
    Status status =
        DecodeVector(ref_, v, n, values_, nulls_, nullptr, 0, &cursor, &any_null);
    if (status.code() == base::Code::kMemory) return status;
    if (!status.ok() || std::memcmp(nulls_, nulls + starts_[v], n) != 0) return Differs();
    uint64_t wrong = 0;
    for (uint32_t r = 0; r < n; r++) {
      wrong |= (values_[r] ^ words[starts_[v] + r]) & (uint64_t{nulls_[r]} - 1);
    }
    if (wrong != 0) return Differs();
  }
  return Status::Ok();
}

Status ReadBack::CheckBytes(const ColumnShape& shape, const ChunkSummary& summary,
                            std::span<const uint8_t> chunk,
                            std::span<const uint32_t> vector_rows,
                            const std::string_view* values, const uint8_t* nulls,
                            const codec::TrainedDictionary* trained) {
  Begin(shape, summary, chunk, vector_rows);
  ref_.trained = trained;
  for (uint32_t v = 0; v < vector_rows.size(); v++) {
    const uint32_t n = vector_rows[v];
    uint64_t size = 0;
    uint64_t cursor = 0;
    bool any_null;
    Status status = MeasureVector(ref_, v, n, &size);
    if (status.ok()) {
      data_.resize((size + 7) / 8);
      status = DecodeVector(ref_, v, n, values_, nulls_,
                            reinterpret_cast<uint8_t*>(data_.data()), size, &cursor, &any_null);
    }
    if (status.code() == base::Code::kMemory) return status;
    if (!status.ok() || std::memcmp(nulls_, nulls + starts_[v], n) != 0) return Differs();
    for (uint32_t r = 0; r < n; r++) {
      if (!nulls_[r] && BytesAt(shape, values_[r]) != values[starts_[v] + r]) return Differs();
    }
  }
  if (data_.capacity() > (size_t{4} << 20) / sizeof(uint64_t)) std::vector<uint64_t>().swap(data_);
  return Status::Ok();
}

}  // namespace nodedb_ts::segment
