#include "segment/vector_cuts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "segment/format.h"

namespace nodedb_ts::segment {
namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;

int64_t Floor(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Cuts {
  bool done;
  std::vector<uint32_t> rows;
};

// Also checks what holds of all cuts: nothing is left out, nothing is too long.
Cuts Cut(const std::vector<int64_t>& times, size_t timeless = 0) {
  std::vector<uint64_t> words(timeless, 0);
  std::vector<uint8_t> nulls(timeless, 1);
  for (const int64_t time : times) words.push_back(static_cast<uint64_t>(time));
  nulls.resize(words.size(), 0);
  Cuts cuts{false, {7}};
  cuts.done = CutByPeriod(words, nulls, kSecond, &cuts.rows);
  EXPECT_EQ(7u, cuts.rows.front());
  cuts.rows.erase(cuts.rows.begin());
  EXPECT_EQ(cuts.done ? words.size() : 0, std::accumulate(cuts.rows.begin(), cuts.rows.end(), size_t{0}));
  for (const uint32_t n : cuts.rows) EXPECT_TRUE(n >= 1 && n <= kMaxVectorRows) << n;
  return cuts;
}

std::vector<int64_t> Regular(int64_t first, int64_t step, size_t n) {
  std::vector<int64_t> times(n);
  for (size_t i = 0; i < n; i++) times[i] = first + static_cast<int64_t>(i) * step;
  return times;
}

// No vector has rows of two periods.
void ExpectWithin(const std::vector<int64_t>& times, const Cuts& cuts, int64_t period) {
  ASSERT_TRUE(cuts.done);
  size_t row = 0;
  for (const uint32_t n : cuts.rows) {
    EXPECT_EQ(Floor(times[row], period), Floor(times[row + n - 1], period)) << "row " << row;
    row += n;
  }
}

TEST(VectorCuts, EndWithTheLongestPeriodThatHasRoom) {
  const int64_t midnight = 9000 * kDay;
  const struct {
    int64_t step, period;
    uint32_t rows;
  } cases[] = {{10 * kSecond, kHour, 360},      {kSecond, 900 * kSecond, 900}, {kSecond / 10, 60 * kSecond, 600},
               {60 * kSecond, 12 * kHour, 720}, {30 * kSecond, 6 * kHour, 720}, {120 * kSecond, kDay, 720},
               {15 * kSecond, 3 * kHour, 720},  {20 * kSecond, 3 * kHour, 540}, {2 * kSecond, 1800 * kSecond, 900},
               {kSecond / 1000, kSecond, 1000}};
  for (const auto& c : cases) {
    const std::vector<int64_t> times = Regular(midnight, c.step, 6000);
    const Cuts cuts = Cut(times);
    ExpectWithin(times, cuts, c.period);
    for (size_t v = 0; v + 1 < cuts.rows.size(); v++) EXPECT_EQ(c.rows, cuts.rows[v]) << c.step;
  }
}

TEST(VectorCuts, BeginInTheMiddleOfAPeriodAndBeforeTheYear2000) {
  for (const int64_t first : {int64_t{-1234567890123}, -5 * kDay - 17, 3 * kHour + 1801 * kSecond + 5}) {
    const std::vector<int64_t> times = Regular(first, 10 * kSecond, 3000);
    ExpectWithin(times, Cut(times), kHour);
  }
}

TEST(VectorCuts, IrregularTimesAndGaps) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; round++) {
    std::vector<int64_t> times;
    for (int64_t t = static_cast<int64_t>(random() % kDay); times.size() < 4000; t += static_cast<int64_t>(random() % (20 * kSecond))) {
      times.push_back(t);
      if (random() % 1000 == 0) t += kDay;
    }
    const Cuts cuts = Cut(times);
    if (cuts.done) ExpectWithin(times, cuts, kDay);  // which every period divides
  }
}

TEST(VectorCuts, MoreRowsThanFitInOnePeriodAreCutEvenly) {
  std::vector<int64_t> times = Regular(kDay, 10 * kSecond, 2160);
  times.insert(times.begin() + 720, 3000, times[720]);
  std::sort(times.begin(), times.end());
  ExpectWithin(times, Cut(times), kHour);
}

TEST(VectorCuts, ShortEndsAreNoHindrance) {
  const std::vector<int64_t> times = Regular(1801 * kSecond, 10 * kSecond, 2000);
  const Cuts cuts = Cut(times);
  ExpectWithin(times, cuts, kHour);
  EXPECT_EQ((std::vector<uint32_t>{180, 360, 360, 360, 360, 360, 20}), cuts.rows);
}

TEST(VectorCuts, SmallVectorsAreRefused) {
  // a day would have 288 rows, a minute 240
  EXPECT_FALSE(Cut(Regular(0, 300 * kSecond, 5000)).done);
  EXPECT_FALSE(Cut(Regular(0, kSecond / 4, 5000)).done);
  // one row a day
  EXPECT_FALSE(Cut(Regular(0, kDay, 5000)).done);
}

TEST(VectorCuts, TimesAtTheEndsOfTheirType) {
  using Limits = std::numeric_limits<int64_t>;
  std::vector<int64_t> times = Regular(0, 10 * kSecond, 1000);
  times.insert(times.begin(), Limits::min());
  times.push_back(Limits::max());
  Cut(times);
  Cut(std::vector<int64_t>(2000, Limits::min()));
  Cut(std::vector<int64_t>(2000, Limits::max()));
}

TEST(VectorCuts, RowsWithoutATime) {
  EXPECT_FALSE(Cut({}, 2000).done);
  const std::vector<int64_t> times = Regular(0, 10 * kSecond, 3600);
  const Cuts cuts = Cut(times, 1500);
  ASSERT_TRUE(cuts.done);
  EXPECT_EQ(750u, cuts.rows[0]);
  EXPECT_EQ(750u, cuts.rows[1]);
  EXPECT_EQ(360u, cuts.rows[2]);
}

}  // namespace
}  // namespace nodedb_ts::segment
