#include "memtable/part.h"

#include <random>

#include "memtable/memtable_fixture.h"

namespace nodedb_ts::test {
namespace {

std::vector<NtsColumn> Metric() { return {Int(8), Text(), Int(8)}; }
Row Sample(int i, uint64_t id, uint32_t command) {
  return {{i, "host " + std::to_string(i % 4), i * i}, id, command};
}

void ExpectHolds(Table* table, memtable::Part* part, const Row& row) {
  std::vector<NtsValue> values(table->schema.column_count);
  uint32_t command = 0;
  ASSERT_TRUE(part->Fetch(row.row_id, values.data(), &command)) << row.row_id;
  EXPECT_EQ(row.command_id, command);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(row.cells[i], CellOf(table->columns[i], values[i]));
  }
}

TEST(Part, FetchFindsRowsByIdWhateverTheOrder) {
  Table table(Metric(), 0, 0);
  std::vector<Row> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(Sample(i, 1000 + static_cast<uint64_t>(i), 1));
  for (int i = 50; i < 60; ++i) rows.push_back(Sample(i, NTS_NO_ROW_ID, 2));
  for (int i = 60; i < 90; ++i) rows.push_back(Sample(i, 100 + static_cast<uint64_t>(i), 3));
  for (int i = 90; i < 99; ++i) rows.push_back(Sample(i, 5000 - static_cast<uint64_t>(i) * 2, 4));
  for (const Row& row : rows) table.Append(row);
  for (const Row& row : rows) {
    if (row.row_id != NTS_NO_ROW_ID) ExpectHolds(&table, table.part, row);
  }
  NtsValue values[3];
  uint32_t command = 0;
  for (const uint64_t id : {uint64_t{0}, uint64_t{159}, uint64_t{190}, uint64_t{999},
                            uint64_t{1050}, uint64_t{4801}, uint64_t{9999}, NTS_NO_ROW_ID}) {
    EXPECT_FALSE(table.part->Fetch(id, values, &command)) << id;
  }
  // Frozen rows are found as well.
  ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
  ExpectHolds(&table, table.part, rows[0]);
  table.part->FlushEnd(false);
  ExpectHolds(&table, table.part, rows[70]);
}

TEST(Part, MergeKeepsIdsAndCommandIdsAndRekeys) {
  Table table(Metric(), 0, 0);
  memtable::Part* inner = table.NewPart();
  table.SetSeries({1});
  std::vector<Row> rows;
  for (int i = 0; i < 300; ++i) {
    rows.push_back(Sample(i, static_cast<uint64_t>(i < 100 ? 500 + i : i), i < 100 ? 1 : 2));
    table.AppendTo(i < 100 ? table.part : inner, rows.back());
  }
  EXPECT_EQ(4u, table.manager->Counters().active_series);
  ASSERT_TRUE(table.part->Merge(inner).ok());
  EXPECT_EQ(300u, table.part->rows());
  EXPECT_EQ(0u, inner->rows());
  EXPECT_EQ(4u, table.manager->Counters().active_series);
  for (const Row& row : rows) ExpectHolds(&table, table.part, row);
  RowSink sink(table.schema);
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  ASSERT_EQ(1, sink.segments);
  std::sort(sink.rows.begin(), sink.rows.end());
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows, sink.rows);
}

TEST(Part, MergeIntoAnEmptyPartTakesTheRowsAndTheChoice) {
  Table table(Metric(), 0, 0);
  memtable::Part* inner = table.NewPart();
  const std::vector<uint16_t> series = {1};
  ASSERT_TRUE(inner->SetSeries(series).ok());
  for (int i = 0; i < 100; ++i) table.AppendTo(inner, Sample(i, NTS_NO_ROW_ID, 1));
  ASSERT_TRUE(table.part->Merge(inner).ok());
  EXPECT_TRUE(table.part->has_series());
  EXPECT_EQ(100u, table.part->rows());
  EXPECT_EQ(4u, table.manager->Counters().active_series);
}

TEST(Part, MergeThatTheBudgetCannotCopyQueues) {
  Table table(Metric(), 0, 0, 100000, 500000, 1.0);
  memtable::Part* inner = table.NewPart();
  std::vector<Row> rows;
  for (int i = 0; i < 1500; ++i) {
    rows.push_back(Sample(i, static_cast<uint64_t>(i), 1));
    ASSERT_NE(NTS_INGEST_REJECTED, table.AppendTo(i < 300 ? table.part : inner, rows.back()));
  }
  ASSERT_TRUE(table.part->Merge(inner).ok());
  EXPECT_EQ(1500u, table.part->rows());
  EXPECT_EQ(1u, table.manager->Counters().has_frozen);
  for (const Row& row : rows) ExpectHolds(&table, table.part, row);
  RowSink sink(table.schema);
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  std::sort(sink.rows.begin(), sink.rows.end());
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows, sink.rows);
  EXPECT_EQ(1u, table.manager->Counters().flushes);
}

// Rows of the inner part share one variant; in the outer one each series has tags of its own, so that each row needs a new one.
TEST(Part, MergeOfSharedTagsStaysWithinTheBudget) {
  constexpr uint64_t kBudget = uint64_t{4} << 20;
  constexpr int kTags = 100;
  std::vector<NtsColumn> columns = {Int(8), Int(4, NTS_COLUMN_LABEL)};
  columns.insert(columns.end(), kTags, Text());
  Table table(columns, 0, 0, kBudget, 500000, 0.6);
  table.SetSeries({1});
  memtable::Part* inner = table.NewPart();
  ASSERT_TRUE(inner->SetSeries(std::vector<uint16_t>{1}).ok());
  const auto row = [](int series, char tag) {
    Row result;
    result.cells = {Cell(series), Cell(series)};
    result.cells.insert(result.cells.end(), kTags, Cell(std::string(60, tag)));
    return result;
  };
  constexpr int kRows = 2000;
  for (int s = 0; s < kRows; s++) ASSERT_NE(table.Append(row(s, 'a')), NTS_INGEST_REJECTED);
  for (int s = 0; s < kRows; s++) ASSERT_NE(table.AppendTo(inner, row(s, 'b')), NTS_INGEST_REJECTED);
  ASSERT_TRUE(table.part->Merge(inner).ok());
  EXPECT_EQ(table.part->rows(), uint64_t{2} * kRows);
  const NtsCounters counters = table.manager->Counters();
  EXPECT_LE(counters.active_bytes + counters.frozen_bytes, kBudget);
}

// Neighbours share a variant, rows of a series do not: stored by series, the same rows take much more.
TEST(Part, RekeyingStaysWithinTheBudget) {
  constexpr uint64_t kBudget = uint64_t{4} << 20;
  constexpr int kTags = 100;
  std::vector<NtsColumn> columns = {Int(8), Int(4, NTS_COLUMN_LABEL)};
  columns.insert(columns.end(), kTags, Text());
  Table table(columns, 0, 0, kBudget, 500000, 1.0);
  std::vector<Row> rows;
  for (int i = 0; i < 5000; ++i) {
    Row row{{i, i % 1000}, static_cast<uint64_t>(i), 1};
    row.cells.insert(row.cells.end(), kTags, Cell(std::string(8, static_cast<char>('a' + i / 1000))));
    ASSERT_NE(NTS_INGEST_REJECTED, table.Append(row));
    rows.push_back(std::move(row));
  }
  table.SetSeries({1});
  const NtsCounters counters = table.manager->Counters();
  EXPECT_LE(counters.active_bytes + counters.frozen_bytes, kBudget);
  for (const Row& row : rows) ExpectHolds(&table, table.part, row);
  RowSink sink(table.schema);
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  std::sort(sink.rows.begin(), sink.rows.end());
  EXPECT_EQ(rows, sink.rows);
}

TEST(Part, MergeTakesRowsOfAFailedFlushAlong) {
  Table table(Metric(), 0, 0);
  memtable::Part* inner = table.NewPart();
  table.AppendTo(inner, Sample(1, 1, 1));
  ASSERT_TRUE(inner->FlushBegin(SegmentsOnly()).ok());
  table.AppendTo(inner, Sample(2, 2, 1));
  ASSERT_TRUE(table.part->Merge(inner).ok());  // ends the flush as failed
  EXPECT_EQ(2u, table.part->rows());
  ExpectHolds(&table, table.part, Sample(1, 1, 1));
  ExpectHolds(&table, table.part, Sample(2, 2, 1));
  EXPECT_FALSE(table.part->Merge(table.part).ok());
}

TEST(Part, RowsArriveWhileAFlushRuns) {
  Table table(Metric(), 0, 0);
  for (int i = 0; i < 10; ++i) table.Append(Sample(i, NTS_NO_ROW_ID, 1));
  ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
  table.Append(Sample(99, NTS_NO_ROW_ID, 1));
  NtsOutput output = {};
  uint64_t rows = 0;
  while (table.part->FlushNext(&output).ok() && output.kind != NTS_OUTPUT_END) {
    rows += output.rows;
    table.Append(Sample(100, NTS_NO_ROW_ID, 1));
  }
  table.part->FlushEnd(true);
  EXPECT_EQ(10u, rows);
  EXPECT_GE(table.part->rows(), 2u);
  EXPECT_EQ(1u, table.manager->Counters().flushes);
}

TEST(Part, ResetDropsEverythingAndIsReused) {
  Table table(Metric(), 0, 0);
  table.SetSeries({1});
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 100; ++i) table.Append(Sample(i, static_cast<uint64_t>(i), 1));
    ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
    for (int i = 0; i < 10; ++i) table.Append(Sample(i, 1000 + static_cast<uint64_t>(i), 1));
    table.part->Reset();
    const NtsCounters counters = table.manager->Counters();
    EXPECT_EQ(0u, table.part->rows());
    EXPECT_EQ(0u, counters.active_bytes + counters.frozen_bytes + counters.has_frozen);
    EXPECT_EQ(0u, counters.active_series);
    EXPECT_TRUE(table.part->has_series());
    NtsValue values[3];
    uint32_t command = 0;
    EXPECT_FALSE(table.part->Fetch(5, values, &command));
  }
}

// ---- staged rows -------------------------------------------------------

std::vector<NtsColumn> Mixed() {
  return {Int(8), Text(), Int(2), Float4(), Dropped(), Fixed(5), Float8(), Text(), Int(1)};
}
Row MixedRow(std::mt19937_64* random, uint32_t command) {
  const auto maybe = [&](Cell cell) { return (*random)() % 8 == 0 ? Cell() : cell; };
  const auto word = [&](int bits) { return Cell(static_cast<int64_t>((*random)()) >> (64 - bits)); };
  Row row;
  row.cells = {maybe(word(64)),
               maybe(Cell("host " + std::to_string((*random)() % 5))),
               maybe(word(16)),
               maybe(Cell(static_cast<int64_t>((*random)() & 0xffffffffu))),
               Cell(),
               maybe(Cell(std::string(5, static_cast<char>('a' + (*random)() % 26)))),
               maybe(word(64)),
               maybe(Cell(std::string((*random)() % 12 == 0 ? (*random)() % 300 : 3, 'x'))),
               maybe(word(8))};
  row.command_id = command;
  return row;
}
std::vector<Row> MixedRows(std::mt19937_64* random, size_t count, uint32_t command) {
  std::vector<Row> rows;
  while (rows.size() < count) rows.push_back(MixedRow(random, command));
  return rows;
}

// Adds rows by block, or where that does not go on by row, as PostgreSQL's side does.
void AppendBlocks(Table* table, memtable::Part* part, const std::vector<Row>& rows, bool with_images) {
  const Block block(table->schema, rows, rows.size() % 2 == 0, with_images);
  for (size_t at = 0; at < rows.size();) {
    NtsIngest result = NTS_INGEST_OK;
    at += part->AppendBlock(block.From(at), rows[at].command_id, &result);
    if (at < rows.size()) ASSERT_NE(NTS_INGEST_REJECTED, table->AppendTo(part, rows[at++]));
  }
}

std::vector<Row> FlushedRows(Table* table, memtable::Part* part, const NtsFlushOptions& options, RowSink* sink) {
  EXPECT_TRUE(table->manager->Flush(part, options, sink).ok());
  sink->Commit();
  EXPECT_EQ(0u, part->rows());
  return sink->rows;
}

TEST(Part, StagedRowsBecomeBatchesInTheirOrder) {
  std::mt19937_64 random(5);
  Table table(Mixed(), 0, 0);
  for (const size_t count : {1u, 8u, 9u, 100u, 255u}) {
    for (const size_t page : {8000u, 500u}) {
      const std::vector<Row> rows = MixedRows(&random, count, 7);
      AppendBlocks(&table, table.part, rows, true);
      EXPECT_EQ(count, table.part->rows());
      EXPECT_LT(0u, table.part->bytes());
      EXPECT_EQ(count, table.manager->Counters().active_rows);
      EXPECT_EQ(0u, table.manager->Counters().active_series);
      RowSink sink(table.schema);
      NtsFlushOptions options = FlushOptions();
      options.max_batch_bytes = page;
      EXPECT_EQ(rows, FlushedRows(&table, table.part, options, &sink)) << count << " " << page;
      EXPECT_EQ(0, sink.segments);
      EXPECT_EQ(0u, table.part->bytes());
    }
  }
}

// A block stays as it is only if it is alone: what comes before or behind it makes it rows of a memtable.
TEST(Part, StagedRowsAndOthersAreTheSameRows) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 400; ++round) {
    Table table(Mixed(), 0, 0, 8 << 20, round % 5 == 0 ? 2 : 500000);
    memtable::Part* inner = table.NewPart();
    std::vector<Row> rows;
    std::vector<Row> inner_rows;
    for (uint32_t piece = 0; piece < random() % 5; ++piece) {
      const bool to_inner = random() % 3 == 0;
      const std::vector<Row> more = MixedRows(&random, 1 + random() % 256, piece);
      memtable::Part* const part = to_inner ? inner : table.part;
      switch (random() % 3) {
        case 0: for (const Row& row : more) table.AppendTo(part, row); break;
        case 1: AppendBlocks(&table, part, more, true); break;
        default: AppendBlocks(&table, part, more, false); break;
      }
      if (random() % 4 == 0) {
        const std::vector<uint16_t> series = {1};
        ASSERT_TRUE(part->SetSeries(series).ok());
      }
      std::vector<Row>& model = to_inner ? inner_rows : rows;
      model.insert(model.end(), more.begin(), more.end());
      ASSERT_EQ(model.size(), part->rows());
    }
    ASSERT_TRUE(table.part->Merge(inner).ok());
    rows.insert(rows.end(), inner_rows.begin(), inner_rows.end());
    ASSERT_EQ(rows.size(), table.part->rows());
    ASSERT_EQ(0u, inner->rows());
    RowSink sink(table.schema);
    NtsFlushOptions options = random() % 2 == 0 ? FlushOptions() : SegmentsOnly();
    options.keep_command_ids = true;
    std::vector<Row> written = FlushedRows(&table, table.part, options, &sink);
    std::sort(rows.begin(), rows.end());
    std::sort(written.begin(), written.end());
    ASSERT_EQ(rows, written) << round;
  }
}

// Rows too large for a page need a segment; a flush that fails anywhere leaves all rows for the next one.
TEST(Part, StagedRowsOutliveFailedFlushes) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 200; ++round) {
    Table table(Mixed(), 0, 0);
    std::vector<Row> rows = MixedRows(&random, 16 + random() % 100, 1);
    if (round % 2 == 0) rows[random() % rows.size()].cells[7] = Cell(std::string(700, 'y'));
    AppendBlocks(&table, table.part, rows, true);
    NtsFlushOptions options = FlushOptions();
    options.max_batch_bytes = round % 2 == 0 ? 600 : 2000;
    RowSink failing(table.schema);
    failing.fail_at = 1 + static_cast<int>(random() % 4);
    if (!table.manager->Flush(table.part, options, &failing).ok()) {
      EXPECT_EQ(rows.size(), table.part->rows());
      EXPECT_EQ(1u, table.manager->Counters().has_frozen);
      if (round % 3 == 0) {
        const std::vector<Row> more = MixedRows(&random, 20, 2);
        AppendBlocks(&table, table.part, more, true);
        rows.insert(rows.end(), more.begin(), more.end());
      }
      RowSink sink(table.schema);
      std::vector<Row> written = FlushedRows(&table, table.part, options, &sink);
      std::sort(rows.begin(), rows.end());
      std::sort(written.begin(), written.end());
      ASSERT_EQ(rows, written) << round;
    }
    EXPECT_EQ(0u, table.manager->Counters().has_frozen);
  }
}

// While a flush runs, its rows stay staged, and rows that come are not part of it.
TEST(Part, RowsArriveWhileStagedOnesAreFlushed) {
  std::mt19937_64 random(9);
  Table table(Mixed(), 0, 0);
  const std::vector<Row> rows = MixedRows(&random, 50, 1);
  const std::vector<Row> more = MixedRows(&random, 50, 2);
  AppendBlocks(&table, table.part, rows, true);
  ASSERT_TRUE(table.part->FlushBegin(FlushOptions()).ok());
  AppendBlocks(&table, table.part, more, true);
  NtsOutput output = {};
  ASSERT_TRUE(table.part->FlushNext(&output).ok());
  EXPECT_EQ(rows, RowsOf(table.schema, output));
  ASSERT_TRUE(table.part->FlushNext(&output).ok());
  EXPECT_EQ(NTS_OUTPUT_END, output.kind);
  table.part->FlushEnd(true);
  EXPECT_EQ(50u, table.part->rows());
  RowSink sink(table.schema);
  EXPECT_EQ(more, FlushedRows(&table, table.part, FlushOptions(), &sink));
}

// Where there is no room for a memtable of them, staged rows stay what they are.
TEST(Part, StagedRowsStayWithinTheBudget) {
  constexpr uint64_t kBudget = uint64_t{4} << 20;
  std::mt19937_64 random(10);
  Table table(Metric(), 0, 0, kBudget, 500000, 1.0);
  std::vector<Row> rows;
  for (int i = 0; i < 200; ++i) rows.push_back(Sample(i, NTS_NO_ROW_ID, 1));
  AppendBlocks(&table, table.part, rows, true);
  // Small parts fill what a large one has no chunk for.
  for (int i = 0; i < 20; ++i) {
    memtable::Part* const other = table.NewPart();
    while (table.AppendTo(other, Sample(i, NTS_NO_ROW_ID, 1)) != NTS_INGEST_REJECTED) {}
  }
  const uint64_t before = table.part->bytes();
  while (table.Append(rows[0]) != NTS_INGEST_REJECTED) rows.push_back(rows[0]);
  EXPECT_EQ(before, table.part->bytes());
  EXPECT_EQ(rows.size(), table.part->rows());
  const NtsCounters counters = table.manager->Counters();
  EXPECT_LE(counters.active_bytes + counters.frozen_bytes, kBudget);
  RowSink sink(table.schema);
  EXPECT_EQ(rows, FlushedRows(&table, table.part, FlushOptions(), &sink));
}

TEST(Part, ResetForgetsStagedRows) {
  std::mt19937_64 random(11);
  Table table(Mixed(), 0, 0);
  AppendBlocks(&table, table.part, MixedRows(&random, 100, 1), true);
  table.part->Reset();
  EXPECT_EQ(0u, table.part->rows());
  EXPECT_EQ(0u, table.manager->Counters().active_bytes);
  const std::vector<Row> rows = MixedRows(&random, 30, 2);
  AppendBlocks(&table, table.part, rows, true);
  RowSink sink(table.schema);
  EXPECT_EQ(rows, FlushedRows(&table, table.part, FlushOptions(), &sink));
}

TEST(Part, SeriesColumnsAreCheckedAndIgnoredOnceRowsAreKeyed) {
  Table table(Metric(), 0, 0);
  const std::vector<uint16_t> beyond = {3};
  const std::vector<uint16_t> descending = {2, 1};
  EXPECT_FALSE(table.part->SetSeries(beyond).ok());
  EXPECT_FALSE(table.part->SetSeries(descending).ok());
  EXPECT_FALSE(table.part->SetSeries(std::vector<uint16_t>(17, 1)).ok());
  for (int i = 0; i < 10; ++i) table.Append(Sample(i, NTS_NO_ROW_ID, 1));
  table.SetSeries({1});  // rows held are keyed now
  EXPECT_EQ(4u, table.manager->Counters().active_series);
  table.SetSeries({2});
  EXPECT_EQ(1u, table.part->series_columns()[0]);
  table.part->Reset();
  table.SetSeries({});
  table.Append(Sample(1, NTS_NO_ROW_ID, 1));
  EXPECT_EQ(1u, table.manager->Counters().active_series);
}

}  // namespace
}  // namespace nodedb_ts::test
