// Rows by column become, byte for byte, what a part writes that they were appended to.
#include "memtable/column_blocks.h"

#include <random>

#include "memtable/memtable_fixture.h"

namespace nodedb_ts::test {
namespace {

// Rows as decoders leave them, in blocks of up to `block_rows`. What a Datum has above the width of a short integer is
// nobody's business.
class Columns {
 public:
  Columns(const NtsSchema& schema, const std::vector<Row>& rows, size_t block_rows) {
    for (size_t begin = 0; begin < rows.size(); begin += block_rows) {
      const size_t end = std::min(rows.size(), begin + block_rows);
      std::vector<const uint64_t*>& word_columns = word_columns_.emplace_back();
      std::vector<const uint8_t*>& null_columns = null_columns_.emplace_back();
      for (uint32_t c = 0; c < schema.column_count; ++c) {
        std::vector<uint64_t>& words = words_.emplace_back();
        std::vector<uint8_t>& nulls = nulls_.emplace_back();
        for (size_t r = begin; r < end; ++r) {
          const Cell& cell = rows[r].cells[c];
          nulls.push_back(cell.is_null ? 1 : 0);
          words.push_back(cell.is_null ? 0 : Datum(schema.columns[c], cell, r));
        }
        word_columns.push_back(words.data());
        null_columns.push_back(nulls.data());
      }
      blocks_.push_back({word_columns.data(), null_columns.data(), static_cast<uint32_t>(end - begin)});
      // one without rows, here and there
      if (begin % 3 == 0) blocks_.push_back({nullptr, nullptr, 0});
    }
  }
  std::span<const NtsColumnBlock> blocks() const { return blocks_; }

 private:
  uint64_t Datum(const NtsColumn& column, const Cell& cell, size_t row) {
    if (column.kind == NTS_KIND_FLOAT4) return static_cast<uint64_t>(int64_t{static_cast<int32_t>(cell.word)});
    if (column.kind == NTS_KIND_INT && column.width < 8) {
      const uint64_t low = static_cast<uint64_t>(cell.word) & ((uint64_t{1} << column.width * 8) - 1);
      return low | uint64_t{row} << 40;
    }
    if (!IsBytesKind(column.kind)) return static_cast<uint64_t>(cell.word);
    std::string header;
    if (column.kind == NTS_KIND_VAR) {
      const auto size = static_cast<uint32_t>(cell.bytes.size());
      const uint32_t word = (size + 4) << 2;
      header = size <= 126 && row % 2 == 0 ? std::string(1, static_cast<char>((size + 1) << 1 | 1))
                                           : std::string(reinterpret_cast<const char*>(&word), 4);
    }
    bytes_.push_back(std::make_unique<std::string>(header + cell.bytes));
    return reinterpret_cast<uintptr_t>(bytes_.back()->data());
  }

  std::vector<std::vector<uint64_t>> words_;
  std::vector<std::vector<uint8_t>> nulls_;
  std::vector<std::unique_ptr<std::string>> bytes_;
  std::vector<std::vector<const uint64_t*>> word_columns_;
  std::vector<std::vector<const uint8_t*>> null_columns_;
  std::vector<NtsColumnBlock> blocks_;
};

struct Output {
  NtsOutput about;
  std::vector<uint8_t> bytes;
};

std::vector<Output> Outputs(memtable::Part* part) {
  std::vector<Output> outputs;
  for (;;) {
    NtsOutput output = {};
    const base::Status status = part->FlushNext(&output);
    EXPECT_TRUE(status.ok()) << status.message();
    if (!status.ok() || output.kind == NTS_OUTPUT_END) break;
    outputs.push_back({output, {output.bytes, output.bytes + output.length}});
    outputs.back().about.bytes = nullptr;
  }
  part->FlushEnd(true);
  return outputs;
}

void ExpectEqual(const std::vector<Output>& expected, const std::vector<Output>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].bytes, actual[i].bytes);
    EXPECT_EQ(0, std::memcmp(&expected[i].about, &actual[i].about, sizeof(NtsOutput)));
  }
}

std::vector<NtsColumn> AllKinds() {
  return {Int(8), Text(), Int(1, NTS_COLUMN_LABEL), Int(2), Int(4, NTS_COLUMN_LABEL), Float4(), Float8(),
          Fixed(3), Dropped(), Text(), Int(8)};
}

struct Shape {
  size_t rows;
  bool times_ascend;
  bool with_nulls;
  size_t longest;  // of the second text
};

std::vector<Row> Rows(const Shape& shape) {
  std::mt19937_64 random(shape.rows);
  const auto often = [&](Cell cell) { return shape.with_nulls && random() % 7 == 0 ? Cell() : cell; };
  std::vector<Row> rows;
  for (size_t i = 0; i < shape.rows; ++i) {
    const auto number = static_cast<int64_t>(i);
    const auto series = static_cast<int64_t>(i % 37);
    const Cell time = shape.times_ascend ? Cell(number / 37) : often(Cell(static_cast<int64_t>(random() % 5000)));
    Row row;
    row.command_id = 7;
    row.cells = {time,
                 often(Cell("host-" + std::to_string(series))),
                 often(Cell(series % 5 - 2)),
                 often(Cell(number % 300 - 150)),
                 often(Cell(-series)),
                 often(Cell(static_cast<int64_t>(random() & 0xffffffff))),
                 often(Cell(static_cast<int64_t>(random()))),
                 often(Cell(series % 2 == 0 ? "abc" : "xyz")),
                 Cell(),
                 often(Cell(std::string(random() % (shape.longest + 1), 'v'))),
                 Cell(number)};
    rows.push_back(std::move(row));
  }
  return rows;
}

void Compare(const Shape& shape, int64_t bucket_width, const std::optional<std::vector<uint16_t>>& series,
             const NtsFlushOptions& options) {
  const std::vector<Row> rows = Rows(shape);
  Table table(AllKinds(), 0, bucket_width);
  Table other(AllKinds(), 0, bucket_width);
  if (series) table.SetSeries(*series);
  if (series) other.SetSeries(*series);
  for (const Row& row : rows) table.Append(row);
  ASSERT_TRUE(table.part->FlushBegin(options).ok());
  const std::vector<Output> expected = Outputs(table.part);
  const Columns columns(other.schema, rows, 333);
  const base::Status status = other.part->FlushBeginColumns(columns.blocks(), 7, options);
  ASSERT_TRUE(status.ok()) << status.message();
  ExpectEqual(expected, Outputs(other.part));
  EXPECT_TRUE(std::equal(table.part->series_columns().begin(), table.part->series_columns().end(),
                         other.part->series_columns().begin(), other.part->series_columns().end()));
  EXPECT_EQ(1u, other.manager->Counters().flushes);
  EXPECT_EQ(0u, other.part->rows());
}

TEST(ColumnBlocks, WritesWhatAPartWrites) {
  for (const bool times_ascend : {true, false}) {
    for (const bool with_nulls : {false, true}) {
      // The part looks for series columns at its 10 000th row, or when it is flushed.
      for (const size_t rows : {size_t{1}, size_t{40}, size_t{999}, size_t{9999}, size_t{10000}, size_t{12345}}) {
        const Shape shape = {rows, times_ascend, with_nulls, 20};
        Compare(shape, 1000, std::nullopt, SegmentsOnly());
      }
      const Shape shape = {5000, times_ascend, with_nulls, 20};
      Compare(shape, 0, std::vector<uint16_t>{1}, SegmentsOnly());
      Compare(shape, 0, std::vector<uint16_t>{1, 2, 3, 4, 5, 6, 7, 8}, SegmentsOnly());
      Compare(shape, 0, std::vector<uint16_t>{}, SegmentsOnly());
    }
  }
}

TEST(ColumnBlocks, WritesTheSameBatchesAndCutsTheSameSegments) {
  NtsFlushOptions options = FlushOptions();
  Compare({3000, true, true, 20}, 1000, std::nullopt, options);
  options.min_segment_rows = 1000;
  options.max_segment_rows = 700;
  Compare({5000, false, true, 20}, 1000, std::nullopt, options);
  options.max_segment_bytes = 100000;
  Compare({5000, true, true, 200}, 0, std::nullopt, options);
}

TEST(ColumnBlocks, WritesLongValues) { Compare({1500, true, true, 70000}, 0, std::vector<uint16_t>{1}, SegmentsOnly()); }

TEST(ColumnBlocks, RefusesAValueThatIsNotPlain) {
  Table table({Int(8), Text()}, 0, 0);
  const uint8_t toasted[18] = {1};
  const uint8_t compressed[8] = {2 | 8 << 2};
  for (const uint8_t* value : {toasted, compressed}) {
    const uint64_t times[] = {1};
    const uint64_t values[] = {reinterpret_cast<uintptr_t>(value)};
    const uint8_t nulls[] = {0};
    const uint64_t* const words[] = {times, values};
    const uint8_t* const flags[] = {nulls, nulls};
    const NtsColumnBlock block = {words, flags, 1};
    EXPECT_EQ(base::Code::kBug, table.part->FlushBeginColumns({&block, 1}, 0, SegmentsOnly()).code());
  }
  // The part is as it was.
  table.Append({{1, "a"}});
  ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
  EXPECT_EQ(1u, Outputs(table.part).size());
}

TEST(ColumnBlocks, AreFlushedInPlaceOfNothingElse) {
  Table table({Int(8)}, 0, 0);
  const Columns columns(table.schema, {{{1}}}, 10);
  table.Append({{5}});
  EXPECT_EQ(base::Code::kBug, table.part->FlushBeginColumns(columns.blocks(), 0, SegmentsOnly()).code());
  EXPECT_EQ(1u, table.part->rows());
}

TEST(ColumnBlocks, AreForgottenByAFlushThatFails) {
  Table table({Int(8)}, 0, 0);
  {
    const Columns columns(table.schema, {{{1}}}, 10);
    ASSERT_TRUE(table.part->FlushBeginColumns(columns.blocks(), 0, SegmentsOnly()).ok());
    table.part->FlushEnd(false);
  }
  EXPECT_EQ(0u, table.part->rows());
  EXPECT_EQ(0u, table.manager->Counters().flushes);
  ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
  EXPECT_TRUE(Outputs(table.part).empty());
}

}  // namespace
}  // namespace nodedb_ts::test
