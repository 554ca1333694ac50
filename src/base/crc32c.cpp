#include "base/crc32c.h"

#include <array>

#include "base/bits.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace nodedb_ts::base {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // reflected

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b]: CRC of byte b followed by k zero bytes (slicing by 8: Kounavis and
// Berry, "A Systematic Approach to Building High Performance Software-Based CRC
// Generators", 2005).
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; k++) {
    for (uint32_t b = 0; b < 256; b++) {
      const uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Crc32cSse42(uint32_t seed, const void* bytes,
                                                       size_t size) {
  const auto* p = static_cast<const uint8_t*>(bytes);
  uint64_t crc = static_cast<uint32_t>(~seed);
  for (; size >= 8; size -= 8, p += 8) crc = _mm_crc32_u64(crc, LoadLe<uint64_t>(p));
  auto crc32 = static_cast<uint32_t>(crc);
  if (size & 4) {
    crc32 = _mm_crc32_u32(crc32, LoadLe<uint32_t>(p));
    p += 4;
  }
  if (size & 2) {
    crc32 = _mm_crc32_u16(crc32, LoadLe<uint16_t>(p));
    p += 2;
  }
  if (size & 1) crc32 = _mm_crc32_u8(crc32, *p);
  return ~crc32;
}
#endif

}  // namespace

uint32_t Crc32cPortable(uint32_t seed, const void* bytes, size_t size) {
  const auto* p = static_cast<const uint8_t*>(bytes);
  uint32_t crc = ~seed;
  for (; size >= 8; size -= 8, p += 8) {
    const uint64_t w = LoadLe<uint64_t>(p) ^ crc;
    crc = kTables[7][w & 0xff] ^ kTables[6][(w >> 8) & 0xff] ^ kTables[5][(w >> 16) & 0xff] ^
          kTables[4][(w >> 24) & 0xff] ^ kTables[3][(w >> 32) & 0xff] ^
          kTables[2][(w >> 40) & 0xff] ^ kTables[1][(w >> 48) & 0xff] ^ kTables[0][w >> 56];
  }
  for (; size > 0; size--, p++) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xff];
  return ~crc;
}

uint32_t Crc32c(uint32_t seed, const void* bytes, size_t size) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return Crc32cSse42(seed, bytes, size);
#endif
  return Crc32cPortable(seed, bytes, size);
}

}  // namespace nodedb_ts::base
