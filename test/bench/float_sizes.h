// float_sizes.h - what codecs of floats from the literature would take: sizes only, nothing is encoded.
#ifndef NODEDB_TS_TEST_BENCH_FLOAT_SIZES_H
#define NODEDB_TS_TEST_BENCH_FLOAT_SIZES_H

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"

namespace nodedb_ts {

// ALP (Afroozeh, Kuffo, Boncz, SIGMOD 2023): the best exponent and factor for the vector, frame of reference,
// exceptions.
inline size_t AlpVectorBytes(std::span<const uint64_t> values) {
  constexpr double kMagic = 6755399441055744.0;
  const size_t n = values.size();
  size_t least = n * 8;
  for (int e = 0; e <= 18; e++) {
    for (int f = 0; f <= e; f++) {
      const double up = std::pow(10.0, e);
      const double down = std::pow(10.0, -f);
      const double back = std::pow(10.0, f);
      const double off = std::pow(10.0, -e);
      int64_t min = INT64_MAX;
      int64_t max = INT64_MIN;
      size_t exceptions = 0;
      for (const uint64_t w : values) {
        const double v = std::bit_cast<double>(w);
        const double scaled = v * up * down;
        const double rounded = (scaled + kMagic) - kMagic;
        const bool hit = std::fabs(scaled) < 2251799813685248.0 &&
                         std::bit_cast<uint64_t>(rounded * back * off) == w;
        exceptions += !hit;
        if (!hit) continue;
        min = std::min(min, static_cast<int64_t>(rounded));
        max = std::max(max, static_cast<int64_t>(rounded));
      }
      if (exceptions == n) continue;
      const unsigned width = base::BitWidth(static_cast<uint64_t>(max) - static_cast<uint64_t>(min));
      // exponent, factor, width, number of exceptions, base
      least = std::min(least, 13 + codec::PackedBytes(n, width) + exceptions * (8 + 2));
    }
  }
  return least;
}

// ALP-RD, of the same paper, for doubles that are no decimals: the low bits of each as they are, the up to 16
// above as a code of the most frequent 1, 2, 4 or 8, exceptions of 16 bits and their places. One cut for all
// values, the best of all.
inline size_t AlpRdBytes(std::span<const uint64_t> values) {
  size_t least = values.size() * 8;
  for (unsigned low = 48; low < 64; low++) {
    std::vector<uint32_t> counts(size_t{1} << (64 - low));
    for (const uint64_t v : values) counts[v >> low]++;
    std::sort(counts.begin(), counts.end(), std::greater<>());
    for (unsigned bits = 0; bits <= 3; bits++) {
      size_t covered = 0;
      for (size_t i = 0; i < std::min(counts.size(), size_t{1} << bits); i++) covered += counts[i];
      size_t bytes = (values.size() - covered) * 4 + (size_t{2} << bits) + 4;
      for (size_t at = 0; at < values.size(); at += 1024) {
        const size_t n = std::min<size_t>(1024, values.size() - at);
        bytes += 2 + codec::PackedBytes(n, low) + codec::PackedBytes(n, bits);
      }
      least = std::min(least, bytes);
    }
  }
  return least;
}

// Chimp128 (Liakos, Papakonstantinopoulou, Kotidis, VLDB 2022): XOR with that of the last 128 values which has the
// same low 14 bits, or with the value before.
inline size_t Chimp128Bytes(std::span<const uint64_t> values) {
  constexpr unsigned kRounded[] = {0, 8, 12, 16, 18, 20, 22, 24};
  constexpr unsigned kTrailing = 6 + 7;
  size_t bytes = 0;
  for (size_t from = 0; from < values.size(); from += 1024) {  // vectors stand alone
    const std::span<const uint64_t> v = values.subspan(from, std::min<size_t>(1024, values.size() - from));
    std::vector<size_t> places(size_t{1} << 14, SIZE_MAX);
    size_t bits = 64;
    unsigned stored = 65;
    places[v[0] & 0x3fff] = 0;
    for (size_t i = 1; i < v.size(); i++) {
      const size_t place = places[v[i] & 0x3fff];
      places[v[i] & 0x3fff] = i;
      const auto leading = [&](uint64_t x) {
        unsigned best = 0;
        for (const unsigned r : kRounded) best = static_cast<unsigned>(std::countl_zero(x)) >= r ? r : best;
        return best;
      };
      if (place != SIZE_MAX && i - place <= 128) {
        const uint64_t x = v[i] ^ v[place];
        if (x == 0) {
          bits += 2 + 7;
          stored = 65;
          continue;
        }
        const auto trailing = static_cast<unsigned>(std::countr_zero(x));
        if (trailing > kTrailing) {
          bits += 2 + 7 + 3 + 6 + 64 - leading(x) - trailing;
          stored = 65;
          continue;
        }
      }
      const uint64_t x = v[i] ^ v[i - 1];
      const unsigned lead = leading(x);
      bits += 2 + (lead == stored ? 0 : 3) + 64 - lead;
      stored = lead;
    }
    bytes += (bits + 7) / 8 + 2;
  }
  return bytes;
}

}  // namespace nodedb_ts

#endif  // NODEDB_TS_TEST_BENCH_FLOAT_SIZES_H
