#include "memtable/memtable.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>

#include "memtable/memtable_fixture.h"

// Counts what operator new hands out while `counting`; fails while `failing`.
namespace {
std::atomic<int64_t> live_bytes{0};
thread_local bool counting = false;
thread_local int64_t allocations_left = -1;
thread_local uint64_t allocations = 0;

// Not inlined: compilers warn of a free() that they see meet an operator new.
[[gnu::noinline]] void* CountedNew(size_t size) {
  ++allocations;
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (counting && block != nullptr) live_bytes += static_cast<int64_t>(malloc_usable_size(block));
  return block;
}
[[gnu::noinline]] void CountedDelete(void* block) {
  if (counting && block != nullptr) live_bytes -= static_cast<int64_t>(malloc_usable_size(block));
  std::free(block);
}
}  // namespace

void* operator new(size_t size) {
  void* block = CountedNew(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return CountedNew(size); }
void operator delete(void* block) noexcept { CountedDelete(block); }
void operator delete(void* block, size_t) noexcept { CountedDelete(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { CountedDelete(block); }

namespace nodedb_ts::test {
namespace {

using memtable::Budget;
using memtable::Grow;
using memtable::Memtable;
using memtable::TableLayout;

Row ReadBack(const Memtable& memtable, uint32_t row) {
  const NtsSchema& schema = memtable.layout().schema();
  std::vector<NtsValue> values(schema.column_count);
  memtable.ReadRow(row, values.data());
  Row result;
  for (uint32_t i = 0; i < schema.column_count; ++i) {
    result.cells.push_back(CellOf(schema.columns[i], values[i]));
  }
  uint32_t command_id = memtable.CommandId(row);
  memtable.GatherRowIds({&row, 1}, &result.row_id);
  result.command_id = command_id;
  return result;
}

std::vector<NtsColumn> AllKinds() {
  return {Int(8),   Text(),  Int(1, NTS_COLUMN_LABEL), Int(2),    Int(4), Float4(),
          Float8(), Fixed(7), Dropped(),               Fixed(16), Text(), Int(8)};
}

Row RandomRow(std::mt19937_64* random, uint32_t series, uint32_t null_percent) {
  const auto maybe = [&](Cell cell) {
    return (*random)() % 100 < null_percent ? Cell() : cell;
  };
  const auto number = [&](int bits) {
    return Cell(static_cast<int64_t>((*random)()) >> (64 - bits));
  };
  Row row;
  row.cells = {number(64),
               series % 5 == 0 ? Cell() : Cell("series " + std::to_string(series)),
               Cell(static_cast<int64_t>(series % 100)),
               maybe(number(16)),
               maybe(number(32)),
               maybe(Cell(static_cast<int64_t>((*random)() & 0xffffffffu))),
               maybe(number(64)),
               series % 3 == 0 ? Cell() : Cell("abcdef" + std::to_string(series % 10)),
               Cell(),
               maybe(Cell(std::string(16, static_cast<char>('a' + (*random)() % 26)))),
               maybe(Cell(std::string((*random)() % 4 == 0 ? (*random)() % 1000 : 5,
                                      static_cast<char>('a' + (*random)() % 2)))),
               maybe(number(8))};
  row.row_id = (*random)() % 10 == 0 ? NTS_NO_ROW_ID : (*random)() % (uint64_t{1} << 40);
  row.command_id = static_cast<uint32_t>((*random)() % 3);
  return row;
}

class MemtableKeys : public testing::TestWithParam<int> {
 protected:
  // 0: unkeyed, 1: keyed by no column, 2: by three columns.
  std::shared_ptr<const TableLayout> Layout(const NtsSchema& schema) {
    const std::vector<uint16_t> key = {1, 2, 7};
    if (GetParam() == 2) return TableLayout::Make(schema, true, key, 4096);
    return TableLayout::Make(schema, GetParam() == 1, {}, 4096);
  }
};

TEST_P(MemtableKeys, RandomRowsOfAllKindsComeBack) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  Budget budget(100 << 20);
  std::mt19937_64 random(7);
  Memtable memtable(&budget, Layout(schema));
  for (const uint32_t null_percent : {0u, 20u, 100u}) {
    memtable.Clear(16384);
    std::vector<Row> model;
    for (int i = 0; i < 3000; ++i) {
      model.push_back(RandomRow(&random, static_cast<uint32_t>(random() % 300), null_percent));
      const std::vector<NtsValue> values = ValuesOf(schema, model.back());
      ASSERT_EQ(Grow::kOk, memtable.Append(values.data(), model.back().row_id,
                                           model.back().command_id));
    }
    uint64_t raw = 0;
    for (uint32_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(model[i], ReadBack(memtable, i)) << "row " << i;
      raw += memtable.RawRowBytes(i);
      if (model[i].row_id != NTS_NO_ROW_ID) {
        ASSERT_EQ(i, memtable.FindRow(model[i].row_id));
      }
    }
    EXPECT_EQ(raw, memtable.raw_bytes());
    EXPECT_FALSE(memtable.FindRow(uint64_t{1} << 40).has_value());
  }
}

TEST(TableLayout, NullWindowsTellOfColumnsOfWords) {
  std::mt19937_64 random(3);
  for (uint32_t count = 0; count < 70; count++) {
    std::vector<NtsColumn> columns;
    std::vector<bool> words(count);
    for (uint32_t c = 0; c < count; c++) {
      columns.push_back(AllKinds()[random() % (count % 3 == 0 ? 12 : 9)]);
      words[c] = columns[c].kind != NTS_KIND_NONE && columns[c].kind != NTS_KIND_VAR && columns[c].kind != NTS_KIND_FIXED;
    }
    std::vector<uint16_t> key;
    if (count > 4 && columns[4].kind != NTS_KIND_NONE) key.push_back(4);
    if (!key.empty()) words[4] = false;
    const auto layout = TableLayout::Make({columns.data(), count, -1, 0}, true, key, 4096);
    std::vector<bool> told(count);
    for (const TableLayout::NullWindow& window : layout->word_nulls()) {
      ASSERT_LE(window.first + layout->null_window(), count);
      for (uint32_t c = 0; c < layout->null_window(); c++) {
        const uint64_t flag = window.mask >> c * 8 & 0xff;
        ASSERT_TRUE(flag == 0xff || flag == 0);
        if (flag != 0) told.at(window.first + c) = true;
      }
    }
    ASSERT_EQ(words, told) << count;
  }
}

// Rows by block and one by one are the same rows in the same series; allocations fail now and then, and a
// block that one fails in leaves nothing behind.
TEST_P(MemtableKeys, BlocksAreRows) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  std::mt19937_64 random(13);
  for (const uint32_t null_percent : {0u, 10u, 100u}) {
    for (const bool short_headers : {false, true}) {
      Budget budget(100 << 20);
      Memtable by_row(&budget, Layout(schema));
      Memtable by_block(&budget, Layout(schema));
      std::vector<Row> model;
      uint32_t in_blocks = 0;
      uint32_t failed = 0;
      uint32_t series = 10;
      while (model.size() < 4000) {
        // Now and then the first rows of new series.
        if (random() % 10 == 0) series += 3;
        std::vector<Row> rows;
        for (uint64_t n = random() % 120; n > 0; --n) {
          rows.push_back(RandomRow(&random, static_cast<uint32_t>(random() % series), null_percent));
          rows.back().row_id = NTS_NO_ROW_ID;
          rows.back().command_id = static_cast<uint32_t>(model.size() / 700);
        }
        const Block block(schema, rows, short_headers, short_headers);
        for (size_t i = 0; i < rows.size();) {
          allocations_left = static_cast<int64_t>(random() % 4);
          uint32_t appended = 0;
          try {
            appended = by_block.AppendBlock(block.From(i), rows[i].command_id);
          } catch (const std::bad_alloc&) {
          }
          failed += appended == 0 && allocations_left == 0;
          allocations_left = -1;
          for (size_t k = i; k < i + appended; ++k) rows[k].command_id = rows[i].command_id;
          in_blocks += appended;
          i += appended;
          ASSERT_EQ(model.size() + i, by_block.rows());
          if (i == rows.size()) break;
          ASSERT_EQ(Grow::kOk,
                    by_block.Append(ValuesOf(schema, rows[i]).data(), NTS_NO_ROW_ID, rows[i].command_id));
          ++i;
        }
        for (const Row& row : rows) {
          ASSERT_EQ(Grow::kOk, by_row.Append(ValuesOf(schema, row).data(), NTS_NO_ROW_ID, row.command_id));
          model.push_back(row);
        }
      }
      EXPECT_GT(in_blocks, 1000u);
      if (null_percent < 100) {
        EXPECT_GT(failed, 0u);
      }
      ASSERT_EQ(by_row.rows(), by_block.rows());
      ASSERT_EQ(by_row.raw_bytes(), by_block.raw_bytes());
      ASSERT_EQ(by_row.LargestRowBytes(), by_block.LargestRowBytes());
      ASSERT_EQ(by_row.active_series(), by_block.active_series());
      for (uint32_t i = 0; i < model.size(); ++i) {
        ASSERT_EQ(model[i], ReadBack(by_row, i)) << i;
        ASSERT_EQ(model[i], ReadBack(by_block, i)) << i;
      }
      if (GetParam() != 2) continue;
      for (uint32_t i = 0; i < by_row.series().size(); ++i) {
        ASSERT_EQ(by_row.series()[i].rows, by_block.series()[i].rows);
        ASSERT_EQ(by_row.series()[i].last_row, by_block.series()[i].last_row);
      }
      while (by_row.active_series() > 1) {
        by_row.EvictColdest();
        by_block.EvictColdest();
        ASSERT_EQ(by_row.evicted_rows(), by_block.evicted_rows());
      }
    }
  }
}

// If the memtable knows runs of the column, they must say what has been gathered, and be counted right.
void ExpectSameRuns(const Memtable& memtable, size_t column, std::span<const uint32_t> rows,
                    const std::vector<std::string_view>& values, const std::vector<uint8_t>& nulls, int* known) {
  segment::ByteRuns runs;
  if (!memtable.GatherRuns(column, rows, rows.size(), &runs)) return;
  ++*known;
  size_t row = 0;
  for (size_t run = 0; run < runs.size(); ++run) {
    ASSERT_LT(row, runs.ends[run]);
    for (; row < runs.ends[run]; ++row) {
      ASSERT_EQ(nulls[row], runs.nulls[run]) << column << " " << row;
      ASSERT_EQ(values[row], runs.values[run]) << column << " " << row;
    }
  }
  ASSERT_EQ(rows.size(), row);
  ASSERT_TRUE(memtable.GatherRuns(column, rows, runs.size(), &runs));
  ASSERT_FALSE(memtable.GatherRuns(column, rows, runs.size() - 1, &runs));
  // Of other rows nothing is known.
  ASSERT_FALSE(memtable.GatherRuns(column, rows.first(rows.size() - 1), rows.size(), &runs));
}

// Rows whose tags seldom change are known by their images: they are the same rows, also when blocks are taken
// back, rows come by themselves in between, and what images do not stand for changes.
TEST(Memtable, RowsAreKnownByTheirImages) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text(), Fixed(4), Int(4), Text(), Int(2)};
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  const std::vector<std::vector<uint16_t>> keys = {{1}, {1, 3}, {1, 4}, {4}};
  for (size_t k = 0; k < 2 * keys.size(); ++k) {
    const std::vector<uint16_t>& key = keys[k / 2];
    // Many series in turn; one that repeats itself within a block.
    const int host_count = k % 2 == 0 ? 30 : 1;
    const uint64_t most_in_a_row = host_count == 1 ? 60 : 5;
    std::mt19937_64 random(key.size() * 10 + key[0]);
    Budget budget(100 << 20);
    const auto layout = TableLayout::Make(schema, true, key, 4096);
    Memtable by_row(&budget, layout);
    Memtable by_block(&budget, layout);
    std::vector<std::vector<Cell>> hosts;
    for (int h = 0; h < host_count; ++h) {
      hosts.push_back({Cell(), "host " + std::to_string(h), "rack " + std::to_string(h % 3), std::string(4, 'f'),
                       Cell(int64_t{h % 7}), h % 4 == 0 ? Cell() : Cell("version 1"), Cell()});
    }
    std::vector<Row> model;
    uint64_t known = 0;
    for (size_t turn = 0; model.size() < 12000; ++turn) {
      std::vector<Row> rows;
      for (size_t h = 0; h < hosts.size(); ++h) {
        std::vector<Cell>& host = hosts[h];
        if (random() % 200 == 0) host[2] = "rack " + std::to_string(random() % 2);
        if (random() % 200 == 0) host[3] = std::string(4, static_cast<char>('a' + random() % 2));
        if (random() % 200 == 0) host[4] = Cell(static_cast<int64_t>(random() % 7));
        if (random() % 100 == 0) host[5] = random() % 2 ? Cell() : Cell("version 22");
        if (random() % 300 == 0) std::swap(hosts[h], hosts[random() % hosts.size()]);
        for (uint64_t n = random() % 20 == 0 || host_count == 1 ? random() % most_in_a_row : 1; n > 0; --n) {
          Row& row = rows.emplace_back();
          row.cells = host;
          row.cells[0] = Cell(static_cast<int64_t>(turn));
          row.cells[6] = random() % 9 == 0 ? Cell() : Cell(static_cast<int64_t>(random() % 100));
        }
      }
      const Block block(schema, rows, turn / 16 % 2 == 0, true);
      for (size_t i = 0; i < rows.size();) {
        allocations_left = random() % 3 == 0 ? static_cast<int64_t>(random() % 3) : -1;
        uint32_t appended = 0;
        try {
          appended = by_block.AppendBlock(block.From(i), 0);
        } catch (const std::bad_alloc&) {
        }
        allocations_left = -1;
        for (uint32_t s = 0; s < by_block.series().size(); ++s) {
          known += by_block.series()[s].image != nullptr ? 1 : 0;
        }
        i += appended;
        if (i == rows.size()) break;
        ASSERT_EQ(Grow::kOk, by_block.Append(ValuesOf(schema, rows[i]).data(), NTS_NO_ROW_ID, 0));
        ++i;
      }
      for (const Row& row : rows) {
        ASSERT_EQ(Grow::kOk, by_row.Append(ValuesOf(schema, row).data(), NTS_NO_ROW_ID, 0));
        model.push_back(row);
      }
    }
    EXPECT_GT(known, 0u);
    ASSERT_EQ(by_row.raw_bytes(), by_block.raw_bytes());
    ASSERT_EQ(by_row.series().size(), by_block.series().size());
    for (uint32_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(model[i], ReadBack(by_row, i)) << i;
      ASSERT_EQ(model[i], ReadBack(by_block, i)) << i;
    }
    // In the order of series, where cells of a series that are equal are looked at once.
    std::vector<uint32_t> rows(model.size());
    std::vector<uint32_t> series(model.size());
    for (uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
    by_block.GatherSeries(rows, series.data());
    std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) { return series[a] < series[b]; });
    std::vector<std::string_view> views(rows.size());
    std::vector<uint64_t> words(rows.size());
    std::vector<uint8_t> nulls(rows.size());
    int runs_known = 0;
    for (const Memtable* memtable : {&by_row, &by_block}) {
      memtable->WillGather(rows);
      for (uint32_t c = 0; c < columns.size(); ++c) {
        const bool bytes = IsBytesKind(columns[c].kind);
        if (bytes) {
          memtable->GatherBytes(c, rows, views.data(), nulls.data());
          ExpectSameRuns(*memtable, c, rows, views, nulls, &runs_known);
        } else {
          memtable->GatherWords(c, rows, words.data(), nulls.data());
        }
        for (size_t i = 0; i < rows.size(); ++i) {
          const Cell& cell = model[rows[i]].cells[c];
          ASSERT_EQ(cell.is_null, nulls[i] != 0) << c << " " << i;
          if (cell.is_null) continue;
          if (bytes) {
            ASSERT_EQ(cell.bytes, views[i]) << c << " " << i;
          } else {
            ASSERT_EQ(cell.word, static_cast<int64_t>(words[i])) << c << " " << i;
          }
        }
      }
      memtable->WillGather({});
    }
    EXPECT_GT(runs_known, 0);
  }
}

// Values that are not plain, or long, are left to Append.
TEST_P(MemtableKeys, BlocksLeaveOddValuesAlone) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text()};
  const NtsSchema schema = {columns.data(), 3, 0, 0};
  Budget budget(100 << 20);
  const std::vector<uint16_t> key = {1};
  Memtable memtable(&budget, TableLayout::Make(schema, true, key, 4096));
  std::vector<Row> rows(400, Row{{7, "host", "value"}});
  for (const Row& row : rows) {
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, row).data(), NTS_NO_ROW_ID, 0));
  }
  const uint64_t raw = memtable.raw_bytes();
  rows.resize(5);
  rows[4].cells[2] = Cell(std::string(3000, 'x'));
  const Block block(schema, rows, false);
  EXPECT_EQ(4u, memtable.AppendBlock(block.From(0), 0));
  EXPECT_EQ(0u, memtable.AppendBlock(block.From(4), 0));
  EXPECT_EQ(404u, memtable.rows());
  EXPECT_EQ(404u, memtable.series()[0].rows);
  EXPECT_EQ(403u, memtable.series()[0].last_row);
  EXPECT_EQ(raw + 4 * (8 + 4 + 5), memtable.raw_bytes());
  // An external varlena, and a compressed one.
  for (const uint8_t header : {uint8_t{1}, uint8_t{2}}) {
    const uint8_t odd[20] = {header};
    for (const uint32_t column : {1u, 2u}) {
      uint64_t words[3];
      std::copy_n(block.From(0).words[0], 3, words);
      words[column] = reinterpret_cast<uintptr_t>(odd);
      const uint64_t* row_words = words;
      const bool nulls[3] = {};
      const bool* row_nulls = nulls;
      EXPECT_EQ(0u, memtable.AppendBlock({&row_words, &row_nulls, 1, nullptr, nullptr, 0}, 0));
    }
  }
  rows.resize(4);
  EXPECT_EQ(4u, memtable.AppendBlock(Block(schema, rows, false).From(0), 0));
}

// A block makes series, from its first row on, as long as there may be more.
TEST(Memtable, BlocksStopAtTheMostSeries) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text()};
  const NtsSchema schema = {columns.data(), 3, 0, 0};
  Budget budget(100 << 20);
  const std::vector<uint16_t> key = {1};
  Memtable memtable(&budget, TableLayout::Make(schema, true, key, 64 << 10));
  std::vector<Row> rows;
  for (int64_t i = 0; i < 8; ++i) rows.push_back(Row{{i, Cell("host " + std::to_string(i % 6)), "value"}});
  const Block block(schema, rows, false);
  EXPECT_EQ(0u, memtable.AppendBlock(block.From(0), 0, 0));
  EXPECT_EQ(0u, memtable.bytes());
  EXPECT_EQ(5u, memtable.AppendBlock(block.From(0), 0, 5));
  EXPECT_EQ(5u, memtable.active_series());
  EXPECT_EQ(0u, memtable.AppendBlock(block.From(5), 0, 5));
  EXPECT_EQ(5u, memtable.rows());
  EXPECT_EQ(3u, memtable.AppendBlock(block.From(5), 0, 6));
  EXPECT_EQ(6u, memtable.active_series());
  for (uint32_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].cells, ReadBack(memtable, i).cells) << i;
}

TEST_P(MemtableKeys, GatherAgreesWithRows) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  Budget budget(100 << 20);
  std::mt19937_64 random(8);
  Memtable memtable(&budget, Layout(schema));
  std::vector<Row> model;
  for (int i = 0; i < 2000; ++i) {
    model.push_back(RandomRow(&random, static_cast<uint32_t>(random() % 20), 10));
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, model.back()).data(),
                                         model.back().row_id, model.back().command_id));
  }
  std::vector<uint32_t> rows(500);
  for (uint32_t& row : rows) row = static_cast<uint32_t>(random() % model.size());
  const std::vector<uint32_t> others(rows.rbegin(), rows.rend());
  std::vector<uint64_t> words(rows.size());
  std::vector<std::string_view> views(rows.size());
  std::vector<uint8_t> nulls(rows.size());
  std::vector<uint32_t> commands(rows.size());
  for (int pass = 0; pass < 4; ++pass) {
    // Told of nothing, of these rows, of others, and that other rows may stand in the same place.
    if (pass > 0) memtable.WillGather(pass == 2 ? others : rows);
    if (pass == 3) {
      memtable.WillGather({});
      std::reverse(rows.begin(), rows.end());
    }
    for (size_t c = 0; c < columns.size(); ++c) {
      const bool is_bytes = IsBytesKind(columns[c].kind);
      if (is_bytes) {
        memtable.GatherBytes(c, rows, views.data(), nulls.data());
      } else {
        memtable.GatherWords(c, rows, words.data(), nulls.data());
      }
      for (size_t i = 0; i < rows.size(); ++i) {
        const Cell& cell = model[rows[i]].cells[c];
        ASSERT_EQ(cell.is_null, nulls[i] != 0);
        if (is_bytes) {
          ASSERT_EQ(cell.bytes, views[i]);
        } else {
          ASSERT_EQ(cell.word, static_cast<int64_t>(words[i]));
        }
      }
    }
  }
  memtable.GatherRowIds(rows, words.data());
  memtable.GatherCommandIds(rows, commands.data());
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(model[rows[i]].row_id, words[i]);
    ASSERT_EQ(model[rows[i]].command_id, commands[i]);
  }
}

// Each allocation in turn fails: the row is not in, and the next attempt succeeds.
TEST_P(MemtableKeys, FailedAllocationsChangeNothing) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  Budget budget(100 << 20);
  std::mt19937_64 random(9);
  Memtable memtable(&budget, Layout(schema));
  std::vector<Row> model;
  int failures = 0;
  for (int i = 0; i < 500; ++i) {
    const Row row = RandomRow(&random, static_cast<uint32_t>(random() % 100), 10);
    const std::vector<NtsValue> values = ValuesOf(schema, row);
    for (int64_t left = 0;; ++left) {
      allocations_left = left;
      const Grow result = memtable.Append(values.data(), row.row_id, row.command_id);
      allocations_left = -1;
      if (result == Grow::kOk) break;
      ASSERT_EQ(Grow::kNoMemory, result);
      ++failures;
      ASSERT_EQ(model.size(), memtable.rows());
      if (row.row_id != NTS_NO_ROW_ID) {
        ASSERT_FALSE(memtable.FindRow(row.row_id).has_value());
      }
    }
    model.push_back(row);
  }
  EXPECT_GT(failures, 20);
  for (uint32_t i = 0; i < model.size(); ++i) ASSERT_EQ(model[i], ReadBack(memtable, i));
}

TEST_P(MemtableKeys, FailedAppendAllChangesNothing) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  Budget budget(100 << 20);
  std::mt19937_64 random(10);
  Memtable into(&budget, Layout(schema));
  Memtable from(&budget, TableLayout::Make(schema, false, {}, 4096));
  std::vector<Row> model;
  for (int i = 0; i < 200; ++i) {
    model.push_back(RandomRow(&random, static_cast<uint32_t>(random() % 30), 10));
    Memtable& memtable = i < 50 ? into : from;
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, model.back()).data(),
                                         model.back().row_id, model.back().command_id));
  }
  const uint64_t raw = into.raw_bytes();
  const uint32_t series = into.active_series();
  int failures = 0;
  for (int64_t left = 1;; ++left) {
    allocations_left = left;
    Grow result = Grow::kNoMemory;
    try {
      result = into.AppendAll(from);
    } catch (const std::bad_alloc&) {
    }
    allocations_left = -1;
    if (result == Grow::kOk) break;
    ++failures;
    ASSERT_EQ(50u, into.rows());
    ASSERT_EQ(raw, into.raw_bytes());
    ASSERT_EQ(series, into.active_series());
    for (uint32_t i = 0; i < 50; ++i) ASSERT_EQ(model[i], ReadBack(into, i));
    for (uint32_t i = 50; i < 200; ++i) {
      if (model[i].row_id != NTS_NO_ROW_ID) {
        ASSERT_FALSE(into.FindRow(model[i].row_id));
      }
    }
  }
  EXPECT_GT(failures, 5);
  for (uint32_t i = 0; i < 200; ++i) {
    ASSERT_EQ(model[i], ReadBack(into, i));
    if (model[i].row_id != NTS_NO_ROW_ID) {
      ASSERT_EQ(i, into.FindRow(model[i].row_id));
    }
  }
}

// The text of rows that a refused AppendAll took back is no burden to those that follow.
TEST_P(MemtableKeys, FailedAppendAllGivesTextBack) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text()};
  const NtsSchema schema = {columns.data(), 3, 0, 0};
  Budget large(100 << 20);
  Budget small(256 << 10);
  const std::vector<uint16_t> key = {1};
  Memtable from(&large, TableLayout::Make(schema, true, key, 4096));
  Memtable into(&small, GetParam() == 2 ? TableLayout::Make(schema, true, key, 4096)
                                        : TableLayout::Make(schema, GetParam() == 1, {}, 4096));
  const auto row = [](int i) { return Row{{i, "host", std::string(50, 'x') + std::to_string(i)}}; };
  for (int i = 0; i < 20000; ++i) {
    ASSERT_EQ(Grow::kOk, from.Append(ValuesOf(schema, row(i)).data(), NTS_NO_ROW_ID, 0));
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(Grow::kOk, into.Append(ValuesOf(schema, row(-i)).data(), NTS_NO_ROW_ID, 0));
  }
  for (int time = 0; time < 3; ++time) {
    ASSERT_EQ(Grow::kNoBudget, into.AppendAll(from));
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(Grow::kOk, into.Append(ValuesOf(schema, row(i)).data(), NTS_NO_ROW_ID, 0)) << i;
    }
  }
  ASSERT_EQ(700u, into.rows());
  for (uint32_t i = 0; i < 700; ++i) {
    const int number = i < 100 ? -static_cast<int>(i) : static_cast<int>(i - 100) % 200;
    ASSERT_EQ(row(number), ReadBack(into, i));
  }
}

TEST_P(MemtableKeys, BytesAreWhatTheAllocatorGave) {
  const std::vector<NtsColumn> columns = AllKinds();
  const NtsSchema schema = {columns.data(), static_cast<uint32_t>(columns.size()), 0, 0};
  Budget budget(16 << 20);  // too small for slabs
  const auto layout = Layout(schema);
  std::mt19937_64 random(11);
  std::vector<Row> rows;
  for (int i = 0; i < 20000; ++i) {
    rows.push_back(RandomRow(&random, static_cast<uint32_t>(random() % 2000), 5));
  }
  live_bytes = 0;
  {
    Memtable memtable(&budget, layout);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::vector<NtsValue> values = ValuesOf(schema, rows[i]);
      counting = true;
      const Grow grown = memtable.Append(values.data(), rows[i].row_id, rows[i].command_id);
      counting = false;
      ASSERT_EQ(Grow::kOk, grown);
      if (i % 97 != 0) continue;
      const double truth = static_cast<double>(live_bytes);
      ASSERT_LE(std::abs(truth - static_cast<double>(memtable.bytes())), truth / 10) << i;
      ASSERT_EQ(memtable.bytes(), budget.used());
    }
    counting = true;
  }
  counting = false;
  EXPECT_EQ(0, live_bytes);
  EXPECT_EQ(0u, budget.used());
}

INSTANTIATE_TEST_SUITE_P(Keys, MemtableKeys, testing::Values(0, 1, 2));

// The path of every one-row commit.
TEST(Memtable, OneRowCommitsAllocateNothing) {
  Table table({Int(8), Text(), Text(), Float8()}, 0, 100);
  table.SetSeries({1});
  NtsIngest result = NTS_INGEST_OK;
  NtsOutput output = {};
  std::vector<std::vector<NtsValue>> values;
  std::vector<Row> rows;
  for (int i = 0; i < 10; ++i) rows.push_back({{i, Cell("host " + std::to_string(i)), "tag", i}});
  for (const Row& row : rows) values.push_back(ValuesOf(table.schema, row));
  const NtsFlushOptions options = FlushOptions();
  for (int i = 0; i < 300; ++i) {
    if (i == 100) allocations = 0;
    ASSERT_TRUE(table.part->Append(values[static_cast<size_t>(i % 10)].data(),
                                   static_cast<uint64_t>(i), 1, &result).ok());
    ASSERT_TRUE(table.part->FlushBegin(options).ok());
    ASSERT_TRUE(table.part->FlushNext(&output).ok());
    ASSERT_EQ(NTS_OUTPUT_BATCH, output.kind);
    ASSERT_TRUE(table.part->FlushNext(&output).ok());
    ASSERT_EQ(NTS_OUTPUT_END, output.kind);
    table.part->FlushEnd(true);
    table.part->Reset();
  }
  EXPECT_EQ(0u, allocations);
  EXPECT_EQ(300u, table.manager->Counters().flushes);
}

TEST(Memtable, OneRowIsTiny) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Float8()};
  const NtsSchema schema = {columns.data(), 3, 0, 0};
  const std::vector<uint16_t> key = {1};
  Budget budget(1 << 20);
  Memtable memtable(&budget, TableLayout::Make(schema, true, key, 128));
  ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, {{1, "host", 2}}).data(), 1, 1));
  EXPECT_LT(memtable.bytes(), 700u);
}

TEST(Memtable, EqualTagsOfASeriesAreStoredOnce) {
  const std::vector<NtsColumn> columns = {Int(8), Text(), Text(), Text(), Text(), Text()};
  const NtsSchema schema = {columns.data(), 6, 0, 0};
  const std::vector<uint16_t> key = {1};
  Budget budget(1 << 30);
  Memtable memtable(&budget, TableLayout::Make(schema, true, key, 65536));
  const auto row = [](int i) {
    const std::string host = "host " + std::to_string(i % 10);
    return Row{{i, host, host + std::string(40, 'x'), "region", Cell(), std::to_string(i % 3)}};
  };
  for (int i = 0; i < 100000; ++i) {
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, row(i / 1000)).data(), NTS_NO_ROW_ID, 1));
  }
  EXPECT_EQ(10u, memtable.active_series());
  EXPECT_LT(memtable.bytes() / 100000, 20u);
}

TEST(Memtable, SixteenHundredColumns) {
  std::vector<NtsColumn> columns(1600, Int(8));
  const NtsSchema schema = {columns.data(), 1600, 0, 0};
  Budget budget(64 << 20);
  Memtable memtable(&budget, TableLayout::Make(schema, false, {}, 65536));
  std::vector<Row> model;
  for (int i = 0; i < 50; ++i) {
    Row row;
    for (int c = 0; c < 1600; ++c) row.cells.push_back((i + c) % 7 == 0 ? Cell() : Cell(i * c));
    row.row_id = static_cast<uint64_t>(i);
    model.push_back(row);
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, row).data(), row.row_id, 0));
  }
  for (uint32_t i = 0; i < 50; ++i) ASSERT_EQ(model[i], ReadBack(memtable, i));
}

TEST(Memtable, ValuesOfAnyLength) {
  const std::vector<NtsColumn> columns = {Text()};
  const NtsSchema schema = {columns.data(), 1, -1, 0};
  for (const bool keyed : {false, true}) {
    Budget budget(1 << 30);
    const std::vector<uint16_t> key = {0};
    Memtable memtable(&budget, TableLayout::Make(schema, keyed, key, 65536));
    std::vector<Row> model;
    for (const size_t length : {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 63, 64, 65, 254, 255, 256, 32767,
                                32768, 65535, 65536, 1 << 20}) {
      for (const char fill : {'a', 'b', 'a'}) {
        model.push_back({{Cell(std::string(length, fill))}});
        ASSERT_EQ(Grow::kOk,
                  memtable.Append(ValuesOf(schema, model.back()).data(), NTS_NO_ROW_ID, 0));
      }
    }
    for (uint32_t i = 0; i < model.size(); ++i) ASSERT_EQ(model[i], ReadBack(memtable, i));
    // The memory is that of the values, keyed: of the distinct ones.
    EXPECT_LT(memtable.bytes(), (keyed ? 5u : 7u) << 20);
  }
}

TEST(Memtable, ManySeriesAreFoundAgain) {
  const std::vector<NtsColumn> columns = {Int(8), Int(4)};
  const NtsSchema schema = {columns.data(), 2, 0, 0};
  const std::vector<uint16_t> key = {1};
  Budget budget(1 << 30);
  Memtable memtable(&budget, TableLayout::Make(schema, true, key, 65536));
  std::mt19937_64 random(3);
  constexpr int kSeries = 50000;
  for (int i = 0; i < 2 * kSeries; ++i) {
    const int series = i < kSeries ? i : static_cast<int>(random() % kSeries);
    ASSERT_EQ(Grow::kOk, memtable.Append(ValuesOf(schema, {{i, series}}).data(), NTS_NO_ROW_ID, 0));
    if (i % 10 == 0 && memtable.active_series() > 40000) memtable.EvictColdest();
  }
  for (int i = kSeries; i < kSeries + 100; ++i) {
    const Row row = ReadBack(memtable, static_cast<uint32_t>(i));
    EXPECT_EQ(i, row.cells[0].word);
  }
  uint64_t rows = 0;
  for (uint32_t i = 0; i < memtable.series().size(); ++i) rows += memtable.series()[i].rows;
  EXPECT_EQ(memtable.rows(), rows);
}

// A flush that runs out of memory anywhere goes on where it was when it is asked again, and puts every row out once.
TEST(Part, FlushesGoOnAfterRunningOutOfMemory) {
  for (const int large : {0, 20, -1}) {  // the row that is too large for a batch
    for (int64_t left = 0, failed = 1; failed > 0; ++left) {
      Table table({Int(8), Text(), Text()}, 0, 0);
      memtable::Part* const inner = table.NewPart();
      table.SetSeries({1});
      std::vector<Row> rows;
      for (int i = 0; i < 40; ++i) {
        std::string value = "v" + std::to_string(i);
        for (int k = 0; i == large && k < 2000; ++k) value += static_cast<char>(k * k * 31 >> k % 7);
        rows.push_back({{i, "h", value}, NTS_NO_ROW_ID, 0});
      }
      const Block block(table.schema, rows, true, true);
      NtsIngest ingest = NTS_INGEST_OK;
      ASSERT_EQ(40u, table.part->AppendBlock(block.From(0), 0, &ingest));
      for (const Row& row : rows) table.AppendTo(inner, row);
      // Not merged: a memtable behind the staged rows, and one by itself.
      failed = 0;
      for (memtable::Part* const part : {table.part, inner}) {
        NtsFlushOptions options = FlushOptions();
        options.max_batch_bytes = 1000;
        ASSERT_TRUE(part->FlushBegin(options).ok());
        std::vector<Row> written;
        NtsOutput output = {};
        do {
          allocations_left = left;
          bool ok = false;
          try {
            ok = part->FlushNext(&output).ok();
          } catch (const std::bad_alloc&) {
          }
          failed += ok ? 0 : 1;
          allocations_left = -1;
          if (!ok) ok = part->FlushNext(&output).ok();
          ASSERT_TRUE(ok);
          if (output.kind == NTS_OUTPUT_END) break;
          const std::vector<Row> more = RowsOf(table.schema, output);
          written.insert(written.end(), more.begin(), more.end());
        } while (true);
        part->FlushEnd(true);
        EXPECT_EQ(0u, part->rows());
        std::sort(written.begin(), written.end());
        std::vector<Row> expected = rows;
        std::sort(expected.begin(), expected.end());
        ASSERT_EQ(expected, written) << "row " << large << ", allocation " << left;
      }
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::test
