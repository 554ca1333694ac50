#include "exec/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace nodedb_ts::exec {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();

std::vector<uint64_t> Words(const std::vector<double>& values) {
  std::vector<uint64_t> words;
  for (const double value : values) words.push_back(std::bit_cast<uint64_t>(value));
  return words;
}
std::vector<uint64_t> NarrowWords(const std::vector<float>& values) {
  std::vector<uint64_t> words;
  // Sign-extended, as PostgreSQL has them: only the low half may count.
  for (const float value : values)
    words.push_back(static_cast<uint64_t>(static_cast<int64_t>(std::bit_cast<int32_t>(value))));
  return words;
}

using Wide = __int128;
Wide Value(const NtsWideSum& sum) { return (static_cast<Wide>(sum.high) << 64) | sum.low; }

// Ints of all sizes, some of them extreme, and nulls whose words are 0.
struct Ints {
  std::vector<uint64_t> words;
  std::vector<uint8_t> nulls;
  Ints(size_t count, unsigned seed) : words(count), nulls(count) {
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < count; ++i) {
      nulls[i] = random() % 5 == 0;
      const int64_t value = random() % 7 == 0   ? kGreatest
                            : random() % 7 == 0 ? kLeast
                                                : static_cast<int64_t>(random()) >> (random() % 64);
      words[i] = nulls[i] ? 0 : static_cast<uint64_t>(value);
    }
  }
};

TEST(AggregateInt, FoldsAreThoseOfALoop) {
  for (size_t count = 0; count < 70; ++count) {
    const Ints ints(count, 17 + static_cast<unsigned>(count));
    for (const bool nullable : {false, true}) {
      const uint8_t* nulls = nullable ? ints.nulls.data() : nullptr;
      Wide sum = -5;
      int64_t least = kGreatest, greatest = kLeast;
      uint64_t values = 0;
      for (size_t i = 0; i < count; ++i) {
        if (nullable && ints.nulls[i]) continue;
        const int64_t value = static_cast<int64_t>(ints.words[i]);
        sum += value;
        least = std::min(least, value);
        greatest = std::max(greatest, value);
        ++values;
      }
      NtsWideSum got_sum = {static_cast<uint64_t>(-5), -1};
      int64_t got_least = kGreatest, got_greatest = kLeast;
      EXPECT_EQ(values, SumInt(ints.words.data(), nulls, count, &got_sum));
      EXPECT_EQ(values, MinInt(ints.words.data(), nulls, count, &got_least));
      EXPECT_EQ(values, MaxInt(ints.words.data(), nulls, count, &got_greatest));
      EXPECT_EQ(values, CountValues(nulls, count));
      EXPECT_TRUE(sum == Value(got_sum)) << count;
      EXPECT_EQ(least, got_least);
      EXPECT_EQ(greatest, got_greatest);
    }
  }
}

TEST(AggregateInt, SumsGoBeyond64BitsBothWays) {
  const std::vector<uint64_t> large(1000, static_cast<uint64_t>(kGreatest));
  const std::vector<uint64_t> small(1000, static_cast<uint64_t>(kLeast));
  NtsWideSum sum = {0, 0};
  for (int i = 0; i < 50; ++i) SumInt(large.data(), nullptr, large.size(), &sum);
  EXPECT_TRUE(Value(sum) == static_cast<Wide>(kGreatest) * 50000);
  for (int i = 0; i < 80; ++i) SumInt(small.data(), nullptr, small.size(), &sum);
  EXPECT_TRUE(Value(sum) == static_cast<Wide>(kGreatest) * 50000 + static_cast<Wide>(kLeast) * 80000);
}

TEST(AggregateFloat, SumsHaveTheBitsOfALoop) {
  std::mt19937_64 random(3);
  std::vector<double> values(1000);
  std::vector<float> narrow(1000);
  std::vector<uint8_t> nulls(1000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::ldexp(static_cast<double>(static_cast<int64_t>(random())), static_cast<int>(random() % 80) - 60);
    narrow[i] = static_cast<float>(values[i]);
    nulls[i] = random() % 3 == 0;
  }
  const auto words = Words(values);
  const auto narrow_words = NarrowWords(narrow);
  for (const uint8_t* mask : {static_cast<const uint8_t*>(nullptr), static_cast<const uint8_t*>(nulls.data())}) {
    double sum = 0.5, wide = 0.5;
    float single = 0.5f;
    for (size_t i = 0; i < values.size(); ++i) {
      if (mask != nullptr && mask[i]) continue;
      sum += values[i];
      wide += static_cast<double>(narrow[i]);
      single += narrow[i];
    }
    double got_sum = 0.5, got_wide = 0.5;
    float got_single = 0.5f;
    SumFloat<double, double>(words.data(), mask, words.size(), &got_sum);
    SumFloat<float, double>(narrow_words.data(), mask, words.size(), &got_wide);
    SumFloat<float, float>(narrow_words.data(), mask, words.size(), &got_single);
    EXPECT_EQ(std::bit_cast<uint64_t>(sum), std::bit_cast<uint64_t>(got_sum));
    EXPECT_EQ(std::bit_cast<uint64_t>(wide), std::bit_cast<uint64_t>(got_wide));
    EXPECT_EQ(std::bit_cast<uint32_t>(single), std::bit_cast<uint32_t>(got_single));
  }
}

TEST(AggregateFloat, NullsAddNothingNotEvenAPositiveZero) {
  const auto words = Words({0.0, -0.0, 0.0});
  const uint8_t nulls[] = {1, 0, 1};
  double sum = -0.0;
  EXPECT_EQ(1u, (SumFloat<double, double>(words.data(), nulls, 3, &sum)));
  EXPECT_TRUE(std::signbit(sum));
}

double Least(const std::vector<double>& values, double start = kNan) {
  const auto words = Words(values);
  MinFloat<double>(words.data(), nullptr, words.size(), &start);
  return start;
}
double Greatest(const std::vector<double>& values, double start = -kInfinity) {
  const auto words = Words(values);
  MaxFloat<double>(words.data(), nullptr, words.size(), &start);
  return start;
}

TEST(AggregateFloat, NanIsGreatest) {
  EXPECT_EQ(-2, Least({3, kNan, -2, 7, kNan, 5}));
  EXPECT_TRUE(std::isnan(Greatest({3, kNan, -2, 7, 8, 5})));
  EXPECT_TRUE(std::isnan(Least({kNan, kNan, kNan, kNan, kNan})));
  EXPECT_EQ(kInfinity, Least({kNan, kInfinity, kNan}));
  EXPECT_EQ(-kInfinity, Greatest({-kInfinity, -kInfinity}));
  EXPECT_EQ(4, Least({kNan, kNan}, 4));
  EXPECT_TRUE(std::isnan(Greatest({1, 2, 3, 4, 5}, kNan)));
  for (size_t place = 0; place < 11; ++place) {
    std::vector<double> values(11, 1.0);
    values[place] = -1;
    EXPECT_EQ(-1, Least(values));
    values[place] = 2;
    EXPECT_EQ(2, Greatest(values));
    values[place] = kNan;
    EXPECT_TRUE(std::isnan(Greatest(values)));
    EXPECT_EQ(1, Least(values));
  }
  const auto words = NarrowWords({-1.5f, 2.5f, -3.5f});
  const uint8_t nulls[] = {0, 0, 1};
  double least = kNan, greatest = -kInfinity;
  EXPECT_EQ(2u, MinFloat<float>(words.data(), nulls, 3, &least));
  EXPECT_EQ(2u, MaxFloat<float>(words.data(), nulls, 3, &greatest));
  EXPECT_EQ(-1.5, least);
  EXPECT_EQ(2.5, greatest);
}

TEST(AggregateFloat, ModerateMeansFiniteAndBelowTheLimit) {
  for (const double value : {kNan, -kNan, kInfinity, -kInfinity, 1e100, -1e100, 1e300}) {
    const auto words = Words({0, 1, value, -3});
    EXPECT_FALSE(ModerateFloat8(words.data(), words.size())) << value;
  }
  const auto words = Words({0, -0.0, 9e99, -9e99, 1e-310});
  EXPECT_TRUE(ModerateFloat8(words.data(), words.size()));
  EXPECT_TRUE(ModerateFloat8(words.data(), 0));
}

}  // namespace
}  // namespace nodedb_ts::exec
