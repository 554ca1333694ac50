// A sound segment has no problems; each kind of damage is named, and does not hide
// the next one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

#include "base/bits.h"
#include "segment/segment_reader.h"
#include "segment_checks.h"

namespace nodedb_ts::test {
namespace {

using Bytes = std::vector<uint8_t>;

struct Finding {
  int32_t problem;
  uint32_t group;
  int32_t column;
  std::string text;
};
using Findings = std::vector<Finding>;

std::ostream& operator<<(std::ostream& out, const Finding& f) {
  return out << f.problem << " group " << f.group << " column " << f.column << ": " << f.text;
}

int Count(const Findings& findings, int32_t problem) {
  return static_cast<int>(std::count_if(findings.begin(), findings.end(),
                                        [&](const Finding& f) { return f.problem == problem; }));
}

constexpr uint32_t kRunRows = 300;  // Pattern::kRuns
constexpr int32_t kTag = 0;
constexpr int32_t kTime = 1;

// Rows sorted by a tag, then time, and other columns behind, of every kind when there
// are few rows.
struct Sorted {
  explicit Sorted(size_t rows, unsigned null_percent = 20) : source(rows) {
    source.Add(TableSource::Var(), Pattern::kRuns, 0, 1);
    source.Add(TableSource::Int(8), Pattern::kSteps, 0, 2);
    if (rows < 10000) {
      source.AddEverything(null_percent, 3);
    } else {
      source.Add(TableSource::Int(4), Pattern::kRandom, null_percent, 3);
      source.Add(TableSource::Float8(), Pattern::kDecimals, null_percent, 4);
      source.Add(TableSource::Var(), Pattern::kFew, null_percent, 5);
      source.Add(TableSource::Fixed(16), Pattern::kRandom, null_percent, 6);
    }
    // "host_0" to "host_9" only ascend up to ten series; beyond, tags of three digits.
    for (size_t r = 0; r < rows; r++) {
      std::string& tag = source.bytes[kTag][r];
      tag = "host_" + std::to_string(100 + r / kRunRows);
    }
    for (uint32_t s = 0; s < rows; s += kRunRows) starts.push_back(s);
    options.series_columns = series_columns;
    options.with_row_ids = options.with_command_ids = true;
    options.with_last_rows = true;
  }

  NtsSegmentFacts Facts() const {
    NtsSegmentFacts facts = {};
    facts.rows = source.order.size();
    facts.first_row_id = *std::min_element(source.row_ids.begin(), source.row_ids.end());
    facts.last_row_id = *std::max_element(source.row_ids.begin(), source.row_ids.end());
    for (size_t r = 0; r < source.rows(); r++) {
      if (source.nulls[kTime][r]) {
        facts.has_null_time = 1;
        continue;
      }
      const auto time = static_cast<int64_t>(source.words[kTime][r]);
      facts.min_time = facts.has_time ? std::min(facts.min_time, time) : time;
      facts.max_time = facts.has_time ? std::max(facts.max_time, time) : time;
      facts.has_time = 1;
    }
    facts.level = options.level;
    facts.has_row_ids = facts.has_command_ids = 1;
    return facts;
  }
  Built Make() const { return Build(source, options, kTime, starts); }

  TableSource source;
  std::vector<uint32_t> starts;
  segment::SegmentBuildOptions options;
  static constexpr uint16_t series_columns[1] = {kTag};
};

struct FreeVerifier {
  void operator()(NtsVerifier* v) const { nts_verifier_free(v); }
};

// unreadable: chunks that nobody can read.
Findings Verify(const Built& built, std::span<const NtsColumn> columns,
                const NtsSegmentFacts& facts,
                const std::function<bool(uint32_t, int32_t)>& unreadable = {},
                int* sound_chunks = nullptr) {
  Findings findings;
  NtsStatus status = {};
  const SegmentHandle segment = Open(built, columns);
  if (segment == nullptr) return findings;
  const std::unique_ptr<NtsVerifier, FreeVerifier> verifier(
      nts_verifier_new(segment.get(), &facts, &status));
  EXPECT_NE(nullptr, verifier);
  for (;;) {
    NtsVerifyStep step;
    EXPECT_EQ(NTS_OK, nts_verifier_next(verifier.get(), &step, &status)) << status.message;
    if (step.kind == NTS_VERIFY_END) return findings;
    if (step.kind == NTS_VERIFY_PROBLEM) {
      findings.push_back({step.problem, step.group, step.column, step.text});
      continue;
    }
    if (unreadable && unreadable(step.group, step.column)) continue;
    NtsChunkInfo info;
    EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), step.group, step.column, &info, &status));
    const auto at = built.bytes.begin() + static_cast<ptrdiff_t>(info.offset);
    const Bytes chunk(at, at + static_cast<ptrdiff_t>(info.length));
    bool sound = false;
    EXPECT_EQ(NTS_OK, nts_verifier_chunk(verifier.get(), chunk.data(), chunk.size(), &sound, &status))
        << status.message;
    if (sound && sound_chunks != nullptr) ++*sound_chunks;
  }
}

Findings Verify(const Sorted& sorted) {
  return Verify(sorted.Make(), sorted.source.columns, sorted.Facts());
}

NtsChunkInfo ChunkOf(const Built& built, std::span<const NtsColumn> columns, uint32_t group,
                     int32_t column) {
  NtsChunkInfo info = {};
  NtsStatus status = {};
  const SegmentHandle segment = Open(built, columns);
  EXPECT_EQ(NTS_OK, nts_segment_chunk(segment.get(), group, column, &info, &status));
  return info;
}

void FixFooter(Built* built) {
  uint8_t* footer = built->bytes.data() + built->summary.footer_offset;
  const size_t size = built->bytes.size() - built->summary.footer_offset;
  base::StoreLe<uint32_t>(footer + size - 4, nts_crc32c(0, footer, size - 4));
}

// Where the footer keeps the chunk's checksum; NULL count and range follow.
size_t ChecksumPlace(const Built& built, uint32_t crc) {
  uint8_t wanted[4];
  base::StoreLe<uint32_t>(wanted, crc);
  const auto begin = built.bytes.begin() + static_cast<ptrdiff_t>(built.summary.footer_offset);
  const auto at = std::search(begin, built.bytes.end(), wanted, wanted + 4);
  EXPECT_NE(built.bytes.end(), at);
  return static_cast<size_t>(at - built.bytes.begin());
}

// Makes footer and checksums agree with changed bytes of a chunk.
void FixChunk(Built* built, const NtsChunkInfo& info) {
  base::StoreLe<uint32_t>(built->bytes.data() + ChecksumPlace(*built, info.crc32c),
                          nts_crc32c(0, built->bytes.data() + info.offset, info.length));
  FixFooter(built);
}

TEST(SegmentVerifier, SoundSegmentsHaveNoProblem) {
  for (const size_t rows : {1u, 299u, 2500u, 70000u}) {
    Sorted sorted(rows, rows == 299 ? 0 : 20);
    int sound = 0;
    const Findings found =
        Verify(sorted.Make(), sorted.source.columns, sorted.Facts(), {}, &sound);
    EXPECT_TRUE(found.empty()) << rows << " rows: " << found[0];
    // Constants, as all columns of one row are, stand in the footer.
    if (rows > 1) EXPECT_GT(sound, static_cast<int>(sorted.source.columns.size() / 2));
  }
}

TEST(SegmentVerifier, WithoutSeriesTimeOrIds) {
  TableSource source(3000);
  source.AddEverything(30, 9);
  NtsSegmentFacts facts = {};
  facts.rows = 3000;
  facts.first_row_id = 7;
  facts.last_row_id = 3006;
  facts.level = 1;
  facts.has_null_time = 1;
  const Built built = Build(source);
  EXPECT_TRUE(Verify(built, source.columns, facts).empty());
  facts.last_row_id++;
  const Findings found = Verify(built, source.columns, facts);
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(NTS_PROBLEM_ROW_IDS, found[0].problem);
}

TEST(SegmentVerifier, DroppedColumnsAreChecked) {
  Sorted sorted(2000);
  std::vector<NtsColumn> columns = sorted.source.columns;
  for (NtsColumn& column : columns) column = TableSource::None();
  EXPECT_TRUE(Verify(sorted.Make(), columns, sorted.Facts()).empty());
  Built built = sorted.Make();
  built.bytes[ChunkOf(built, columns, 0, 20).offset] ^= 1;
  EXPECT_EQ(1, Count(Verify(built, columns, sorted.Facts()), NTS_PROBLEM_CHUNK));
}

TEST(SegmentVerifier, EveryFlippedBitOfDataIsFound) {
  const Sorted sorted(2500);
  const Built built = sorted.Make();
  std::mt19937_64 random(5);
  for (int i = 0; i < 80; i++) {
    Built damaged = built;
    damaged.bytes[random() % built.summary.footer_offset] ^= static_cast<uint8_t>(1u << random() % 8);
    const Findings found = Verify(damaged, sorted.source.columns, sorted.Facts());
    ASSERT_EQ(1u, found.size());
    EXPECT_EQ(NTS_PROBLEM_CHUNK, found[0].problem);
  }
}

TEST(SegmentVerifier, OneDamageDoesNotHideAnother) {
  const Sorted sorted(70000);
  Built built = sorted.Make();
  for (const int32_t column : {kTag, kTime, 3, NTS_COLUMN_ROW_ID}) {
    for (const uint32_t group : {0u, 1u}) {
      built.bytes[ChunkOf(built, sorted.source.columns, group, column).offset] ^= 4;
    }
  }
  NtsSegmentFacts facts = sorted.Facts();
  facts.min_command_id = 3;
  facts.level = 2;
  const Findings found = Verify(built, sorted.source.columns, facts);
  EXPECT_EQ(8, Count(found, NTS_PROBLEM_CHUNK));
  EXPECT_EQ(1, Count(found, NTS_PROBLEM_COMMAND_IDS));
  EXPECT_EQ(1, Count(found, NTS_PROBLEM_SEGMENT));
  EXPECT_EQ(10u, found.size());
}

TEST(SegmentVerifier, WhatCannotBeReadIsNotJudged) {
  const Sorted sorted(70000);
  const Built built = sorted.Make();
  for (const int32_t column : {kTag, kTime, 4, NTS_COLUMN_ROW_ID, NTS_COLUMN_COMMAND_ID}) {
    for (const uint32_t bad : {0u, 1u}) {
      const Findings found =
          Verify(built, sorted.source.columns, sorted.Facts(),
                 [&](uint32_t group, int32_t c) { return group == bad && c == column; });
      EXPECT_TRUE(found.empty()) << found[0];
    }
  }
}

TEST(SegmentVerifier, FactsOfTheDirectory) {
  const Sorted sorted(1000);
  const Built built = sorted.Make();
  const auto problem = [&](const std::function<void(NtsSegmentFacts*)>& lie) {
    NtsSegmentFacts facts = sorted.Facts();
    lie(&facts);
    const Findings found = Verify(built, sorted.source.columns, facts);
    EXPECT_EQ(1u, found.size());
    return found.empty() ? 0 : found[0].problem;
  };
  EXPECT_EQ(NTS_PROBLEM_SEGMENT, problem([](NtsSegmentFacts* f) { f->rows++; }));
  EXPECT_EQ(NTS_PROBLEM_SEGMENT, problem([](NtsSegmentFacts* f) { f->level = 2; }));
  EXPECT_EQ(NTS_PROBLEM_SEGMENT, problem([](NtsSegmentFacts* f) { f->has_row_ids = 0; }));
  EXPECT_EQ(NTS_PROBLEM_SEGMENT, problem([](NtsSegmentFacts* f) { f->has_command_ids = 0; }));
  EXPECT_EQ(NTS_PROBLEM_STATISTICS, problem([](NtsSegmentFacts* f) { f->min_time--; }));
  EXPECT_EQ(NTS_PROBLEM_STATISTICS, problem([](NtsSegmentFacts* f) { f->max_time--; }));
  EXPECT_EQ(NTS_PROBLEM_STATISTICS, problem([](NtsSegmentFacts* f) { f->has_null_time = 1; }));
  EXPECT_EQ(NTS_PROBLEM_STATISTICS, problem([](NtsSegmentFacts* f) { f->has_time = 0; }));
  EXPECT_EQ(NTS_PROBLEM_ROW_IDS, problem([](NtsSegmentFacts* f) { f->first_row_id--; }));
  EXPECT_EQ(NTS_PROBLEM_ROW_IDS, problem([](NtsSegmentFacts* f) { f->last_row_id++; }));
  EXPECT_EQ(NTS_PROBLEM_COMMAND_IDS, problem([](NtsSegmentFacts* f) { f->min_command_id = 1; }));
}

TEST(SegmentVerifier, OrderOfSeries) {
  Sorted sorted(70000);
  std::swap(sorted.source.bytes[kTag][299], sorted.source.bytes[kTag][300]);
  EXPECT_EQ(1, Count(Verify(sorted), NTS_PROBLEM_ORDER));
  Sorted across(70000);  // the row before is in another row group
  across.source.bytes[kTag][65536] = "a";
  const Findings found = Verify(across);
  ASSERT_EQ(1, Count(found, NTS_PROBLEM_ORDER));
  EXPECT_NE(std::string::npos, found[0].text.find("row 65536 ")) << found[0];
  Sorted across_vectors(2500);
  across_vectors.source.bytes[kTag][1024] = "";
  EXPECT_EQ(1, Count(Verify(across_vectors), NTS_PROBLEM_ORDER));
}

TEST(SegmentVerifier, NullsOfKeysComeLastAndOfTimesFirst) {
  Sorted sorted(900);
  for (size_t r = 600; r < 900; r++) {
    sorted.source.nulls[kTag][r] = 1;
    sorted.source.bytes[kTag][r].clear();
  }
  for (size_t r = 300; r < 310; r++) {
    sorted.source.nulls[kTime][r] = 1;
    sorted.source.words[kTime][r] = 0;
  }
  EXPECT_TRUE(Verify(sorted).empty());
  sorted.source.nulls[kTime][320] = 1;
  sorted.source.words[kTime][320] = 0;
  EXPECT_EQ(1, Count(Verify(sorted), NTS_PROBLEM_ORDER));
  Sorted first(900);
  first.source.nulls[kTag][0] = 1;
  first.source.bytes[kTag][0].clear();
  EXPECT_EQ(1, Count(Verify(first), NTS_PROBLEM_ORDER));
}

TEST(SegmentVerifier, OrderOfTimes) {
  for (const size_t row : {10u, 1024u, 65536u}) {
    Sorted sorted(70000);
    sorted.source.words[kTime][row] -= 11;
    const Findings found = Verify(sorted);
    EXPECT_EQ(row % kRunRows == 0 ? 0 : 1, Count(found, NTS_PROBLEM_ORDER)) << row;
  }
}

TEST(SegmentVerifier, SeriesIndex) {
  Sorted late(2500);  // a series that begins a row late
  late.starts[3]++;
  EXPECT_EQ(1, Count(Verify(late), NTS_PROBLEM_SERIES));
  Sorted few(2500);
  few.starts.pop_back();
  EXPECT_EQ(2, Count(Verify(few), NTS_PROBLEM_SERIES));  // an entry, and the count
  Sorted timeless(2500);  // only the numbers of rows tell
  for (size_t r = 600; r < 1200; r++) {
    timeless.source.nulls[kTime][r] = 1;
    timeless.source.words[kTime][r] = 0;
  }
  EXPECT_TRUE(Verify(timeless).empty());
  timeless.starts[3]++;
  EXPECT_EQ(1, Count(Verify(timeless), NTS_PROBLEM_SERIES));
  Sorted none(2500);
  none.starts.clear();
  EXPECT_EQ(1, Count(Verify(none), NTS_PROBLEM_SERIES));
}

TEST(SegmentVerifier, RowIdsTwiceOrTooLarge) {
  Sorted twice(3000);
  twice.source.row_ids[2000] = twice.source.row_ids[17];
  const Findings found = Verify(twice);
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(NTS_PROBLEM_ROW_IDS, found[0].problem);
  Sorted large(3000);
  large.source.row_ids[2000] = uint64_t{255} << 40;
  EXPECT_EQ(1, Count(Verify(large), NTS_PROBLEM_ROW_IDS));
}

// A footer that counts NULLs or bounds values wrongly, checksums being right.
TEST(SegmentVerifier, StatisticsOfTheFooter) {
  const Sorted sorted(2500);
  const Built built = sorted.Make();
  int changed = 0;
  for (size_t c = 0; c < sorted.source.columns.size(); c++) {
    const NtsChunkInfo info =
        ChunkOf(built, sorted.source.columns, 0, static_cast<int32_t>(c));
    const uint8_t kind = sorted.source.columns[c].kind;
    if (info.codec == 0) continue;
    Built damaged = built;
    const size_t at = ChecksumPlace(built, info.crc32c) + 4;
    damaged.bytes[at] ^= 1;  // the low bits of the number of NULLs
    FixFooter(&damaged);
    EXPECT_EQ(1, Count(Verify(damaged, sorted.source.columns, sorted.Facts()),
                       NTS_PROBLEM_STATISTICS)) << "NULLs of column " << c;
    if (kind == NTS_KIND_FIXED || kind == NTS_KIND_VAR) continue;
    damaged = built;
    const size_t range = at + (built.bytes[at] >= 0x80 ? 2 : 1);
    damaged.bytes[range] ^= 1;
    FixFooter(&damaged);
    EXPECT_EQ(1, Count(Verify(damaged, sorted.source.columns, sorted.Facts()),
                       NTS_PROBLEM_STATISTICS)) << "range of column " << c;
    changed++;
  }
  EXPECT_GT(changed, 20);
}

// Any bit of a chunk changed, checksums being right: statistics that do not fit, a
// dictionary with an entry twice, vectors that cannot be decoded. What changes a value
// inside a vector's range, and not its sum, is the checksum's business.
TEST(SegmentVerifier, BitsUnderRightChecksums) {
  const Sorted sorted(2500, 10);
  const Built built = sorted.Make();
  std::mt19937_64 random(6);
  int found_some = 0;
  int tries = 0;
  for (size_t c = 0; c < sorted.source.columns.size(); c++) {
    const NtsChunkInfo info =
        ChunkOf(built, sorted.source.columns, 0, static_cast<int32_t>(c));
    for (int i = 0; info.length > 0 && i < 8; i++, tries++) {
      Built damaged = built;
      // The end of a chunk holds offsets, statistics and dictionary.
      const uint64_t back = 1 + random() % std::min<uint64_t>(info.length, 300);
      damaged.bytes[info.offset + info.length - back] ^= static_cast<uint8_t>(1u << random() % 8);
      FixChunk(&damaged, info);
      found_some += !Verify(damaged, sorted.source.columns, sorted.Facts()).empty();
    }
  }
  EXPECT_GT(found_some, tries / 2) << "of " << tries;
}

TEST(SegmentVerifier, VectorStatistics) {
  Sorted sorted(3000);
  const int32_t column = 2 + 3 * 8 + 4;  // INT of 8 bytes, random
  const Built built = sorted.Make();
  const NtsChunkInfo info = ChunkOf(built, sorted.source.columns, 0, column);
  const uint8_t* end = built.bytes.data() + info.offset + info.length;
  ASSERT_NE(0, end[-1] & 8);  // it has statistics, and no dictionary
  ASSERT_EQ(0, end[-1] & 4);
  const uint32_t length = base::LoadLe<uint32_t>(end - 5);
  const size_t width = size_t{1} << (end[-1] & 3);
  const uint64_t begin = info.offset + info.length - 5 - 2 * width - length;
  int reported = 0;
  for (uint64_t at = begin; at < begin + length; at++) {
    Built damaged = built;
    damaged.bytes[at] ^= 1;
    FixChunk(&damaged, info);
    const Findings found = Verify(damaged, sorted.source.columns, sorted.Facts());
    EXPECT_FALSE(found.empty()) << "byte " << at - begin << " of " << length;
    reported += Count(found, NTS_PROBLEM_STATISTICS);
  }
  EXPECT_GT(reported, static_cast<int>(length / 2));
}

TEST(SegmentVerifier, DictionaryEntryTwice) {
  Sorted sorted(3000);
  const Built built = sorted.Make();
  const int32_t column = 2 + 10 * 8 + 1;  // VAR, few values
  const NtsChunkInfo info = ChunkOf(built, sorted.source.columns, 0, column);
  ASSERT_EQ(5, info.codec);
  Built damaged = built;
  uint8_t* begin = damaged.bytes.data() + info.offset;
  uint8_t* const end = begin + info.length;
  const std::string_view word = "label-1";
  uint8_t* at = std::search(begin, end, word.begin(), word.end());
  ASSERT_NE(end, at);
  at[6] = '2';
  FixChunk(&damaged, info);
  const Findings found = Verify(damaged, sorted.source.columns, sorted.Facts());
  ASSERT_EQ(1u, found.size());
  EXPECT_EQ(NTS_PROBLEM_CHUNK, found[0].problem);
  EXPECT_NE(std::string::npos, found[0].text.find("twice")) << found[0];
}

}  // namespace
}  // namespace nodedb_ts::test
