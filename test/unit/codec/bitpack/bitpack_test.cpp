#include "codec/bitpack/bitpack.h"

#include <gtest/gtest.h>

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
      std::vector<uint8_t> bytes(PackedBytes(n, width));
      PackBits(values.data(), n, width, bytes.data());
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

}  // namespace
}  // namespace nodedb_ts::codec
