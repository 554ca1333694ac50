#include "compact/row_buffer.h"

#include <algorithm>
#include <cstring>

#include "segment/format.h"

namespace nodedb_ts::compact {
namespace {

constexpr uint64_t kBlockBytes = uint64_t{256} << 10;

}  // namespace

RowBuffer::RowBuffer(const NtsSchema& schema, uint64_t group_bytes, uint64_t most_rows)
    : schema_(schema), group_bytes_(group_bytes), columns_(schema.column_count) {
  for (uint32_t c = 0; c < schema.column_count; c++) {
    if (segment::IsWord(schema.columns[c].kind)) row_bytes_ += sizeof(uint64_t) + 1;
    if (segment::IsBytes(schema.columns[c].kind)) row_bytes_ += sizeof(std::string_view) + 1;
  }
  most_rows = std::clamp<uint64_t>(most_rows, 1, segment::kMaxRowGroupRows);
  max_rows_ = std::clamp<uint64_t>(group_bytes / std::max<uint64_t>(row_bytes_, 1), 1, most_rows);
  order_.resize(max_rows_);
  for (uint32_t r = 0; r < max_rows_; r++) order_[r] = r;
}

uint64_t* RowBuffer::AddWords(size_t column, size_t count, uint8_t** nulls) {
  Column& c = columns_[column];
  c.words.resize(c.words.size() + count);
  c.nulls.resize(c.nulls.size() + count);
  *nulls = c.nulls.data() + c.nulls.size() - count;
  return c.words.data() + c.words.size() - count;
}

std::string_view* RowBuffer::AddViews(size_t column, size_t count, uint8_t** nulls) {
  Column& c = columns_[column];
  c.views.resize(c.views.size() + count);
  c.nulls.resize(c.nulls.size() + count);
  *nulls = c.nulls.data() + c.nulls.size() - count;
  return c.views.data() + c.views.size() - count;
}

uint8_t* RowBuffer::Allocate(uint64_t bytes) {
  bytes = (bytes + 7) / 8 * 8;
  arena_bytes_ += bytes;
  if (bytes > free_bytes_) {
    const uint64_t block = std::max(bytes, kBlockBytes);
    blocks_.emplace_back(new uint64_t[block / 8]);
    auto* start = reinterpret_cast<uint8_t*>(blocks_.back().get());
    if (block - bytes <= free_bytes_) return start;
    free_ = start;
    free_bytes_ = block;
  }
  uint8_t* at = free_;
  free_ += bytes;
  free_bytes_ -= bytes;
  return at;
}

void RowBuffer::EndRows(size_t count) { rows_ += count; }

void RowBuffer::Clear() {
  for (Column& c : columns_) {
    c.words.clear();
    c.views.clear();
    c.nulls.clear();
    c.longest = 0;
  }
  rows_ = 0;
  blocks_.clear();
  free_ = nullptr;
  free_bytes_ = 0;
  arena_bytes_ = 0;
  value_bytes_ = 0;
}

void RowBuffer::GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                            uint8_t* nulls) const {
  if (rows.empty()) return;
  std::memcpy(words, columns_[column].words.data() + rows[0], rows.size() * sizeof(*words));
  std::memcpy(nulls, columns_[column].nulls.data() + rows[0], rows.size());
}

void RowBuffer::GatherBytes(size_t column, std::span<const uint32_t> rows,
                            std::string_view* values, uint8_t* nulls) const {
  if (rows.empty()) return;
  std::copy_n(columns_[column].views.data() + rows[0], rows.size(), values);
  std::memcpy(nulls, columns_[column].nulls.data() + rows[0], rows.size());
}

uint64_t RowBuffer::LargestRowBytes() const {
  uint64_t bytes = 0;
  for (uint32_t c = 0; c < schema_.column_count; c++) {
    bytes += segment::ShapeOf(schema_.columns[c]).width;
    if (schema_.columns[c].kind == NTS_KIND_VAR) bytes += columns_[c].longest;
  }
  return bytes;
}

void RowBuffer::GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const {
  std::fill_n(row_ids, rows.size(), NTS_NO_ROW_ID);
}

void RowBuffer::GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const {
  std::fill_n(command_ids, rows.size(), 0);
}

}  // namespace nodedb_ts::compact
