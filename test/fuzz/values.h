// values.h - words for seeds, one pattern after the other.
#ifndef NODEDB_TS_TEST_FUZZ_VALUES_H
#define NODEDB_TS_TEST_FUZZ_VALUES_H

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "base/bits.h"
#include "codec/registry/registry.h"

namespace nodedb_ts::fuzz {

inline constexpr int kPatterns = 7;

// Canonical words of the shape.
inline std::vector<uint64_t> Values(const codec::WordShape& shape, int pattern, size_t rows) {
  std::mt19937_64 random(static_cast<uint64_t>(pattern) * 1000 + rows);
  std::vector<uint64_t> words;
  double walk = 50;
  for (size_t i = 0; i < rows; i++) {
    double v = 0;
    switch (pattern) {
      case 0: v = 7; break;
      case 1: v = static_cast<double>(i) * 10 + 3; break;
      case 2: v = static_cast<double>(i / 50 % 5); break;
      case 3: v = walk += static_cast<double>(random() % 5) - 2; break;
      case 4: v = static_cast<double>(random() % 10000) / 100; break;
      case 5: v = 0.1 * static_cast<double>(random() % 500); break;  // not always the nearest decimal
      default: break;
    }
    uint64_t word = pattern >= 6 ? random() : static_cast<uint64_t>(std::llround(v));
    if (shape.kind == codec::WordKind::kInt) {
      word = base::SignExtend(word, shape.width);
    } else if (shape.kind == codec::WordKind::kFloat4) {
      word = pattern >= 6 ? word & UINT32_MAX : std::bit_cast<uint32_t>(static_cast<float>(v));
    } else if (pattern < 6) {
      word = std::bit_cast<uint64_t>(v);
    }
    words.push_back(word);
  }
  return words;
}

inline constexpr codec::WordShape kShapes[] = {
    {codec::WordKind::kInt, 8}, {codec::WordKind::kFloat8, 8}, {codec::WordKind::kFloat4, 4},
    {codec::WordKind::kInt, 4}, {codec::WordKind::kInt, 2},    {codec::WordKind::kInt, 1},
};
inline constexpr size_t kShapeCount = sizeof(kShapes) / sizeof(kShapes[0]);

}  // namespace nodedb_ts::fuzz

#endif  // NODEDB_TS_TEST_FUZZ_VALUES_H
