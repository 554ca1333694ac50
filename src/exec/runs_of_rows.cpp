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
