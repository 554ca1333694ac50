// Byte strings of types that are not text, as chunks of words: numerics, uuids, intervals,
// addresses.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>

#include "base/bits.h"
#include "byte_columns.h"
#include "codec/numeric/numeric.h"

namespace nodedb_ts::test {
namespace {

using codec::kBytesFields;
using codec::kBytesNumeric;
using segment::ColumnShape;

std::string Numeric(int64_t k, uint16_t scale) {
  uint8_t bytes[codec::kMaxScaledNumericBytes];
  const size_t n = codec::WriteNumeric({k, scale}, bytes);
  return {reinterpret_cast<const char*>(bytes), n};
}

// The head alone: NaN and the infinities.
std::string Special(uint16_t head) {
  return {reinterpret_cast<const char*>(&head), sizeof(head)};
}

template <typename Word>
void Append(std::string* out, Word word) {
  out->append(reinterpret_cast<const char*>(&word), sizeof(word));
}

void AppendBigEndian(std::string* out, uint64_t word, size_t width) {
  while (width-- > 0) out->push_back(static_cast<char>(word >> (8 * width)));
}

std::string Interval(int64_t microseconds, int32_t days, int32_t months) {
  std::string value;
  Append(&value, microseconds);
  Append(&value, days);
  Append(&value, months);
  return value;
}

ByteColumn Prices(size_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteColumn column;
  int64_t price = 1234567;
  for (size_t i = 0; i < rows; i++) {
    price += static_cast<int64_t>(random() % 21) - 10;
    column.Add(Numeric(price, 2));
  }
  return column;
}

// Readings whose trailing zeros are stripped, so that scales vary.
ByteColumn Mixed(size_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteColumn column;
  int64_t reading = 2350000;
  for (size_t i = 0; i < rows; i++) {
    reading += static_cast<int64_t>(random() % 201) - 100;
    int64_t k = reading;
    uint16_t scale = 4;
    while (scale > 0 && k % 10 == 0) {
      k /= 10;
      scale--;
    }
    column.Add(Numeric(k, scale));
  }
  return column;
}

ByteColumn Uuids(size_t rows, uint64_t seed, bool ordered) {
  std::mt19937_64 random(seed);
  ByteColumn column;
  column.shape = {NTS_KIND_FIXED, 16};
  uint64_t ms = 1700000000000;
  for (size_t i = 0; i < rows; i++) {
    ms += random() % 20;
    std::string value;
    const uint64_t high = random();
    AppendBigEndian(&value, ordered ? ms << 16 | 0x7000 | (high & 0xFFF)
                                    : (high & ~uint64_t{0xF000}) | 0x4000, 8);
    AppendBigEndian(&value, (random() >> 2) | uint64_t{1} << 63, 8);
    column.Add(value);
  }
  return column;
}

ByteColumn Hosts(size_t rows, uint64_t seed, size_t hosts) {
  std::mt19937_64 random(seed);
  ByteColumn column;
  for (size_t i = 0; i < rows; i++) {
    std::string value;
    value.push_back(2);   // family
    value.push_back(32);  // bits
    AppendBigEndian(&value, 0x0A000000 + random() % hosts, 4);
    column.Add(value);
  }
  return column;
}

ByteColumn Intervals(size_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteColumn column;
  column.shape = {NTS_KIND_FIXED, 16};
  for (size_t i = 0; i < rows; i++) {
    column.Add(Interval(static_cast<int64_t>(random() % 5000) * 1000, 0, 0));
  }
  return column;
}

constexpr size_t kRows = 20480;

TEST(FieldsChunk, Prices) {
  const ByteChunk chunk = Encode(Prices(kRows, 1));
  EXPECT_EQ(kBytesNumeric, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 0.75);
}

TEST(FieldsChunk, ScalesThatFollowFromTheValue) {
  const ByteChunk chunk = Encode(Mixed(kRows, 2));
  EXPECT_EQ(kBytesNumeric, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 1.2);
}

TEST(FieldsChunk, ScalesOfTheirOwn) {
  std::mt19937_64 random(3);
  ByteColumn column;
  for (size_t i = 0; i < kRows; i++) {
    column.Add(Numeric(static_cast<int64_t>(random() % 1000), static_cast<uint16_t>(random() % 4)));
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_EQ(kBytesNumeric, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 1.7);  // 12 bits
}

TEST(FieldsChunk, NumericsOfAllKinds) {
  std::mt19937_64 random(4);
  ByteColumn column;
  for (size_t i = 0; i < kRows; i++) {
    switch (random() % 100) {
      case 0: column.Add(Special(0xC000)); break;
      case 1: column.Add(Special(0xD000)); break;
      case 2: column.Add(Special(0xF000)); break;
      case 3: column.Add(std::string(40, '\x11')); break;  // more digits than 64 bits have
      case 4: column.AddNull(); break;
      case 5: column.Add(""); break;
      case 6: column.Add(Numeric(0, static_cast<uint16_t>(random() % 16384))); break;
      case 7: column.Add(Numeric(static_cast<int64_t>(random()), 16383)); break;
      default:
        column.Add(Numeric(static_cast<int64_t>(random()) >> (40 + random() % 24),
                           static_cast<uint16_t>(random() % 3)));
    }
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_EQ(kBytesNumeric, chunk.summary.codec);
}

TEST(FieldsChunk, VectorsOfNothingButNaN) {
  std::mt19937_64 random(5);
  ByteColumn column;  // of values too many for a dictionary
  for (size_t i = 0; i < 8192; i++) {
    column.Add(Numeric(static_cast<int64_t>(random() % 1'000'000'000'000), 2));
  }
  for (size_t i = 2048; i < 4096; i++) column.values[i] = Special(0xC000);
  for (size_t i = 5120; i < 6144; i++) {
    column.values[i].clear();
    column.nulls[i] = 1;
  }
  EXPECT_EQ(kBytesNumeric, Encode(column).summary.codec);
}

TEST(FieldsChunk, FewNumericsStayADictionary) {
  std::mt19937_64 random(6);
  ByteColumn column;
  for (size_t i = 0; i < kRows; i++) {
    // Far apart and without order.
    column.Add(Numeric(static_cast<int64_t>(std::mt19937_64(random() % 16)() >> 1), 3));
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_EQ(codec::kDictionary, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 0.55);
}

TEST(FieldsChunk, TextIsLeftAlone) {
  std::mt19937_64 random(7);
  ByteColumn column;
  for (size_t i = 0; i < 4096; i++) {
    column.Add("request " + std::to_string(random() % 100000) + " served");
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_NE(kBytesNumeric, chunk.summary.codec);
  EXPECT_NE(kBytesFields, chunk.summary.codec);
}

TEST(FieldsChunk, RandomUuidsStayPlain) {
  const ByteChunk chunk = Encode(Uuids(kRows, 8, false));
  EXPECT_EQ(codec::kBytesPlain, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 16.01);
}

TEST(FieldsChunk, UuidsInOrderOfTime) {
  const ByteChunk chunk = Encode(Uuids(kRows, 9, true));
  EXPECT_EQ(kBytesFields, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 10);  // 74 bits are random
}

TEST(FieldsChunk, Intervals) {
  const ByteChunk chunk = Encode(Intervals(kRows, 10));
  EXPECT_EQ(kBytesFields, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 1.65);  // 12.3 bits
  std::mt19937_64 random(11);
  ByteColumn column;
  column.shape = {NTS_KIND_FIXED, 16};
  for (size_t i = 0; i < kRows; i++) {
    if (random() % 50 == 0) {
      column.AddNull();
      continue;
    }
    column.Add(Interval(static_cast<int64_t>(random()) >> random() % 64,
                        static_cast<int32_t>(random() % 60) - 30,
                        static_cast<int32_t>(random() % 3) - 1));
  }
  EXPECT_EQ(kBytesFields, Encode(column).summary.codec);
}

TEST(FieldsChunk, Addresses) {
  EXPECT_LT(Encode(Hosts(kRows, 12, 200)).per_value, 1.02);  // 7.6 bits
  const ByteChunk many = Encode(Hosts(kRows, 13, 5000));
  EXPECT_EQ(kBytesFields, many.summary.codec);
  EXPECT_LT(many.per_value, 1.65);  // 12.3 bits
}

TEST(FieldsChunk, Points) {
  std::mt19937_64 random(14);
  ByteColumn column;
  column.shape = {NTS_KIND_FIXED, 16};
  double x = 52.5;
  double y = 13.4;
  for (size_t i = 0; i < kRows; i++) {
    x += (static_cast<double>(random() % 21) - 10) / 10000;
    y += (static_cast<double>(random() % 21) - 10) / 10000;
    std::string value;
    Append(&value, std::bit_cast<uint64_t>(std::round(x * 1e4) / 1e4));
    Append(&value, std::bit_cast<uint64_t>(std::round(y * 1e4) / 1e4));
    column.Add(value);
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_EQ(kBytesFields, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 1.5);
}

TEST(FieldsChunk, ArraysOfOneShape) {
  std::mt19937_64 random(15);
  ByteColumn column;
  int32_t level = 0;
  for (size_t i = 0; i < kRows; i++) {
    level += static_cast<int32_t>(random() % 5) - 2;
    std::string value;
    for (const int32_t head : {1, 0, 23, 3, 1}) Append(&value, head);  // as PostgreSQL's int[3]
    Append(&value, level);
    Append(&value, level * 3);
    Append(&value, static_cast<int32_t>(random() % 16));
    column.Add(value);
  }
  const ByteChunk chunk = Encode(column);
  EXPECT_EQ(kBytesFields, chunk.summary.codec);
  EXPECT_LT(chunk.per_value, 1.6);
}

TEST(FieldsChunk, EveryLength) {
  std::mt19937_64 random(16);
  for (uint32_t length = 1; length <= 70; length++) {
    ByteColumn column;
    if (length % 2 == 0) column.shape = {NTS_KIND_FIXED, length};
    for (size_t i = 0; i < 200; i++) {
      std::string value(length, '\xEE');
      value[random() % length] = static_cast<char>(i);
      value[0] = static_cast<char>(random());
      column.Add(value);
    }
    (void)Encode(column);
  }
}

TEST(FieldsChunk, LevelOneKeepsItsForms) {
  EXPECT_NE(kBytesNumeric, Encode(Prices(4096, 17), 1).summary.codec);
  EXPECT_NE(kBytesFields, Encode(Intervals(4096, 17), 1).summary.codec);
}

TEST(FieldsChunk, Hostile) {
  CheckHostile(Prices(2100, 18), 600, 1);
  CheckHostile(Mixed(2100, 19), 600, 2);
  CheckHostile(Intervals(2100, 20), 600, 3);
  CheckHostile(Uuids(2100, 21, true), 400, 4);
  CheckHostile(Hosts(2100, 22, 5000), 600, 5);
  ByteColumn column = Prices(2100, 23);
  for (size_t i = 7; i < column.rows(); i += 100) column.values[i] = Special(0xC000);
  CheckHostile(column, 600, 6);
}

}  // namespace
}  // namespace nodedb_ts::test
