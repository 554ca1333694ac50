#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "segment/segment_builder.h"
#include "segment/segment_reader.h"
#include "segment_checks.h"
#include "table_source.h"

namespace nodedb_ts::test {
namespace {

using segment::SegmentBuildOptions;

class RowCounts : public testing::TestWithParam<size_t> {};

TEST_P(RowCounts, EverythingRoundTrips) {
  for (const unsigned null_percent : {0u, 1u, 50u, 99u}) {
    TableSource source(GetParam());
    source.AddEverything(null_percent, GetParam() * 1000 + null_percent);
    SegmentBuildOptions options;
    options.with_row_ids = null_percent != 1;
    options.with_command_ids = null_percent == 50;
    for (const uint8_t level : {1, 2}) {
      options.level = level;
      CheckAll(Build(source, options), source);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Segment, RowCounts,
                         testing::Values(1, 2, 7, 100, 1023, 1024, 1025, 2048, 5000));

TEST(Segment, RowGroupBoundaries) {
  for (const size_t rows : {65536, 65537, 131073}) {
    TableSource source(rows);
    source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
    source.Add(TableSource::Float8(), Pattern::kDecimals, 10, 2);
    source.Add(TableSource::Var(), Pattern::kRuns, 5, 3);
    SegmentBuildOptions options;
    options.with_row_ids = true;
    for (const uint8_t level : {1, 2}) {
      options.level = level;
      CheckAll(Build(source, options), source);
    }
  }
}

// What a handle keeps after each row group's first vectors, read twice over all row groups.
std::vector<uint64_t> KeptBytes(const Built& built, const TableSource& source, uint64_t limit) {
  const SegmentHandle segment = Open(built, source.columns);
  const uint64_t before = nts_segment_memory(segment.get());
  std::vector<uint64_t> kept;
  if (limit > 0) nts_segment_keep_parsed(segment.get(), limit);
  for (const uint32_t g : {0u, 1u, 2u, 0u, 1u, 2u}) {
    for (int32_t c = 0; c < static_cast<int32_t>(source.columns.size()); c++) {
      NtsChunkInfo chunk;
      NtsStatus status = {};
      EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), g, c, &chunk, &status)) << status.message;
      const Vector vector = ReadVector(segment.get(), {built.bytes.data() + chunk.offset, chunk.length}, g, c, 0);
      EXPECT_EQ(NTS_OK, vector.code) << vector.status.message;
      for (uint32_t r = 0; r < vector.rows; r++) {
        const size_t row = g * size_t{65536} + r;
        EXPECT_EQ(source.nulls[c][row], vector.nulls[r]);
        EXPECT_EQ(source.words[c][row], vector.values[r]);
      }
    }
    kept.push_back(nts_segment_memory(segment.get()) - before);
  }
  // A smaller limit counts at once; what goes is made anew.
  nts_segment_keep_parsed(segment.get(), 0);
  EXPECT_LT(nts_segment_memory(segment.get()) - before, 2000u);
  NtsChunkInfo chunk;
  NtsStatus status = {};
  EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 1, 0, &chunk, &status)) << status.message;
  const Vector again = ReadVector(segment.get(), {built.bytes.data() + chunk.offset, chunk.length}, 1, 0, 0);
  EXPECT_EQ(NTS_OK, again.code) << again.status.message;
  EXPECT_EQ(source.words[0][65536], again.values[0]);
  return kept;
}

TEST(Segment, KeepsWhatWasParsed) {
  TableSource source(3 * 65536);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Float8(), Pattern::kDecimals, 10, 2);
  source.Add(TableSource::Int(4), Pattern::kFew, 0, 3);
  SegmentBuildOptions options;
  options.level = 2;
  const Built built = Build(source, options);
  const std::vector<uint64_t> all = KeptBytes(built, source, uint64_t{1} << 30);
  EXPECT_GT(all[0], 2000u);
  EXPECT_GT(all[1], all[0] + 2000);
  EXPECT_GT(all[2], all[1] + 2000);
  for (size_t i = 3; i < 6; i++) EXPECT_EQ(all[2], all[i]);
  // Without the call, that of one row group.
  for (const uint64_t kept : KeptBytes(built, source, 0)) EXPECT_LT(kept, all[1]);
  // The chunk asked for last comes on top of the limit.
  for (const uint64_t kept : KeptBytes(built, source, all[0])) EXPECT_LT(kept, all[2]);
}

// What is beyond the limit goes, also when the oldest of it is of the row group that is being read.
TEST(Segment, DropsWhatOtherRowGroupsLeft) {
  TableSource source(3 * 65536);
  for (size_t c = 0; c < 3; c++) source.Add(TableSource::Float8(), Pattern::kDecimals, 10, c);
  SegmentBuildOptions options;
  options.level = 2;
  const Built built = Build(source, options);
  const auto kept = [&](uint64_t limit) {
    const SegmentHandle segment = Open(built, source.columns);
    const uint64_t before = nts_segment_memory(segment.get());
    std::vector<uint64_t> bytes;
    nts_segment_keep_parsed(segment.get(), limit);
    const std::pair<uint32_t, int32_t> chunks[] = {{0, 0}, {1, 0}, {2, 0}, {2, 1}, {0, 1}, {0, 2}};
    for (const auto& [g, c] : chunks) {
      NtsChunkInfo chunk;
      NtsStatus status = {};
      EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), g, c, &chunk, &status)) << status.message;
      const Vector vector = ReadVector(segment.get(), {built.bytes.data() + chunk.offset, chunk.length}, g, c, 0);
      EXPECT_EQ(NTS_OK, vector.code) << vector.status.message;
      bytes.push_back(nts_segment_memory(segment.get()) - before);
    }
    return bytes;
  };
  const std::vector<uint64_t> all = kept(uint64_t{1} << 30);
  ASSERT_GT(all[4], all[3] + 500);
  // The chunk asked for last comes on top of the limit.
  EXPECT_LE(kept(all[3] - 200).back(), all[3] + (all[5] - all[4]));
}

TEST(Segment, ShuffledOrder) {
  TableSource source(3000);
  source.AddEverything(10, 99);
  std::shuffle(source.order.begin(), source.order.end(), std::mt19937(5));
  source.order.resize(2500);
  SegmentBuildOptions options;
  options.with_row_ids = true;
  options.with_command_ids = true;
  CheckAll(Build(source, options), source);
}

TEST(Segment, NoRows) {
  TableSource source(0);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  CheckAll(Build(source), source);
}

TEST(Segment, NoColumns) {
  TableSource source(3000);
  CheckAll(Build(source), source);
}

TEST(Segment, ManyColumns) {
  TableSource source(40);
  for (size_t c = 0; c < 1600; c++) {
    source.Add(c % 2 ? TableSource::Int(4) : TableSource::Var(), kAllPatterns[c % 8], 10, c);
  }
  CheckAll(Build(source), source);
}

TEST(Segment, ConstantAndNullColumnsCostAlmostNothing) {
  TableSource source(16 * 65536);  // row groups of a large segment
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  const size_t before = Build(source).bytes.size();
  source.Add(TableSource::Int(8), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Var(), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Float8(), Pattern::kAllNull, 0, 1);
  source.Add(TableSource::None(), Pattern::kRandom, 0, 1);
  const Built built = Build(source);
  EXPECT_LT(built.bytes.size(), before + 3 * 64);
  CheckAll(built, source);
}

TEST(Segment, ConstantsChangeFromRowGroupToRowGroup) {
  TableSource source(6 * 65536);
  source.Add(TableSource::Int(2), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Var(), Pattern::kConstant, 0, 2);
  source.Add(TableSource::Fixed(6, 4), Pattern::kConstant, 0, 3);
  source.Add(TableSource::Float4(), Pattern::kConstant, 0, 4);
  for (size_t r = 0; r < source.rows(); r++) {
    const size_t group = r / 65536;
    source.words[0][r] = static_cast<uint64_t>(-static_cast<int64_t>(group / 2));
    source.bytes[1][r] = group == 3 ? "" : group == 4 ? std::to_string(r) : "same";
    source.nulls[3][r] = group % 2 == 1;
    if (group % 2 == 1) source.words[3][r] = 0;
  }
  SegmentBuildOptions options;
  options.with_command_ids = true;
  std::fill(source.command_ids.begin(), source.command_ids.end(), 7u);
  CheckAll(Build(source, options), source);
}

TEST(Segment, SortedLabelsCostAFewBytesAVector) {
  TableSource source(65536);
  source.Add(TableSource::Var(), Pattern::kRuns, 0, 1);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  const Built built = Build(source);
  EXPECT_LT(built.bytes.size(), 6000u);
  CheckAll(built, source);
}

TEST(Segment, LongValuesCutVectorsAndRowGroups) {
  TableSource source(40);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Var(), Pattern::kRandom, 10, 2);
  source.Add(TableSource::Fixed(32767), Pattern::kRandom, 10, 3);
  for (size_t r = 0; r < 40; r++) {
    if (!source.nulls[1][r]) source.bytes[1][r].assign(3'000'000 + r, static_cast<char>('a' + r));
  }
  const Built built = Build(source);
  const SegmentHandle segment = Open(built, source.columns);
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  EXPECT_GT(info.row_groups, 1u);
  CheckAll(built, source);
}

// As many vectors as full ones would be, but another one is the short one.
TEST(Segment, ShortVectorBeforeAFullOne) {
  TableSource source(1300);
  source.Add(TableSource::Var(), Pattern::kFew, 0, 1);
  source.Add(TableSource::Int(4), Pattern::kFew, 10, 2);
  for (size_t r = 0; r < 360; r++) source.bytes[0][r].resize(12 << 10, 'x');
  const Built built = Build(source);
  const SegmentHandle segment = Open(built, source.columns);
  NtsRowGroupInfo group;
  NtsStatus status;
  ASSERT_EQ(NTS_OK, nts_segment_row_group(segment.get(), 0, &group, &status));
  ASSERT_EQ(2u, group.vectors);
  uint32_t first_row;
  uint32_t rows;
  ASSERT_EQ(NTS_OK, nts_segment_vector(segment.get(), 0, 0, &first_row, &rows, &status));
  EXPECT_LT(rows, 1024u);
  CheckAll(built, source);
}

TEST(Segment, HugeValue) {
  for (const bool compressible : {false, true}) {
    TableSource source(1);
    source.Add(TableSource::Var(), Pattern::kConstant, 0, 1);
    source.Add(TableSource::Int(4), Pattern::kConstant, 0, 1);
    std::string& value = source.bytes[0][0];
    value.resize(100'000'001, 'x');
    std::mt19937_64 random(1);
    for (size_t i = 0; !compressible && i + 8 <= value.size(); i += 8) {
      const uint64_t word = random();
      std::memcpy(value.data() + i, &word, 8);
    }
    const Built built = Build(source);
    EXPECT_LE(built.bytes.size(), compressible ? 1'000'000 : value.size() + 1000);
    CheckAll(built, source);
  }
}

class Levels : public testing::TestWithParam<uint8_t> {};
INSTANTIATE_TEST_SUITE_P(Segment, Levels, testing::Values(1, 2));

TEST_P(Levels, StatisticsAndSeriesIndex) {
  TableSource source(10000);
  source.Add(TableSource::Int(8), Pattern::kSteps, 1, 1);
  source.Add(TableSource::Float8(), Pattern::kExtremes, 1, 2);
  source.Add(TableSource::Int(2), Pattern::kRandom, 1, 2);
  std::vector<uint32_t> starts;
  for (uint32_t s = 0; s < 3000; s++) starts.push_back(s * 3);
  const uint16_t series_columns[] = {2};
  SegmentBuildOptions options;
  options.level = GetParam();
  options.series_columns = series_columns;
  const Built built = Build(source, options, 0, starts);
  std::unique_ptr<segment::Segment> opened;
  ASSERT_TRUE(segment::Segment::Open(
                  std::span(built.bytes).subspan(built.summary.footer_offset),
                  built.bytes.size(), source.columns, &opened)
                  .ok());
  std::vector<segment::SeriesEntry> series;
  ASSERT_TRUE(opened->Series(&series).ok());
  ASSERT_EQ(3000u, series.size());
  for (size_t s = 0; s < series.size(); s++) {
    ASSERT_EQ(s * 3, series[s].first_row);
    bool has_time = false;
    int64_t max = INT64_MIN;
    for (size_t r = series[s].first_row; r < series[s].first_row + series[s].rows; r++) {
      if (source.nulls[0][r]) continue;
      has_time = true;
      max = std::max(max, static_cast<int64_t>(source.words[0][r]));
    }
    ASSERT_EQ(has_time, series[s].has_time);
    ASSERT_EQ(has_time ? max : series[s].max_time, series[s].max_time);
  }
  const segment::ChunkEntry* entry;
  std::vector<segment::VectorStatistics> statistics;
  ASSERT_TRUE(opened->Chunk(0, 2, &entry).ok());
  ASSERT_TRUE(opened->Statistics(0, 2, {built.bytes.data() + entry->offset, entry->length},
                                 &statistics).ok());
  ASSERT_EQ(10u, statistics.size());
  int64_t sum = 0;
  uint32_t nulls = 0;
  for (size_t r = 0; r < 1024; r++) {
    sum += static_cast<int64_t>(source.words[2][r]);
    nulls += source.nulls[2][r];
  }
  EXPECT_EQ(nulls, statistics[0].null_count);
  EXPECT_TRUE(statistics[0].has_sum);
  EXPECT_EQ(sum, statistics[0].sum);
  EXPECT_TRUE(entry->has_range);
  ASSERT_TRUE(opened->Chunk(0, 1, &entry).ok());
  EXPECT_EQ(0xfff0000000000000, entry->min);
  EXPECT_TRUE(std::isnan(std::bit_cast<double>(entry->max)));
}

// At level 2 integers are stored as offsets in units of their greatest common divisor; what is
// told of them is not.
TEST(Segment, MappedIntegersKeepTheirStatistics) {
  constexpr int64_t kStep = 1000 * 1000;
  TableSource source(3000);
  source.Add(TableSource::Int(8), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Int(8), Pattern::kConstant, 30, 2);
  source.Add(TableSource::Int(8), Pattern::kConstant, 0, 3);
  std::mt19937_64 random(1);
  for (size_t r = 0; r < source.rows(); r++) {
    const auto v = static_cast<int64_t>(random() % 1000) - 700;
    source.words[0][r] = static_cast<uint64_t>(v * kStep + 17);
    source.words[1][r] = source.nulls[1][r] ? 0 : static_cast<uint64_t>(INT64_MAX - (v + 700) * 3);
    source.words[2][r] = r % 2 ? static_cast<uint64_t>(INT64_MIN) : INT64_MAX;  // cannot be mapped
  }
  SegmentBuildOptions options;
  options.level = 2;
  const Built built = Build(source, options);
  CheckAll(built, source);
  std::unique_ptr<segment::Segment> opened;
  ASSERT_TRUE(segment::Segment::Open(std::span(built.bytes).subspan(built.summary.footer_offset),
                                     built.bytes.size(), source.columns, &opened)
                  .ok());
  for (const int32_t column : {0, 1, 2}) {
    const segment::ChunkEntry* entry;
    std::vector<segment::VectorStatistics> statistics;
    ASSERT_TRUE(opened->Chunk(0, column, &entry).ok());
    ASSERT_TRUE(opened->Statistics(0, column, {built.bytes.data() + entry->offset, entry->length},
                                   &statistics).ok());
    ASSERT_EQ(3u, statistics.size());
    for (size_t v = 0; v < 3; v++) {
      const size_t first = v * 1000;  // one series, cut evenly
      const size_t n = 1000;
      const auto c = static_cast<size_t>(column);
      const segment::VectorStatistics expected =
          segment::ComputeStatistics({codec::WordKind::kInt, 8}, source.words[c].data() + first,
                                     source.nulls[c].data() + first, n);
      EXPECT_EQ(expected.null_count, statistics[v].null_count);
      EXPECT_EQ(expected.min, statistics[v].min);
      EXPECT_EQ(expected.max, statistics[v].max);
      EXPECT_EQ(expected.has_sum, statistics[v].has_sum);
      EXPECT_EQ(expected.sum, statistics[v].sum);
    }
  }
}

// Of the first row group.
std::vector<uint32_t> VectorRows(const Built& built, const TableSource& source) {
  const SegmentHandle segment = Open(built, source.columns);
  NtsRowGroupInfo group;
  NtsStatus status;
  EXPECT_EQ(NTS_OK, nts_segment_row_group(segment.get(), 0, &group, &status));
  std::vector<uint32_t> rows(group.vectors);
  for (uint32_t v = 0; v < group.vectors; v++) {
    uint32_t first_row;
    EXPECT_EQ(NTS_OK, nts_segment_vector(segment.get(), 0, v, &first_row, &rows[v], &status));
  }
  return rows;
}

TEST(Segment, LongSeriesHaveVectorsOfTheirOwn) {
  TableSource source(6000);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Int(4), Pattern::kConstant, 0, 2);
  const std::vector<uint32_t> starts = {0, 100, 1300, 1400, 1500, 4000, 4400};
  for (size_t r = 0, s = 0; r < source.rows(); r++) {
    if (s + 1 < starts.size() && starts[s + 1] == r) s++;
    source.words[1][r] = s;
  }
  const uint16_t series_columns[] = {1};
  SegmentBuildOptions options;
  options.series_columns = series_columns;
  options.level = 2;
  const Built built = Build(source, options, 0, starts);
  CheckAll(built, source);
  // 100 short; 1 200 in two; 200 short; 2 500 in three; 400 short; 1 600 in two.
  EXPECT_EQ((std::vector<uint32_t>{100, 600, 600, 200, 833, 833, 834, 400, 800, 800}), VectorRows(built, source));
}

TEST(Segment, VectorsOfLongSeriesEndWithPeriodsOfTheClock) {
  TableSource source(6000);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Int(4), Pattern::kConstant, 0, 2);
  // every 10 s: 2 000 rows from 00:30 on, 400 from 00:00 on, and a series that is too short
  const std::vector<uint32_t> starts = {0, 2000, 2400, 2800};
  for (size_t r = 0, s = 0; r < source.rows(); r++) {
    if (s + 1 < starts.size() && starts[s + 1] == r) s++;
    source.words[1][r] = s;
    source.words[0][r] = (r - starts[s] + (s == 0 ? 180 : 0)) * 10;
    source.nulls[0][r] = s == 3 && r < starts[s] + 1000;  // NULL times first
    if (source.nulls[0][r]) source.words[0][r] = 0;
  }
  const uint16_t series_columns[] = {1};
  SegmentBuildOptions options;
  options.series_columns = series_columns;
  options.level = 2;
  options.units_per_second = 1;
  const Built built = Build(source, options, 0, starts);
  CheckAll(built, source);
  EXPECT_EQ((std::vector<uint32_t>{180, 360, 360, 360, 360, 360, 20, 800, 1000, 80, 360, 360, 360, 360, 360, 320}), VectorRows(built, source));
  options.level = 1;
  EXPECT_EQ((std::vector<uint32_t>{1024, 1024, 1024, 1024, 1024, 880}), VectorRows(Build(source, options, 0, starts), source));
}

// Values that come once more, 700 rows later: a frame of 1 000 rows has both of many, one of an hour (720 rows) hardly any.
TEST(Segment, VectorsAreLongerThanPeriodsWhereFramesGainByIt) {
  for (const size_t again : {700, 20000}) {
    TableSource source(20000);
    source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
    source.Add(TableSource::Int(4), Pattern::kConstant, 0, 2);
    source.Add(TableSource::Var(), Pattern::kConstant, 0, 3);
    std::mt19937_64 random(4);
    for (size_t r = 0; r < source.rows(); r++) {
      source.words[0][r] = r % 10000 * 5;
      source.words[1][r] = r / 10000;
      std::string& value = source.bytes[2][r];
      value.resize(48);
      // four bits a byte: frames are worth it in any case
      for (char& c : value) c = static_cast<char>('a' + random() % 16);
      if (r / again % 2 == 1) value = source.bytes[2][r - again];
    }
    const std::vector<uint32_t> starts = {0, 10000};
    const uint16_t series_columns[] = {1};
    SegmentBuildOptions options;
    options.series_columns = series_columns;
    options.with_last_rows = true;
    options.level = 2;
    options.units_per_second = 1;
    const Built built = Build(source, options, 0, starts);
    CheckAll(built, source);
    EXPECT_TRUE(built.summary.last_rows);
    if (again == 700) {
      EXPECT_EQ(std::vector<uint32_t>(20, 1000), VectorRows(built, source));
    } else {
      EXPECT_EQ(720u, VectorRows(built, source)[0]);
    }
    options.level = 1;
    EXPECT_LT(built.bytes.size(), Build(source, options, 0, starts).bytes.size() * 102 / 100);
  }
}

// Labels of a sorted table and columns that follow them cost a few bytes a row group.
TEST(Segment, RunsOverAChunk) {
  TableSource source(60000);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Int(4), Pattern::kRuns, 0, 2);
  source.Add(TableSource::Var(), Pattern::kRuns, 0, 3);
  source.Add(TableSource::Float8(), Pattern::kAllNull, 0, 4);
  for (size_t r = 0; r < source.rows(); r++) {
    source.words[1][r] = r / 20000;
    source.bytes[2][r] = "host-" + std::to_string(r / 20000);
    source.nulls[2][r] = r / 20000 == 1;
    source.nulls[3][r] = r < 45000;
    source.words[3][r] = r < 45000 ? 0 : std::bit_cast<uint64_t>(2.5);
  }
  SegmentBuildOptions options;
  options.level = 2;
  const Built built = Build(source, options);
  CheckAll(built, source);
  const SegmentHandle segment = Open(built, source.columns);
  for (const int32_t column : {1, 2, 3}) {
    NtsChunkInfo chunk;
    NtsStatus status;
    ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, column, &chunk, &status));
    EXPECT_LT(chunk.length, 100u) << column;
    const std::span<const uint8_t> bytes(built.bytes.data() + chunk.offset, chunk.length);
    for (uint32_t v = 0, last = 0; last + 1 < source.rows(); v++) {
      const Vector vector = ReadVector(segment.get(), bytes, 0, column, v);
      ASSERT_EQ(NTS_OK, vector.code) << vector.status.message;
      const uint32_t first = vector.first_row;
      last = first + vector.rows - 1;
      const bool alike = column == 3 ? (first < 45000) == (last < 45000) : first / 20000 == last / 20000;
      EXPECT_EQ(alike, vector.uniform) << column << " " << v;
    }
  }
}

TEST(Segment, RunsOfNullsCostLessThanABitmap) {
  TableSource source(1024);
  source.Add(TableSource::Int(8), Pattern::kRandom, 0, 1);
  const size_t before = Build(source).bytes.size();
  for (size_t r = 100; r < 400; r++) {
    source.nulls[0][r] = 1;
    source.words[0][r] = 0;
  }
  source.nulls[0][0] = 1;
  source.words[0][0] = 0;
  const Built built = Build(source);
  CheckAll(built, source);
  EXPECT_LT(built.bytes.size() + 301 * 8, before + 24);
}

TEST(Segment, WhatWasEncodedWrongIsNoticed) {
  std::vector<uint64_t> words;
  const std::vector<uint8_t> nulls(2000, 0);
  for (size_t r = 0; r < 2000; r++) words.push_back(r * r % 977);
  const segment::ColumnShape shape = {NTS_KIND_INT, 8};
  const std::vector<uint32_t> vector_rows = {1024, 976};
  std::vector<uint8_t> chunk;
  segment::ChunkWriter writer(2);
  const segment::ChunkSummary summary =
      writer.WriteWords(shape, words.data(), nulls.data(), vector_rows, true, &chunk);
  segment::ReadBack read_back;
  const auto check = [&] {
    return read_back.CheckWords(shape, summary, chunk, vector_rows, words.data(), nulls.data());
  };
  EXPECT_TRUE(check().ok());
  words[1500]++;
  EXPECT_EQ(base::Code::kBug, check().code());
  words[1500]--;
  chunk.pop_back();
  EXPECT_EQ(base::Code::kBug, check().code());
}

TEST(Segment, DroppedAndAddedColumns) {
  TableSource source(2000);
  source.Add(TableSource::Int(4), Pattern::kRandom, 0, 1);
  source.Add(TableSource::Var(), Pattern::kRandom, 0, 2);
  const Built built = Build(source);
  std::vector<NtsColumn> columns = source.columns;
  columns[1] = TableSource::None();
  columns.push_back(TableSource::Int(8));
  const SegmentHandle segment = Open(built, columns);
  NtsChunkInfo chunk;
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, 1, &chunk, &status));
  const Vector v = ReadVector(segment.get(), {built.bytes.data() + chunk.offset, chunk.length}, 0,
                              1, 0);
  ASSERT_EQ(NTS_OK, v.code);
  EXPECT_EQ(0u, v.data_bytes);
  EXPECT_EQ(1, v.nulls[7]);
  EXPECT_EQ(NTS_ERR_BUG, nts_segment_chunk(segment.get(), 0, 2, &chunk, &status));
  columns[0] = TableSource::Int(8);
  EXPECT_EQ(nullptr, nts_segment_open(built.bytes.data() + built.summary.footer_offset,
                                      built.bytes.size() - built.summary.footer_offset,
                                      built.bytes.size(), columns.data(), 3, &status));
  EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
}

}  // namespace
}  // namespace nodedb_ts::test
