#include "codec/bitpack/bitpack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace nodedb_ts::codec {
namespace {

TEST(Bitpack, EveryWidthAndCount) {
  std::mt19937_64 random(1);
  for (unsigned width = 0; width <= 64; width++) {
    for (const size_t n : {0u, 1u, 7u, 8u, 9u, 63u, 64u, 65u, 1024u}) {
      std::vector<uint64_t> values(n);
      for (uint64_t& v : values) v = width == 0 ? 0 : random() >> (64 - width);
      const size_t packed = PackedBytes(n, width);
      std::vector<uint8_t> bytes(packed + 16, 0xa5);
      PackBits(values.data(), n, width, bytes.data());
      // As the declaration says, bit by bit; zeros up to the last byte's end, and nothing behind it.
      std::vector<uint8_t> expected(packed + 16, 0);
      for (size_t i = 0; i < n * width; i++) {
        expected[i / 8] = static_cast<uint8_t>(expected[i / 8] | (values[i / width] >> i % width & 1) << i % 8);
      }
      std::fill(expected.begin() + static_cast<ptrdiff_t>(packed), expected.end(), uint8_t{0xa5});
      ASSERT_EQ(expected, bytes) << width << " " << n;
      std::vector<uint64_t> out(n);
      UnpackBits(bytes.data(), n, width, 5, out.data());
      for (size_t i = 0; i < n; i++) ASSERT_EQ(values[i] + 5, out[i]) << width << " " << i;
    }
  }
}

TEST(Bitpack, FrameWithOutliers) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 500; round++) {
    std::vector<uint64_t> values(1 + random() % 1024);
    const unsigned bits = random() % 64;
    for (uint64_t& v : values) {
      v = 1000 + (random() >> (63 - bits));
      if (random() % 50 == 0) v = random();
    }
    const FramePlan plan = PlanFrame(values);
    std::vector<uint8_t> bytes;
    base::ByteWriter out(&bytes);
    WriteFrame(values, plan, &out);
    EXPECT_LE(bytes.size(), plan.bytes + plan.exceptions * 5 + 2);
    std::vector<uint64_t> decoded(values.size());
    base::ByteReader in(bytes.data(), bytes.size());
    ASSERT_TRUE(ReadFrame(&in, decoded));
    EXPECT_TRUE(in.empty());
    ASSERT_EQ(values, decoded);
  }
}

// Differences of times of sorted series: a jump back after every so many rows must stay an exception.
TEST(Bitpack, OutliersAtEqualDistances) {
  for (size_t distance = 63; distance <= 256; distance++) {
    for (size_t first = 0; first < distance; first += 3) {
      std::vector<uint64_t> values(1023, 10'000'000);
      for (size_t i = first; i < values.size(); i += distance) {
        values[i] = static_cast<uint64_t>(-static_cast<int64_t>(distance) * 10'000'000);
      }
      ASSERT_LT(PlanFrame(values).bytes, 400u) << distance << " " << first;
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
