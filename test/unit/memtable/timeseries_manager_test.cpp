#include "memtable/timeseries_manager.h"

#include "memtable/memtable_fixture.h"

namespace nodedb_ts::test {
namespace {

using memtable::SegmentList;

std::vector<NtsColumn> Metric() { return {Int(8), Int(8, NTS_COLUMN_LABEL), Float8()}; }
Row Sample(int64_t time, int64_t series, int64_t value) { return {{time, series, value}}; }

TEST(TimeseriesManager, OneSeriesFlushesToSegments) {
  Table table(Metric(), 0, 0);
  table.SetSeries({1});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(NTS_INGEST_OK, table.Append(Sample(i, 1, i)));
  EXPECT_EQ(1u, table.manager->Counters().active_series);
  EXPECT_EQ(100u, table.manager->Counters().active_rows);
  SegmentList list;
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &list).ok());
  EXPECT_GE(list.entries().size(), 1u);
  EXPECT_EQ(100u, list.rows());
  const NtsCounters counters = table.manager->Counters();
  EXPECT_EQ(0u, counters.active_series);
  EXPECT_EQ(1u, counters.flushes);
  EXPECT_EQ(0u, counters.active_bytes);
  EXPECT_EQ(0u, counters.frozen_bytes);
  EXPECT_EQ(0u, counters.has_frozen);
  EXPECT_EQ(100u, counters.ingested);
}

TEST(TimeseriesManager, TinyBudgetSignalsAndGoesOnAfterTheFlush) {
  Table table(Metric(), 0, 0, 2048);
  table.SetSeries({1});
  bool needed = false;
  int i = 0;
  for (; i < 500 && !needed; ++i) {
    const NtsIngest result = table.Append(Sample(i, i % 5, i));
    ASSERT_NE(NTS_INGEST_REJECTED, result) << "at row " << i;
    needed = result == NTS_INGEST_FLUSH_NEEDED;
  }
  ASSERT_TRUE(needed);
  EXPECT_GT(i, 5);
  SegmentList list;
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &list).ok());
  EXPECT_EQ(static_cast<uint64_t>(i), list.rows());
  for (int k = 0; k < 5; ++k) EXPECT_EQ(NTS_INGEST_OK, table.Append(Sample(i + k, k, k)));
}

TEST(TimeseriesManager, RetentionDropsSegmentsOlderThanTheCutoff) {
  Table table(Metric(), 0, 100);
  table.SetSeries({1});
  table.Append(Sample(100, 1, 1));
  table.Append(Sample(200, 2, 1));
  SegmentList list;
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &list).ok());
  ASSERT_EQ(2u, list.entries().size());
  EXPECT_EQ(0u, list.DropOlderThan(100));  // exactly at the cutoff: stays
  const int64_t now = 1000;
  const int64_t max_age = 500;
  EXPECT_EQ(2u, list.DropOlderThan(now - max_age));
  EXPECT_TRUE(list.entries().empty());
}

TEST(TimeseriesManager, FourthSeriesEvictsTheColdest) {
  Table table(Metric(), 0, 0, 1 << 20, 3);
  table.SetSeries({1});
  for (int series = 1; series <= 3; ++series) table.Append(Sample(series, series, 0));
  table.Append(Sample(4, 1, 0));  // series 2 is the coldest now
  EXPECT_EQ(0u, table.manager->Counters().evictions);
  table.Append(Sample(5, 4, 0));
  NtsCounters counters = table.manager->Counters();
  EXPECT_EQ(1u, counters.evictions);
  EXPECT_EQ(3u, counters.active_series);
  EXPECT_EQ(4u, counters.active_rows);
  EXPECT_EQ(1u, counters.has_frozen);
  EXPECT_GT(counters.frozen_bytes, 0u);
  table.Append(Sample(6, 1, 0));
  EXPECT_EQ(1u, table.manager->Counters().evictions);
  table.Append(Sample(7, 2, 0));  // back again: series 3 goes
  counters = table.manager->Counters();
  EXPECT_EQ(2u, counters.evictions);
  EXPECT_EQ(3u, counters.active_series);
  EXPECT_EQ(7u, table.part->rows());
  // Evicted rows are flushed with the others, series 2 in one piece.
  RowSink sink(table.schema);
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  const std::vector<Row> expected = {Sample(1, 1, 0), Sample(4, 1, 0), Sample(6, 1, 0),
                                     Sample(2, 2, 0), Sample(7, 2, 0), Sample(3, 3, 0),
                                     Sample(5, 4, 0)};
  EXPECT_EQ(expected, sink.rows);
}

TEST(TimeseriesManager, LoweredMaxSeriesEvictsWithTheNextRow) {
  Table table(Metric(), 0, 0);
  table.SetSeries({1});
  for (int series = 0; series < 10; ++series) table.Append(Sample(series, series, 0));
  ASSERT_TRUE(table.manager->Configure({64 << 20, 0.6, 4}).ok());
  EXPECT_EQ(10u, table.manager->Counters().active_series);
  table.Append(Sample(10, 9, 0));
  EXPECT_EQ(4u, table.manager->Counters().active_series);
  EXPECT_EQ(6u, table.manager->Counters().evictions);
}

TEST(TimeseriesManager, FailedFlushLosesNothing) {
  Table table(Metric(), 0, 100);
  table.SetSeries({1});
  std::vector<Row> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back(Sample(i, i % 7, i));
    table.Append(expected.back());
  }
  RowSink sink(table.schema);
  for (int fail_at = 1; fail_at <= 10; ++fail_at) {
    sink.fail_at = fail_at;
    const base::Status status = table.manager->Flush(table.part, SegmentsOnly(), &sink);
    ASSERT_EQ(base::Code::kCorrupt, status.code());
    EXPECT_EQ("the disk is on fire", status.message());
    sink.Abort();
    EXPECT_EQ(expected.size(), table.part->rows());
    EXPECT_EQ(1u, table.manager->Counters().has_frozen);
    EXPECT_EQ(0u, table.manager->Counters().active_rows);
    EXPECT_GT(table.manager->Counters().frozen_bytes, 0u);
    // The table takes rows while the frozen ones wait.
    expected.push_back(Sample(5000 + fail_at, 3, 1));
    EXPECT_EQ(NTS_INGEST_OK, table.Append(expected.back()));
  }
  EXPECT_EQ(0u, table.manager->Counters().flushes);
  sink.fail_at = 0;
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  std::sort(sink.rows.begin(), sink.rows.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(expected, sink.rows);
  EXPECT_EQ(1u, table.manager->Counters().flushes);
  EXPECT_EQ(0u, table.part->rows());
}

TEST(TimeseriesManager, SuccessBeforeTheEndIsNotBelieved) {
  Table table(Metric(), 0, 100);
  for (int i = 0; i < 1000; ++i) table.Append(Sample(i, i % 7, i));
  ASSERT_TRUE(table.part->FlushBegin(SegmentsOnly()).ok());
  NtsOutput output = {};
  ASSERT_TRUE(table.part->FlushNext(&output).ok());
  table.part->FlushEnd(true);
  EXPECT_EQ(1000u, table.part->rows());
  EXPECT_EQ(0u, table.manager->Counters().flushes);
}

TEST(TimeseriesManager, RejectedWhenTheFlushFails) {
  Table table(Metric(), 0, 0, 16384, 500000, 1.0);
  RowSink sink(table.schema);
  sink.fail_at = 1;
  base::Status status;
  int64_t accepted = 0;
  for (; accepted < 10000; ++accepted) {
    status = table.manager->IngestWithFlush(
        table.part, ValuesOf(table.schema, Sample(accepted, 1, 1)).data(), NTS_NO_ROW_ID, 0,
        SegmentsOnly(), &sink);
    if (!status.ok()) break;
  }
  EXPECT_EQ(base::Code::kCorrupt, status.code());
  EXPECT_EQ(static_cast<uint64_t>(accepted), table.part->rows());
  EXPECT_EQ(1u, table.manager->Counters().rejected);
  // Later it works, and nothing is missing.
  status = table.manager->IngestWithFlush(
      table.part, ValuesOf(table.schema, Sample(accepted, 1, 1)).data(), NTS_NO_ROW_ID, 0,
      SegmentsOnly(), &sink);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_TRUE(table.manager->Flush(table.part, SegmentsOnly(), &sink).ok());
  sink.Commit();
  EXPECT_EQ(static_cast<size_t>(accepted) + 1, sink.rows.size());
}

TEST(TimeseriesManager, RejectedRowThatCanNeverFit) {
  Table table({Int(8), Text()}, 0, 0, 8192);
  table.Append({{1, "a"}});
  const Row huge = {{2, std::string(20000, 'x')}};
  EXPECT_GT(table.part->RowBytes(ValuesOf(table.schema, huge).data()), 20000u);
  EXPECT_EQ(NTS_INGEST_REJECTED, table.Append(huge));
  EXPECT_EQ(1u, table.part->rows());
  EXPECT_LT(table.part->bytes(), 2048u);
  RowSink sink(table.schema);
  const base::Status status =
      table.manager->IngestWithFlush(table.part, ValuesOf(table.schema, huge).data(),
                                     NTS_NO_ROW_ID, 0, SegmentsOnly(), &sink);
  EXPECT_EQ(base::Code::kLimit, status.code());
  EXPECT_NE(std::string::npos, status.message().find("8192")) << status.message();
  EXPECT_EQ(0u, table.part->rows());
  EXPECT_EQ(3u, table.manager->Counters().rejected);
  EXPECT_EQ(1u, table.manager->Counters().ingested);
  EXPECT_EQ(0u, table.manager->Counters().active_bytes);
}

TEST(TimeseriesManager, CachedBuffersOfManyEmptyPartsGiveWay) {
  Table table(Metric(), 0, 0, 256 << 10);
  std::vector<memtable::Part*> parts;
  SegmentList list;
  for (int i = 0; i < 400; ++i) {
    parts.push_back(table.NewPart());
    for (int k = 0; k < 40; ++k) {
      ASSERT_NE(NTS_INGEST_REJECTED, table.AppendTo(parts.back(), Sample(k, 1, 1)));
    }
    if (i % 2 == 0) {
      parts.back()->Reset();
    } else {
      ASSERT_TRUE(table.manager->Flush(parts.back(), FlushOptions(), &list).ok());
    }
    EXPECT_EQ(0u, table.manager->Counters().active_bytes);
  }
  EXPECT_EQ(nullptr, table.manager->Largest(*table.part));
  // One part may still use nearly all of the budget.
  uint64_t most = 0;
  for (int k = 0; k < 20000; ++k) {
    if (table.Append(Sample(k, 1, 1)) == NTS_INGEST_REJECTED) break;
    most = table.part->bytes();
  }
  EXPECT_GT(most, uint64_t{200} << 10);
  EXPECT_EQ(table.part, table.manager->Largest(*table.part));
}

TEST(TimeseriesManager, FreedPartsLeaveNothingBehind) {
  Table table(Metric(), 0, 0);
  memtable::Part* other = table.NewPart();
  table.AppendTo(other, Sample(1, 1, 1));
  EXPECT_GT(table.manager->Counters().active_bytes, 0u);
  table.manager->Free(other);
  EXPECT_EQ(0u, table.manager->Counters().active_bytes);
}

// Rows that share their tags are flushed after as many as if they did not, with less memory.
TEST(TimeseriesManager, SharedTagsDoNotDelayAFlush) {
  Table table({Int(8), Text(), Text(), Text(), Text(), Text(), Text()}, 0, 0, 1 << 20, 500000, 1.0);
  table.SetSeries({1});
  int rows = 0;
  while (table.Append({{rows, "host", "a", "b", "c", "d", "e"}}) == NTS_INGEST_OK) ++rows;
  constexpr int kUnshared = (1 << 20) / (8 + 5 * 8);
  EXPECT_GT(rows, kUnshared / 2);
  EXPECT_LT(rows, kUnshared);
  EXPECT_LT(table.manager->Counters().active_bytes, uint64_t{512} << 10);
}

// The part with fewer bytes is flushed when shared tags of its own rows make the flush due, and not otherwise.
TEST(TimeseriesManager, LargestIsWhatMakesTheFlushDue) {
  Table table({Int(8), Text(), Text(), Text(), Text(), Text(), Text()}, 0, 0, 1 << 20, 500000, 0.9);
  table.SetSeries({1});
  memtable::Part* other = table.NewPart();
  for (int i = 0; table.part->bytes() <= 200000; ++i) {
    ASSERT_EQ(NTS_INGEST_OK, table.AppendTo(table.part, {{i, "host", "a", "b", "c", "d", "e"}}));
  }
  for (int i = 0; other->bytes() <= table.part->bytes(); ++i) {
    ASSERT_EQ(NTS_INGEST_OK, table.AppendTo(other, {{i, std::to_string(i), "a", "b", "c", "d", "e"}}));
  }
  EXPECT_EQ(table.part, table.manager->Largest(*table.part));
  EXPECT_EQ(other, table.manager->Largest(*other));
  RowSink sink(table.schema);
  ASSERT_TRUE(table.manager->Flush(other, SegmentsOnly(), &sink).ok());
  EXPECT_EQ(table.part, table.manager->Largest(*other));
}

TEST(TimeseriesManager, OptionsAreChecked) {
  using memtable::TimeseriesManager;
  EXPECT_FALSE(TimeseriesManager::CheckOptions({1023, 0.6, 1}).ok());
  EXPECT_FALSE(TimeseriesManager::CheckOptions({1024, 0.0, 1}).ok());
  EXPECT_FALSE(TimeseriesManager::CheckOptions({1024, 1.1, 1}).ok());
  EXPECT_FALSE(TimeseriesManager::CheckOptions({1024, 0.6, 0}).ok());
  EXPECT_TRUE(TimeseriesManager::CheckOptions({1024, 1.0, 1}).ok());
}

}  // namespace
}  // namespace nodedb_ts::test
