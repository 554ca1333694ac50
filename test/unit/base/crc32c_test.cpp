#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace nodedb_ts::base {
namespace {

uint32_t Both(const void* bytes, size_t size) {
  const uint32_t crc = Crc32c(0, bytes, size);
  EXPECT_EQ(crc, Crc32cPortable(0, bytes, size));
  return crc;
}

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32c, KnownValues) {
  EXPECT_EQ(0u, Both("", 0));
  EXPECT_EQ(0xE3069283u, Both("123456789", 9));
  std::vector<uint8_t> bytes(32, 0);
  EXPECT_EQ(0x8A9136AAu, Both(bytes.data(), 32));
  bytes.assign(32, 0xff);
  EXPECT_EQ(0x62A8AB43u, Both(bytes.data(), 32));
  for (uint8_t i = 0; i < 32; i++) bytes[i] = i;
  EXPECT_EQ(0x46DD794Eu, Both(bytes.data(), 32));
}

TEST(Crc32c, ContinuesFromASeedAtAnyPlace) {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(1000);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  for (size_t start = 0; start < 9; start++) {
    const size_t size = bytes.size() - start;
    const uint32_t whole = Both(bytes.data() + start, size);
    for (size_t cut = 0; cut <= size; cut += 37) {
      const uint32_t first = Crc32c(0, bytes.data() + start, cut);
      EXPECT_EQ(whole, Crc32c(first, bytes.data() + start + cut, size - cut));
      EXPECT_EQ(whole, Crc32cPortable(first, bytes.data() + start + cut, size - cut));
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::base
