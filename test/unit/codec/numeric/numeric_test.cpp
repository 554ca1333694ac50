#include "codec/numeric/numeric.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace nodedb_ts::codec {
namespace {

// Head, then 16-bit digits, in the machine's order.
std::string Bytes(std::vector<uint16_t> words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * 2};
}

std::string Write(int64_t k, uint16_t scale) {
  uint8_t bytes[kMaxScaledNumericBytes];
  const size_t n = WriteNumeric({k, scale}, bytes);
  return {reinterpret_cast<const char*>(bytes), n};
}

TEST(Numeric, BytesAsPostgresWritesThem) {
  EXPECT_EQ(Bytes({0x8000}), Write(0, 0));
  EXPECT_EQ(Bytes({0x8000 | 2 << 7}), Write(0, 2));                       // 0.00
  EXPECT_EQ(Bytes({0x8000, 1}), Write(1, 0));                             // 1
  EXPECT_EQ(Bytes({0xA000, 1}), Write(-1, 0));                            // -1
  EXPECT_EQ(Bytes({0x8001, 1}), Write(10000, 0));                         // 10000
  EXPECT_EQ(Bytes({0x8001 | 2 << 7, 1, 2345, 6700}), Write(1234567, 2));  // 12345.67
  EXPECT_EQ(Bytes({0x8000 | 4 << 7, 1}), Write(10000, 4));                // 1.0000
  EXPECT_EQ(Bytes({0x8000 | 5 << 7 | 0x7E, 5000}), Write(5, 5));          // 0.00005
  EXPECT_EQ(Bytes({64, static_cast<uint16_t>(-16), 1}), Write(1, 64));    // a long head
  EXPECT_EQ(Bytes({0x4000 | 16383, static_cast<uint16_t>(-4096), 10}), Write(-1, 16383));
  EXPECT_EQ(Bytes({16383, 0}), Write(0, 16383));
}

TEST(Numeric, ReadGivesWhatWasWritten) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; i++) {
    const auto k = static_cast<int64_t>(random()) >> random() % 64;
    const auto scale = static_cast<uint16_t>(random() % (i % 2 ? 30 : 16384));
    if (k == INT64_MIN) continue;
    const std::string bytes = Write(k, scale);
    ScaledNumeric number;
    ASSERT_TRUE(ReadNumeric(bytes, &number)) << k << " " << scale;
    ASSERT_EQ(k, number.k);
    ASSERT_EQ(scale, number.scale);
  }
  for (const int64_t k : {INT64_MAX, -INT64_MAX, int64_t{0}, int64_t{9999}, int64_t{10000}}) {
    for (uint32_t scale = 0; scale < 16384; scale++) {
      ScaledNumeric number;
      ASSERT_TRUE(ReadNumeric(Write(k, static_cast<uint16_t>(scale)), &number)) << k << " " << scale;
      ASSERT_TRUE(number.k == k && number.scale == scale);
    }
  }
}

TEST(Numeric, OthersAreRefused) {
  ScaledNumeric n;
  EXPECT_FALSE(ReadNumeric("", &n));
  EXPECT_FALSE(ReadNumeric("a", &n));
  EXPECT_FALSE(ReadNumeric("abc", &n));
  EXPECT_FALSE(ReadNumeric(Bytes({0xC000}), &n));             // NaN
  EXPECT_FALSE(ReadNumeric(Bytes({0xD000}), &n));             // infinities
  EXPECT_FALSE(ReadNumeric(Bytes({0xF000}), &n));
  EXPECT_FALSE(ReadNumeric(Bytes({0xA000}), &n));             // -0
  EXPECT_FALSE(ReadNumeric(Bytes({0x8001}), &n));             // 0 with a weight
  EXPECT_FALSE(ReadNumeric(Bytes({0x8000, 10000}), &n));      // no digit
  EXPECT_FALSE(ReadNumeric(Bytes({0x8001, 0, 1}), &n));       // leading zero
  EXPECT_FALSE(ReadNumeric(Bytes({0x8001, 1, 0}), &n));       // trailing zero
  EXPECT_FALSE(ReadNumeric(Bytes({0x0000, 0, 1}), &n));       // long without need
  EXPECT_FALSE(ReadNumeric(Bytes({0x8000 | 1 << 7, 1, 2}), &n));  // digits beyond the scale
  EXPECT_FALSE(ReadNumeric(Bytes({0x8005, 1}), &n));          // 10^20
  EXPECT_FALSE(ReadNumeric(Bytes({0x8004, 922, 3372, 368, 5477, 5808}), &n));  // 2^63
  EXPECT_TRUE(ReadNumeric(Bytes({0x8004, 922, 3372, 368, 5477, 5807}), &n));
  EXPECT_EQ(INT64_MAX, n.k);
  EXPECT_FALSE(ReadNumeric(Bytes({0x0100, 0x7FFF, 1}), &n));
}

TEST(Numeric, RandomBytesAreReadExactlyOrNot) {
  std::mt19937_64 random(2);
  int read = 0;
  for (int i = 0; i < 300000; i++) {
    std::string bytes(random() % 20, 0);
    for (char& c : bytes) c = static_cast<char>(random() % 4 ? random() % 40 : random());
    ScaledNumeric n;
    if (!ReadNumeric(bytes, &n)) continue;
    read++;
    ASSERT_EQ(bytes, Write(n.k, n.scale));
  }
  EXPECT_GT(read, 0);
}


TEST(Numeric, VectorsOfAChunk) {
  std::vector<std::string> values;
  std::vector<uint32_t> counts = {1024, 0, 100, 1, 900};
  for (int i = 0; i < 2025; i++) {
    values.push_back(i % 50 == 49 ? Bytes({0xC000}) : Write(100000 + i * 3, 2 + i % 3));
  }
  const std::vector<std::string_view> views(values.begin(), values.end());
  NumericEncoder encoder;
  ASSERT_TRUE(encoder.Plan(views, counts));
  std::vector<uint8_t> model_bytes;
  base::ByteWriter model_out(&model_bytes);
  encoder.WriteModel(&model_out);
  NumericModel model;
  base::ByteReader model_in(model_bytes.data(), model_bytes.size());
  ASSERT_TRUE(model.Read(&model_in));
  EXPECT_TRUE(model_in.empty());
  size_t at = 0;
  for (size_t v = 0; v < counts.size(); v++) {
    if (counts[v] == 0) continue;
    std::vector<uint8_t> bytes;
    base::ByteWriter out(&bytes);
    ASSERT_TRUE(encoder.EncodeVector(v, &out));
    NumericVector vector;
    std::vector<uint64_t> lengths(counts[v]);
    ASSERT_TRUE(vector.Open({bytes.data(), bytes.size()}, lengths));
    std::vector<ScaledNumeric> numbers(counts[v]);
    ASSERT_TRUE(vector.Decode(model, numbers.data()));
    size_t next = 0;
    size_t kept = 0;
    for (size_t i = 0; i < counts[v]; i++, at++) {
      if (vector.is_kept(i)) {
        EXPECT_EQ(values[at], std::string(reinterpret_cast<const char*>(vector.kept()) + kept,
                                          lengths[i]));
        kept += lengths[i];
      } else {
        EXPECT_EQ(values[at], Write(numbers[next].k, numbers[next].scale));
        next++;
      }
    }
    EXPECT_EQ(vector.numbers(), next);
    bytes.push_back(0);  // all bytes must be used
    ASSERT_TRUE(vector.Open({bytes.data(), bytes.size()}, lengths));
    EXPECT_FALSE(vector.Decode(model, numbers.data()));
  }
}

TEST(Numeric, TextIsGivenUp) {
  const std::vector<std::string_view> values(100, "12.50");
  const std::vector<uint32_t> counts = {100};
  NumericEncoder encoder;
  EXPECT_FALSE(encoder.Plan(values, counts));
}

}  // namespace
}  // namespace nodedb_ts::codec
