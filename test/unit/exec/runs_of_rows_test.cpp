#include "exec/runs_of_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace nodedb_ts::exec {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();

TEST(RunsOfRows, GathersPositions) {
  const uint64_t words[] = {10, 11, 12, 13, 14};
  const uint32_t rows[] = {0, 3, 4};
  uint64_t out[3];
  Gather(words, rows, 3, out);
  EXPECT_EQ(10u, out[0]);
  EXPECT_EQ(13u, out[1]);
  EXPECT_EQ(14u, out[2]);
}

TEST(RunsOfRows, MarksAndListsChanges) {
  std::mt19937 random(5);
  for (size_t count = 1; count < 80; ++count) {
    std::vector<uint64_t> words(count);
    std::vector<uint8_t> nulls(count), marks(count, 0);
    for (size_t i = 0; i < count; ++i) {
      words[i] = i > 0 && random() % 8 != 0 ? words[i - 1] : random() % 3;
      nulls[i] = i > 0 && random() % 8 != 0 ? nulls[i - 1] : random() % 2;
    }
    marks[0] = 1;
    MarkChanges(words.data(), count, marks.data());
    MarkChanges(nulls.data(), count, marks.data());
    std::vector<uint32_t> expected = {0}, got(count);
    for (size_t i = 1; i < count; ++i)
      if (words[i] != words[i - 1] || nulls[i] != nulls[i - 1]) expected.push_back(static_cast<uint32_t>(i));
    got.resize(ListMarks(marks.data(), count, got.data()));
    EXPECT_EQ(expected, got);
  }
}

size_t Floor(const std::vector<int64_t>& values, int64_t origin, int64_t limit, int64_t width,
             std::vector<int64_t>* out) {
  const std::vector<uint64_t> words(values.begin(), values.end());
  std::vector<uint64_t> buckets(values.size());
  const size_t done = FloorBuckets(words.data(), words.size(), origin, limit, width, buckets.data());
  out->assign(buckets.begin(), buckets.begin() + static_cast<ptrdiff_t>(done));
  return done;
}

TEST(RunsOfRows, FloorsToBuckets) {
  std::vector<int64_t> out;
  EXPECT_EQ(7u, Floor({3, 4, 12, 13, 22, 3, 1000}, 3, kGreatest, 10, &out));
  EXPECT_EQ((std::vector<int64_t>{3, 3, 3, 13, 13, 3, 993}), out);
  // Before the origin, at the limit, too far away: not done here.
  EXPECT_EQ(1u, Floor({3, 2}, 3, kGreatest, 10, &out));
  EXPECT_EQ(2u, Floor({13, 19, 20}, 3, 20, 10, &out));
  EXPECT_EQ(0u, Floor({kGreatest}, 3, kGreatest, 10, &out));
  EXPECT_EQ(1u, Floor({-5, kGreatest - 1}, -10, kGreatest, 10, &out));
  // The widest bucket ends at the limit.
  EXPECT_EQ(2u, Floor({0, kGreatest - 2, kGreatest - 1}, 0, kGreatest - 1, kGreatest, &out));
  EXPECT_EQ((std::vector<int64_t>{0, 0}), out);
  EXPECT_EQ(1u, Floor({kLeast, 0}, kLeast, kGreatest, 10, &out));
}

TEST(RunsOfRows, TellsAscendingWords) {
  const auto ascends = [](const std::vector<int64_t>& values) {
    const std::vector<uint64_t> words(values.begin(), values.end());
    return IsAscending(words.data(), words.size());
  };
  EXPECT_TRUE(ascends({}));
  EXPECT_TRUE(ascends({-7}));
  EXPECT_TRUE(ascends({-7, -7, -1, 0, 5, 5, int64_t{1} << 61}));
  EXPECT_FALSE(ascends({-7, -8}));
  EXPECT_FALSE(ascends({0, 1, 2, 3, 4, 3, 9, 10, 11}));
  // Differences that overflow must not look like steps up.
  EXPECT_FALSE(ascends({kGreatest, kLeast}));
  EXPECT_FALSE(ascends({1, kLeast}));
  EXPECT_FALSE(ascends({1, kLeast, kGreatest}));
  EXPECT_FALSE(ascends({int64_t{1} << 62, -(int64_t{1} << 62) - 1}));
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> values(1 + random() % 40);
    for (int64_t& v : values) v = static_cast<int64_t>(random()) >> (random() % 60);
    if (round % 2 == 0) std::sort(values.begin(), values.end());
    const bool sorted = std::is_sorted(values.begin(), values.end());
    const bool within = std::all_of(values.begin(), values.end(),
                                    [](int64_t v) { return -(int64_t{1} << 62) <= v && v < int64_t{1} << 62; });
    EXPECT_EQ(sorted && within, ascends(values));
  }
}

TEST(RunsOfRows, CountsWordsBelow) {
  std::mt19937 random(4);
  for (size_t count = 1; count < 70; ++count) {
    std::vector<int64_t> values(count);
    for (int64_t& v : values) v = static_cast<int64_t>(random() % 50) - 25;
    std::sort(values.begin(), values.end());
    const std::vector<uint64_t> words(values.begin(), values.end());
    for (int64_t limit = -26; limit <= 26; ++limit) {
      EXPECT_EQ(static_cast<size_t>(std::lower_bound(values.begin(), values.end(), limit) - values.begin()),
                CountBelow(words.data(), count, limit));
    }
    EXPECT_EQ(count, CountBelow(words.data(), count, kGreatest));
    EXPECT_EQ(0u, CountBelow(words.data(), count, kLeast));
  }
}

}  // namespace
}  // namespace nodedb_ts::exec
