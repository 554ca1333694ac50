// row_buffer.h - the decoded rows of the next row group, column by column.
#ifndef NODEDB_TS_COMPACT_ROW_BUFFER_H
#define NODEDB_TS_COMPACT_ROW_BUFFER_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::compact {

// Rows are appended column by column: every column gets the same rows in the same
// order, then EndRows() counts them. Byte strings are views into memory of the buffer,
// which equal ones may share.
class RowBuffer final : public segment::RowSource {
 public:
  // Borrows the schema. group_bytes: when the rows take this much, the buffer is full.
  RowBuffer(const NtsSchema& schema, uint64_t group_bytes, uint64_t most_rows);

  // Rows that fit, going by their fixed width.
  size_t max_rows() const { return max_rows_; }
  size_t rows() const { return rows_; }
  size_t room() const { return max_rows_ - rows_; }
  uint64_t bytes() const { return rows_ * row_bytes_ + arena_bytes_; }
  bool full() const { return rows_ == max_rows_ || (rows_ > 0 && bytes() >= group_bytes_); }
  // Of the byte strings, those that share a place with the row before not counted.
  uint64_t value_bytes() const { return value_bytes_; }

  // Places for `count` more words (for the last count rows of the column) and NULLs.
  uint64_t* AddWords(size_t column, size_t count, uint8_t** nulls);
  std::string_view* AddViews(size_t column, size_t count, uint8_t** nulls);
  // 8-aligned memory that lives until Clear().
  uint8_t* Allocate(uint64_t bytes);
  // What was appended: no value is longer than `longest`, all take `bytes`.
  void NoteBytes(size_t column, uint64_t longest, uint64_t bytes) {
    columns_[column].longest = std::max(columns_[column].longest, longest);
    value_bytes_ += bytes;
  }
  void EndRows(size_t count);
  void Clear();

  // Row numbers 0, 1, 2, ... of all rows.
  std::span<const uint32_t> order() const { return {order_.data(), rows_}; }

  // REQUIRES: rows are consecutive.
  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                   uint8_t* nulls) const override;
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override;
  uint64_t LargestRowBytes() const override;
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const override;
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const override;

 private:
  struct Column {
    std::vector<uint64_t> words;
    std::vector<std::string_view> views;
    std::vector<uint8_t> nulls;
    uint64_t longest = 0;  // bytes of its longest value so far
  };

  const NtsSchema& schema_;
  const uint64_t group_bytes_;
  uint64_t row_bytes_ = 0;   // that a row takes beside its byte strings
  size_t max_rows_ = 0;
  size_t rows_ = 0;
  std::vector<Column> columns_;
  std::vector<uint32_t> order_;
  std::vector<std::unique_ptr<uint64_t[]>> blocks_;
  uint8_t* free_ = nullptr;  // rest of the last small block
  uint64_t free_bytes_ = 0;
  uint64_t arena_bytes_ = 0;
  uint64_t value_bytes_ = 0;
};

}  // namespace nodedb_ts::compact

#endif  // NODEDB_TS_COMPACT_ROW_BUFFER_H
