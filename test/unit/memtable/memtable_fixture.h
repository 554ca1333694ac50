// memtable_fixture.h - rows to put into memtables, and rows read back from outputs.
#ifndef NODEDB_TS_TEST_UNIT_MEMTABLE_MEMTABLE_FIXTURE_H
#define NODEDB_TS_TEST_UNIT_MEMTABLE_MEMTABLE_FIXTURE_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memtable/segment_list.h"
#include "memtable/timeseries_manager.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::test {

inline NtsColumn Int(uint32_t width, uint16_t flags = 0) {
  return {NTS_KIND_INT, static_cast<uint8_t>(width), flags, width};
}
inline NtsColumn Float4() { return {NTS_KIND_FLOAT4, 4, 0, 4}; }
inline NtsColumn Float8() { return {NTS_KIND_FLOAT8, 8, 0, 8}; }
inline NtsColumn Fixed(uint32_t width) { return {NTS_KIND_FIXED, 1, NTS_COLUMN_LABEL, width}; }
inline NtsColumn Text() { return {NTS_KIND_VAR, 4, NTS_COLUMN_LABEL, 0}; }
inline NtsColumn Dropped() { return {NTS_KIND_NONE, 1, 0, 0}; }

// A value that owns its bytes.
struct Cell {
  bool is_null = true;
  int64_t word = 0;
  std::string bytes;

  Cell() = default;
  Cell(int64_t w) : is_null(false), word(w) {}                       // NOLINT
  Cell(int w) : is_null(false), word(w) {}                           // NOLINT
  Cell(std::string b) : is_null(false), bytes(std::move(b)) {}       // NOLINT
  Cell(const char* b) : is_null(false), bytes(b) {}                  // NOLINT
  auto operator<=>(const Cell&) const = default;
};

struct Row {
  std::vector<Cell> cells;
  uint64_t row_id = NTS_NO_ROW_ID;
  uint32_t command_id = 0;
  auto operator<=>(const Row&) const = default;
};

inline bool IsBytesKind(uint8_t kind) { return kind == NTS_KIND_VAR || kind == NTS_KIND_FIXED; }

inline std::vector<NtsValue> ValuesOf(const NtsSchema& schema, const Row& row) {
  std::vector<NtsValue> values(schema.column_count);
  for (uint32_t i = 0; i < schema.column_count; ++i) {
    const Cell& cell = row.cells[i];
    values[i] = {0, 0, cell.is_null ? 1u : 0u};
    if (cell.is_null) continue;
    if (IsBytesKind(schema.columns[i].kind)) {
      values[i].word = reinterpret_cast<uintptr_t>(cell.bytes.data());
      values[i].length = static_cast<uint32_t>(cell.bytes.size());
    } else {
      values[i].word = static_cast<uint64_t>(cell.word);
    }
  }
  return values;
}

// Rows as PostgreSQL's slots hold them; `short_headers`: values of up to 126 bytes get a header of one byte.
// With `with_images` values lie in their rows' images; every third number of rows has some without one.
class Block {
 public:
  Block(const NtsSchema& schema, const std::vector<Row>& rows, bool short_headers, bool with_images = false) {
    for (const Row& row : rows) {
      std::string image;
      std::vector<uint64_t>& words = words_.emplace_back();
      std::unique_ptr<bool[]>& nulls = nulls_.emplace_back(new bool[schema.column_count]);
      std::vector<std::pair<uint32_t, size_t>> in_image;  // column and offset
      for (uint32_t i = 0; i < schema.column_count; ++i) {
        const Cell& cell = row.cells[i];
        nulls[i] = cell.is_null;
        if (IsBytesKind(schema.columns[i].kind)) image += cell.is_null ? '-' : '+';
        if (cell.is_null || !IsBytesKind(schema.columns[i].kind)) {
          words.push_back(static_cast<uint64_t>(cell.word));
          continue;
        }
        const std::string header =
            schema.columns[i].kind == NTS_KIND_FIXED ? "" : Header(cell.bytes.size(), short_headers);
        bytes_.push_back(std::make_unique<std::string>(header + cell.bytes));
        in_image.emplace_back(i, image.size());
        image += *bytes_.back();
        words.push_back(reinterpret_cast<uintptr_t>(bytes_.back()->data()));
      }
      if (!with_images) continue;
      const std::string& kept = *kept_images_.emplace_back(std::make_unique<std::string>(image));
      for (const auto& [column, offset] : in_image) words[column] = reinterpret_cast<uintptr_t>(kept.data() + offset);
    }
    for (size_t i = 0; i < words_.size(); ++i) {
      word_rows_.push_back(words_[i].data());
      null_rows_.push_back(nulls_[i].get());
      const bool has_none = words_.size() % 3 == 0 && i % 16 == 7;
      if (!with_images) continue;
      image_rows_.push_back(has_none ? nullptr : reinterpret_cast<const uint8_t*>(kept_images_[i]->data()));
      image_lengths_.push_back(static_cast<uint32_t>(kept_images_[i]->size()));
    }
  }
  NtsRowBlock From(size_t row) const {
    return {word_rows_.data() + row, null_rows_.data() + row, static_cast<uint32_t>(word_rows_.size() - row),
            image_rows_.empty() ? nullptr : image_rows_.data() + row,
            image_rows_.empty() ? nullptr : image_lengths_.data() + row, 0};
  }

 private:
  static std::string Header(size_t length, bool is_short) {
    if (is_short && length <= 126) return std::string(1, static_cast<char>((length + 1) << 1 | 1));
    const uint32_t header = static_cast<uint32_t>(length + 4) << 2;
    return std::string(reinterpret_cast<const char*>(&header), 4);
  }

  std::vector<std::vector<uint64_t>> words_;
  std::vector<std::unique_ptr<bool[]>> nulls_;
  std::vector<std::unique_ptr<std::string>> bytes_;
  std::vector<const uint64_t*> word_rows_;
  std::vector<const bool*> null_rows_;
  std::vector<std::unique_ptr<std::string>> kept_images_;
  std::vector<const uint8_t*> image_rows_;
  std::vector<uint32_t> image_lengths_;
};

// A value as an append or a fetch sees it.
inline Cell CellOf(const NtsColumn& column, const NtsValue& value) {
  if (value.is_null) return Cell();
  if (!IsBytesKind(column.kind)) return Cell(static_cast<int64_t>(value.word));
  const uint32_t length = column.kind == NTS_KIND_FIXED ? column.width : value.length;
  return Cell(std::string(reinterpret_cast<const char*>(value.word), length));
}

// A value as decoders return it.
inline Cell DecodedCell(const NtsColumn& column, uint64_t word, uint8_t is_null) {
  if (is_null) return Cell();
  if (!IsBytesKind(column.kind)) return Cell(static_cast<int64_t>(word));
  const char* bytes = reinterpret_cast<const char*>(static_cast<uintptr_t>(word));
  if (column.kind == NTS_KIND_FIXED) return Cell(std::string(bytes, column.width));
  uint32_t header;
  std::memcpy(&header, bytes, sizeof(header));
  return Cell(std::string(bytes + 4, (header >> 2) - 4));
}

// Rows of one batch.
inline std::vector<Row> DecodeBatchRows(const NtsSchema& schema, const NtsOutput& output) {
  NtsStatus status = {};
  NtsBatchInfo info = {};
  const uint32_t rows = static_cast<uint32_t>(output.rows);
  const NtsBatchBytes batch = {nullptr, 0, output.bytes, output.length, rows, output.batch_layout, false};
  EXPECT_EQ(NTS_OK, nts_batch_info(schema.columns, schema.column_count, &batch, &info, &status))
      << status.message;
  std::vector<uint64_t> values(size_t{schema.column_count} * rows + 1);
  std::vector<uint8_t> nulls(values.size(), 1);
  std::vector<uint64_t> data(info.data_bytes / 8 + 1);
  std::vector<uint32_t> commands(rows, output.min_command_id);
  std::vector<uint64_t*> value_at(schema.column_count);
  std::vector<uint8_t*> null_at(schema.column_count);
  for (uint32_t c = 0; c < schema.column_count; ++c) {
    value_at[c] = values.data() + size_t{c} * rows;
    null_at[c] = nulls.data() + size_t{c} * rows;
  }
  EXPECT_EQ(NTS_OK, nts_batch_decode(schema.columns, schema.column_count, &batch, 0, value_at.data(), null_at.data(),
                                     reinterpret_cast<uint8_t*>(data.data()), data.size() * 8,
                                     commands.data(), &status))
      << status.message;
  std::vector<Row> result(rows);
  for (uint32_t r = 0; r < rows; ++r) {
    for (uint32_t c = 0; c < schema.column_count; ++c) {
      result[r].cells.push_back(
          DecodedCell(schema.columns[c], values[c * rows + r], nulls[c * rows + r]));
    }
    if (output.has_row_ids) result[r].row_id = output.min_row_id + r;
    result[r].command_id = commands[r];
  }
  return result;
}

// One column (or hidden column) of a row group of a segment, all vectors.
inline void DecodeChunk(const NtsSegment* segment, const NtsOutput& output, uint32_t group,
                        int32_t column,
                        const std::function<void(uint32_t, uint64_t, uint8_t)>& take) {
  NtsStatus status = {};
  NtsRowGroupInfo info = {};
  NtsChunkInfo chunk = {};
  ASSERT_EQ(NTS_OK, nts_segment_row_group(segment, group, &info, &status)) << status.message;
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment, group, column, &chunk, &status)) << status.message;
  for (uint32_t v = 0; v < info.vectors; ++v) {
    uint32_t first = 0;
    uint32_t rows = 0;
    uint64_t data_bytes = 0;
    bool any_null = false;
    ASSERT_EQ(NTS_OK, nts_segment_vector(segment, group, v, &first, &rows, &status));
    const uint8_t* bytes = output.bytes + chunk.offset;
    ASSERT_EQ(NTS_OK, nts_vector_size(segment, group, column, bytes, chunk.length, v, &data_bytes,
                                      &status))
        << status.message;
    std::vector<uint64_t> words(rows);
    std::vector<uint8_t> nulls(rows);
    std::vector<uint64_t> data(data_bytes / 8 + 1);
    ASSERT_EQ(NTS_OK, nts_vector_decode(segment, group, column, bytes, chunk.length, v, UINT32_MAX,
                                        words.data(), nulls.data(),
                                        reinterpret_cast<uint8_t*>(data.data()), data.size() * 8,
                                        &any_null, nullptr, &status))
        << status.message;
    for (uint32_t i = 0; i < rows; ++i) {
      take(static_cast<uint32_t>(info.first_row) + first + i, words[i], nulls[i]);
    }
  }
}

inline std::vector<Row> DecodeSegmentRows(const NtsSchema& schema, const NtsOutput& output) {
  NtsStatus status = {};
  NtsSegment* segment =
      nts_segment_open(output.bytes + output.footer_offset, output.length - output.footer_offset,
                       output.length, schema.columns, schema.column_count, &status);
  EXPECT_NE(nullptr, segment) << status.message;
  if (segment == nullptr) return {};
  NtsSegmentInfo info = {};
  nts_segment_info(segment, &info);
  EXPECT_EQ(output.rows, info.rows);
  EXPECT_EQ(output.has_row_ids, info.has_row_ids);
  std::vector<Row> result(output.rows);
  for (Row& row : result) {
    row.cells.resize(schema.column_count);
    row.command_id = output.min_command_id;
  }
  for (uint32_t group = 0; group < info.row_groups; ++group) {
    for (uint32_t c = 0; c < schema.column_count; ++c) {
      if (schema.columns[c].kind == NTS_KIND_NONE) continue;
      DecodeChunk(segment, output, group, static_cast<int32_t>(c),
                  [&](uint32_t row, uint64_t word, uint8_t is_null) {
                    result[row].cells[c] = DecodedCell(schema.columns[c], word, is_null);
                  });
    }
    if (info.has_row_ids) {
      DecodeChunk(segment, output, group, NTS_COLUMN_ROW_ID,
                  [&](uint32_t row, uint64_t word, uint8_t) { result[row].row_id = word; });
    }
    if (info.has_command_ids) {
      DecodeChunk(segment, output, group, NTS_COLUMN_COMMAND_ID,
                  [&](uint32_t row, uint64_t word, uint8_t) {
                    result[row].command_id = static_cast<uint32_t>(word);
                  });
    }
  }
  nts_segment_close(segment);
  return result;
}

// Checks what an output says of its rows and returns them.
inline std::vector<Row> RowsOf(const NtsSchema& schema, const NtsOutput& output) {
  std::vector<Row> rows = output.kind == NTS_OUTPUT_BATCH ? DecodeBatchRows(schema, output)
                                                          : DecodeSegmentRows(schema, output);
  EXPECT_EQ(output.rows, rows.size());
  bool null_time = schema.time_column < 0;
  std::optional<int64_t> min_time;
  std::optional<int64_t> max_time;
  uint32_t min_command = UINT32_MAX;
  uint32_t max_command = 0;
  for (const Row& row : rows) {
    min_command = std::min(min_command, row.command_id);
    max_command = std::max(max_command, row.command_id);
    EXPECT_EQ(output.has_row_ids == 0, row.row_id == NTS_NO_ROW_ID);
    if (output.has_row_ids) {
      EXPECT_GE(row.row_id, output.min_row_id);
      EXPECT_LE(row.row_id, output.max_row_id);
    }
    if (schema.time_column < 0) continue;
    const Cell& time = row.cells[static_cast<size_t>(schema.time_column)];
    if (time.is_null) {
      null_time = true;
      continue;
    }
    min_time = std::min(min_time.value_or(time.word), time.word);
    max_time = std::max(max_time.value_or(time.word), time.word);
  }
  EXPECT_EQ(null_time, output.has_null_time != 0);
  EXPECT_EQ(min_time.has_value(), output.has_time != 0);
  if (min_time) {
    EXPECT_EQ(*min_time, output.min_time);
    EXPECT_EQ(*max_time, output.max_time);
  }
  EXPECT_LE(output.min_command_id, min_command);
  EXPECT_GE(output.max_command_id, max_command);
  return rows;
}

inline NtsFlushOptions FlushOptions() {
  NtsFlushOptions options = {};
  options.max_batch_bytes = 8000;
  options.max_batch_rows = 65535;
  options.min_segment_rows = 8192;
  options.min_segment_bytes = 256 * 1024;
  options.max_segment_rows = 4000000;
  options.max_segment_bytes = 256 << 20;
  options.keep_command_ids = true;
  options.level = 1;
  return options;
}

inline NtsFlushOptions SegmentsOnly() {
  NtsFlushOptions options = FlushOptions();
  options.min_segment_rows = 1;
  return options;
}

// Collects decoded rows; fails at the fail_at-th write (counting from 1).
class RowSink final : public memtable::SegmentSink {
 public:
  explicit RowSink(const NtsSchema& schema) : schema_(schema) {}
  base::Status Write(const NtsOutput& output) override {
    if (fail_at > 0 && --fail_at == 0) return base::Status::Corrupt("the disk is on fire");
    const std::vector<Row> rows = RowsOf(schema_, output);
    pending_.insert(pending_.end(), rows.begin(), rows.end());
    ++writes;
    if (output.kind == NTS_OUTPUT_SEGMENT) ++segments;
    outputs.push_back(output);
    return base::Status::Ok();
  }
  // Rows written since the last commit become rows, or are forgotten.
  void Commit() {
    rows.insert(rows.end(), pending_.begin(), pending_.end());
    pending_.clear();
  }
  void Abort() { pending_.clear(); }

  int fail_at = 0;
  int writes = 0;
  int segments = 0;
  std::vector<Row> rows;
  std::vector<NtsOutput> outputs;  // their bytes are gone

 private:
  const NtsSchema schema_;
  std::vector<Row> pending_;
};

// A manager, one part and their schema.
struct Table {
  std::vector<NtsColumn> columns;
  NtsSchema schema = {};
  std::unique_ptr<memtable::TimeseriesManager> manager;
  memtable::Part* part = nullptr;

  Table(std::vector<NtsColumn> types, int32_t time_column, int64_t bucket_width,
        uint64_t budget = 64 << 20, uint64_t max_series = 500000, double fraction = 0.6)
      : columns(std::move(types)) {
    schema = {columns.data(), static_cast<uint32_t>(columns.size()), time_column, bucket_width};
    manager = std::make_unique<memtable::TimeseriesManager>(
        NtsManagerOptions{budget, fraction, max_series});
    part = NewPart();
  }
  memtable::Part* NewPart() {
    memtable::Part* made = nullptr;
    const base::Status status = manager->NewPart(schema, &made);
    EXPECT_TRUE(status.ok()) << status.message();
    return made;
  }
  void SetSeries(std::vector<uint16_t> series) {
    const base::Status status = part->SetSeries(series);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  NtsIngest Append(const Row& row) { return AppendTo(part, row); }
  NtsIngest AppendTo(memtable::Part* to, const Row& row) {
    NtsIngest result = NTS_INGEST_OK;
    const base::Status status =
        to->Append(ValuesOf(schema, row).data(), row.row_id, row.command_id, &result);
    EXPECT_TRUE(status.ok()) << status.message();
    return result;
  }
};

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_MEMTABLE_MEMTABLE_FIXTURE_H
