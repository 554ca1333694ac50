// plain_float.h - a FLOAT8 in a row of the plain layout.
//
// Measurements mostly are short decimals: 12.34 is the integer 1234 over 10^2. Such a
// value is one varint, zigzag(integer) * 8 + exponent; the code 7 announces eight raw
// bytes. The integer over the power of ten must give back the same bits.
#ifndef NODEDB_TS_SEGMENT_PLAIN_FLOAT_H
#define NODEDB_TS_SEGMENT_PLAIN_FLOAT_H

#include <bit>
#include <cstdint>
#include <iterator>

#include "base/bits.h"

namespace nodedb_ts::segment {

inline constexpr double kPlainPowers[] = {1, 10, 100, 1000, 10000};
inline constexpr uint64_t kPlainRawFloat = 7;

// Returns the code with the smallest exponent, or kPlainRawFloat.
inline uint64_t PlainFloatCode(uint64_t bits) {
  constexpr double kLargest = 1e11;  // times 10^4 still exact
  constexpr uint64_t kLastPower = std::size(kPlainPowers) - 1;
  const double value = std::bit_cast<double>(bits);
  if (!(value > -kLargest && value < kLargest)) return kPlainRawFloat;
  // k / 10^e and (k * 10^(4-e)) / 10^4 are the same rational number, so both round to the same
  // double: one try with the largest exponent tells whether any fits.
  const double scaled = value * kPlainPowers[kLastPower];
  int64_t integer = static_cast<int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
  const double back = static_cast<double>(integer) / kPlainPowers[kLastPower];
  if (std::bit_cast<uint64_t>(back) != bits) return kPlainRawFloat;
  uint64_t e = kLastPower;
  for (; e > 0 && integer % 10 == 0; e--) integer /= 10;
  return base::ZigZag(integer) << 3 | e;
}

// False: no encoder writes this code.
inline bool PlainFloatBits(uint64_t code, uint64_t* bits) {
  const uint64_t e = code & 7;
  if (e >= std::size(kPlainPowers)) return false;
  const double integer = static_cast<double>(base::UnZigZag(code >> 3));
  *bits = std::bit_cast<uint64_t>(integer / kPlainPowers[e]);
  return true;
}

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_PLAIN_FLOAT_H
