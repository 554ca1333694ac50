#include "segment/plain_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace nodedb_ts::segment {
namespace {

void CheckRoundTrip(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  const uint64_t code = PlainFloatCode(bits);
  if (code == kPlainRawFloat) return;
  uint64_t back = ~bits;
  ASSERT_TRUE(PlainFloatBits(code, &back)) << value;
  ASSERT_EQ(bits, back) << value;
}

TEST(PlainFloat, ShortDecimalsAreShort) {
  for (int i = -20000; i <= 20000; i++) {
    const double value = i / 100.0;
    const uint64_t code = PlainFloatCode(std::bit_cast<uint64_t>(value));
    ASSERT_NE(kPlainRawFloat, code) << value;
    ASSERT_LE(base::VarintBytes(code), 3u) << value;
    CheckRoundTrip(value);
  }
}

TEST(PlainFloat, WhatIsNoDecimalStaysRaw) {
  using Limits = std::numeric_limits<double>;
  for (const double value : {-0.0, Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(),
                             Limits::denorm_min(), Limits::max(), Limits::lowest(), 1e11, 1.0 / 3}) {
    EXPECT_EQ(kPlainRawFloat, PlainFloatCode(std::bit_cast<uint64_t>(value))) << value;
  }
}

TEST(PlainFloat, RandomBitsRoundTrip) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 300000; i++) {
    CheckRoundTrip(std::bit_cast<double>(random()));
    CheckRoundTrip(static_cast<double>(static_cast<int64_t>(random() >> 20)) / 1e4);
    CheckRoundTrip(std::ldexp(static_cast<double>(random() % 1000), static_cast<int>(random() % 40) - 20));
  }
}

TEST(PlainFloat, RefusesForeignCodes) {
  uint64_t bits;
  for (const uint64_t exponent : {5u, 6u, 7u}) EXPECT_FALSE(PlainFloatBits(exponent, &bits));
}

}  // namespace
}  // namespace nodedb_ts::segment
