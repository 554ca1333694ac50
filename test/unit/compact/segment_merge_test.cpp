#include <gtest/gtest.h>
#include <malloc.h>

#include <bit>
#include <limits>

#include "merge_model.h"

namespace nodedb_ts::test {
namespace {

using std::to_string;

NtsColumn Int(uint32_t width) {
  return {NTS_KIND_INT, static_cast<uint8_t>(width), 0, width};
}
constexpr NtsColumn kFloat4 = {NTS_KIND_FLOAT4, 4, 0, 4};
constexpr NtsColumn kFloat8 = {NTS_KIND_FLOAT8, 8, 0, 8};
constexpr NtsColumn kVar = {NTS_KIND_VAR, 4, 0, 0};
constexpr NtsColumn kUuid = {NTS_KIND_FIXED, 1, 0, 16};
constexpr NtsColumn kDropped = {NTS_KIND_NONE, 1, 0, 0};

Cell Word(uint64_t word) { return {false, word, ""}; }
Cell Bytes(std::string bytes) { return {false, 0, std::move(bytes)}; }

// (The operator + for a literal and a number makes GCC 12 see an overlap that is not there.)
std::string Name(const char* what, uint64_t number) {
  std::string name(what);
  name += to_string(number);
  return name;
}

using Random = std::mt19937_64;

Cell RandomCell(const NtsColumn& c, unsigned distinct, unsigned null_percent, Random* random) {
  if (c.kind == NTS_KIND_NONE || (*random)() % 100 < null_percent) return {};
  const uint64_t pick = (*random)() % distinct;
  switch (c.kind) {
    case NTS_KIND_FLOAT4:
      return Word(std::bit_cast<uint32_t>(pick == 0 ? std::numeric_limits<float>::quiet_NaN()
                                                    : static_cast<float>(pick) / -3));
    case NTS_KIND_FLOAT8:
      return Word(std::bit_cast<uint64_t>(pick == 0 ? std::numeric_limits<double>::quiet_NaN()
                                          : pick == 1 ? -0.0
                                                      : static_cast<double>(pick) / -7));
    case NTS_KIND_INT: {
      const unsigned shift = 64 - 8 * c.width;
      const uint64_t v = pick * 0x9e3779b97f4a7c15u;
      return Word(static_cast<uint64_t>(static_cast<int64_t>(v << shift) >> shift));
    }
    case NTS_KIND_FIXED: {
      std::string s = to_string(pick * 0x9e3779b97f4a7c15u);
      s.resize(c.width, 'x');
      return Bytes(s);
    }
    default:
      return Bytes(pick % 11 == 0 ? std::string() : std::string(pick % 40, static_cast<char>('a' + pick % 26)) + to_string(pick));
  }
}

// distinct: of the series columns; the other columns are more colourful.
Row RandomRow(const Model& model, unsigned distinct, unsigned null_percent, int64_t times,
              Random* random) {
  Row row;
  for (size_t c = 0; c < model.columns.size(); c++) {
    const bool key = std::find(model.series.begin(), model.series.end(), c) != model.series.end();
    row.push_back(RandomCell(model.columns[c], key ? distinct : 5000, null_percent, random));
    if (static_cast<int32_t>(c) == model.time && !row.back().null) {
      row.back().word = (*random)() % static_cast<uint64_t>(times);
    }
  }
  return row;
}

Model Everything() {
  Model m;
  m.columns = {Int(8), kVar, Int(2), kFloat8, kUuid, kVar, Int(1), kFloat4, Int(4), kDropped};
  m.time = 0;
  m.series = {1, 2};
  return m;
}

// Merges segments of the groups of rows; the output must be their stable sort.
// expected_segments 0: several.
void CheckMerge(const Model& model, const std::vector<Rows>& groups,
                const NtsMergeOptions& options, size_t expected_segments = 1) {
  std::vector<SegmentBytes> inputs;
  Rows expected;
  for (Rows rows : groups) {
    expected.insert(expected.end(), rows.begin(), rows.end());
    model.Sort(&rows);
    inputs.push_back(MakeSegment(model, rows, model.columns.size(), inputs.size() % 2 == 1));
  }
  model.Sort(&expected);
  const MergeResult result = RunMerge(model, options, inputs);
  ASSERT_EQ(result.code, NTS_OK) << result.message;
  Rows found;
  for (const SegmentBytes& made : result.segments) {
    ReadRows(model, made, &found);
    Verify(model, made);
  }
  if (expected_segments == 0) {
    EXPECT_GT(result.segments.size(), 1u);
  } else {
    EXPECT_EQ(result.segments.size(), expected_segments);
  }
  ASSERT_EQ(found.size(), expected.size());
  for (size_t r = 0; r < found.size(); r++) ASSERT_EQ(found[r], expected[r]) << "row " << r;
}

std::vector<Rows> RandomGroups(const Model& model, size_t groups, size_t most_rows,
                               unsigned distinct, unsigned null_percent, int64_t times,
                               uint64_t seed) {
  Random random(seed);
  std::vector<Rows> result(groups);
  for (Rows& rows : result) {
    const size_t n = 1 + random() % most_rows;
    for (size_t r = 0; r < n; r++) {
      rows.push_back(RandomRow(model, distinct, null_percent, times, &random));
    }
  }
  return result;
}

TEST(SegmentMerge, RandomSegments) {
  const Model model = Everything();
  for (uint64_t seed = 0; seed < 12; seed++) {
    SCOPED_TRACE(seed);
    const unsigned distinct = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 7 : 3000;
    NtsMergeOptions options = MergeOptions(model);
    if (seed % 2 == 1) options.group_bytes = 100000;
    CheckMerge(model, RandomGroups(model, 1 + seed % 6, 4000, distinct, seed % 4 * 10,
                                   seed % 4 == 3 ? 5 : 100000, seed),
               options);
  }
}

// A whole row group of several inputs, in disjoint and in interleaved times.
TEST(SegmentMerge, SeveralRowGroups) {
  Model model;
  model.columns = {Int(8), kVar, kFloat8};
  model.time = 0;
  model.series = {1};
  for (const bool interleaved : {false, true}) {
    std::vector<Rows> groups(3);
    for (uint64_t i = 0; i < 210000; i++) {
      const size_t g = interleaved ? i % 3 : i / 70000;
      groups[g].push_back({Word(i / 20), Bytes(Name("series ", i % 20)), Word(i * i)});
    }
    NtsMergeOptions options = MergeOptions(model);
    CheckMerge(model, groups, options);
  }
}

TEST(SegmentMerge, WithoutTimeOrSeries) {
  Model model = Everything();
  model.time = -1;
  CheckMerge(model, RandomGroups(model, 3, 2000, 5, 10, 100, 1), MergeOptions(model));
  model.series = {};
  CheckMerge(model, RandomGroups(model, 3, 2000, 5, 10, 100, 2), MergeOptions(model));
  model.time = 0;
  CheckMerge(model, RandomGroups(model, 3, 2000, 5, 10, 100, 3), MergeOptions(model));
}

TEST(SegmentMerge, SeriesOfEveryKind) {
  for (uint16_t column = 1; column <= 8; column++) {
    Model model = Everything();
    model.series = {column};
    CheckMerge(model, RandomGroups(model, 4, 1500, 9, 20, 50, column), MergeOptions(model));
  }
}

// Rows that are equal in series and time stay in the order of their inputs.
TEST(SegmentMerge, EqualKeysKeepTheOrderOfInputs) {
  Model model;
  model.columns = {Int(8), Int(4), Int(4)};
  model.time = 0;
  model.series = {1};
  std::vector<Rows> groups(5);
  for (uint64_t i = 0; i < 5000; i++) groups[i % 5].push_back({Word(i / 1000), Word(1), Word(i)});
  CheckMerge(model, groups, MergeOptions(model));
}

TEST(SegmentMerge, ColumnsThatAnInputDoesNotStore) {
  Model model = Everything();
  model.columns.push_back(Int(4));
  model.columns.push_back(kVar);
  model.columns.push_back(kUuid);
  model.columns.push_back(kFloat8);
  const std::string text = "a default";
  const std::string uuid(16, 'u');
  std::vector<NtsValue> defaults(model.columns.size(), NtsValue{0, 0, 1});
  defaults[10] = {static_cast<uint64_t>(-5), 0, 0};
  defaults[11] = {reinterpret_cast<uintptr_t>(text.data()), 9, 0};
  defaults[12] = {reinterpret_cast<uintptr_t>(uuid.data()), 0, 0};
  std::vector<SegmentBytes> inputs;
  Rows expected;
  for (size_t stored = 10; stored <= model.columns.size(); stored++) {
    Rows rows = RandomGroups(model, 1, 3000, 4, 10, 1000, stored)[0];
    model.Sort(&rows);
    inputs.push_back(MakeSegment(model, rows, stored));
    for (Row& row : rows) {
      if (stored <= 10) row[10] = Word(static_cast<uint64_t>(-5));
      if (stored <= 11) row[11] = Bytes(text);
      if (stored <= 12) row[12] = Bytes(uuid);
      if (stored <= 13) row[13] = {};
    }
    expected.insert(expected.end(), rows.begin(), rows.end());
  }
  model.Sort(&expected);
  const MergeResult result = RunMerge(model, MergeOptions(model), inputs, defaults.data());
  ASSERT_EQ(result.code, NTS_OK) << result.message;
  ASSERT_EQ(result.segments.size(), 1u);
  Rows found;
  ReadRows(model, result.segments[0], &found);
  EXPECT_TRUE(found == expected);
}

// A column dropped since: its bytes are passed over.
TEST(SegmentMerge, ColumnsDroppedSince) {
  Model before = Everything();
  std::vector<Rows> groups = RandomGroups(before, 2, 1000, 4, 10, 1000, 5);
  std::vector<SegmentBytes> inputs;
  Rows expected;
  Model after = before;
  after.columns[5] = after.columns[8] = kDropped;
  for (Rows& rows : groups) {
    before.Sort(&rows);
    inputs.push_back(MakeSegment(before, rows, before.columns.size()));
    for (Row& row : rows) row[5] = row[8] = {};
    expected.insert(expected.end(), rows.begin(), rows.end());
  }
  after.Sort(&expected);
  const MergeResult result = RunMerge(after, MergeOptions(after), inputs);
  ASSERT_EQ(result.code, NTS_OK) << result.message;
  Rows found;
  ReadRows(after, result.segments.at(0), &found);
  EXPECT_TRUE(found == expected);
}

TEST(SegmentMerge, LargeSegmentsAreCut) {
  Model model;
  model.columns = {Int(8), Int(4), kVar};
  model.time = 0;
  model.series = {1};
  std::vector<Rows> groups = RandomGroups(model, 3, 1, 1, 0, 100, 1);
  for (uint64_t i = 0; i < 5000; i++) {
    groups[i % 3].push_back({Word(i), Word(i % 500), Bytes(std::string(50, static_cast<char>(i)))});
  }
  NtsMergeOptions options = MergeOptions(model);
  options.max_segment_rows = 1500;
  CheckMerge(model, groups, options, 4);
  options = MergeOptions(model);
  options.group_bytes = 64000;
  options.max_segment_series = 200;
  CheckMerge(model, groups, options, 0);
  options = MergeOptions(model);
  options.group_bytes = 64000;
  options.max_segment_bytes = 4000;
  Rows all;
  std::vector<SegmentBytes> inputs;
  for (Rows& rows : groups) {
    model.Sort(&rows);
    inputs.push_back(MakeSegment(model, rows, 3));
  }
  const MergeResult result = RunMerge(model, options, inputs);
  ASSERT_EQ(result.code, NTS_OK);
  EXPECT_GT(result.segments.size(), 1u);
  for (const SegmentBytes& made : result.segments) {
    EXPECT_LE(made.footer_offset, 4000u);
    ReadRows(model, made, &all);
    Verify(model, made);
  }
  EXPECT_EQ(all.size(), 5003u);
}

TEST(SegmentMerge, LongValues) {
  Model model;
  model.columns = {Int(8), Int(4), kVar};
  model.time = 0;
  model.series = {1};
  std::vector<Rows> groups(2);
  Random random(3);
  for (uint64_t i = 0; i < 60; i++) {
    std::string s(i % 7 == 0 ? 5000000 : random() % 200000, 'q');
    for (size_t k = 0; k < s.size(); k += 97) s[k] = static_cast<char>(random());
    groups[i % 2].push_back({Word(i), Word(i % 3), Bytes(s)});
  }
  CheckMerge(model, groups, MergeOptions(model));
  // A single input with short and long values in one row group.
  Rows mixed;
  for (uint64_t i = 0; i < 3000; i++) {
    mixed.push_back({Word(i), Word(1), Bytes(i == 1500 ? std::string(9000000, 'z') : "short")});
  }
  CheckMerge(model, {mixed}, MergeOptions(model));
}

TEST(SegmentMerge, NothingToMerge) {
  const Model model = Everything();
  const MergeResult result = RunMerge(model, MergeOptions(model), {});
  EXPECT_EQ(result.code, NTS_OK);
  EXPECT_TRUE(result.segments.empty());
}

TEST(SegmentMerge, OtherOrderIsRefused) {
  const Model model = Everything();
  Model other = model;
  Rows rows = RandomGroups(model, 1, 100, 4, 10, 100, 1)[0];
  other.series = {2, 1};
  other.Sort(&rows);
  EXPECT_EQ(RunMerge(model, MergeOptions(model), {MakeSegment(other, rows, 10)}).code, NTS_ERR_BUG);
  other = model;
  other.time = -1;
  other.Sort(&rows);
  EXPECT_EQ(RunMerge(model, MergeOptions(model), {MakeSegment(other, rows, 10)}).code, NTS_ERR_BUG);
  NtsMergeOptions options = MergeOptions(model);
  const uint16_t dropped[] = {9};
  options.series_columns = dropped;
  options.series_column_count = 1;
  EXPECT_EQ(RunMerge(model, options, {}).code, NTS_ERR_BUG);
}

TEST(SegmentMerge, UnsortedInputsAreCorrupt) {
  Model model;
  model.columns = {Int(8), kVar};
  model.time = 0;
  model.series = {1};
  Rows rows;
  for (uint64_t i = 0; i < 3000; i++) rows.push_back({Word(i), Bytes(Name("s", i / 1024))});
  const auto code = [&](const Rows& r) {
    return RunMerge(model, MergeOptions(model), {MakeSegment(model, r, 2)}).code;
  };
  EXPECT_EQ(code(rows), NTS_OK);
  for (const size_t at : {size_t{5}, size_t{1024}, size_t{1500}, size_t{2048}}) {
    Rows wrong = rows;
    wrong[at][1] = Bytes("a");
    EXPECT_EQ(code(wrong), NTS_ERR_CORRUPT) << at;
    wrong = rows;
    wrong[at + 1][0] = Word(0);
    EXPECT_EQ(code(wrong), NTS_ERR_CORRUPT) << at;
    wrong[at + 1][0] = {};
    EXPECT_EQ(code(wrong), NTS_ERR_CORRUPT) << at;
  }
}

TEST(SegmentMerge, EveryWrongByteIsFound) {
  const Model model = Everything();
  std::vector<SegmentBytes> inputs;
  for (Rows& rows : RandomGroups(model, 2, 300, 4, 10, 1000, 9)) {
    model.Sort(&rows);
    inputs.push_back(MakeSegment(model, rows, model.columns.size()));
  }
  for (size_t at = 0; at < inputs[1].footer_offset; at += 7) {
    std::vector<SegmentBytes> wrong = inputs;
    wrong[1].bytes[at] ^= static_cast<uint8_t>(1 << at % 8);
    ASSERT_EQ(RunMerge(model, MergeOptions(model), wrong).code, NTS_ERR_CORRUPT) << at;
  }
}

#if !defined(__SANITIZE_ADDRESS__)
size_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Whatever the size of the inputs: their row groups, and a few of the output's.
TEST(SegmentMerge, MemoryIsBounded) {
  Model model;
  model.columns = {Int(8), Int(4), kVar, kVar};
  model.time = 0;
  model.series = {1};
  Random random(1);
  std::vector<SegmentBytes> inputs;
  for (uint64_t s = 0; s < 4; s++) {
    Rows rows;
    for (uint64_t i = 0; i < 40000; i++) {
      std::string wide(500, 'w');
      for (char& c : wide) c = static_cast<char>(random());
      rows.push_back({Word(i * 4 + s), Word(i % 10), Bytes(wide), Bytes(Name("x", i % 100))});
    }
    model.Sort(&rows);
    inputs.push_back(MakeSegment(model, rows, 4));
  }
  uint64_t groups = 0;
  for (const SegmentBytes& input : inputs) {
    groups += nts_merge_input_bytes(OpenBytes(model, input).get());
  }
  NtsMergeOptions options = MergeOptions(model);
  options.group_bytes = uint64_t{2} << 20;
  const size_t before = AllocatedBytes();
  size_t peak = before;
  const MergeResult result = RunMerge(model, options, inputs, nullptr, false, [&] {
    peak = std::max(peak, AllocatedBytes());
  });
  ASSERT_EQ(result.code, NTS_OK) << result.message;
  EXPECT_LT(peak - before, groups + 4 * options.group_bytes + (uint64_t{6} << 20));
  EXPECT_LT(result.largest_piece, 2 * options.group_bytes);
}
#endif

}  // namespace
}  // namespace nodedb_ts::test
