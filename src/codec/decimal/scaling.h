// scaling.h - floats to integers over a power of ten and back, for the codecs that keep what
// comes back bit by bit.
#ifndef NODEDB_TS_CODEC_DECIMAL_SCALING_H
#define NODEDB_TS_CODEC_DECIMAL_SCALING_H

#include <bit>
#include <cstdint>
#include <span>

#include "base/words.h"
#include "codec/registry/registry.h"

namespace nodedb_ts::codec::scaling {

inline constexpr unsigned kMaxExponent = 15;
inline constexpr double kPowers[kMaxExponent + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
// Adding 1.5 * 2^52 leaves the rounded integer in the low bits of the sum.
inline constexpr double kMagic = base::kIntegerInDouble;

inline double ToDouble(const WordShape& shape, uint64_t word) {
  if (shape.kind == WordKind::kFloat8) return std::bit_cast<double>(word);
  return std::bit_cast<float>(static_cast<uint32_t>(word));
}

inline uint64_t ToWord(const WordShape& shape, double value) {
  if (shape.kind == WordKind::kFloat8) return std::bit_cast<uint64_t>(value);
  return std::bit_cast<uint32_t>(static_cast<float>(value));
}

inline uint64_t ToInteger(double value, double power) {
  const double sum = value * power + kMagic;
  return std::bit_cast<uint64_t>(sum) - std::bit_cast<uint64_t>(kMagic);
}

inline double Scale(uint64_t integer, double power) {
  return static_cast<double>(static_cast<int64_t>(integer)) / power;
}

// The same for a vector: integers become words of the shape, a float's.
inline void ScaleAll(const WordShape& shape, double power, std::span<uint64_t> words) {
  base::DivideIntegers(words.data(), words.size(), power);
  if (shape.kind == WordKind::kFloat8) return;
  for (uint64_t& v : words) v = ToWord({WordKind::kFloat4, 4}, std::bit_cast<double>(v));
}

}  // namespace nodedb_ts::codec::scaling

#endif  // NODEDB_TS_CODEC_DECIMAL_SCALING_H
