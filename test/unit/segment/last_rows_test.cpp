// Copies of the last row of each series: what they hold, when there are none, and that nothing else
// takes them for rows.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>

#include "base/bits.h"
#include "segment/segment_reader.h"
#include "segment_checks.h"

namespace nodedb_ts::test {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int32_t kTag = 0;
constexpr int32_t kTime = 1;
constexpr uint16_t kSeries[] = {kTag};

// Rows sorted by a tag, then time; series end at `ends`.
struct Table {
  Table(size_t rows, std::vector<uint32_t> series_starts, bool everything, uint8_t level)
      : source(rows), starts(std::move(series_starts)) {
    source.Add(TableSource::Var(), Pattern::kConstant, 0, 1);
    source.Add(TableSource::Int(8), Pattern::kSteps, 0, 2);
    if (everything) {
      source.AddEverything(20, 3);
    } else {
      source.Add(TableSource::Int(8), Pattern::kRandom, 20, 3);
      source.Add(TableSource::Var(), Pattern::kRandom, 20, 4);
    }
    for (size_t s = 0; s < starts.size(); s++) {
      for (size_t r = starts[s]; r < End(s); r++) source.bytes[kTag][r] = "host_" + std::to_string(10000 + s);
    }
    options.level = level;
    options.with_last_rows = true;
    options.series_columns = kSeries;
  }
  size_t End(size_t s) const { return s + 1 < starts.size() ? starts[s + 1] : source.rows(); }
  Built Make() const { return Build(source, options, kTime, starts); }

  TableSource source;
  std::vector<uint32_t> starts;
  segment::SegmentBuildOptions options;
};

Bytes ChunkBytes(const Built& built, const NtsSegment* segment, uint32_t group, int32_t column) {
  NtsChunkInfo chunk;
  NtsStatus status = {};
  EXPECT_EQ(NTS_OK, nts_segment_chunk(segment, group, column, &chunk, &status)) << status.message;
  const auto at = built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset);
  const Bytes bytes(at, at + static_cast<ptrdiff_t>(chunk.length));
  EXPECT_EQ(NTS_OK, nts_chunk_verify(segment, group, column, bytes.data(), bytes.size(), &status));
  return bytes;
}

bool HasLastRows(const Built& built, const Table& table) {
  const SegmentHandle segment = Open(built, table.source.columns);
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  EXPECT_EQ(built.summary.last_rows, info.has_last_rows != 0);
  EXPECT_EQ(built.bytes.size(), built.summary.length);
  return info.has_last_rows != 0;
}

// Where series end is known without copies of their last rows, too.
void CheckEnds(const Built& built, const Table& table) {
  const SegmentHandle segment = Open(built, table.source.columns);
  const auto series = static_cast<uint32_t>(table.starts.size());
  std::vector<uint64_t> places(series);
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_last_rows(segment.get(), 0, series, places.data(), &status));
  for (size_t s = 0; s < places.size(); s++) ASSERT_EQ(table.End(s) - 1, places[s]);
  EXPECT_NE(NTS_OK, nts_segment_last_rows(segment.get(), 0, series + 1, places.data(), &status));
}

void CheckLastRows(const Built& built, const Table& table) {
  const SegmentHandle segment = Open(built, table.source.columns);
  NtsSegmentInfo info;
  NtsRowGroupInfo group;
  NtsStatus status = {};
  nts_segment_info(segment.get(), &info);
  ASSERT_EQ(table.source.rows(), info.rows);
  ASSERT_EQ(table.starts.size(), info.series);
  ASSERT_TRUE(info.has_last_rows);
  ASSERT_EQ(NTS_OK, nts_segment_row_group(segment.get(), info.row_groups, &group, &status));
  ASSERT_EQ(table.starts.size(), group.rows);
  std::vector<uint64_t> places(group.rows);
  ASSERT_EQ(NTS_OK, nts_segment_last_rows(segment.get(), 0, group.rows, places.data(), &status));
  for (size_t s = 0; s < places.size(); s++) ASSERT_EQ(table.End(s) - 1, places[s]);
  uint64_t one = 0;
  ASSERT_EQ(NTS_OK, nts_segment_last_rows(segment.get(), group.rows - 1, 1, &one, &status));
  EXPECT_EQ(places.back(), one);
  EXPECT_NE(NTS_OK, nts_segment_last_rows(segment.get(), group.rows, 1, &one, &status));
  const auto stored = static_cast<int32_t>(info.column_count);
  for (int32_t c = info.has_row_ids ? NTS_COLUMN_COMMAND_ID : 0; c < stored; c++) {
    const Bytes bytes = ChunkBytes(built, segment.get(), info.row_groups, c);
    uint32_t rows = 0;
    for (uint32_t v = 0; v < group.vectors; v++) {
      const Vector vector = ReadVector(segment.get(), bytes, info.row_groups, c, v);
      ASSERT_EQ(NTS_OK, vector.code) << vector.status.message << " column " << c;
      ASSERT_EQ(rows, vector.first_row);
      for (uint32_t r = 0; r < vector.rows; r++) {
        const size_t row = places[rows + r];
        if (c == NTS_COLUMN_ROW_ID) {
          ASSERT_EQ(table.source.row_ids[row], vector.values[r]);
        } else if (c == NTS_COLUMN_COMMAND_ID) {
          ASSERT_EQ(table.source.command_ids[row], vector.values[r]);
        } else {
          ASSERT_TRUE(table.source.Same(static_cast<size_t>(c), row, vector.values[r], vector.nulls[r]))
              << "column " << c << " series " << rows + r;
        }
      }
      rows += vector.rows;
    }
    ASSERT_EQ(group.rows, rows);
  }
}

class LastRowsTest : public testing::TestWithParam<uint8_t> {
 protected:
  std::vector<uint32_t> Every(size_t rows, uint32_t step) const {
    std::vector<uint32_t> starts;
    for (uint32_t s = 0; s < rows; s += step) starts.push_back(s);
    return starts;
  }
};
INSTANTIATE_TEST_SUITE_P(Levels, LastRowsTest, testing::Values(1, 2));

TEST_P(LastRowsTest, OfEveryKind) {
  Table table(4500, Every(4500, 500), true, GetParam());
  for (const bool hidden : {false, true}) {
    table.options.with_row_ids = table.options.with_command_ids = hidden;
    const Built built = table.Make();
    CheckAll(built, table.source);
    CheckLastRows(built, table);
  }
}

TEST_P(LastRowsTest, OfSeriesOverRowGroups) {
  // One ends with a row group, one goes over two, one begins with the last row.
  for (const std::vector<uint32_t>& starts :
       {std::vector<uint32_t>{0, 65536, 65537, 200000, 200999}, {0, 10, 65535}, {0}, {0, 140000}}) {
    const Table table(201000, starts, false, GetParam());
    const Built built = table.Make();
    CheckAll(built, table.source);
    CheckLastRows(built, table);
  }
}

TEST_P(LastRowsTest, OfManySeries) {
  const Table table(300000, Every(300000, 100), false, GetParam());
  const Built built = table.Make();
  CheckLastRows(built, table);
}

TEST_P(LastRowsTest, NoneWhereTheyDoNotPay) {
  // Too few rows a series; too large a share; more series than a row group has rows.
  for (const uint32_t step : {1u, 7u}) {
    const Table few(3500, Every(3500, step), false, GetParam());
    EXPECT_FALSE(HasLastRows(few.Make(), few)) << step;
    CheckEnds(few.Make(), few);
  }
  Table heavy(4000, Every(4000, 1000), false, GetParam());
  std::mt19937_64 random(7);
  for (size_t s = 0; s < heavy.starts.size(); s++) {
    std::string& value = heavy.source.bytes[3][heavy.End(s) - 1];
    value.resize(100000);
    for (char& c : value) c = static_cast<char>(random());
    heavy.source.nulls[3][heavy.End(s) - 1] = 0;
  }
  EXPECT_FALSE(HasLastRows(heavy.Make(), heavy));
  CheckAll(heavy.Make(), heavy.source);
}

TEST_P(LastRowsTest, NoneOfTooManyOrTooLarge) {
  Table large(20, {0}, false, GetParam());
  for (size_t r = 0; r < 20; r++) {
    large.source.bytes[3][r] = std::string(5 << 20, static_cast<char>('a' + r));
    large.source.nulls[3][r] = 0;
  }
  EXPECT_FALSE(HasLastRows(large.Make(), large));
  CheckEnds(large.Make(), large);
  const Table many(65537 * 8, Every(65537 * 8, 8), false, 1);
  EXPECT_FALSE(HasLastRows(many.Make(), many));
}

TEST_P(LastRowsTest, NoneWithoutSeriesOrTime) {
  Table table(4000, Every(4000, 500), false, GetParam());
  EXPECT_FALSE(HasLastRows(Build(table.source, table.options, -1, table.starts), table));
  table.options.series_columns = {};
  EXPECT_FALSE(HasLastRows(table.Make(), table));
  table.options.series_columns = kSeries;
  table.options.with_last_rows = false;
  EXPECT_FALSE(HasLastRows(table.Make(), table));
}

struct FreeVerifier {
  void operator()(NtsVerifier* v) const { nts_verifier_free(v); }
};

// Counts the problems by kind.
std::vector<int> Verify(const Built& built, const Table& table) {
  std::vector<int> found(16);
  NtsStatus status = {};
  const SegmentHandle segment = Open(built, table.source.columns);
  if (segment == nullptr) return found;
  NtsSegmentFacts facts = {};
  facts.rows = table.source.rows();
  facts.first_row_id = 5;
  facts.last_row_id = facts.first_row_id + facts.rows - 1;
  facts.has_time = 1;
  facts.min_time = static_cast<int64_t>(table.source.words[kTime].front());
  facts.max_time = static_cast<int64_t>(table.source.words[kTime].back());
  facts.level = table.options.level;
  const std::unique_ptr<NtsVerifier, FreeVerifier> verifier(nts_verifier_new(segment.get(), &facts, &status));
  for (;;) {
    NtsVerifyStep step;
    EXPECT_EQ(NTS_OK, nts_verifier_next(verifier.get(), &step, &status)) << status.message;
    if (step.kind == NTS_VERIFY_END) return found;
    if (step.kind == NTS_VERIFY_PROBLEM) {
      found[static_cast<size_t>(step.problem)]++;
      continue;
    }
    NtsChunkInfo info;
    EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), step.group, step.column, &info, &status));
    const auto at = built.bytes.begin() + static_cast<ptrdiff_t>(info.offset);
    const Bytes chunk(at, at + static_cast<ptrdiff_t>(info.length));
    bool sound;
    EXPECT_EQ(NTS_OK, nts_verifier_chunk(verifier.get(), chunk.data(), chunk.size(), &sound, &status));
  }
}

TEST_P(LastRowsTest, AreVerified) {
  const Table table(4500, Every(4500, 500), true, GetParam());
  const Built built = table.Make();
  EXPECT_EQ(std::vector<int>(16), Verify(built, table));
  const SegmentHandle segment = Open(built, table.source.columns);
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  NtsChunkInfo first;
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), info.row_groups, 0, &first, &status));
  std::mt19937_64 random(11);
  // Damage.
  for (int i = 0; i < 10; i++) {
    Built damaged = built;
    const uint64_t room = built.summary.footer_offset - first.offset;
    damaged.bytes[first.offset + random() % room] ^= static_cast<uint8_t>(1u << random() % 8);
    EXPECT_EQ(1, Verify(damaged, table)[NTS_PROBLEM_CHUNK]);
  }
  // Other values under right checksums.
  int reported = 0;
  int tries = 0;
  for (uint32_t c = 0; c < info.column_count; c += 5) {
    NtsChunkInfo chunk;
    ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), info.row_groups, static_cast<int32_t>(c), &chunk, &status));
    for (uint64_t back = 0; back < std::min<uint64_t>(chunk.length, 24); back += 5, tries++) {
      Built damaged = built;
      damaged.bytes[chunk.offset + chunk.length - 1 - back] ^= 1;
      uint8_t wanted[4];
      base::StoreLe<uint32_t>(wanted, chunk.crc32c);
      const auto at = std::find_end(damaged.bytes.begin() + static_cast<ptrdiff_t>(built.summary.footer_offset),
                                    damaged.bytes.end(), wanted, wanted + 4);
      ASSERT_NE(damaged.bytes.end(), at);
      base::StoreLe<uint32_t>(&*at, nts_crc32c(0, damaged.bytes.data() + chunk.offset, chunk.length));
      uint8_t* footer = damaged.bytes.data() + built.summary.footer_offset;
      const size_t size = damaged.bytes.size() - built.summary.footer_offset;
      base::StoreLe<uint32_t>(footer + size - 4, nts_crc32c(0, footer, size - 4));
      reported += Verify(damaged, table)[NTS_PROBLEM_LAST_ROWS];
    }
  }
  EXPECT_GT(reported, tries / 3) << "of " << tries;
}

}  // namespace
}  // namespace nodedb_ts::test
