// Learns a table of symbols and encodes with it.
#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "codec/fsst/fsst.h"

namespace nodedb_ts::codec {
namespace {

// While learning, codes below 256 stand for bytes that no symbol covers, the others for symbols.
constexpr unsigned kBytes = 256;
constexpr unsigned kCodes = kBytes + kMaxFsstSymbols + 1;  // 512
constexpr int kRounds = 5;
constexpr size_t kHashes = 2048;
// A byte without a symbol of its own takes two bytes, wherever it comes up later.
constexpr uint64_t kByteWeight = 8;

uint64_t Mask(size_t length) {
  return length >= 8 ? UINT64_MAX : (uint64_t{1} << (8 * length)) - 1;
}

size_t Hash(uint64_t word) {
  return static_cast<size_t>(((word & 0xffffff) * 0x9e3779b97f4a7c15u) >> (64 - 11));
}

FsstSymbol Join(const FsstSymbol& a, const FsstSymbol& b) {
  FsstSymbol joined = a;
  if (a.length < kMaxFsstSymbolBytes) joined.bytes |= b.bytes << (8 * a.length);
  joined.length = static_cast<uint8_t>(std::min<size_t>(kMaxFsstSymbolBytes, size_t{a.length} + b.length));
  joined.bytes &= Mask(joined.length);
  return joined;
}

struct Candidate {
  FsstSymbol symbol;
  uint64_t gain = 0;
};

bool SymbolLess(const FsstSymbol& a, const FsstSymbol& b) {
  return a.length != b.length ? a.length < b.length : a.bytes < b.bytes;
}

}  // namespace

// How often a code came up, and which followed which.
class FsstEncoder::Counts {
 public:
  Counts() : single_(kCodes), pairs_(size_t{kCodes} * kCodes) {}

  void Clear() {
    std::fill(single_.begin(), single_.end(), 0);
    std::fill(pairs_.begin(), pairs_.end(), 0);
  }
  void Add(unsigned code) { single_[code]++; }
  // A sample is so short that 16 bits are enough.
  void AddPair(unsigned before, unsigned code) { pairs_[before * kCodes + code]++; }
  uint32_t single(unsigned code) const { return single_[code]; }
  const uint16_t* after(unsigned code) const { return &pairs_[size_t{code} * kCodes]; }

 private:
  std::vector<uint32_t> single_;
  std::vector<uint16_t> pairs_;
};

// The longest symbol that the word begins with: a code, or the escape.
inline unsigned FsstEncoder::Find(uint64_t word, size_t left) const {
  const size_t hash = Hash(word);
  for (size_t i = first_long_[hash]; i < first_long_[hash + 1]; i++) {
    const FsstSymbol& symbol = symbols_[long_codes_[i]];
    if ((word & Mask(symbol.length)) == symbol.bytes && symbol.length <= left) return long_codes_[i];
  }
  const unsigned code = short_codes_[word & 0xffff];
  if (left >= 2 || code == kFsstEscape || symbols_[code].length < 2) return code;
  // The last byte: what follows it is not ours. Another second byte tells of the first alone.
  const size_t n = symbols_.size();
  for (unsigned i = 0; i < n && symbols_[i].length == 1; i++) {
    if (symbols_[i].bytes == (word & 0xff)) return i;
  }
  return kFsstEscape;
}

void FsstEncoder::Take(std::vector<FsstSymbol> symbols) {
  symbols_ = std::move(symbols);
  std::sort(symbols_.begin(), symbols_.end(), SymbolLess);
  short_codes_.assign(size_t{1} << 16, kFsstEscape);
  std::vector<std::pair<size_t, uint8_t>> by_hash;
  for (size_t i = 0; i < symbols_.size(); i++) {
    const FsstSymbol& symbol = symbols_[i];
    const auto code = static_cast<uint8_t>(i);
    if (symbol.length == 1) {
      for (size_t second = 0; second < 256; second++) short_codes_[symbol.bytes | second << 8] = code;
    } else if (symbol.length == 2) {
      short_codes_[symbol.bytes] = code;
    } else {
      by_hash.emplace_back(Hash(symbol.bytes), code);
    }
  }
  // Codes ascend with length.
  std::sort(by_hash.begin(), by_hash.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  long_codes_.clear();
  first_long_.assign(kHashes + 1, 0);
  size_t next = 0;
  for (size_t hash = 0; hash < kHashes; hash++) {
    first_long_[hash] = static_cast<uint8_t>(next);
    while (next < by_hash.size() && by_hash[next].first == hash) long_codes_.push_back(by_hash[next++].second);
  }
  first_long_[kHashes] = static_cast<uint8_t>(next);
}

void FsstEncoder::Count(std::span<const uint8_t> sample, Counts* counts) const {
  const uint8_t* at = sample.data();
  const uint8_t* end = at + sample.size();
  unsigned before = kCodes;
  while (at < end) {
    const auto left = static_cast<size_t>(end - at);
    const uint64_t word = base::LoadLeWidth(at, std::min<size_t>(8, left));
    const unsigned code = Find(word, left);
    const unsigned found = code == kFsstEscape ? static_cast<unsigned>(word & 0xff) : kBytes + code;
    const size_t length = code == kFsstEscape ? 1 : symbols_[code].length;
    counts->Add(found);
    if (before != kCodes) counts->AddPair(before, found);
    // The first byte alone may make a better symbol than all of this one.
    if (length > 1) {
      counts->Add(static_cast<unsigned>(word & 0xff));
      if (before != kCodes) counts->AddPair(before, static_cast<unsigned>(word & 0xff));
    }
    before = found;
    at += length;
  }
}

// What would have saved most: symbols there are, and each two that followed each other `least` times,
// as one.
std::vector<FsstSymbol> FsstEncoder::Better(const Counts& counts, uint16_t least) const {
  const auto symbol_of = [&](unsigned code) {
    return code < kBytes ? FsstSymbol{code, 1} : symbols_[code - kBytes];
  };
  const unsigned codes = kBytes + static_cast<unsigned>(symbols_.size());
  std::vector<Candidate> candidates;
  for (unsigned a = 0; a < codes; a++) {
    if (counts.single(a) == 0) continue;
    const FsstSymbol first = symbol_of(a);
    candidates.push_back({first, counts.single(a) * (first.length == 1 ? kByteWeight : first.length)});
    if (first.length == kMaxFsstSymbolBytes) continue;
    const uint16_t* after = counts.after(a);
    for (unsigned four = 0; four < codes; four += 4) {
      uint64_t any;
      std::memcpy(&any, after + four, sizeof(any));
      if ((any & 0xfffefffefffefffe) == 0) continue;  // most codes follow few others
      for (unsigned b = four; b < four + 4; b++) {
        if (after[b] < least) continue;
        const FsstSymbol joined = Join(first, symbol_of(b));
        candidates.push_back({joined, uint64_t{after[b]} * joined.length});
      }
    }
  }
  // The same bytes may have come about in several ways.
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return SymbolLess(a.symbol, b.symbol); });
  size_t n = 0;
  for (const Candidate& candidate : candidates) {
    if (n > 0 && candidates[n - 1].symbol == candidate.symbol) {
      candidates[n - 1].gain += candidate.gain;
    } else {
      candidates[n++] = candidate;
    }
  }
  candidates.resize(n);
  const size_t kept = std::min(n, kMaxFsstSymbols);
  // Ties by the symbol, so that the same sample always makes the same table.
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(kept), candidates.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.gain != b.gain ? a.gain > b.gain : SymbolLess(a.symbol, b.symbol);
                    });
  std::vector<FsstSymbol> symbols;
  for (size_t i = 0; i < kept; i++) symbols.push_back(candidates[i].symbol);
  return symbols;
}

bool FsstEncoder::Learn(std::span<const uint8_t> sample) {
  sample = sample.first(std::min(sample.size(), size_t{2} * kFsstSampleBytes));
  Take({});
  if (sample.empty()) return false;
  Counts counts;
  // What comes up a few times in so much text would not be among the symbols that are kept anyway.
  const auto least = static_cast<uint16_t>(2 + sample.size() * 4 / kFsstSampleBytes);
  for (int round = 0; round < kRounds; round++) {
    if (round > 0) counts.Clear();
    Count(sample, &counts);
    Take(Better(counts, least));
  }
  return true;
}

void FsstEncoder::WriteTable(base::ByteWriter* out) const {
  uint8_t* counts = out->Extend(kMaxFsstSymbolBytes);
  for (const FsstSymbol& symbol : symbols_) counts[symbol.length - 1]++;
  for (const FsstSymbol& symbol : symbols_) out->Width(symbol.bytes, symbol.length);
}

bool FsstEncoder::Encode(const uint8_t* bytes, size_t size, size_t most, std::vector<uint8_t>* out) const {
  const size_t start = out->size();
  out->resize(start + most);
  uint8_t* to = out->data() + start;
  const uint8_t* to_end = to + most;
  const uint8_t* at = bytes;
  const uint8_t* end = bytes + size;
  while (at < end) {
    if (to_end - to < 2) {
      // An escape might not fit any more: near enough to what is not worth it.
      out->resize(start);
      return false;
    }
    const uint64_t word = base::LoadLe<uint64_t>(at);
    const unsigned code = Find(word, static_cast<size_t>(end - at));
    *to++ = static_cast<uint8_t>(code);
    if (code == kFsstEscape) {
      *to++ = *at++;
    } else {
      at += symbols_[code].length;
    }
  }
  out->resize(static_cast<size_t>(to - out->data()));
  return true;
}

}  // namespace nodedb_ts::codec
