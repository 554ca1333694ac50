#include "exec/filter.h"

#include <algorithm>
#include <bit>
#include <cmath>

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
    case NTS_ORDER_INT: return NarrowInts<IntValue>(compare, values, nulls, constant, keep);
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
  uint32_t count = 0;
  for (uint32_t i = 0; i < keep.size(); i++) {
    positions[count] = i;
    count += keep[i];
  }
  return count;
}

}  // namespace nodedb_ts::exec
