// Conditions on vectors against a comparison one value at a time, written the slow way.
#include "exec/filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace nodedb_ts::exec {
namespace {

constexpr NtsWordOrder kOrders[] = {NTS_ORDER_INT, NTS_ORDER_FLOAT4, NTS_ORDER_FLOAT8};
constexpr NtsCompare kCompares[] = {NTS_COMPARE_LT, NTS_COMPARE_LE, NTS_COMPARE_EQ,
                                    NTS_COMPARE_GE, NTS_COMPARE_GT, NTS_COMPARE_NE};
using Limits = std::numeric_limits<double>;
constexpr double kDoubles[] = {0.0, -0.0, 1.5, -1.5, 0.1, Limits::infinity(), -Limits::infinity(),
                               Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::max(), Limits::denorm_min()};
constexpr int64_t kInts[] = {0, 1, -1, 7, std::numeric_limits<int64_t>::max(),
                             std::numeric_limits<int64_t>::min(), 4294967295, -2147483648};

class Random {
 public:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(engine_() % n); }
  // A word of a column, or, as `constant`, what it is compared with.
  uint64_t Word(NtsWordOrder order, bool constant) {
    if (order == NTS_ORDER_INT) {
      return static_cast<uint64_t>(Below(2) ? kInts[Below(std::size(kInts))]
                                            : static_cast<int64_t>(Below(20)) - 10);
    }
    const double value = Below(2) ? kDoubles[Below(std::size(kDoubles))] : Below(20) / 4.0 - 2;
    if (order == NTS_ORDER_FLOAT8 || (constant && Below(2))) return std::bit_cast<uint64_t>(value);
    const float narrow = static_cast<float>(std::clamp(value, -1e30, 1e30));
    const float single = std::isfinite(value) ? narrow : static_cast<float>(value);
    if (constant) return std::bit_cast<uint64_t>(static_cast<double>(single));
    // what stands above the low half must not matter
    return std::bit_cast<uint32_t>(single) | (Below(2) ? uint64_t{0xffffffff} << 32 : 0);
  }

 private:
  std::mt19937_64 engine_{20240101};
};

// -1, 0, 1 as PostgreSQL orders them.
int Order(NtsWordOrder order, uint64_t word, uint64_t constant) {
  if (order == NTS_ORDER_INT) {
    const auto a = static_cast<int64_t>(word), b = static_cast<int64_t>(constant);
    return (a > b) - (a < b);
  }
  const double a = order == NTS_ORDER_FLOAT4
                       ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(word)))
                       : std::bit_cast<double>(word);
  const double b = std::bit_cast<double>(constant);
  if (a != a || b != b) return (a != a) - (b != b);
  return (a > b) - (a < b);
}

bool Holds(NtsCompare compare, int order) {
  switch (compare) {
    case NTS_COMPARE_LT: return order < 0;
    case NTS_COMPARE_LE: return order <= 0;
    case NTS_COMPARE_EQ: return order == 0;
    case NTS_COMPARE_GE: return order >= 0;
    case NTS_COMPARE_GT: return order > 0;
    case NTS_COMPARE_NE: return order != 0;
  }
  return false;
}

struct Vector {
  std::vector<uint64_t> values;
  std::vector<uint8_t> nulls, keep;
};

Vector MakeVector(Random* random, NtsWordOrder order) {
  Vector v;
  const uint32_t rows = random->Below(3) == 0 ? random->Below(20) : 1000 + random->Below(25);
  for (uint32_t i = 0; i < rows; i++) {
    v.values.push_back(random->Word(order, false));
    v.nulls.push_back(random->Below(5) == 0);
    v.keep.push_back(random->Below(4) != 0);
  }
  return v;
}

TEST(Filter, ComparesLikeOneValueAtATime) {
  Random random;
  for (int round = 0; round < 200; round++) {
    for (const NtsWordOrder order : kOrders) {
      const Vector v = MakeVector(&random, order);
      const uint64_t constant = random.Word(order, true);
      for (const NtsCompare compare : kCompares) {
        std::vector<uint8_t> keep = v.keep;
        FilterCompare(order, compare, v.values.data(), v.nulls.data(), constant, keep);
        for (size_t i = 0; i < keep.size(); i++) {
          const int expected = Order(order, v.values[i], constant);
          ASSERT_EQ(keep[i], v.keep[i] && !v.nulls[i] && Holds(compare, expected))
              << order << " " << compare << " " << v.values[i] << " " << constant;
          const int found = CompareWord(order, v.values[i], constant);
          ASSERT_EQ((found > 0) - (found < 0), expected);
        }
      }
    }
  }
}

TEST(Filter, FindsValuesAmongConstants) {
  Random random;
  for (int round = 0; round < 200; round++) {
    for (const NtsWordOrder order : kOrders) {
      const NtsWordOrder wide = order == NTS_ORDER_INT ? NTS_ORDER_INT : NTS_ORDER_FLOAT8;
      const Vector v = MakeVector(&random, order);
      std::vector<uint64_t> constants(random.Below(12));
      for (uint64_t& constant : constants) constant = random.Word(order, true);
      std::sort(constants.begin(), constants.end(),
                [wide](uint64_t a, uint64_t b) { return Order(wide, a, b) < 0; });
      std::vector<uint8_t> keep = v.keep;
      FilterIn(order, v.values.data(), v.nulls.data(), constants, keep);
      for (size_t i = 0; i < keep.size(); i++) {
        const bool among = std::any_of(constants.begin(), constants.end(), [&](uint64_t constant) {
          return Order(order, v.values[i], constant) == 0;
        });
        ASSERT_EQ(keep[i], v.keep[i] && !v.nulls[i] && among);
      }
    }
  }
}

TEST(Filter, ListsPositions) {
  Random random;
  for (int round = 0; round < 50; round++) {
    const Vector v = MakeVector(&random, NTS_ORDER_INT);
    std::vector<uint32_t> expected, positions(v.keep.size());
    for (uint32_t i = 0; i < v.keep.size(); i++) {
      if (v.keep[i]) expected.push_back(i);
    }
    positions.resize(Positions(v.keep, positions.data()));
    EXPECT_EQ(positions, expected);
  }
}

}  // namespace
}  // namespace nodedb_ts::exec
