#include "base/large_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace nodedb_ts {
namespace {

TEST(LargeMemory, BlocksAreAlignedAndWhole) {
  for (const size_t bytes : {size_t{1}, base::kHugePageBytes, base::kHugePageBytes * 3 + 5}) {
    char* blocks[3];
    for (int i = 0; i < 3; ++i) {
      blocks[i] = static_cast<char*>(base::AllocateLarge(bytes));
      ASSERT_NE(nullptr, blocks[i]);
      EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(blocks[i]) % base::kHugePageBytes);
      std::memset(blocks[i], i + 1, bytes);
    }
    // Whatever lies on either side of the middle one stays.
    base::FreeLarge(blocks[1], bytes);
    for (const int i : {0, 2}) {
      EXPECT_EQ(i + 1, blocks[i][0]);
      EXPECT_EQ(i + 1, blocks[i][bytes - 1]);
      base::FreeLarge(blocks[i], bytes);
    }
  }
  EXPECT_EQ(nullptr, base::AllocateLarge(0));
  EXPECT_EQ(nullptr, base::AllocateLarge(SIZE_MAX));
}

TEST(LargeMemory, VectorsGrowAcrossTheThreshold) {
  base::LargeVector<uint32_t> values;
  for (uint32_t i = 0; i < 3000000; ++i) values.push_back(i);
  for (uint32_t i = 0; i < values.size(); ++i) ASSERT_EQ(i, values[i]);
  base::LargeVector<uint32_t> copy(values);
  values.clear();
  values.shrink_to_fit();
  EXPECT_EQ(2999999u, copy.back());
}

}  // namespace
}  // namespace nodedb_ts
