// aggregate.cpp - folds of a vector's values into one.
//
// Loops without NULLs keep several accumulators where the order does not matter, so that neither the latency of an
// instruction nor a branch bounds them. With NULLs a value is masked, not jumped over, as long as that is cheaper.
#include "exec/aggregate.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/avx2.h"

namespace nodedb_ts::exec {
namespace {

typedef uint64_t TwoWords __attribute__((vector_size(16)));
typedef uint64_t FourWords __attribute__((vector_size(32)));

constexpr uint64_t kBias = uint64_t{1} << 63;

// Of biased words, which are unsigned: their halves are added up apart, so that 2^30 words cannot overflow 64 bits.
struct Halves {
  uint64_t low = 0;
  uint64_t high = 0;
};

// Adds the leading words, two vectors at a time; returns how many.
template <typename Vector>
inline __attribute__((always_inline)) size_t AddHalves(const uint64_t* words, size_t count, Halves* sum) {
  constexpr size_t kLanes = sizeof(Vector) / sizeof(uint64_t);
  Vector lows[2] = {}, highs[2] = {};
  size_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    for (size_t k = 0; k < 2; ++k) {
      Vector biased;
      std::memcpy(&biased, words + i + kLanes * k, sizeof(biased));
      biased ^= kBias;
      lows[k] += biased & UINT32_MAX;
      highs[k] += biased >> 32;
    }
  }
  for (size_t k = 0; k < kLanes; ++k) {
    sum->low += lows[0][k] + lows[1][k];
    sum->high += highs[0][k] + highs[1][k];
  }
  return i;
}

#ifdef NODEDB_TS_AVX2
NODEDB_TS_AVX2 size_t AddHalvesAvx2(const uint64_t* words, size_t count, Halves* sum) {
  return AddHalves<FourWords>(words, count, sum);
}
#endif

size_t AddHalvesAnywhere(const uint64_t* words, size_t count, Halves* sum) {
  return AddHalves<TwoWords>(words, count, sum);
}

auto BestAddHalves() {
#ifdef NODEDB_TS_AVX2
  if (base::HasAvx2()) return AddHalvesAvx2;
#endif
  return AddHalvesAnywhere;
}

// All ones where the value is there, 0 where it is NULL.
inline uint64_t Mask(uint8_t null) { return static_cast<uint64_t>(null) - 1; }

template <typename Float>
inline Float Read(uint64_t word) {
  if constexpr (std::is_same_v<Float, float>)
    return std::bit_cast<float>(static_cast<uint32_t>(word));
  else
    return std::bit_cast<double>(word);
}

// The fold of `count` ints by a commutative, associative, idempotent `pick` from `start`.
template <typename Pick>
int64_t FoldInt(const uint64_t* words, size_t count, int64_t start, Pick pick) {
  int64_t a = start, b = start, c = start, d = start;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    a = pick(a, static_cast<int64_t>(words[i]));
    b = pick(b, static_cast<int64_t>(words[i + 1]));
    c = pick(c, static_cast<int64_t>(words[i + 2]));
    d = pick(d, static_cast<int64_t>(words[i + 3]));
  }
  for (; i < count; ++i) a = pick(a, static_cast<int64_t>(words[i]));
  return pick(pick(a, b), pick(c, d));
}

template <typename Pick>
uint64_t ExtremeInt(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t neutral,
                    int64_t* result, Pick pick) {
  if (nulls == nullptr) {
    *result = FoldInt(words, count, *result, pick);
    return count;
  }
  int64_t best = *result;
  uint64_t values = 0;
  for (size_t i = 0; i < count; ++i) {
    best = pick(best, nulls[i] ? neutral : static_cast<int64_t>(words[i]));
    values += nulls[i] ^ 1u;
  }
  *result = best;
  return values;
}

// MinFloat and MaxFloat over the numbers; *nans: how many values are none. better(a, b): a comes before b.
template <typename Float, typename Better>
double FoldFloat(const uint64_t* words, const uint8_t* nulls, size_t count, double start, uint64_t* values,
                 uint64_t* nans, Better better) {
  double best[4] = {start, start, start, start};
  uint64_t not_numbers = 0;
  size_t i = 0;
  *values = CountValues(nulls, count);
  if (nulls == nullptr) {
    for (; i + 4 <= count; i += 4) {
      for (size_t k = 0; k < 4; ++k) {
        const double value = Read<Float>(words[i + k]);
        best[k] = better(value, best[k]) ? value : best[k];
        not_numbers += value != value;
      }
    }
  }
  for (; i < count; ++i) {
    if (nulls != nullptr && nulls[i]) continue;
    const double value = Read<Float>(words[i]);
    best[0] = better(value, best[0]) ? value : best[0];
    not_numbers += value != value;
  }
  *nans = not_numbers;
  for (size_t k = 1; k < 4; ++k) best[0] = better(best[k], best[0]) ? best[k] : best[0];
  return best[0];
}

}  // namespace

uint64_t CountValues(const uint8_t* nulls, size_t count) {
  if (nulls == nullptr) return count;
  uint64_t missing = 0;
  for (size_t i = 0; i < count; ++i) missing += nulls[i];
  return count - missing;
}

uint64_t SumInt(const uint64_t* words, const uint8_t* nulls, size_t count, NtsWideSum* sum) {
  static const auto add_halves = BestAddHalves();
  constexpr size_t kBlock = size_t{1} << 30;
  unsigned __int128 total = (static_cast<unsigned __int128>(static_cast<uint64_t>(sum->high)) << 64) | sum->low;
  uint64_t values = 0;
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t end = std::min(count, start + kBlock);
    Halves halves;
    size_t i = start;
    if (nulls == nullptr) i += add_halves(words + start, end - start, &halves);
    for (; i < end; ++i) {
      const uint64_t mask = nulls == nullptr ? ~uint64_t{0} : Mask(nulls[i]);
      const uint64_t biased = (words[i] & mask) ^ kBias;
      halves.low += static_cast<uint32_t>(biased);
      halves.high += biased >> 32;
    }
    total += halves.low;
    total += static_cast<unsigned __int128>(halves.high) << 32;
    total -= static_cast<unsigned __int128>(kBias) * (end - start);
    values += CountValues(nulls == nullptr ? nullptr : nulls + start, end - start);
  }
  sum->low = static_cast<uint64_t>(total);
  sum->high = static_cast<int64_t>(static_cast<uint64_t>(total >> 64));
  return values;
}

uint64_t MinInt(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* least) {
  return ExtremeInt(words, nulls, count, std::numeric_limits<int64_t>::max(), least,
                    [](int64_t a, int64_t b) { return b < a ? b : a; });
}

uint64_t MaxInt(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* greatest) {
  return ExtremeInt(words, nulls, count, std::numeric_limits<int64_t>::min(), greatest,
                    [](int64_t a, int64_t b) { return b > a ? b : a; });
}

template <typename Float, typename Sum>
uint64_t SumFloat(const uint64_t* words, const uint8_t* nulls, size_t count, Sum* sum) {
  Sum total = *sum;
  if (nulls == nullptr) {
    for (size_t i = 0; i < count; ++i) total += static_cast<Sum>(Read<Float>(words[i]));
  } else {
    // Not masked: adding 0 would turn -0 into 0.
    for (size_t i = 0; i < count; ++i)
      if (!nulls[i]) total += static_cast<Sum>(Read<Float>(words[i]));
  }
  *sum = total;
  return CountValues(nulls, count);
}

template <typename Float>
uint64_t MinFloat(const uint64_t* words, const uint8_t* nulls, size_t count, double* least) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  uint64_t values, nans;
  const bool nan_before = *least != *least;
  const double start = nan_before ? kInfinity : *least;
  const double best = FoldFloat<Float>(words, nulls, count, start, &values, &nans,
                                       [](double a, double b) { return a < b; });
  // As long as nothing but NaN came, NaN is the least.
  if (!nan_before || values > nans) *least = best;
  return values;
}

template <typename Float>
uint64_t MaxFloat(const uint64_t* words, const uint8_t* nulls, size_t count, double* greatest) {
  uint64_t values, nans;
  const double best = FoldFloat<Float>(words, nulls, count, *greatest, &values, &nans,
                                       [](double a, double b) { return a > b; });
  *greatest = nans > 0 ? std::numeric_limits<double>::quiet_NaN() : best;
  return values;
}

bool ModerateFloat8(const uint64_t* words, size_t count) {
  // Compared as ints: without their sign, bits of floats are ordered as the floats are, infinity and NaN last.
  constexpr int64_t kLimit = std::bit_cast<int64_t>(1e100);
  constexpr uint64_t kNoSign = ~(uint64_t{1} << 63);
  int64_t beyond = 0;
  for (size_t i = 0; i < count; ++i) beyond |= kLimit - 1 - static_cast<int64_t>(words[i] & kNoSign);
  return beyond >= 0;
}

template uint64_t SumFloat<double, double>(const uint64_t*, const uint8_t*, size_t, double*);
template uint64_t SumFloat<float, float>(const uint64_t*, const uint8_t*, size_t, float*);
template uint64_t SumFloat<float, double>(const uint64_t*, const uint8_t*, size_t, double*);
template uint64_t MinFloat<double>(const uint64_t*, const uint8_t*, size_t, double*);
template uint64_t MinFloat<float>(const uint64_t*, const uint8_t*, size_t, double*);
template uint64_t MaxFloat<double>(const uint64_t*, const uint8_t*, size_t, double*);
template uint64_t MaxFloat<float>(const uint64_t*, const uint8_t*, size_t, double*);

}  // namespace nodedb_ts::exec
