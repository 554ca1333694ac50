// token.h - what the parts of the entropy coder share: bins, tokens, logarithms, the order of states.
#ifndef NODEDB_TS_CODEC_ENTROPY_TOKEN_H
#define NODEDB_TS_CODEC_ENTROPY_TOKEN_H

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bits.h"
#include "codec/entropy/entropy.h"

namespace nodedb_ts::codec::entropy {

inline constexpr uint16_t kNoSymbol = 0xFFFF;
inline constexpr size_t kOneStreamBelow = 32;  // values: shorter vectors have one state

// Splits v >= 2^(exponent of the first one): `first` tokens are values, then 2^mantissa for each exponent.
inline size_t LargeToken(uint64_t v, unsigned split, unsigned mantissa) {
  const unsigned exponent = base::BitWidth(v) - 1;
  const uint64_t top = (v >> (exponent - mantissa)) & ((1u << mantissa) - 1);
  return (size_t{1} << split) + ((exponent - split) << mantissa) + static_cast<size_t>(top);
}

// The histogram's bin of a value.
inline size_t BinOf(uint64_t v) {
  return v < kEntropyExact ? static_cast<size_t>(v) : LargeToken(v, 8, kEntropyMaxMantissa);
}

// Of a token: raw bits, and the value when they are all 0.
inline unsigned RawBits(size_t token, EntropySplit s) {
  if (token >> s.split == 0) return 0;
  const size_t large = token - (size_t{1} << s.split);
  return static_cast<unsigned>(large >> s.mantissa) + s.split - s.mantissa;
}
inline uint64_t BaseOf(size_t token, EntropySplit s) {
  if (token >> s.split == 0) return token;
  const size_t large = token - (size_t{1} << s.split);
  const uint64_t top = (large & ((size_t{1} << s.mantissa) - 1)) | size_t{1} << s.mantissa;
  return top << RawBits(token, s);
}
inline size_t TokenCount(EntropySplit s) {
  return (size_t{1} << s.split) + (size_t{64u - s.split} << s.mantissa);
}
// All values of a bin have the same token, since the bins are the finest split.
inline size_t TokenOfBin(size_t bin, EntropySplit s) {
  const uint64_t v = BaseOf(bin, EntropySplit{8, kEntropyMaxMantissa});
  return v >> s.split == 0 ? static_cast<size_t>(v) : LargeToken(v, s.split, s.mantissa);
}

// log2(1 + i / 256) in 1 / 2^16, by repeated squaring.
constexpr std::array<uint32_t, 257> MakeLogs() {
  std::array<uint32_t, 257> logs = {};
  for (uint64_t i = 0; i < 256; i++) {
    uint64_t x = (256 + i) << 22;  // 1 <= x < 2 with 30 bits behind the point
    uint32_t log = 0;
    for (int bit = 0; bit < 18; bit++) {
      x = (x * x) >> 30;
      log = log << 1 | static_cast<uint32_t>(x >> 31);
      if (x >> 31) x >>= 1;
    }
    logs[i] = (log + 2) >> 2;
  }
  logs[256] = 1u << 16;
  return logs;
}
inline constexpr std::array<uint32_t, 257> kLogs = MakeLogs();

// log2(v) in 1 / 2^16, for 1 <= v < 2^32.
inline uint64_t Log2(uint64_t v) {
  const unsigned exponent = base::BitWidth(v) - 1;
  const uint64_t mantissa = (v << (32 - exponent)) & UINT32_MAX;
  const size_t i = static_cast<size_t>(mantissa >> 24);
  const uint64_t part = (mantissa >> 8) & 0xFFFF;
  return (uint64_t{exponent} << 16) + kLogs[i] + ((kLogs[i + 1] - kLogs[i]) * part >> 16);
}

// v * log2(v), 0 for 0.
inline uint64_t VLog2(uint64_t v) { return v < 2 ? 0 : v * Log2(v); }

// States are dealt to the tokens in their order, each `step` behind the one before: odd, so that all
// come up, and near the golden section of the table, so that each token's are spread evenly.
inline uint32_t SpreadStep(unsigned log) {
  return (static_cast<uint32_t>((uint64_t{40503} << log) >> 16)) | 1;
}

// SpreadStep * InverseStep is 1 modulo 2^log, by Newton's iteration: 3 right bits, 6, 12.
inline uint32_t InverseStep(unsigned log) {
  const uint32_t step = SpreadStep(log);
  uint32_t inverse = step;
  inverse *= 2 - step * inverse;
  inverse *= 2 - step * inverse;
  return inverse;
}

}  // namespace nodedb_ts::codec::entropy

#endif  // NODEDB_TS_CODEC_ENTROPY_TOKEN_H
