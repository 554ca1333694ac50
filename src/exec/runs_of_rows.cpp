// runs_of_rows.cpp - which rows of a selection belong together.
#include "exec/runs_of_rows.h"

#include <algorithm>
#include <cstring>

namespace nodedb_ts::exec {

size_t ListMarks(const uint8_t* marks, size_t count, uint32_t* positions) {
  size_t found = 0;
  size_t i = 0;
  while (i < count) {
    // Marks are rare in sorted data: look at eight at once.
    uint64_t eight;
    if (i + 8 <= count) {
      std::memcpy(&eight, marks + i, 8);
      if (eight == 0) {
        i += 8;
        continue;
      }
    }
    if (marks[i]) positions[found++] = static_cast<uint32_t>(i);
    ++i;
  }
  return found;
}

bool IsAscending(const uint64_t* words, size_t count) {
  // Differences of words from [-2^62, 2^62) do not overflow, so that their sign tells; words beyond
  // have unlike upper bits. No branches: the loop works on several words at once.
  uint64_t descends = 0;
  uint64_t beyond = count > 0 ? words[0] ^ (words[0] << 1) : 0;
  for (size_t i = 1; i < count; ++i) {
    descends |= words[i] - words[i - 1];
    beyond |= words[i] ^ (words[i] << 1);
  }
  return static_cast<int64_t>(descends | beyond) >= 0;
}

size_t CountBelow(const uint64_t* words, size_t count, int64_t limit) {
  const auto below = [limit](uint64_t word) { return static_cast<int64_t>(word) < limit; };
  size_t step = 1;
  while (step < count && below(words[step])) step *= 2;
  // words[step / 2] is below, unless it is the first
  const uint64_t* end = words + std::min(step, count);
  return static_cast<size_t>(std::partition_point(words + step / 2, end, below) - words);
}

size_t FloorBuckets(const uint64_t* words, size_t count, int64_t origin, int64_t limit, int64_t width,
                    uint64_t* out) {
  // The bucket of the word before: a division only where it changes. Empty at first.
  int64_t begin = 0;
  uint64_t length = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t value = static_cast<int64_t>(words[i]);
    if (static_cast<uint64_t>(value) - static_cast<uint64_t>(begin) >= length) {
      int64_t distance;
      if (value < origin || value >= limit || __builtin_sub_overflow(value, origin, &distance)) return i;
      begin = value - distance % width;
      length = std::min(static_cast<uint64_t>(width), static_cast<uint64_t>(limit) - static_cast<uint64_t>(begin));
    }
    out[i] = static_cast<uint64_t>(begin);
  }
  return count;
}

}  // namespace nodedb_ts::exec
