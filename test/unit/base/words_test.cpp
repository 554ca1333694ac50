#include "base/words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "base/bits.h"

namespace nodedb_ts::base {
namespace {

// Words of all widths, extremes among them, in every length that leaves another rest behind fours.
std::vector<std::vector<uint64_t>> Arrays() {
  std::mt19937_64 random(42);
  std::vector<std::vector<uint64_t>> arrays;
  for (size_t n = 1; n <= 40; n++) {
    for (int kind = 0; kind < 4; kind++) {
      std::vector<uint64_t> words(n);
      for (uint64_t& w : words) {
        w = random();
        if (kind == 0) w >>= random() % 64;
        if (kind == 1) w = w % 3;
        if (kind == 2) w = w % 2 == 0 ? uint64_t{1} << 63 : uint64_t{INT64_MAX};
      }
      arrays.push_back(words);
    }
  }
  return arrays;
}

TEST(Words, ProgressionAsOneByOne) {
  for (const uint64_t step : {uint64_t{0}, uint64_t{10}, UINT64_MAX, uint64_t{1} << 62}) {
    for (size_t n = 0; n <= 13; n++) {
      std::vector<uint64_t> out(n + 1, 42);
      FillProgression(INT64_MAX - 3, step, n, out.data());
      for (size_t i = 0; i < n; i++) EXPECT_EQ(out[i], INT64_MAX - 3 + i * step);
      EXPECT_EQ(out[n], 42u);
    }
  }
}

TEST(Words, IntegersAsOneByOne) {
  for (const std::vector<uint64_t>& words : Arrays()) {
    const size_t n = words.size();
    int64_t min = INT64_MAX;
    int64_t max = INT64_MIN;
    uint64_t sum = 0;
    size_t changes = 0;
    for (size_t i = 0; i < n; i++) {
      min = std::min(min, static_cast<int64_t>(words[i]));
      max = std::max(max, static_cast<int64_t>(words[i]));
      sum += words[i];
      if (i > 0) changes += words[i] != words[i - 1];
    }
    const WordBounds bounds = SignedBounds(words.data(), n);
    EXPECT_EQ(bounds.min, min);
    EXPECT_EQ(bounds.max, max);
    EXPECT_EQ(WrappingSum(words.data(), n), sum);
    EXPECT_EQ(CountChanges(words.data(), n), changes);

    const uint64_t base = words[n / 2];
    std::vector<uint64_t> offsets(n);
    std::vector<uint64_t> differences(n);
    uint32_t widths[65];
    std::vector<uint64_t> sums = words;
    SumZigZag(sums.data(), n, base);
    for (uint64_t i = 0, before = base; i < n; i++) {
      before += static_cast<uint64_t>(UnZigZag(words[i]));
      EXPECT_EQ(sums[i], before);
    }
    sums = words;
    SumUp(sums.data(), n, base);
    std::vector<uint64_t> twice = words;
    SumUpTwice(twice.data(), n, base, changes);
    for (uint64_t i = 0, before = base, value = base, delta = changes; i < n; i++) {
      EXPECT_EQ(sums[i], before += words[i]);
      EXPECT_EQ(twice[i], value += delta += words[i]);
    }
    SubtractBase(words.data(), n, base, offsets.data());
    Differences(words.data(), n, differences.data());
    CountWidths(words.data(), n, base, widths);
    std::vector<uint32_t> expected(65);
    for (size_t i = 0; i < n; i++) {
      EXPECT_EQ(offsets[i], words[i] - base);
      expected[BitWidth(words[i] - base)]++;
      if (i + 1 < n) {
        EXPECT_EQ(differences[i], words[i + 1] - words[i]);
      }
    }
    EXPECT_EQ(std::vector<uint32_t>(widths, widths + 65), expected);
  }
}

TEST(Words, BoundsOfDoubles) {
  std::mt19937_64 random(7);
  for (size_t n = 1; n <= 40; n++) {
    std::vector<uint64_t> words(n);
    double min = std::numeric_limits<double>::infinity();
    double max = -min;
    for (uint64_t& w : words) {
      const double v = static_cast<double>(static_cast<int64_t>(random())) / 3;
      w = std::bit_cast<uint64_t>(v);
      min = std::min(min, v);
      max = std::max(max, v);
    }
    uint64_t low = 0;
    uint64_t high = 0;
    ASSERT_TRUE(DoubleBounds(words.data(), n, &low, &high));
    EXPECT_EQ(low, std::bit_cast<uint64_t>(min));
    EXPECT_EQ(high, std::bit_cast<uint64_t>(max));
    for (size_t i = 0; i < n; i++) {
      std::vector<uint64_t> with = words;
      with[i] = std::bit_cast<uint64_t>(std::numeric_limits<double>::quiet_NaN());
      EXPECT_FALSE(DoubleBounds(with.data(), n, &low, &high));
      // A zero that is an end may be of either sign.
      for (size_t k = 0; k < n; k++) with[k] = std::bit_cast<uint64_t>(k == i ? -0.0 : 1.0);
      EXPECT_FALSE(DoubleBounds(with.data(), n, &low, &high));
      for (size_t k = 0; k < n; k++) with[k] = std::bit_cast<uint64_t>(k == i ? 0.0 : -1.0);
      EXPECT_FALSE(DoubleBounds(with.data(), n, &low, &high));
    }
    const std::vector<uint64_t> infinite(n, std::bit_cast<uint64_t>(std::numeric_limits<double>::infinity()));
    ASSERT_TRUE(DoubleBounds(infinite.data(), n, &low, &high));
    EXPECT_EQ(low, infinite[0]);
  }
}

TEST(Words, QuotientsAreThoseOfDivision) {
  std::mt19937_64 random(9);
  for (const int bits : {1, 20, 50, 51, 52, 53, 63}) {
    for (size_t n = 0; n <= 70; n++) {
      std::vector<uint64_t> words(n);
      for (uint64_t& w : words) w = random() >> (63 - bits) << 1 >> 1;
      for (size_t i = 0; i < n; i += 3) words[i] = ~words[i];
      if (n > 5) {
        words[2] = 0;
        words[3] = uint64_t{1} << bits >> 1;
        words[4] = -words[3];
      }
      for (const double divisor : {1.0, 10.0, 1e15}) {
        std::vector<uint64_t> quotients = words;
        DivideIntegers(quotients.data(), n, divisor);
        for (size_t i = 0; i < n; i++) {
          const double expected = static_cast<double>(static_cast<int64_t>(words[i])) / divisor;
          ASSERT_EQ(std::bit_cast<uint64_t>(expected), quotients[i]) << words[i] << " of " << bits << " bits";
        }
      }
    }
  }
}

TEST(Words, CountsFlags) {
  for (size_t n = 0; n <= 300; n++) {
    std::vector<uint8_t> flags(n);
    size_t expected = 0;
    for (size_t i = 0; i < n; i++) expected += flags[i] = (i * i + n) % 3 == 0 ? 1 : 0;
    EXPECT_EQ(CountFlags(flags.data(), n), expected);
    std::fill(flags.begin(), flags.end(), uint8_t{1});
    EXPECT_EQ(CountFlags(flags.data(), n), n);
  }
}

}  // namespace
}  // namespace nodedb_ts::base
