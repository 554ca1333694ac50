#include "memtable/flush_plan.h"

#include <limits>
#include <random>

#include "memtable/key_hash.h"
#include "memtable/memtable_fixture.h"
#include "memtable/time_buckets.h"

namespace nodedb_ts::test {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

struct Flushed {
  std::vector<NtsOutput> outputs;
  std::vector<std::vector<Row>> rows;  // of each output
};

Flushed FlushAll(Table* table, const NtsFlushOptions& options) {
  Flushed flushed;
  RowSink sink(table->schema);
  const base::Status status = table->manager->Flush(table->part, options, &sink);
  EXPECT_TRUE(status.ok()) << status.message();
  sink.Commit();
  size_t at = 0;
  for (const NtsOutput& output : sink.outputs) {
    flushed.outputs.push_back(output);
    flushed.rows.emplace_back(sink.rows.begin() + static_cast<ptrdiff_t>(at),
                              sink.rows.begin() + static_cast<ptrdiff_t>(at + output.rows));
    at += output.rows;
  }
  return flushed;
}

std::vector<NtsColumn> Metric() { return {Int(8), Int(4, NTS_COLUMN_LABEL), Int(8)}; }

TEST(FlushPlan, BucketsFloor) {
  using memtable::BucketOf;
  EXPECT_EQ(0, BucketOf(0, 10));
  EXPECT_EQ(0, BucketOf(9, 10));
  EXPECT_EQ(1, BucketOf(10, 10));
  EXPECT_EQ(-1, BucketOf(-1, 10));
  EXPECT_EQ(-1, BucketOf(-10, 10));
  EXPECT_EQ(-2, BucketOf(-11, 10));
  EXPECT_EQ(kMin, BucketOf(kMin, 1));
  EXPECT_EQ(kMax, BucketOf(kMax, 1));
  EXPECT_EQ(-1, BucketOf(kMin, kMax) + 1);
  EXPECT_EQ(1, BucketOf(kMax, kMax));
}

TEST(FlushPlan, ExtremeTimesKeepTheirBuckets) {
  for (const int64_t width : {int64_t{1}, int64_t{10}, int64_t{86400000000}, kMax - 1, kMax}) {
    Table table(Metric(), 0, width);
    table.SetSeries({1});
    std::vector<Row> expected;
    const int64_t times[] = {kMax, kMin, 0, kMin + 1, kMax - 1, -1, kMin, kMax};
    for (const int64_t time : times) {
      expected.push_back({{time, 1, 1}});
      table.Append(expected.back());
    }
    expected.push_back({{Cell(), 1, 1}});
    table.Append(expected.back());
    const Flushed flushed = FlushAll(&table, SegmentsOnly());
    std::vector<Row> all;
    std::optional<int64_t> last;
    for (size_t i = 0; i < flushed.outputs.size(); ++i) {
      const NtsOutput& output = flushed.outputs[i];
      all.insert(all.end(), flushed.rows[i].begin(), flushed.rows[i].end());
      if (i == 0) {
        EXPECT_TRUE(output.has_null_time);
        EXPECT_FALSE(output.has_time);
        continue;
      }
      EXPECT_EQ(memtable::BucketOf(output.min_time, width),
                memtable::BucketOf(output.max_time, width));
      if (last) {
        EXPECT_LT(*last, output.min_time);
      }
      last = output.max_time;
    }
    std::sort(all.begin(), all.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(expected, all);
  }
}

TEST(FlushPlan, SortsBySeriesThenTimeThenArrival) {
  Table table(Metric(), 0, 0);
  table.SetSeries({1});
  std::mt19937_64 random(1);
  std::vector<Row> expected;
  for (int i = 0; i < 5000; ++i) {
    const Cell time = random() % 50 == 0 ? Cell() : Cell(static_cast<int64_t>(random() % 300));
    const Cell series = random() % 9 == 0 ? Cell() : Cell(static_cast<int64_t>(random() % 7) - 3);
    expected.push_back({{time, series, i}});
    table.Append(expected.back());
  }
  std::stable_sort(expected.begin(), expected.end(), [](const Row& a, const Row& b) {
    if (a.cells[1] != b.cells[1]) {
      if (a.cells[1].is_null != b.cells[1].is_null) return b.cells[1].is_null;
      return a.cells[1].word < b.cells[1].word;
    }
    if (a.cells[0].is_null != b.cells[0].is_null) return a.cells[0].is_null;
    return a.cells[0].word < b.cells[0].word;
  });
  const Flushed flushed = FlushAll(&table, SegmentsOnly());
  // The bucket of NULL times comes first, on its own.
  ASSERT_EQ(2u, flushed.outputs.size());
  std::vector<Row> nulls;
  std::vector<Row> timed;
  for (const Row& row : expected) (row.cells[0].is_null ? nulls : timed).push_back(row);
  EXPECT_EQ(nulls, flushed.rows[0]);
  EXPECT_EQ(timed, flushed.rows[1]);
}

TEST(FlushPlan, UnkeyedRowsAreSortedTheSameWay) {
  for (const bool keyed : {false, true}) {
    std::vector<NtsColumn> columns = {Int(8), Text(), Fixed(2), Int(8)};
    const NtsSchema schema = {columns.data(), 4, 0, 0};
    const std::vector<uint16_t> key = {1, 2};
    memtable::Budget budget(1 << 30);
    memtable::Memtable source(&budget, memtable::TableLayout::Make(schema, keyed, key, 65536));
    std::vector<Row> expected;
    for (int i = 0; i < 3000; ++i) {
      std::string name = std::to_string(i * 7919 % 50);
      name.push_back('n');
      expected.push_back({{i, i % 11 == 0 ? Cell() : Cell(name), i % 2 ? "xy" : "ab", i}});
      ASSERT_EQ(memtable::Grow::kOk,
                source.Append(ValuesOf(schema, expected.back()).data(), NTS_NO_ROW_ID, 0));
    }
    std::stable_sort(expected.begin(), expected.end(), [](const Row& a, const Row& b) {
      if (a.cells[1].is_null != b.cells[1].is_null) return b.cells[1].is_null;
      if (a.cells[1] != b.cells[1]) return a.cells[1].bytes < b.cells[1].bytes;
      return a.cells[2].bytes < b.cells[2].bytes;
    });
    memtable::FlushPlan plan;
    plan.Begin(&source, SegmentsOnly(), key);
    NtsOutput output = {};
    ASSERT_TRUE(plan.Next(&output).ok());
    EXPECT_EQ(expected, RowsOf(schema, output));
    ASSERT_TRUE(plan.Next(&output).ok());
    EXPECT_EQ(NTS_OUTPUT_END, output.kind);
    EXPECT_TRUE(plan.finished());
  }
}

TEST(FlushPlan, UnkeyedSeriesOfEqualHashesAreKeptApart) {
  std::vector<NtsColumn> columns = {Int(8), Int(8), Int(8)};
  const NtsSchema schema = {columns.data(), 3, 0, 0};
  const std::vector<uint16_t> key = {1};
  memtable::Budget budget(1 << 30);
  memtable::Memtable source(&budget, memtable::TableLayout::Make(schema, false, {}, 65536));
  const auto like_null = static_cast<int64_t>(memtable::kNullHash);
  std::vector<Row> numbers;
  std::vector<Row> nulls;
  for (int i = 0; i < 3000; ++i) {
    const Row row = {{i, i % 3 == 0 ? Cell(like_null) : Cell(), i}};
    (i % 3 == 0 ? numbers : nulls).push_back(row);
    ASSERT_EQ(memtable::Grow::kOk, source.Append(ValuesOf(schema, row).data(), NTS_NO_ROW_ID, 0));
  }
  memtable::FlushPlan plan;
  plan.Begin(&source, SegmentsOnly(), key);
  NtsOutput output = {};
  ASSERT_TRUE(plan.Next(&output).ok());
  numbers.insert(numbers.end(), nulls.begin(), nulls.end());
  EXPECT_EQ(numbers, RowsOf(schema, output));
}

TEST(FlushPlan, NeighbouringBucketsAreJoined) {
  Table table(Metric(), 0, 100);
  NtsFlushOptions options = FlushOptions();
  options.min_segment_rows = 30;
  // 12 buckets of 10 rows and one of 5: groups of 3, the rest joins the last.
  for (int i = 0; i < 120; ++i) table.Append({{i * 10, 1, i}});
  for (int i = 0; i < 5; ++i) table.Append({{1200 + i, 1, i}});
  const Flushed flushed = FlushAll(&table, options);
  ASSERT_EQ(4u, flushed.outputs.size());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(i == 3 ? 35u : 30u, flushed.outputs[static_cast<size_t>(i)].rows);
    EXPECT_EQ(i * 300, flushed.outputs[static_cast<size_t>(i)].min_time);
  }
}

TEST(FlushPlan, LargeGroupsAreSplit) {
  Table table(Metric(), 0, 0);
  NtsFlushOptions options = SegmentsOnly();
  options.max_segment_rows = 400;
  for (int i = 0; i < 1000; ++i) table.Append({{i, 1, i}});
  Flushed flushed = FlushAll(&table, options);
  ASSERT_EQ(3u, flushed.outputs.size());
  EXPECT_EQ(334u, flushed.outputs[0].rows);
  EXPECT_EQ(334, flushed.outputs[1].min_time);

  options.max_segment_rows = 1000000;
  options.max_segment_bytes = 2000;  // 20 bytes a row
  for (int i = 0; i < 1000; ++i) table.Append({{i, 1, i}});
  flushed = FlushAll(&table, options);
  ASSERT_EQ(10u, flushed.outputs.size());
  for (const NtsOutput& output : flushed.outputs) EXPECT_EQ(100u, output.rows);
}

TEST(FlushPlan, FewRowsBecomeBatchesInArrivalOrder) {
  Table table(Metric(), 0, 100);
  std::vector<Row> expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back({{(i * 7919) % 3000, i % 3, i}});
    table.Append(expected.back());
  }
  NtsFlushOptions options = FlushOptions();
  options.max_batch_rows = 700;
  const Flushed flushed = FlushAll(&table, options);
  std::vector<Row> all;
  EXPECT_GE(flushed.outputs.size(), 5u);
  for (size_t i = 0; i < flushed.outputs.size(); ++i) {
    EXPECT_EQ(NTS_OUTPUT_BATCH, flushed.outputs[i].kind);
    EXPECT_LE(flushed.outputs[i].length, options.max_batch_bytes);
    EXPECT_LE(flushed.outputs[i].rows, 700u);
    all.insert(all.end(), flushed.rows[i].begin(), flushed.rows[i].end());
  }
  EXPECT_EQ(expected, all);
  EXPECT_FALSE(table.part->has_series());  // no segment asked for a choice
}

TEST(FlushPlan, BatchesHaveConsecutiveIdsOrNone) {
  Table table(Metric(), 0, 100);
  std::vector<Row> expected;
  std::mt19937_64 random(4);
  uint64_t id = 1000;
  for (int i = 0; i < 1500; ++i) {
    const uint64_t dice = random() % 40;
    if (dice == 0) id = random() % 1000000000;
    expected.push_back({{i, i % 3, i}, dice < 4 ? NTS_NO_ROW_ID : id++,
                        static_cast<uint32_t>(i / 100)});
    table.Append(expected.back());
  }
  const Flushed flushed = FlushAll(&table, FlushOptions());
  std::vector<Row> all;
  for (const auto& rows : flushed.rows) all.insert(all.end(), rows.begin(), rows.end());
  EXPECT_EQ(expected, all);
}

TEST(FlushPlan, CommandIdsAreKeptOnlyWhenTheyDiffer) {
  for (const bool keep : {false, true}) {
    Table table(Metric(), 0, 100);
    for (int i = 0; i < 20; ++i) table.Append({{i, 1, i}, NTS_NO_ROW_ID, i < 10 ? 3u : 4u});
    NtsFlushOptions options = FlushOptions();
    options.keep_command_ids = keep;
    ASSERT_TRUE(table.part->FlushBegin(options).ok());
    NtsOutput output = {};
    ASSERT_TRUE(table.part->FlushNext(&output).ok());
    ASSERT_EQ(NTS_OUTPUT_BATCH, output.kind);
    ASSERT_EQ(20u, output.rows);
    EXPECT_EQ(3u, output.min_command_id);
    EXPECT_EQ(4u, output.max_command_id);
    NtsBatchInfo info = {};
    NtsStatus status = {};
    NtsBatchBytes batch = {nullptr, 0, output.bytes, output.length, 20, output.batch_layout, false};
    ASSERT_EQ(NTS_OK, nts_batch_info(table.schema.columns, 3, &batch, &info, &status));
    EXPECT_EQ(keep ? 1u : 0u, info.has_command_ids);
    // Alone, the first ten have one command id, which the batch itself carries.
    table.part->FlushEnd(false);
    options.max_batch_rows = 10;
    ASSERT_TRUE(table.part->FlushBegin(options).ok());
    ASSERT_TRUE(table.part->FlushNext(&output).ok());
    batch = {nullptr, 0, output.bytes, output.length, 10, output.batch_layout, false};
    ASSERT_EQ(NTS_OK, nts_batch_info(table.schema.columns, 3, &batch, &info, &status));
    EXPECT_EQ(0u, info.has_command_ids);
  }
}

TEST(FlushPlan, RowsTooLargeForABatchGoToASegment) {
  Table table({Int(8), Text()}, 0, 0);
  std::vector<Row> expected;
  std::mt19937_64 random(5);
  for (int i = 0; i < 30; ++i) {
    std::string value(i % 10 == 7 ? 20000 : 50, ' ');
    for (char& c : value) c = static_cast<char>(random());  // does not compress
    expected.push_back({{i, value}, static_cast<uint64_t>(i), static_cast<uint32_t>(i % 2)});
    table.Append(expected.back());
  }
  const Flushed flushed = FlushAll(&table, FlushOptions());
  std::vector<Row> all;
  int segments = 0;
  for (size_t i = 0; i < flushed.outputs.size(); ++i) {
    if (flushed.outputs[i].kind == NTS_OUTPUT_SEGMENT) {
      ++segments;
      EXPECT_EQ(3u, flushed.outputs[i].rows);
    }
    all.insert(all.end(), flushed.rows[i].begin(), flushed.rows[i].end());
  }
  EXPECT_EQ(1, segments);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(expected, all);
}

TEST(FlushPlan, SegmentsSplitRowsWithAndWithoutIds) {
  Table table(Metric(), 0, 0);
  for (int i = 0; i < 100; ++i) {
    table.Append({{i, 1, i}, i % 3 == 0 ? NTS_NO_ROW_ID : static_cast<uint64_t>(i), 0});
  }
  const Flushed flushed = FlushAll(&table, SegmentsOnly());
  ASSERT_EQ(2u, flushed.outputs.size());
  EXPECT_TRUE(flushed.outputs[0].has_row_ids);
  EXPECT_EQ(1u, flushed.outputs[0].min_row_id);
  EXPECT_EQ(98u, flushed.outputs[0].max_row_id);
  EXPECT_FALSE(flushed.outputs[1].has_row_ids);
  EXPECT_EQ(34u, flushed.outputs[1].rows);
}

TEST(FlushPlan, NoTimeColumn) {
  Table table({Text(), Int(4)}, -1, 0);
  for (int i = 0; i < 100; ++i) table.Append({{i % 2 ? "b" : "a", i}});
  const Flushed flushed = FlushAll(&table, SegmentsOnly());
  ASSERT_EQ(1u, flushed.outputs.size());
  EXPECT_TRUE(flushed.outputs[0].has_null_time);
  EXPECT_FALSE(flushed.outputs[0].has_time);
  EXPECT_EQ("a", flushed.rows[0][49].cells[0].bytes);
  EXPECT_EQ("b", flushed.rows[0][50].cells[0].bytes);
}

TEST(FlushPlan, NoColumnsAtAll) {
  for (const bool segments : {false, true}) {
    Table table({}, -1, 0);
    for (uint64_t i = 0; i < 5; ++i) table.Append({{}, i, 0});
    const Flushed flushed = FlushAll(&table, segments ? SegmentsOnly() : FlushOptions());
    ASSERT_EQ(1u, flushed.outputs.size());
    EXPECT_EQ(5u, flushed.outputs[0].rows);
  }
}

TEST(FlushPlan, AnEmptyPartHasNoOutputs) {
  Table table(Metric(), 0, 0);
  EXPECT_TRUE(FlushAll(&table, SegmentsOnly()).outputs.empty());
  EXPECT_EQ(0u, table.manager->Counters().flushes);
}

}  // namespace
}  // namespace nodedb_ts::test
