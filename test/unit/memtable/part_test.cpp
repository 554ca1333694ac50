#include "memtable/part.h"

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
