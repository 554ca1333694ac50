// The histogram, and how its values are best split into tokens.
#include <algorithm>

#include "codec/entropy/entropy.h"
#include "codec/entropy/token.h"

namespace nodedb_ts::codec {

using entropy::VLog2;

namespace {

constexpr uint64_t kTokenBits = 6 * EntropyHistogram::kOne;  // of a token in a stored table, about
constexpr uint64_t kHeaderBits = 14 * EntropyHistogram::kOne;
constexpr uint64_t kNoRawBits = 128 * EntropyHistogram::kOne;

// Values with one exponent: sums of VLog2 and numbers of tokens, exactly (exponents below 8) and with
// 0..3 bits of mantissa.
struct Exponent {
  uint64_t count = 0;
  uint64_t exact = 0;
  uint32_t exact_tokens = 0;
  uint64_t sums[kEntropyMaxMantissa + 1] = {};
  uint32_t tokens[kEntropyMaxMantissa + 1] = {};
};

void Fold(const uint32_t* bins, unsigned exponent, Exponent* e) {
  const unsigned bits = std::min(exponent, kEntropyMaxMantissa);
  uint64_t groups[1u << kEntropyMaxMantissa];
  const unsigned shift = exponent < 8 ? exponent - bits : 0;  // bins of a group: 2^shift
  for (unsigned g = 0; g < 1u << bits; g++) {
    groups[g] = 0;
    for (unsigned i = 0; i < 1u << shift; i++) {
      const uint32_t c = bins[(g << shift) + i];
      groups[g] += c;
      if (shift == 0 || c == 0) continue;
      e->exact += VLog2(c);
      e->exact_tokens++;
    }
  }
  for (unsigned m = bits + 1; m-- > 0;) {
    for (unsigned g = 0; g < 1u << m; g++) {
      e->sums[m] += VLog2(groups[g]);
      e->tokens[m] += groups[g] != 0;
    }
    for (unsigned g = 0; g < (1u << m) / 2; g++) groups[g] = groups[2 * g] + groups[2 * g + 1];
  }
  e->count = groups[0];
  if (shift == 0 && exponent < 8) {
    e->exact = e->sums[bits];
    e->exact_tokens = e->tokens[bits];
  }
}

}  // namespace

void EntropyHistogram::Add(std::span<const uint64_t> values) {
  for (const uint64_t v : values) bins_[entropy::BinOf(v)]++;
  count_ += values.size();
}

void EntropyHistogram::Add(const EntropyHistogram& other) {
  for (size_t i = 0; i < kEntropyBins; i++) bins_[i] += other.bins_[i];
  count_ += other.count_;
}

void EntropyHistogram::Add(std::span<const EntropyBin> bins) {
  for (const EntropyBin& b : bins) {
    bins_[b.bin] += b.count;
    count_ += b.count;
  }
}

void EntropyHistogram::FilledBins(std::vector<EntropyBin>* bins) const {
  bins->clear();
  for (size_t i = 0; i < kEntropyBins; i++) {
    if (bins_[i] == 0) continue;
    bins->push_back({static_cast<uint16_t>(i), static_cast<uint16_t>(bins_[i])});
  }
}

EntropyHistogram::Choice EntropyHistogram::Choose() const {
  Choice best;
  if (count_ == 0) return best;
  Exponent of[64];
  // Whether an exponent has any values is asked first: few have.
  for (unsigned e = 0; e < 64; e++) {
    const uint32_t* bins = e < 8 ? &bins_[size_t{1} << e] : &bins_[kEntropyExact + ((e - 8) << 3)];
    const size_t n = e < 8 ? size_t{1} << e : 8;
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) any |= bins[i];
    if (any != 0) Fold(bins, e, &of[e]);
  }
  unsigned largest = 63;
  while (largest > 0 && of[largest].count == 0) largest--;
  const uint64_t all = count_ * entropy::Log2(count_);
  uint64_t least = UINT64_MAX;
  const auto consider = [&](unsigned split, unsigned mantissa, bool favour) {
    uint64_t saved = VLog2(bins_[0]);
    uint64_t tokens = bins_[0] != 0;
    uint64_t raw = 0;
    for (unsigned e = 0; e <= largest; e++) {
      const Exponent& x = of[e];
      if (x.count == 0) continue;
      if (e < split) {
        saved += x.exact;
        tokens += x.exact_tokens;
      } else {
        saved += x.sums[mantissa];
        tokens += x.tokens[mantissa];
        raw += x.count * (e - mantissa);
      }
    }
    if (tokens > kEntropyMaxTokens) return;
    const uint64_t bits = all - std::min(all, saved) + raw * kOne;
    const uint64_t table_bits = kHeaderBits + tokens * kTokenBits;
    const uint64_t sum = bits + table_bits;
    if (sum >= least) return;
    least = favour ? sum - std::min(sum, sum / 256 + kNoRawBits) : sum;
    best = {{static_cast<uint8_t>(split), static_cast<uint8_t>(mantissa)}, bits, table_bits};
  };
  // Without raw bits decoding is almost twice as fast: that is worth some bytes.
  if (largest < 8) consider(largest + 1, 0, true);
  for (unsigned mantissa = 0; mantissa <= kEntropyMaxMantissa; mantissa++) {
    for (unsigned split = std::max(mantissa, 1u); split <= std::min(largest + 1, 8u); split++) {
      consider(split, mantissa, false);
    }
  }
  return best;
}

}  // namespace nodedb_ts::codec
