#include "exec/filter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/avx2.h"

#ifdef NODEDB_TS_AVX2
#include <immintrin.h>
#endif

namespace nodedb_ts::exec {

namespace {

double AsDouble(NtsWordOrder order, uint64_t word) {
  if (order == NTS_ORDER_FLOAT4) return std::bit_cast<float>(static_cast<uint32_t>(word));
  return std::bit_cast<double>(word);
}

int CompareDoubles(double a, double b) {
  if (std::isnan(a)) return std::isnan(b) ? 0 : 1;
  if (std::isnan(b)) return -1;
  return a < b ? -1 : a > b;
}

struct IntValue {
  using Type = int64_t;
  static Type Of(uint64_t word) { return static_cast<int64_t>(word); }
};
struct Float4Value {
  using Type = double;
  static Type Of(uint64_t word) { return std::bit_cast<float>(static_cast<uint32_t>(word)); }
};
struct Float8Value {
  using Type = double;
  static Type Of(uint64_t word) { return std::bit_cast<double>(word); }
};

// The loops have neither branches nor calls, so that compilers make vector instructions of them.
template <typename Value, typename Test>
void Narrow(const uint64_t* values, const uint8_t* nulls, std::span<uint8_t> keep, Test test) {
  for (size_t i = 0; i < keep.size(); i++) {
    keep[i] &= static_cast<uint8_t>(test(Value::Of(values[i])) & (nulls[i] == 0));
  }
}

template <typename Value>
void NarrowInts(NtsCompare compare, const uint64_t* values, const uint8_t* nulls, uint64_t constant,
                std::span<uint8_t> keep) {
  using T = typename Value::Type;
  const T c = Value::Of(constant);
  switch (compare) {
    case NTS_COMPARE_LT: return Narrow<Value>(values, nulls, keep, [c](T v) { return v < c; });
    case NTS_COMPARE_LE: return Narrow<Value>(values, nulls, keep, [c](T v) { return v <= c; });
    case NTS_COMPARE_EQ: return Narrow<Value>(values, nulls, keep, [c](T v) { return v == c; });
    case NTS_COMPARE_GE: return Narrow<Value>(values, nulls, keep, [c](T v) { return v >= c; });
    case NTS_COMPARE_GT: return Narrow<Value>(values, nulls, keep, [c](T v) { return v > c; });
    case NTS_COMPARE_NE: return Narrow<Value>(values, nulls, keep, [c](T v) { return v != c; });
  }
}

#ifdef NODEDB_TS_AVX2

enum class Test { kLess, kEqual, kGreater };

// Four comparisons make four bits, which are spread over the bytes of a word.
template <Test kTest, bool kNot>
NODEDB_TS_AVX2 void NarrowIntsAvx2(const uint64_t* values, const uint8_t* nulls, int64_t constant, std::span<uint8_t> keep) {
  static constexpr uint32_t kSpread[16] = {0x00000000, 0x00000001, 0x00000100, 0x00000101, 0x00010000, 0x00010001,
                                           0x00010100, 0x00010101, 0x01000000, 0x01000001, 0x01000100, 0x01000101,
                                           0x01010000, 0x01010001, 0x01010100, 0x01010101};
  const __m256i c = _mm256_set1_epi64x(constant);
  size_t i = 0;
  for (; i + 4 <= keep.size(); i += 4) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
    const __m256i holds = kTest == Test::kEqual ? _mm256_cmpeq_epi64(v, c)
                          : kTest == Test::kLess ? _mm256_cmpgt_epi64(c, v)
                                                 : _mm256_cmpgt_epi64(v, c);
    const auto bits = static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(holds))) ^ (kNot ? 15u : 0u);
    uint32_t kept;
    uint32_t null;
    std::memcpy(&kept, keep.data() + i, 4);
    std::memcpy(&null, nulls + i, 4);
    kept &= kSpread[bits] & ~null;
    std::memcpy(keep.data() + i, &kept, 4);
  }
  for (; i < keep.size(); i++) {
    const auto v = static_cast<int64_t>(values[i]);
    const bool holds = kTest == Test::kEqual ? v == constant : kTest == Test::kLess ? v < constant : v > constant;
    keep[i] &= static_cast<uint8_t>((holds != kNot) & (nulls[i] == 0));
  }
}

void NarrowIntsAvx2(NtsCompare compare, const uint64_t* values, const uint8_t* nulls, int64_t c, std::span<uint8_t> keep) {
  switch (compare) {
    case NTS_COMPARE_LT: return NarrowIntsAvx2<Test::kLess, false>(values, nulls, c, keep);
    case NTS_COMPARE_LE: return NarrowIntsAvx2<Test::kGreater, true>(values, nulls, c, keep);
    case NTS_COMPARE_EQ: return NarrowIntsAvx2<Test::kEqual, false>(values, nulls, c, keep);
    case NTS_COMPARE_GE: return NarrowIntsAvx2<Test::kLess, true>(values, nulls, c, keep);
    case NTS_COMPARE_GT: return NarrowIntsAvx2<Test::kGreater, false>(values, nulls, c, keep);
    case NTS_COMPARE_NE: return NarrowIntsAvx2<Test::kEqual, true>(values, nulls, c, keep);
  }
}

#endif

// `constant` is a double. Comparisons with a NaN are false in C, so each test is written such that
// a NaN among the values comes out as the greatest.
template <typename Value>
void NarrowFloats(NtsCompare compare, const uint64_t* values, const uint8_t* nulls, double c,
                  std::span<uint8_t> keep) {
  if (std::isnan(c)) {
    const auto narrow = [&](auto test) { Narrow<Value>(values, nulls, keep, test); };
    switch (compare) {
      case NTS_COMPARE_LT: return narrow([](double v) { return v == v; });
      case NTS_COMPARE_LE: return narrow([](double) { return true; });
      case NTS_COMPARE_EQ:
      case NTS_COMPARE_GE: return narrow([](double v) { return v != v; });
      case NTS_COMPARE_GT: return narrow([](double) { return false; });
      case NTS_COMPARE_NE: return narrow([](double v) { return v == v; });
    }
    return;
  }
  const auto narrow = [&](auto test) { Narrow<Value>(values, nulls, keep, test); };
  switch (compare) {
    case NTS_COMPARE_LT: return narrow([c](double v) { return v < c; });
    case NTS_COMPARE_LE: return narrow([c](double v) { return v <= c; });
    case NTS_COMPARE_EQ: return narrow([c](double v) { return v == c; });
    case NTS_COMPARE_GE: return narrow([c](double v) { return !(v < c); });
    case NTS_COMPARE_GT: return narrow([c](double v) { return !(v <= c); });
    case NTS_COMPARE_NE: return narrow([c](double v) { return v != c; });
  }
}

}  // namespace

int CompareWord(NtsWordOrder order, uint64_t word, uint64_t constant) {
  if (order == NTS_ORDER_INT) {
    const auto a = static_cast<int64_t>(word);
    const auto b = static_cast<int64_t>(constant);
    return a < b ? -1 : a > b;
  }
  return CompareDoubles(AsDouble(order, word), std::bit_cast<double>(constant));
}

void FilterCompare(NtsWordOrder order, NtsCompare compare, const uint64_t* values, const uint8_t* nulls,
                   uint64_t constant, std::span<uint8_t> keep) {
  const double number = std::bit_cast<double>(constant);
  switch (order) {
    case NTS_ORDER_INT:
#ifdef NODEDB_TS_AVX2
      if (base::HasAvx2()) return NarrowIntsAvx2(compare, values, nulls, static_cast<int64_t>(constant), keep);
#endif
      return NarrowInts<IntValue>(compare, values, nulls, constant, keep);
    case NTS_ORDER_FLOAT4: return NarrowFloats<Float4Value>(compare, values, nulls, number, keep);
    case NTS_ORDER_FLOAT8: return NarrowFloats<Float8Value>(compare, values, nulls, number, keep);
  }
}

void FilterIn(NtsWordOrder order, const uint64_t* values, const uint8_t* nulls,
              std::span<const uint64_t> constants, std::span<uint8_t> keep) {
  for (size_t i = 0; i < keep.size(); i++) {
    if (!keep[i]) continue;
    const uint64_t value = values[i];
    const auto at = std::lower_bound(constants.begin(), constants.end(), value,
                                     [order](uint64_t constant, uint64_t word) {
                                       return CompareWord(order, word, constant) > 0;
                                     });
    keep[i] = nulls[i] == 0 && at != constants.end() && CompareWord(order, value, *at) == 0;
  }
}

uint32_t Positions(std::span<const uint8_t> keep, uint32_t* positions) {
  const auto size = static_cast<uint32_t>(keep.size());
  uint32_t count = 0;
  uint32_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, keep.data() + i, 8);
    if (eight == 0) continue;
    for (uint32_t j = 0; j < 8; j++) {
      positions[count] = i + j;
      count += keep[i + j];
    }
  }
  for (; i < size; i++) {
    positions[count] = i;
    count += keep[i];
  }
  return count;
}

}  // namespace nodedb_ts::exec
