// scaled.h - floats as integers: of short decimals, or what nearly is one, those over a power of ten,
// with small corrections where a computation or a float4 left its mark; of all others their bits.
#ifndef NODEDB_TS_CODEC_SCALED_SCALED_H
#define NODEDB_TS_CODEC_SCALED_SCALED_H

#include <cstdint>
#include <span>
#include <vector>

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

// What a correction does to integer / 10^exponent.
enum class ScaledForm : uint8_t {
  kExact = 0,    // there are none
  kRounded = 1,  // 1: the value went through a float4 and was then rounded to `digits`
  kUlps = 2,     // zigzag of the distance in units of the last place
  kBits = 3,     // no power and no correction: the integer is the float's bits, in order
};

struct ScaledVector {
  uint8_t exponent = 0;
  ScaledForm form = ScaledForm::kExact;
  uint8_t digits = 0;                 // of kRounded
  std::vector<uint64_t> integers;     // one for each value; at exceptions the one before
  std::vector<uint64_t> corrections;  // of kRounded and kUlps: one for each value
  std::vector<uint16_t> exceptions;   // places of values that are stored by themselves
};

// Finds integers for 1..1024 floats. False: too few of them are near short decimals.
[[nodiscard]] bool PlanScaled(const WordShape& shape, std::span<const uint64_t> values,
                              ScaledVector* plan);
// Fills integers, corrections and exceptions for the exponent (0..15; of kBits it is set to 0), form and
// digits in `plan`.
void FillScaled(const WordShape& shape, std::span<const uint64_t> values, ScaledVector* plan);
// Bits that the plan would roughly take, in a chunk with entropy tables.
double ScaledCost(const WordShape& shape, std::span<const uint64_t> values, const ScaledVector& plan);
// Appends everything but the number of the integers' codec and the integers.
void WriteScaledHead(const WordShape& shape, std::span<const uint64_t> values,
                     const ScaledVector& plan, base::ByteWriter* out);
// Reads a whole vector; trailing bytes are left in `in`.
[[nodiscard]] bool DecodeScaled(const WordShape& shape, base::ByteReader* in,
                                std::span<uint64_t> out, EntropyTables tables);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_SCALED_SCALED_H
