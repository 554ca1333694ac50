// bits.h - little-endian loads and stores, zigzag and bit widths.
//
// Stored integers are little-endian whatever the machine is; every access goes
// through memcpy, so no address needs alignment.
#ifndef NODEDB_TS_BASE_BITS_H
#define NODEDB_TS_BASE_BITS_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace nodedb_ts::base {

inline uint16_t SwapBytes(uint16_t v) { return __builtin_bswap16(v); }
inline uint32_t SwapBytes(uint32_t v) { return __builtin_bswap32(v); }
inline uint64_t SwapBytes(uint64_t v) { return __builtin_bswap64(v); }

template <typename T>
inline T LoadLe(const uint8_t* p) {
  static_assert(std::is_unsigned_v<T> && sizeof(T) >= 2);
  T v;
  std::memcpy(&v, p, sizeof(v));
  if constexpr (std::endian::native == std::endian::big) v = SwapBytes(v);
  return v;
}

template <typename T>
inline void StoreLe(uint8_t* p, T v) {
  static_assert(std::is_unsigned_v<T> && sizeof(T) >= 2);
  if constexpr (std::endian::native == std::endian::big) v = SwapBytes(v);
  std::memcpy(p, &v, sizeof(v));
}

// The low `width` bytes (1..8) of a word, for widths known only at run time.
inline uint64_t LoadLeWidth(const uint8_t* p, size_t width) {
  uint64_t v = 0;
  for (size_t i = 0; i < width; i++) v |= static_cast<uint64_t>(p[i]) << (8 * i);
  return v;
}

inline void StoreLeWidth(uint8_t* p, uint64_t v, size_t width) {
  for (size_t i = 0; i < width; i++) p[i] = static_cast<uint8_t>(v >> (8 * i));
}

inline uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}

inline int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

// Bits needed to write v: 0 for 0, 64 for UINT64_MAX.
inline unsigned BitWidth(uint64_t v) { return static_cast<unsigned>(std::bit_width(v)); }

// Bytes of v as a varint: 1..10.
inline size_t VarintBytes(uint64_t v) { return (BitWidth(v | 1) + 6) / 7; }

// The low `width` bytes (1, 2, 4 or 8) of a word, sign-extended to 64 bits.
inline uint64_t SignExtend(uint64_t v, uint32_t width) {
  switch (width) {
    case 1: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(v)));
    case 2: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int16_t>(v)));
    case 4: return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(v)));
    default: return v;
  }
}

// As SignExtend, for many words; one loop for each width, so that they vectorize.
inline void SignExtendAll(std::span<uint64_t> words, uint32_t width) {
  switch (width) {
    case 1:
      for (uint64_t& v : words) v = SignExtend(v, 1);
      break;
    case 2:
      for (uint64_t& v : words) v = SignExtend(v, 2);
      break;
    case 4:
      for (uint64_t& v : words) v = SignExtend(v, 4);
      break;
    default:
      break;
  }
}

inline uint64_t AlignUp(uint64_t v, uint64_t align) { return (v + align - 1) & ~(align - 1); }

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_BITS_H
