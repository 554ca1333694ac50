// Random operations on parts against plain vectors of rows.
#include <random>

#include "memtable/memtable_fixture.h"

namespace nodedb_ts::test {
namespace {

class Model {
 public:
  Model(uint64_t seed, uint64_t budget, uint64_t max_series)
      : random_(seed),
        table_({Int(8), Text(), Int(2), Float8(), Text(), Fixed(3), Dropped()}, 0, 50, budget,
               max_series, 0.7),
        sink_(table_.schema),
        budget_(budget) {
    parts_.push_back({table_.part, {}});
    for (int i = 0; i < 3; ++i) parts_.push_back({table_.NewPart(), {}});
  }

  void Step() {
    const uint64_t dice = random_() % 1000;
    Held& held = parts_[random_() % parts_.size()];
    if (dice < 900) {
      const uint64_t burst = random_() % 20;
      for (uint64_t i = 0; i < burst; ++i) Append(&held);
    } else if (dice < 930) {
      Flush(&held, dice < 915);
    } else if (dice < 950) {
      Merge(&held);
    } else if (dice < 955) {
      held.part->Reset();
      held.rows.clear();
    } else if (dice < 960) {
      const std::vector<uint16_t> columns = {1, 2};
      ASSERT_TRUE(held.part->SetSeries(std::span(columns).first(random_() % 3)).ok());
    } else if (dice < 962) {
      table_.manager->Free(held.part);
      held = {table_.NewPart(), {}};
    } else {
      Fetch(held);
    }
    Check();
  }

  void Finish() {
    for (Held& held : parts_) Flush(&held, false);
  }

 private:
  struct Held {
    memtable::Part* part;
    std::vector<Row> rows;
  };

  Row RandomRow() {
    const auto maybe = [&](Cell cell) { return random_() % 10 == 0 ? Cell() : cell; };
    const int series = static_cast<int>(random_() % (1 + random_() % 40));
    const size_t length = random_() % 100 == 0 ? random_() % 9000 : random_() % 20;
    Row row{{maybe(static_cast<int64_t>(random_() % 400)), Cell("tag " + std::to_string(series)),
             maybe(series % 3), maybe(static_cast<int64_t>(random_())),
             maybe(Cell(std::string(length, 'v'))), maybe("abc"), Cell()}};
    if (random_() % 8 != 0) row.row_id = next_id_++;
    if (random_() % 30 == 0) next_id_ += random_() % 100;
    if (random_() % 50 == 0) ++command_id_;
    row.command_id = command_id_;
    return row;
  }

  void Append(Held* held) {
    const Row row = RandomRow();
    const NtsCounters before = table_.manager->Counters();
    const NtsIngest result = table_.AppendTo(held->part, row);
    const NtsCounters after = table_.manager->Counters();
    ASSERT_EQ(before.rejected + (result == NTS_INGEST_REJECTED ? 1 : 0), after.rejected);
    if (result == NTS_INGEST_REJECTED) return;
    held->rows.push_back(row);
    ASSERT_EQ(before.ingested + 1, after.ingested);
    ASSERT_LE(after.active_bytes + after.frozen_bytes, budget_);
  }

  void Flush(Held* held, bool fail) {
    NtsFlushOptions options = random_() % 2 ? FlushOptions() : SegmentsOnly();
    if (random_() % 2) options.min_segment_rows = 1 + random_() % 100;
    if (random_() % 3 == 0) options.max_segment_rows = 1 + random_() % 200;
    if (random_() % 3 == 0) options.max_segment_bytes = 1000 + random_() % 5000;
    if (random_() % 3 == 0) options.max_batch_rows = 1 + static_cast<uint32_t>(random_() % 50);
    options.level = static_cast<uint8_t>(1 + random_() % 2);
    sink_.fail_at = fail ? 1 + static_cast<int>(random_() % 3) : 0;
    const base::Status status = table_.manager->Flush(held->part, options, &sink_);
    sink_.fail_at = 0;
    if (!status.ok()) {
      ASSERT_TRUE(fail);
      sink_.Abort();
      return;
    }
    sink_.Commit();
    std::sort(sink_.rows.begin(), sink_.rows.end());
    std::sort(held->rows.begin(), held->rows.end());
    ASSERT_EQ(held->rows, sink_.rows);
    sink_.rows.clear();
    sink_.outputs.clear();
    held->rows.clear();
  }

  void Merge(Held* into) {
    Held& from = parts_[random_() % parts_.size()];
    if (&from == into) return;
    ASSERT_TRUE(into->part->Merge(from.part).ok());
    into->rows.insert(into->rows.end(), from.rows.begin(), from.rows.end());
    from.rows.clear();
  }

  void Fetch(const Held& held) {
    std::vector<NtsValue> values(table_.schema.column_count);
    uint32_t command_id = 0;
    ASSERT_FALSE(held.part->Fetch(next_id_ + 1000000, values.data(), &command_id));
    if (held.rows.empty()) return;
    const Row& row = held.rows[random_() % held.rows.size()];
    if (row.row_id == NTS_NO_ROW_ID) return;
    ASSERT_TRUE(held.part->Fetch(row.row_id, values.data(), &command_id));
    ASSERT_EQ(row.command_id, command_id);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(row.cells[i], CellOf(table_.columns[i], values[i])) << i;
    }
  }

  void Check() {
    uint64_t bytes = 0;
    for (const Held& held : parts_) {
      ASSERT_EQ(held.rows.size(), held.part->rows());
      bytes += held.part->bytes();
    }
    const NtsCounters counters = table_.manager->Counters();
    ASSERT_EQ(bytes, counters.active_bytes + counters.frozen_bytes);
  }

  std::mt19937_64 random_;
  Table table_;
  RowSink sink_;
  uint64_t budget_;
  std::vector<Held> parts_;
  uint64_t next_id_ = 1;
  uint32_t command_id_ = 0;
};

TEST(Model, RandomOperationsKeepAllRows) {
  uint64_t seed = 1;
  for (const uint64_t budget : {1024u, 2048u, 5000u, 20000u, 100000u, 1000000u, 64000000u}) {
    for (const uint64_t max_series : {1u, 5u, 1000u}) {
      SCOPED_TRACE(testing::Message() << "budget " << budget << " max_series " << max_series);
      Model model(seed++, budget, max_series);
      for (int i = 0; i < 600; ++i) {
        model.Step();
        if (testing::Test::HasFatalFailure()) return;
      }
      model.Finish();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::test
