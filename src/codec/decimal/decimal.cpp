#include "codec/decimal/decimal.h"

#include <algorithm>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/decimal/scaling.h"

// A double that was written as a decimal with at most 15 digits is the double
// nearest to integer / 10^exponent, and IEEE division of two exact doubles rounds to
// just that one. So the integer and one exponent for each vector bring back every
// bit; what does not (NaN, -0.0, full-precision values) becomes an exception.
namespace nodedb_ts::codec {
namespace {

using scaling::kMaxExponent;
using scaling::kPowers;
using scaling::ToDouble;
using scaling::ToInteger;

inline uint64_t FromInteger(const WordShape& shape, uint64_t integer, double power) {
  return scaling::ToWord(shape, scaling::Scale(integer, power));
}

// The exponent that brings back most of a sample, the smallest among equals; -1
// when it is less than 7/8.
int ChooseExponent(const WordShape& shape, std::span<const uint64_t> values) {
  constexpr size_t kSample = 32;
  const size_t step = std::max<size_t>(1, values.size() / kSample);
  int best = -1;
  size_t best_hits = 0;
  size_t tried = 0;
  for (unsigned e = 0; e <= kMaxExponent; e++) {
    size_t hits = 0;
    tried = 0;
    for (size_t i = 0; i < values.size(); i += step, tried++) {
      const uint64_t integer = ToInteger(ToDouble(shape, values[i]), kPowers[e]);
      hits += FromInteger(shape, integer, kPowers[e]) == values[i];
    }
    if (hits > best_hits) {
      best = static_cast<int>(e);
      best_hits = hits;
      if (hits == tried) break;
    }
  }
  return best_hits * 8 >= tried * 7 ? best : -1;
}

void Encode(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  if (EncodeDecimal(shape, values, out)) return;
  // Every value an exception: only for callers that insist on this codec.
  out->U8(0);
  out->Varint(values.size());
  for (const uint64_t v : values) {
    out->Varint(0);
    out->Width(v, shape.width);
  }
  out->U8(kConstant);
  out->Zig(0);
}

bool ReadExceptions(const WordShape& shape, base::ByteReader* in, size_t rows, size_t* count,
                    uint16_t* positions, uint64_t* words) {
  uint64_t exceptions;
  if (!in->ReadVarint(&exceptions) || exceptions > rows) return false;
  uint64_t next = 0;
  for (uint64_t e = 0; e < exceptions; e++) {
    uint64_t gap;
    if (!in->ReadVarint(&gap) || next >= rows || gap >= rows - next) return false;
    if (!in->ReadWidth(shape.width, &words[e])) return false;
    positions[e] = static_cast<uint16_t>(next + gap);
    next += gap + 1;
  }
  *count = exceptions;
  return true;
}

bool Decode(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out) {
  uint8_t exponent;
  size_t exceptions;
  uint16_t positions[kMaxVectorRows];
  uint64_t words[kMaxVectorRows];
  uint8_t number;
  if (shape.kind == WordKind::kInt) return false;
  if (!in->ReadU8(&exponent) || exponent > kMaxExponent) return false;
  if (!ReadExceptions(shape, in, out.size(), &exceptions, positions, words)) return false;
  if (!in->ReadU8(&number)) return false;
  if (!DecodeIntegers(number, in, out, {})) return false;
  scaling::ScaleAll(shape, kPowers[exponent], out);
  for (size_t e = 0; e < exceptions; e++) out[positions[e]] = words[e];
  return true;
}

}  // namespace

bool EncodeDecimal(const WordShape& shape, std::span<const uint64_t> values,
                   base::ByteWriter* out) {
  const int exponent = ChooseExponent(shape, values);
  if (exponent < 0) return false;
  const double power = kPowers[exponent];
  uint64_t integers[kMaxVectorRows];
  uint16_t exceptions[kMaxVectorRows];
  size_t exception_count = 0;
  for (size_t i = 0; i < values.size(); i++) {
    integers[i] = ToInteger(ToDouble(shape, values[i]), power);
  }
  for (size_t i = 0; i < values.size(); i++) {
    if (FromInteger(shape, integers[i], power) == values[i]) continue;
    exceptions[exception_count++] = static_cast<uint16_t>(i);
    integers[i] = i == 0 ? 0 : integers[i - 1];
  }
  if (exception_count * 6 > values.size()) return false;
  out->U8(static_cast<uint8_t>(exponent));
  out->Varint(exception_count);
  size_t next = 0;
  for (size_t e = 0; e < exception_count; e++) {
    const size_t i = exceptions[e];
    out->Varint(i - next);
    out->Width(values[i], shape.width);
    next = i + 1;
  }
  const size_t number_at = out->size();
  out->U8(0);
  const uint8_t number = EncodeIntegers({integers, values.size()}, 8, out);
  (*out->vector())[number_at] = number;
  return true;
}

const WordCodec kDecimalCodec = {kDecimal, "decimal", Encode, Decode};

}  // namespace nodedb_ts::codec
