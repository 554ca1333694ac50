// exact.cpp - sums of numerics and of squares in 128 bits, and the order of numerics.
#include "exec/exact.h"

#include <algorithm>
#include <string_view>

#include "codec/numeric/numeric.h"

namespace nodedb_ts::exec {
namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

constexpr unsigned kMaxScaleShift = 18;  // 10^18 fits into 64 bits

int64_t PowerOfTen(unsigned exponent) {
  int64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

bool Parse(const NtsSlice& slice, codec::ScaledNumeric* number) {
  return codec::ParseNumeric({reinterpret_cast<const char*>(slice.bytes), slice.length}, number);
}

Int128 Read(const NtsWideSum& sum) {
  return static_cast<Int128>((static_cast<Uint128>(static_cast<uint64_t>(sum.high)) << 64) | sum.low);
}

void Write(Int128 value, NtsWideSum* sum) {
  sum->low = static_cast<uint64_t>(static_cast<Uint128>(value));
  sum->high = static_cast<int64_t>(static_cast<uint64_t>(static_cast<Uint128>(value) >> 64));
}

// In registers while a loop runs. Members change nothing and return false where 128 bits do not suffice.
struct Sums {
  explicit Sums(const NtsExactSums& sums) : sum(Read(sums.sum)), squares(Read(sums.squares)) {}

  bool Rescale(int64_t factor) {
    Int128 wide_sum, wide_squares;
    if (__builtin_mul_overflow(sum, Int128{factor}, &wide_sum) ||
        __builtin_mul_overflow(squares, Int128{factor} * factor, &wide_squares)) {
      return false;
    }
    sum = wide_sum;
    squares = wide_squares;
    return true;
  }
  bool Add(int64_t k, bool with_squares) {
    Int128 next_sum, next_squares;
    if (__builtin_add_overflow(sum, Int128{k}, &next_sum) ||
        __builtin_add_overflow(squares, with_squares ? Int128{k} * k : Int128{0}, &next_squares)) {
      return false;
    }
    sum = next_sum;
    squares = next_squares;
    return true;
  }

  Int128 sum;
  Int128 squares;
};

// The integer at the sums' scale, which grows to the number's if that is larger.
bool Align(const codec::ScaledNumeric& number, NtsExactSums* out, Sums* sums, int64_t* k) {
  *k = number.k;
  if (number.scale == out->scale) return true;
  if (number.scale < out->scale) {
    const unsigned shift = out->scale - number.scale;
    return shift <= kMaxScaleShift && !__builtin_mul_overflow(number.k, PowerOfTen(shift), k);
  }
  const unsigned shift = number.scale - out->scale;
  if (shift > kMaxScaleShift || !sums->Rescale(PowerOfTen(shift))) return false;
  out->scale = number.scale;
  out->scale_count = 0;
  return true;
}

// < 0, 0, > 0; false: too far apart in scale.
bool Compare(const codec::ScaledNumeric& a, const codec::ScaledNumeric& b, int* order) {
  Int128 left = a.k, right = b.k;
  if (a.scale != b.scale) {
    const unsigned shift = a.scale < b.scale ? b.scale - a.scale : a.scale - b.scale;
    if (shift > kMaxScaleShift) return false;
    (a.scale < b.scale ? left : right) *= PowerOfTen(shift);
  }
  *order = left < right ? -1 : left > right;
  return true;
}

}  // namespace

size_t SumNumerics(std::span<const NtsSlice> numerics, bool with_squares, NtsExactSums* sums) {
  Sums now(*sums);
  size_t taken = 0;
  for (; taken < numerics.size(); ++taken) {
    codec::ScaledNumeric number;
    int64_t k;
    if (!Parse(numerics[taken], &number) || !Align(number, sums, &now, &k) || !now.Add(k, with_squares)) break;
    sums->scale_count += number.scale == sums->scale;
  }
  Write(now.sum, &sums->sum);
  Write(now.squares, &sums->squares);
  sums->count += taken;
  return taken;
}

size_t SumSquares(const uint64_t* words, const uint8_t* nulls, size_t count, NtsExactSums* sums) {
  Sums now(*sums);
  uint64_t values = 0;
  size_t taken = 0;
  for (; taken < count; ++taken) {
    if (nulls != nullptr && nulls[taken]) continue;
    if (!now.Add(static_cast<int64_t>(words[taken]), true)) break;
    ++values;
  }
  Write(now.sum, &sums->sum);
  Write(now.squares, &sums->squares);
  sums->count += values;
  sums->scale_count += values;
  return taken;
}

namespace {

static_assert(NTS_QUOTIENT_BYTES == codec::kMaxWideNumericBytes);

// The place of a number's highest digit to base 10 000, and that digit.
struct Highest {
  explicit Highest(uint64_t number) : digit(number) {
    for (; digit >= 10000; digit /= 10000) weight++;
  }
  int weight = 0;
  uint64_t digit;
};

}  // namespace

size_t QuotientNumeric(const NtsWideSum& sum, uint64_t count, uint8_t* numeric) {
  const Int128 value = Read(sum);
  const bool negative = value < 0;
  const Uint128 wide = negative ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
  if (wide > UINT64_MAX) return 0;
  // numeric_div shows at least 16 digits, counted from where it expects the quotient's first one.
  const Highest dividend(static_cast<uint64_t>(wide)), divisor(count);
  int weight = dividend.weight - divisor.weight;
  if (dividend.digit <= divisor.digit) weight--;
  const int scale = 16 - 4 * weight;
  if (scale < 0 || scale > 2 * static_cast<int>(kMaxScaleShift)) return 0;
  Uint128 power = PowerOfTen(std::min<unsigned>(scale, kMaxScaleShift));
  if (scale > static_cast<int>(kMaxScaleShift)) power *= PowerOfTen(scale - kMaxScaleShift);
  Uint128 scaled;
  if (__builtin_mul_overflow(wide, power, &scaled)) return 0;
  Uint128 quotient = scaled / count;
  const uint64_t rest = static_cast<uint64_t>(scaled - quotient * count);
  if (rest >= count - rest) quotient++;  // halves are rounded away from zero
  if (quotient >> 117 != 0) return 0;
  return codec::WriteWideNumeric(quotient, negative, static_cast<uint16_t>(scale), numeric);
}

size_t ExtremeNumeric(std::span<const NtsSlice> numerics, bool greatest, size_t* place) {
  codec::ScaledNumeric best, number;
  size_t looked = 0;
  for (; looked < numerics.size() && Parse(numerics[looked], &number); ++looked) {
    int order = 0;
    if (looked > 0 && !Compare(number, best, &order)) break;
    if (greatest ? order < 0 : order > 0) continue;
    best = number;
    *place = looked;
  }
  return looked;
}

}  // namespace nodedb_ts::exec
