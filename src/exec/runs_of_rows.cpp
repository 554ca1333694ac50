// runs_of_rows.cpp - which rows of a selection belong together.
#include "exec/runs_of_rows.h"

#include <algorithm>
#include <cstring>

#include "base/avx2.h"

#ifdef NODEDB_TS_AVX2
#include <immintrin.h>
#endif

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

namespace {

// Differences of words from [-2^62, 2^62) do not overflow, so that their sign tells; words beyond have unlike upper
// bits. No branches: the loops work on several words at once. Negative: some word from `first` on is beyond, or less than
// the one before.
int64_t LookForDescent(const uint64_t* words, size_t first, size_t count) {
  uint64_t bad = 0;
  for (size_t i = first; i < count; ++i) bad |= (words[i] - words[i - 1]) | (words[i] ^ (words[i] << 1));
  return static_cast<int64_t>(bad);
}

#ifdef NODEDB_TS_AVX2
NODEDB_TS_AVX2 int64_t LookForDescentAvx2(const uint64_t* words, size_t first, size_t count) {
  __m256i bad = _mm256_setzero_si256();
  size_t i = first;
  for (; i + 4 <= count; i += 4) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i));
    const __m256i before = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i - 1));
    const __m256i beyond = _mm256_xor_si256(v, _mm256_slli_epi64(v, 1));
    bad = _mm256_or_si256(bad, _mm256_or_si256(_mm256_sub_epi64(v, before), beyond));
  }
  const bool found = _mm256_movemask_pd(_mm256_castsi256_pd(bad)) != 0;
  return found ? -1 : LookForDescent(words, i, count);
}
#endif

}  // namespace

bool IsAscending(const uint64_t* words, size_t count) {
  if (count == 0) return true;
  if (static_cast<int64_t>(words[0] ^ (words[0] << 1)) < 0) return false;
#ifdef NODEDB_TS_AVX2
  if (base::HasAvx2()) return LookForDescentAvx2(words, 1, count) >= 0;
#endif
  return LookForDescent(words, 1, count) >= 0;
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
