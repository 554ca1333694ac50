// words.h - passes over arrays of 64-bit words that are made again and again, most of them by encoders.
//
// On x86-64 with AVX2 they take four words at a time; which way is taken shows in no result.
#ifndef NODEDB_TS_BASE_WORDS_H
#define NODEDB_TS_BASE_WORDS_H

#include <cstddef>
#include <cstdint>

namespace nodedb_ts::base {

// A double of 2^52 + 2^51 plus an integer of up to 52 bits has the integer in its low bits, and the other way round.
inline constexpr double kIntegerInDouble = 6755399441055744.0;

struct WordBounds {
  int64_t min;
  int64_t max;
};

// As signed integers. REQUIRES count > 0.
WordBounds SignedBounds(const uint64_t* words, size_t count);
// How many words differ from the one before them.
size_t CountChanges(const uint64_t* words, size_t count);
// Their sum modulo 2^64.
uint64_t WrappingSum(const uint64_t* words, size_t count);
// out[i] = words[i] - base.
void SubtractBase(const uint64_t* words, size_t count, uint64_t base, uint64_t* out);
// out[i] = words[i + 1] - words[i], count - 1 of them. REQUIRES count > 0.
void Differences(const uint64_t* words, size_t count, uint64_t* out);
// words[i] = before + the first i + 1 words, modulo 2^64.
void SumUp(uint64_t* words, size_t count, uint64_t before);
// The same of these sums from `delta` on: words are differences of differences, before and delta the value and the difference
// in front of them.
void SumUpTwice(uint64_t* words, size_t count, uint64_t before, uint64_t delta);
// words[i] = before + the first i + 1 words, whose zigzag form is undone, modulo 2^64.
void SumZigZag(uint64_t* words, size_t count, uint64_t before);
// of_width[w]: how many of words[i] - base need w bits; 65 counters, which are set.
void CountWidths(const uint64_t* words, size_t count, uint64_t base, uint32_t* of_width);
// Least and greatest as doubles. False, and nothing known: a NaN is among them, or the least or
// the greatest is a zero, which may be of either sign. REQUIRES count > 0.
bool DoubleBounds(const uint64_t* words, size_t count, uint64_t* min, uint64_t* max);
// words[i] = bits of the double words[i] / divisor, of signed integers, which are rounded to doubles first. REQUIRES an
// integral divisor of 1 to 10^15 that is no 2^53 - 2^n.
void DivideIntegers(uint64_t* words, size_t count, double divisor);
// out[i] = first + i * step, modulo 2^64.
void FillProgression(uint64_t first, uint64_t step, size_t count, uint64_t* out);
// How many bytes are 1. REQUIRES that all are 0 or 1.
size_t CountFlags(const uint8_t* flags, size_t count);

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_WORDS_H
