// Byte strings that come in runs: the same chunks and segments as from single rows.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "segment/chunk_writer.h"
#include "segment_checks.h"

namespace nodedb_ts::segment {
namespace {

using test::Build;
using test::TableSource;

constexpr ColumnShape kVar = {NTS_KIND_VAR, 0};

// A chunk's worth of rows.
struct Column {
  ByteRuns runs;
  std::vector<std::string_view> values;
  std::vector<uint8_t> nulls;
  std::vector<uint32_t> vector_rows;

  void Add(size_t rows, std::string_view value, bool null = false) {
    runs.Add(values.size() + rows, value, null);
    values.resize(values.size() + rows, value);
    nulls.resize(nulls.size() + rows, null ? 1 : 0);
  }
  void Cut(uint32_t rows) {
    vector_rows.clear();
    for (size_t at = 0; at < values.size(); at += rows) {
      vector_rows.push_back(static_cast<uint32_t>(std::min<size_t>(rows, values.size() - at)));
    }
  }
};

struct Chunk {
  bool written = true;
  std::vector<uint8_t> bytes = {1, 2, 3};  // of the chunk before
  ChunkSummary summary;
};

Chunk FromRuns(const Column& column, const ColumnShape& shape = kVar) {
  Chunk chunk;
  ChunkWriter writer(1);
  chunk.written = writer.WriteRuns(shape, column.runs, column.vector_rows, &chunk.bytes, &chunk.summary);
  return chunk;
}

Chunk FromRows(const Column& column, const ColumnShape& shape = kVar) {
  Chunk chunk;
  ChunkWriter writer(1);
  chunk.summary = writer.WriteBytes(shape, column.values.data(), column.nulls.data(), column.vector_rows, &chunk.bytes);
  return chunk;
}

void ExpectSame(const Column& column, uint8_t codec, const ColumnShape& shape = kVar) {
  const Chunk rows = FromRows(column, shape);
  const Chunk runs = FromRuns(column, shape);
  EXPECT_TRUE(runs.written);
  EXPECT_EQ(codec, rows.summary.codec);
  EXPECT_EQ(codec, runs.summary.codec);
  EXPECT_EQ(rows.summary.null_count, runs.summary.null_count);
  EXPECT_EQ(rows.bytes, runs.bytes);
}

TEST(RunsChunk, OneValue) {
  Column column;
  column.Add(700, "the same");
  column.Add(1300, std::string_view("the same, or not").substr(0, 8));
  column.Cut(1024);
  ExpectSame(column, codec::kConstant);
}

TEST(RunsChunk, NoValue) {
  Column column;
  column.Add(700, {}, true);
  column.Add(1300, {}, true);
  column.Cut(1024);
  ExpectSame(column, codec::kNone);
}

// A constant of that length would stand in the footer.
TEST(RunsChunk, OneLongValue) {
  std::string value(kMaxConstantBytes + 1, 'x');
  std::mt19937_64 random(1);
  for (char& c : value) c = static_cast<char>(random());
  Column column;
  for (int i = 0; i < 40; i++) column.Add(100, value);
  column.Cut(1024);
  ExpectSame(column, codec::kDictionary);
}

TEST(RunsChunk, NeighboursMayBeEqual) {
  const std::string first = "value";
  const std::string second = "value";
  Column column;
  for (int i = 0; i < 30; i++) {
    column.Add(40, first);
    column.Add(40, second);
    column.Add(40, i % 3 == 0 ? "another" : "a third");
  }
  column.Cut(1000);
  ExpectSame(column, codec::kDictionary);
}

TEST(RunsChunk, EmptyStringsAreNotNull) {
  Column column;
  for (int i = 0; i < 30; i++) {
    column.Add(100, i % 2 == 0 ? "" : "value number one");
    column.Add(50, {}, true);
  }
  column.Cut(1024);
  ExpectSame(column, codec::kDictionary);
}

TEST(RunsChunk, RandomRunsOfTags) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; round++) {
    const bool fixed = random() % 4 == 0;
    const bool with_nulls = random() % 2 == 0;
    const size_t distinct = 2 + random() % 60;
    const size_t longest = 16 << random() % 8;
    std::vector<std::string> tags;
    for (size_t i = 0; i < distinct; i++) {
      tags.push_back((fixed || random() % 2 == 0 ? "tag" : "a longer tag, number ") + std::to_string(1000 + i));
    }
    Column column;
    while (column.values.size() < 20000) {
      const bool null = with_nulls && random() % 5 == 0;
      column.Add(longest / 2 + random() % longest, null ? std::string_view() : tags[random() % distinct], null);
    }
    column.Cut(static_cast<uint32_t>(100 + random() % 925));
    SCOPED_TRACE(round);
    ExpectSame(column, codec::kDictionary, fixed ? ColumnShape{NTS_KIND_FIXED, 7} : kVar);
    if (testing::Test::HasFailure()) return;
  }
}

// Values that are much alike take less as frames: then nothing is written.
TEST(RunsChunk, OtherFormsAreLeftToRows) {
  std::vector<std::string> values;
  for (int i = 0; i < 1000; i++) {
    values.push_back("a long sentence that all of the values have in common, word by word, but for one number: " +
                     std::to_string(i) + ", and another one as long that follows it, with the same number " +
                     std::to_string(i));
  }
  Column column;
  for (const std::string& value : values) column.Add(20, value);
  column.Cut(1024);
  const Chunk runs = FromRuns(column);
  EXPECT_FALSE(runs.written);
  EXPECT_EQ(3u, runs.bytes.size());
  EXPECT_EQ(codec::kBytesZstd, FromRows(column).summary.codec);
}

// As TableSource, but knows runs.
class RunSource : public TableSource {
 public:
  using TableSource::TableSource;

  bool GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most, ByteRuns* runs) const override {
    runs->Clear();
    for (size_t i = 0; i < rows.size(); i++) {
      const bool null = nulls[column][rows[i]] != 0;
      const std::string_view value = null ? std::string_view() : bytes[column][rows[i]];
      if (i > 0 && runs->nulls.back() == (null ? 1 : 0) && runs->values.back() == value) {
        runs->ends.back()++;
      } else if (runs->size() == most) {
        return false;
      } else {
        runs->Add(i + 1, value, null);
      }
    }
    calls++;
    return true;
  }

  mutable int calls = 0;
};

TEST(RunsChunk, SegmentsAreTheSame) {
  for (const uint8_t level : {uint8_t{1}, uint8_t{2}}) {
    RunSource source(70000);
    TableSource plain(70000);
    for (TableSource* to : {static_cast<TableSource*>(&source), &plain}) {
      to->Add(TableSource::Int(8), test::Pattern::kSteps, 0, 1);
      for (uint64_t seed = 0; seed < 5; seed++) to->Add(TableSource::Int(8), test::Pattern::kRandom, 0, seed);
      for (const test::Pattern pattern : {test::Pattern::kRuns, test::Pattern::kConstant, test::Pattern::kSteps,
                                          test::Pattern::kAllNull, test::Pattern::kFew}) {
        to->Add(TableSource::Var(), pattern, 0, 2);
        to->Add(TableSource::Fixed(16), pattern, 0, 3);
      }
    }
    std::vector<uint32_t> starts;
    for (uint32_t at = 0; at < 70000; at += 300) starts.push_back(at);
    const std::vector<uint16_t> key = {6};
    SegmentBuildOptions options;
    options.level = level;
    options.series_columns = key;
    options.with_last_rows = true;
    const test::Built with = Build(source, options, 0, starts);
    EXPECT_EQ(Build(plain, options, 0, starts).bytes, with.bytes);
    EXPECT_TRUE(with.summary.last_rows);
    EXPECT_EQ(level == 1, source.calls > 0);
  }
}

TEST(RunsChunk, ValuesOfAnotherWidthAreRefused) {
  RunSource source(1000);
  source.Add(TableSource::Fixed(6), test::Pattern::kConstant, 0, 1);
  for (size_t r = 600; r < 1000; r++) source.bytes[0][r] = "seven b";
  std::vector<uint8_t> bytes;
  SegmentSummary summary;
  const base::Status status = BuildSegment(source.Schema(), source, source.order, {}, {}, &bytes, &summary);
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace nodedb_ts::segment
