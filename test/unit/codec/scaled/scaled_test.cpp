#include "codec/scaled/scaled.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include "codec/bitpack/bitpack.h"

namespace nodedb_ts::codec {
namespace {

constexpr WordShape kFloat8 = {WordKind::kFloat8, 8};
constexpr WordShape kFloat4 = {WordKind::kFloat4, 4};

using Words = std::vector<uint64_t>;
using Bytes = std::vector<uint8_t>;

uint64_t Bits(double v) { return std::bit_cast<uint64_t>(v); }

Bytes Encode(const WordShape& shape, const Words& words, const ScaledVector& plan) {
  Bytes bytes;
  base::ByteWriter out(&bytes);
  WriteScaledHead(shape, words, plan, &out);
  const size_t at = bytes.size();
  out.U8(0);
  bytes[at] = EncodeIntegers(plan.integers, 8, &out);
  return bytes;
}

// Bytes of the vector; what comes back is compared.
size_t RoundTrip(const WordShape& shape, const Words& words, ScaledVector* plan) {
  EXPECT_TRUE(PlanScaled(shape, words, plan));
  const Bytes bytes = Encode(shape, words, *plan);
  Words decoded(words.size(), 0xABAB);
  EXPECT_TRUE(DecodeWords(shape, kScaled, base::ByteReader(bytes.data(), bytes.size()), decoded));
  EXPECT_EQ(words, decoded);
  return bytes.size();
}

TEST(Scaled, ShortDecimals) {
  std::mt19937_64 random(1);
  for (const size_t n : {1, 2, 17, 1024}) {
    for (const int digits : {0, 1, 2, 5}) {
      Words words;
      for (size_t i = 0; i < n; i++) {
        const auto k = static_cast<double>(static_cast<int64_t>(random() % 20000) - 10000);
        words.push_back(Bits(k / std::pow(10, digits)));
        if (words.back() == Bits(-0.0)) words.back() = 0;
      }
      ScaledVector plan;
      RoundTrip(kFloat8, words, &plan);
      EXPECT_EQ(ScaledForm::kExact, plan.form);
      EXPECT_LE(plan.exponent, digits);
      EXPECT_TRUE(plan.exceptions.empty());
    }
  }
}

// Prices that were float4 once: 39.95 came as 39.950001.
TEST(Scaled, DecimalsThatWentThroughFloat4) {
  std::mt19937_64 random(2);
  Words words;
  for (int i = 0; i < 1024; i++) {
    const double price = static_cast<double>(3000 + random() % 4000) / 100;
    const double narrow = static_cast<double>(static_cast<float>(price));
    // The second half was stored well.
    words.push_back(Bits(i < 512 ? std::round(narrow * 1e6) / 1e6 : price));
  }
  ScaledVector plan;
  EXPECT_LT(RoundTrip(kFloat8, words, &plan), 1024u * 12 / 8 + 100);
  EXPECT_EQ(ScaledForm::kRounded, plan.form);
  EXPECT_EQ(2, plan.exponent);
  EXPECT_EQ(6, plan.digits);
  EXPECT_TRUE(plan.exceptions.empty());
}

// Sums and means: 29.284000000000002.
TEST(Scaled, UnitsOfTheLastPlace) {
  std::mt19937_64 random(3);
  Words words;
  for (int i = 0; i < 1024; i++) {
    words.push_back(Bits(static_cast<double>(20000 + random() % 20000) / 1000) + random() % 3 - 1);
  }
  ScaledVector plan;
  EXPECT_LT(RoundTrip(kFloat8, words, &plan), 1024u * 19 / 8);
  EXPECT_EQ(ScaledForm::kUlps, plan.form);
  EXPECT_EQ(3, plan.exponent);
}

TEST(Scaled, ExceptionsKeepEveryBit) {
  Words words;
  for (int i = 0; i < 1000; i++) words.push_back(Bits(static_cast<double>(i) / 10));
  words[0] = Bits(std::numeric_limits<double>::quiet_NaN());
  words[17] = 0x7ff8000000000123;
  words[18] = Bits(-0.0);
  words[500] = Bits(std::numeric_limits<double>::infinity());
  words[501] = Bits(-std::numeric_limits<double>::infinity());
  words[502] = Bits(1.0 / 3);
  words[503] = Bits(62.2551);
  words[504] = Bits(1e300);
  words[505] = 1;
  words[999] = Bits(-1234.56789);
  ScaledVector plan;
  RoundTrip(kFloat8, words, &plan);
  EXPECT_EQ(10u, plan.exceptions.size());
}

TEST(Scaled, Float4) {
  Words words;
  for (int i = 0; i < 800; i++) {
    words.push_back(std::bit_cast<uint32_t>(static_cast<float>(i) / 10));
  }
  words[3] = std::bit_cast<uint32_t>(-0.0f);
  words[4] = 0x7fc00001;
  ScaledVector plan;
  RoundTrip(kFloat4, words, &plan);
  EXPECT_EQ(1, plan.exponent);
}

TEST(Scaled, GivesUpOnOtherFloats) {
  std::mt19937_64 random(4);
  Words words;
  ScaledVector plan;
  for (int i = 0; i < 1024; i++) {
    words.push_back(Bits(std::sqrt(static_cast<double>(random() % 100000))));
  }
  EXPECT_FALSE(PlanScaled(kFloat8, words, &plan));
  for (uint64_t& v : words) v = random();
  EXPECT_FALSE(PlanScaled(kFloat8, words, &plan));
  EXPECT_FALSE(PlanScaled(kFloat8, Words(5, 0x7ff8000000000000), &plan));
}

// Every float is its bits, which ascend with it.
TEST(Scaled, BitsAsIntegers) {
  using Limits = std::numeric_limits<double>;
  const double ascending[] = {-Limits::infinity(), -1e300, -1.5, -1e-3, -Limits::denorm_min(), -0.0, 0.0,
                              Limits::denorm_min(), 1e-3, 1.0, std::nextafter(1.0, 2), 1e300, Limits::infinity()};
  Words words;
  for (const double v : ascending) words.push_back(Bits(v));
  words.push_back(0x7ff8000000000001);  // NaN with a payload
  words.push_back(0xfff0000000000001);
  ScaledVector plan;
  plan.form = ScaledForm::kBits;
  plan.exponent = 7;
  FillScaled(kFloat8, words, &plan);
  EXPECT_EQ(0, plan.exponent);
  EXPECT_TRUE(plan.exceptions.empty() && plan.corrections.empty());
  for (size_t i = 1; i < std::size(ascending); i++) {
    EXPECT_LT(static_cast<int64_t>(plan.integers[i - 1]), static_cast<int64_t>(plan.integers[i]));
  }
  EXPECT_EQ(plan.integers[9] + 1, plan.integers[10]);  // 1.0 and the float after it
  Words decoded(words.size());
  Bytes bytes = Encode(kFloat8, words, plan);
  EXPECT_TRUE(DecodeWords(kFloat8, kScaled, base::ByteReader(bytes.data(), bytes.size()), decoded));
  EXPECT_EQ(words, decoded);
  bytes[0] |= 2;  // an exponent
  EXPECT_FALSE(DecodeWords(kFloat8, kScaled, base::ByteReader(bytes.data(), bytes.size()), decoded));

  Words narrow;
  for (const double v : ascending) narrow.push_back(std::bit_cast<uint32_t>(static_cast<float>(v)));
  narrow.push_back(0xffc00001);
  FillScaled(kFloat4, narrow, &plan);
  for (size_t i = 1; i < std::size(ascending); i++) {
    EXPECT_LE(static_cast<int64_t>(plan.integers[i - 1]), static_cast<int64_t>(plan.integers[i]));
  }
  decoded.resize(narrow.size());
  bytes = Encode(kFloat4, narrow, plan);
  EXPECT_TRUE(DecodeWords(kFloat4, kScaled, base::ByteReader(bytes.data(), bytes.size()), decoded));
  EXPECT_EQ(narrow, decoded);
  plan.integers[3] = uint64_t{1} << 31;  // no FLOAT4
  bytes = Encode(kFloat4, narrow, plan);
  EXPECT_FALSE(DecodeWords(kFloat4, kScaled, base::ByteReader(bytes.data(), bytes.size()), decoded));
}

TEST(Scaled, AFewLongDecimalsAreExceptions) {
  std::mt19937_64 random(6);
  Words words;
  // Whole numbers, and one in thirty with four digits.
  for (int i = 0; i < 1024; i++) {
    words.push_back(Bits(i % 30 == 0 ? static_cast<double>(random() % 1000000) / 10000 : static_cast<double>(random() % 100)));
  }
  ScaledVector plan;
  RoundTrip(kFloat8, words, &plan);
  EXPECT_EQ(0, plan.exponent);
  EXPECT_GT(plan.exceptions.size(), 20u);
  EXPECT_LT(plan.exceptions.size(), 36u);
}

TEST(Scaled, NeighboursOfLongDecimals) {
  std::mt19937_64 random(7);
  Words words;
  // One in eight is a unit of the last place off.
  for (int i = 0; i < 1024; i++) {
    words.push_back(Bits(static_cast<double>(random() % 1000000000) / 1e9) + (i % 8 == 0));
  }
  ScaledVector plan;
  RoundTrip(kFloat8, words, &plan);
  EXPECT_EQ(ScaledForm::kUlps, plan.form);
  EXPECT_EQ(9, plan.exponent);
  EXPECT_LT(plan.exceptions.size(), 10u);
}

TEST(Scaled, LeadingExceptionsTakeTheFirstInteger) {
  Words words = {0x7ff8000000000000, 0x7ff8000000000000};
  for (int i = 0; i < 100; i++) words.push_back(Bits(5000 + i));
  ScaledVector plan;
  RoundTrip(kFloat8, words, &plan);
  EXPECT_EQ(5000u, plan.integers[0]);
  EXPECT_EQ(5000u, plan.integers[1]);
}

TEST(Scaled, DamagedBytesAreSafe) {
  std::mt19937_64 random(5);
  Words words;
  for (int i = 0; i < 300; i++) {
    words.push_back(Bits(static_cast<double>(random() % 4000) / 1000) + (i < 150 ? random() % 3 : 0));
  }
  words[7] = 0x7ff8000000000000;
  ScaledVector plan;
  ASSERT_TRUE(PlanScaled(kFloat8, words, &plan));
  const Bytes sound = Encode(kFloat8, words, plan);
  plan.form = ScaledForm::kBits;
  FillScaled(kFloat8, words, &plan);
  const Bytes sound_bits = Encode(kFloat8, words, plan);
  for (int i = 0; i < 20000; i++) {
    Bytes bytes = i % 4 == 1 ? sound_bits : sound;
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    for (uint64_t flips = random() % 4; flips > 0 && !bytes.empty(); flips--) {
      bytes[random() % std::min<size_t>(bytes.size(), i % 2 ? 12 : 1000)] ^=
          static_cast<uint8_t>(1u << random() % 8);
    }
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);  // no room behind it
    std::copy(bytes.begin(), bytes.end(), exact.get());
    Words decoded(i % 5 == 0 ? 1 + random() % 1024 : words.size());
    (void)!DecodeWords(i % 7 == 0 ? kFloat4 : kFloat8, kScaled,
                       base::ByteReader(exact.get(), bytes.size()), decoded);
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
