#include "base/words.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/avx2.h"
#include "base/bits.h"

#ifdef NODEDB_TS_AVX2
#include <immintrin.h>
#endif

namespace nodedb_ts::base {
namespace {

// ---- one at a time ------------------------------------------------------------
// Each goes on behind the words that were taken four at a time.

inline void BoundsFrom(const uint64_t* words, size_t at, size_t count, WordBounds* bounds) {
  for (size_t i = at; i < count; i++) {
    bounds->min = std::min(bounds->min, static_cast<int64_t>(words[i]));
    bounds->max = std::max(bounds->max, static_cast<int64_t>(words[i]));
  }
}

inline size_t ChangesFrom(const uint64_t* words, size_t at, size_t count) {
  size_t changes = 0;
  for (size_t i = at; i < count; i++) changes += words[i] != words[i - 1];
  return changes;
}

inline void WidthsOf(const uint64_t* words, size_t count, uint64_t base, uint32_t* of_width) {
  // Two tables: neighbours often have the same width, and would wait for each other.
  uint32_t other[65] = {};
  std::fill_n(of_width, 65, 0u);
  size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    of_width[BitWidth(words[i] - base)]++;
    other[BitWidth(words[i + 1] - base)]++;
  }
  if (i < count) of_width[BitWidth(words[i] - base)]++;
  for (size_t w = 0; w < 65; w++) of_width[w] += other[w];
}

struct Doubles {
  double min;
  double max;
  bool nan;
};

inline void DoublesFrom(const uint64_t* words, size_t at, size_t count, Doubles* d) {
  for (size_t i = at; i < count; i++) {
    const double v = std::bit_cast<double>(words[i]);
    d->min = v < d->min ? v : d->min;
    d->max = v > d->max ? v : d->max;
    d->nan = d->nan || v != v;
  }
}

WordBounds BoundsAnywhere(const uint64_t* words, size_t count) {
  WordBounds bounds = {static_cast<int64_t>(words[0]), static_cast<int64_t>(words[0])};
  BoundsFrom(words, 1, count, &bounds);
  return bounds;
}

size_t ChangesAnywhere(const uint64_t* words, size_t count) { return ChangesFrom(words, 1, count); }

uint64_t SumAnywhere(const uint64_t* words, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += words[i];
  return sum;
}

void SubtractAnywhere(const uint64_t* words, size_t count, uint64_t base, uint64_t* out) {
  for (size_t i = 0; i < count; i++) out[i] = words[i] - base;
}

void DifferencesAnywhere(const uint64_t* words, size_t count, uint64_t* out) {
  for (size_t i = 1; i < count; i++) out[i - 1] = words[i] - words[i - 1];
}

// words[i] += words[i - 1], from `before` on, once their zigzag form is undone.
inline void SumsFrom(uint64_t* words, size_t at, size_t count, uint64_t before) {
  for (size_t i = at; i < count; i++) {
    before += static_cast<uint64_t>(UnZigZag(words[i]));
    words[i] = before;
  }
}

void SumUpAnywhere(uint64_t* words, size_t count, uint64_t before) {
  for (size_t i = 0; i < count; i++) words[i] = before += words[i];
}

void SumUpTwiceAnywhere(uint64_t* words, size_t count, uint64_t before, uint64_t delta) {
  for (size_t i = 0; i < count; i++) words[i] = before += delta += words[i];
}

void ZigZagSumsAnywhere(uint64_t* words, size_t count, uint64_t before) { SumsFrom(words, 0, count, before); }

void WidthsAnywhere(const uint64_t* words, size_t count, uint64_t base, uint32_t* of_width) {
  WidthsOf(words, count, base, of_width);
}

Doubles DoublesAnywhere(const uint64_t* words, size_t count) {
  const double first = std::bit_cast<double>(words[0]);
  Doubles d = {first, first, false};
  DoublesFrom(words, 0, count, &d);
  return d;
}

constexpr int kBitsInDouble = 52;
constexpr int64_t kLeastInDouble = -(int64_t{1} << 51);

inline void QuotientsFrom(uint64_t* words, size_t at, size_t count, double divisor) {
  for (size_t i = at; i < count; i++) {
    words[i] = std::bit_cast<uint64_t>(static_cast<double>(static_cast<int64_t>(words[i])) / divisor);
  }
}

void QuotientsAnywhere(uint64_t* words, size_t count, double divisor) {
  typedef uint64_t TwoWords __attribute__((vector_size(16)));
  typedef double TwoDoubles __attribute__((vector_size(16)));
  constexpr size_t kBlock = 8;
  size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    uint64_t beyond = 0;
    for (size_t k = 0; k < kBlock; k++) beyond |= (words[i + k] - static_cast<uint64_t>(kLeastInDouble)) >> kBitsInDouble;
    if (beyond != 0) {
      QuotientsFrom(words + i, 0, kBlock, divisor);
      continue;
    }
    for (size_t k = 0; k < kBlock; k += 2) {
      TwoWords integers;
      std::memcpy(&integers, words + i + k, sizeof(integers));
      integers += std::bit_cast<uint64_t>(kIntegerInDouble);
      TwoDoubles numbers;
      std::memcpy(&numbers, &integers, sizeof(numbers));
      numbers = (numbers - kIntegerInDouble) / divisor;
      std::memcpy(words + i + k, &numbers, sizeof(numbers));
    }
  }
  QuotientsFrom(words, i, count, divisor);
}

struct Kernels {
  WordBounds (*bounds)(const uint64_t*, size_t);
  size_t (*changes)(const uint64_t*, size_t);
  uint64_t (*sum)(const uint64_t*, size_t);
  void (*subtract)(const uint64_t*, size_t, uint64_t, uint64_t*);
  void (*differences)(const uint64_t*, size_t, uint64_t*);
  void (*widths)(const uint64_t*, size_t, uint64_t, uint32_t*);
  Doubles (*doubles)(const uint64_t*, size_t);
  void (*quotients)(uint64_t*, size_t, double);
  void (*zigzag_sums)(uint64_t*, size_t, uint64_t);
  void (*sum_up)(uint64_t*, size_t, uint64_t);
  void (*sum_up_twice)(uint64_t*, size_t, uint64_t, uint64_t);
};

constexpr Kernels kAnywhere = {BoundsAnywhere,      ChangesAnywhere, SumAnywhere,     SubtractAnywhere,
                               DifferencesAnywhere, WidthsAnywhere,  DoublesAnywhere, QuotientsAnywhere,
                               ZigZagSumsAnywhere,  SumUpAnywhere,   SumUpTwiceAnywhere};

// ---- four at a time -----------------------------------------------------------

#ifdef NODEDB_TS_AVX2

NODEDB_TS_AVX2 inline __m256i Load(const uint64_t* words) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
}
NODEDB_TS_AVX2 inline void Store(uint64_t* words, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), v);
}

NODEDB_TS_AVX2 inline __m256i Lesser(__m256i a, __m256i b) {
  return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(a, b));
}
NODEDB_TS_AVX2 inline __m256i Greater(__m256i a, __m256i b) {
  return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(b, a));
}

NODEDB_TS_AVX2 WordBounds BoundsAvx2(const uint64_t* words, size_t count) {
  constexpr size_t kLanes = 4;  // that do not wait for each other
  if (count < 4 * kLanes) return BoundsAnywhere(words, count);
  __m256i min[kLanes];
  __m256i max[kLanes];
  for (size_t k = 0; k < kLanes; k++) min[k] = max[k] = Load(words + 4 * k);
  size_t i = 4 * kLanes;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (size_t k = 0; k < kLanes; k++) {
      const __m256i v = Load(words + i + 4 * k);
      min[k] = Lesser(min[k], v);
      max[k] = Greater(max[k], v);
    }
  }
  uint64_t lows[4];
  uint64_t highs[4];
  Store(lows, Lesser(Lesser(min[0], min[1]), Lesser(min[2], min[3])));
  Store(highs, Greater(Greater(max[0], max[1]), Greater(max[2], max[3])));
  WordBounds bounds = BoundsAnywhere(lows, 4);
  bounds.max = BoundsAnywhere(highs, 4).max;
  BoundsFrom(words, i, count, &bounds);
  return bounds;
}

NODEDB_TS_AVX2 size_t ChangesAvx2(const uint64_t* words, size_t count) {
  __m256i same = _mm256_setzero_si256();
  size_t i = 1;
  for (; i + 4 <= count; i += 4) {
    same = _mm256_sub_epi64(same, _mm256_cmpeq_epi64(Load(words + i), Load(words + i - 1)));
  }
  uint64_t equal[4];
  Store(equal, same);
  return (i - 1) - static_cast<size_t>(SumAnywhere(equal, 4)) + ChangesFrom(words, i, count);
}

NODEDB_TS_AVX2 uint64_t SumAvx2(const uint64_t* words, size_t count) {
  __m256i sum = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 4 <= count; i += 4) sum = _mm256_add_epi64(sum, Load(words + i));
  uint64_t sums[4];
  Store(sums, sum);
  return SumAnywhere(sums, 4) + SumAnywhere(words + i, count - i);
}

NODEDB_TS_AVX2 void SubtractAvx2(const uint64_t* words, size_t count, uint64_t base, uint64_t* out) {
  const __m256i bases = _mm256_set1_epi64x(static_cast<long long>(base));
  size_t i = 0;
  for (; i + 4 <= count; i += 4) Store(out + i, _mm256_sub_epi64(Load(words + i), bases));
  SubtractAnywhere(words + i, count - i, base, out + i);
}

NODEDB_TS_AVX2 void DifferencesAvx2(const uint64_t* words, size_t count, uint64_t* out) {
  size_t i = 1;
  for (; i + 4 <= count; i += 4) {
    Store(out + i - 1, _mm256_sub_epi64(Load(words + i), Load(words + i - 1)));
  }
  for (; i < count; i++) out[i - 1] = words[i] - words[i - 1];
}

// Sums within four words, which wait for nothing, then what was before them.
// Sums of the first word, of two, three and four.
NODEDB_TS_AVX2 inline __m256i SumsOfFour(__m256i v) {
  v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
  // the second word's sum, for the third and fourth
  const __m256i second = _mm256_permute4x64_epi64(v, _MM_SHUFFLE(1, 1, 0, 0));
  return _mm256_add_epi64(v, _mm256_blend_epi32(_mm256_setzero_si256(), second, 0xF0));
}
NODEDB_TS_AVX2 inline __m256i LastOfFour(__m256i v) { return _mm256_permute4x64_epi64(v, _MM_SHUFFLE(3, 3, 3, 3)); }

NODEDB_TS_AVX2 void SumUpAvx2(uint64_t* words, size_t count, uint64_t before) {
  __m256i sum = _mm256_set1_epi64x(static_cast<long long>(before));
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i v = SumsOfFour(Load(words + i));
    Store(words + i, _mm256_add_epi64(v, sum));
    sum = _mm256_add_epi64(sum, LastOfFour(v));
  }
  SumUpAnywhere(words + i, count - i, i == 0 ? before : words[i - 1]);
}

NODEDB_TS_AVX2 void SumUpTwiceAvx2(uint64_t* words, size_t count, uint64_t before, uint64_t delta) {
  __m256i sum = _mm256_set1_epi64x(static_cast<long long>(before));
  __m256i step = _mm256_set1_epi64x(static_cast<long long>(delta));
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i steps = SumsOfFour(Load(words + i));
    const __m256i v = SumsOfFour(_mm256_add_epi64(steps, step));
    Store(words + i, _mm256_add_epi64(v, sum));
    step = _mm256_add_epi64(step, LastOfFour(steps));
    sum = _mm256_add_epi64(sum, LastOfFour(v));
  }
  uint64_t steps[4];
  Store(steps, step);
  SumUpTwiceAnywhere(words + i, count - i, i == 0 ? before : words[i - 1], steps[0]);
}

NODEDB_TS_AVX2 void ZigZagSumsAvx2(uint64_t* words, size_t count, uint64_t before) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i one = _mm256_set1_epi64x(1);
  __m256i sum = _mm256_set1_epi64x(static_cast<long long>(before));
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i coded = Load(words + i);
    __m256i v = _mm256_xor_si256(_mm256_srli_epi64(coded, 1), _mm256_sub_epi64(zero, _mm256_and_si256(coded, one)));
    v = SumsOfFour(v);
    Store(words + i, _mm256_add_epi64(v, sum));
    sum = _mm256_add_epi64(sum, LastOfFour(v));
  }
  SumsFrom(words, i, count, i == 0 ? before : words[i - 1]);
}

NODEDB_TS_AVX2 void WidthsAvx2(const uint64_t* words, size_t count, uint64_t base, uint32_t* of_width) {
  constexpr size_t kTables = 4;  // as in WidthsOf
  uint32_t zeros[kTables][66] = {};
  size_t i = 0;
  for (; i + kTables <= count; i += kTables) {
#pragma GCC unroll 4
    for (size_t k = 0; k < kTables; k++) zeros[k][_lzcnt_u64(words[i + k] - base)]++;
  }
  for (; i < count; i++) zeros[0][_lzcnt_u64(words[i] - base)]++;
  for (size_t w = 0; w < 65; w++) {
    of_width[w] = zeros[0][64 - w] + zeros[1][64 - w] + zeros[2][64 - w] + zeros[3][64 - w];
  }
}

NODEDB_TS_AVX2 Doubles DoublesAvx2(const uint64_t* words, size_t count) {
  if (count < 8) return DoublesAnywhere(words, count);
  __m256d min = _mm256_castsi256_pd(Load(words));
  __m256d max = min;
  __m256d nan = _mm256_cmp_pd(min, min, _CMP_UNORD_Q);
  size_t i = 4;
  for (; i + 4 <= count; i += 4) {
    const __m256d v = _mm256_castsi256_pd(Load(words + i));
    min = _mm256_min_pd(v, min);
    max = _mm256_max_pd(v, max);
    nan = _mm256_or_pd(nan, _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
  }
  uint64_t lows[4];
  uint64_t highs[4];
  Store(lows, _mm256_castpd_si256(min));
  Store(highs, _mm256_castpd_si256(max));
  Doubles d = DoublesAnywhere(lows, 4);
  d.max = DoublesAnywhere(highs, 4).max;
  d.nan = d.nan || _mm256_movemask_pd(nan) != 0;
  DoublesFrom(words, i, count, &d);
  return d;
}

// Division takes several times as long as this: a product with the reciprocal, corrected twice by what it leaves of the
// dividend. The first correction brings it within a unit in the last place, the second then rounds as division does, since
// the reciprocal is the nearest double (P. Markstein, Computation of elementary functions on the IBM RISC System/6000
// processor, 1990). Divisors whose digits are all ones would be an exception.
NODEDB_TS_AVX2 void QuotientsAvx2(uint64_t* words, size_t count, double divisor) {
  constexpr size_t kBlock = 16;
  const __m256i magic = _mm256_set1_epi64x(std::bit_cast<long long>(kIntegerInDouble));
  const __m256i least = _mm256_set1_epi64x(-kLeastInDouble);
  const __m256d by = _mm256_set1_pd(divisor);
  const __m256d reciprocal = _mm256_set1_pd(1.0 / divisor);
  size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    __m256i beyond = _mm256_setzero_si256();
    for (size_t k = 0; k < kBlock; k += 4) {
      beyond = _mm256_or_si256(beyond, _mm256_srli_epi64(_mm256_add_epi64(Load(words + i + k), least), kBitsInDouble));
    }
    if (!_mm256_testz_si256(beyond, beyond)) {
      QuotientsFrom(words + i, 0, kBlock, divisor);
      continue;
    }
    for (size_t k = 0; k < kBlock; k += 4) {
      const __m256d integer = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(Load(words + i + k), magic)),
                                            _mm256_castsi256_pd(magic));
      __m256d q = _mm256_mul_pd(integer, reciprocal);
      q = _mm256_fmadd_pd(_mm256_fnmadd_pd(q, by, integer), reciprocal, q);
      q = _mm256_fmadd_pd(_mm256_fnmadd_pd(q, by, integer), reciprocal, q);
      Store(words + i + k, _mm256_castpd_si256(q));
    }
  }
  QuotientsFrom(words, i, count, divisor);
}

constexpr Kernels kAvx2 = {BoundsAvx2,      ChangesAvx2, SumAvx2,     SubtractAvx2,
                           DifferencesAvx2, WidthsAvx2,  DoublesAvx2, QuotientsAvx2,
                           ZigZagSumsAvx2,  SumUpAvx2,   SumUpTwiceAvx2};

#endif

const Kernels& Best() {
#ifdef NODEDB_TS_AVX2
  if (HasAvx2()) return kAvx2;
#endif
  return kAnywhere;
}

}  // namespace

WordBounds SignedBounds(const uint64_t* words, size_t count) { return Best().bounds(words, count); }

size_t CountChanges(const uint64_t* words, size_t count) { return Best().changes(words, count); }

uint64_t WrappingSum(const uint64_t* words, size_t count) { return Best().sum(words, count); }

void SubtractBase(const uint64_t* words, size_t count, uint64_t base, uint64_t* out) {
  Best().subtract(words, count, base, out);
}

void Differences(const uint64_t* words, size_t count, uint64_t* out) {
  Best().differences(words, count, out);
}

void SumUp(uint64_t* words, size_t count, uint64_t before) { Best().sum_up(words, count, before); }

void SumUpTwice(uint64_t* words, size_t count, uint64_t before, uint64_t delta) {
  Best().sum_up_twice(words, count, before, delta);
}

void SumZigZag(uint64_t* words, size_t count, uint64_t before) { Best().zigzag_sums(words, count, before); }

void CountWidths(const uint64_t* words, size_t count, uint64_t base, uint32_t* of_width) {
  Best().widths(words, count, base, of_width);
}

bool DoubleBounds(const uint64_t* words, size_t count, uint64_t* min, uint64_t* max) {
  const Doubles d = Best().doubles(words, count);
  if (d.nan || d.min == 0 || d.max == 0) return false;
  *min = std::bit_cast<uint64_t>(d.min);
  *max = std::bit_cast<uint64_t>(d.max);
  return true;
}

void DivideIntegers(uint64_t* words, size_t count, double divisor) { Best().quotients(words, count, divisor); }

void FillProgression(uint64_t first, uint64_t step, size_t count, uint64_t* out) {
  typedef uint64_t TwoWords __attribute__((vector_size(16)));
  TwoWords low = {first, first + step};
  TwoWords high = {first + 2 * step, first + 3 * step};
  const TwoWords four = {4 * step, 4 * step};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    std::memcpy(out + i, &low, sizeof(low));
    std::memcpy(out + i + 2, &high, sizeof(high));
    low += four;
    high += four;
  }
  for (; i < count; i++) out[i] = first + i * step;
}

size_t CountFlags(const uint8_t* flags, size_t count) {
  size_t n = 0;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, flags + i, 8);
    n += eight * 0x0101010101010101u >> 56;  // the top byte sums all of them
  }
  for (; i < count; i++) n += flags[i];
  return n;
}

}  // namespace nodedb_ts::base
