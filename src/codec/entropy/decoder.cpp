// Reads tables and decodes with them.
#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "base/words.h"
#include "codec/bitpack/bitpack.h"
#include "codec/entropy/entropy.h"
#include "codec/entropy/token.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define NODEDB_TS_BMI2 1
#endif

namespace nodedb_ts::codec {
namespace {

using State = EntropyDecoder::State;
using Token = EntropyDecoder::Token;

#define NODEDB_TS_INLINE inline __attribute__((always_inline))

// At most 56 bits may be taken between two calls of Fill, which reads 8 bytes. Counts of bits stand in
// the low six bits of a word whose other bits do not matter: a shift looks at no more.
struct BitIn {
  const uint8_t* next;
  uint64_t bits = 0;
  unsigned valid = 0;  // of bits; those above are the next ones of the stream, too, or 0

  NODEDB_TS_INLINE void Fill() {
    bits |= base::LoadLe<uint64_t>(next) << valid;
    next += (63 - valid) / 8;
    valid |= 56;
  }
  NODEDB_TS_INLINE uint64_t Take(uint64_t count) {  // the caller takes it from `valid`
    const uint64_t v = bits & ~(~uint64_t{0} << (count & 63));
    bits >>= count & 63;
    return v;
  }
  size_t position(const uint8_t* begin) const {
    return static_cast<size_t>(next - begin) * 8 - valid;
  }
};

// Of the ways to do the same: with what x86-64 has since BMI2, or with nothing but C++.
enum class Means { kPlain, kBmi2 };

// The symbol in a state's second byte: a value or an index, or, for sums, the signed value that a zigzagged one means.
template <bool kSums>
constexpr uint8_t SymbolOf(uint32_t value) {
  return static_cast<uint8_t>(kSums ? static_cast<uint32_t>(base::UnZigZag(value)) : value);
}
template <bool kSums>
NODEDB_TS_INLINE uint64_t ValueOf(State s) {
  const auto symbol = static_cast<uint8_t>(s >> 8);
  return kSums ? static_cast<uint64_t>(int64_t{static_cast<int8_t>(symbol)}) : symbol;
}

// Returns the word whose low byte is the number of bits that were taken.
template <Means kMeans, bool kSums>
NODEDB_TS_INLINE State Step(const State* states, BitIn* in, size_t* state, uint64_t* sum, uint64_t* out) {
  const State s = states[*state];
  uint64_t value = ValueOf<kSums>(s);
  uint64_t bits;
#ifdef NODEDB_TS_BMI2
  if constexpr (kMeans == Means::kBmi2) {
    // What GCC makes of C++ takes two instructions, of which each value waits for both.
    asm("bzhi %1, %2, %0" : "=r"(bits) : "r"(uint64_t{s}), "r"(in->bits) : "cc");
    in->bits >>= s & 63;
  } else
#endif
  {
    bits = in->Take(s);
  }
#ifdef __GNUC__
  asm("" : "+r"(value));  // or GCC gathers four of them in a vector register, which takes longer
#endif
  *out = kSums ? *sum += value : value;
  *state = (s >> 16) + bits;
  return s;
}

// Reads as many bits as the states say, which no stored byte can make more than `log` for a value: the
// caller has made room for them. Returns the position of the first bit behind.
template <Means kMeans, bool kSums, size_t kStreams>
NODEDB_TS_INLINE size_t DecodeTokens(const State* states, unsigned log, uint64_t sum, const uint8_t* bytes,
                                     uint64_t* out, size_t n) {
  BitIn in{bytes};
  in.Fill();
  size_t state[kStreams];
  for (size_t k = 0; k < kStreams; k++) state[k] = in.Take(log);
  in.valid -= static_cast<unsigned>(kStreams) * log;
  const size_t steps = n - kStreams;
  size_t i = 0;
  for (; i + 4 <= steps; i += 4) {
    in.Fill();
    State taken = Step<kMeans, kSums>(states, &in, &state[0], &sum, &out[i]);
    taken += Step<kMeans, kSums>(states, &in, &state[1 % kStreams], &sum, &out[i + 1]);
    taken += Step<kMeans, kSums>(states, &in, &state[2 % kStreams], &sum, &out[i + 2]);
    taken += Step<kMeans, kSums>(states, &in, &state[3 % kStreams], &sum, &out[i + 3]);
    in.valid -= taken & 0xFF;  // the sum of four low bytes: at most 4 * kEntropyMaxLog
  }
  // All indexes of `state` are constant, here too: it stays in registers.
  in.Fill();
  State taken = 0;
  if (i < steps) taken += Step<kMeans, kSums>(states, &in, &state[0], &sum, &out[i++]);
  if (i < steps) taken += Step<kMeans, kSums>(states, &in, &state[1 % kStreams], &sum, &out[i++]);
  if (i < steps) taken += Step<kMeans, kSums>(states, &in, &state[2 % kStreams], &sum, &out[i++]);
  in.valid -= taken & 0xFF;
  // Nothing follows the last value of each.
  for (size_t k = 0; k < kStreams; k++) {
    out[steps + (k + kStreams - steps % kStreams) % kStreams] = ValueOf<kSums>(states[state[k]]);
  }
  if constexpr (kSums) {
    for (i = steps; i < n; i++) out[i] = sum += out[i];
  }
  return in.position(bytes);
}

// Replaces symbols by values. Returns the position behind the raw bits.
NODEDB_TS_INLINE size_t AddRawBits(const Token* tokens, unsigned max_raw, const uint8_t* bytes,
                                   size_t position, uint64_t* out, size_t n) {
  size_t i = 0;
  if (max_raw <= 14) {  // four with one Fill
    BitIn in{bytes + position / 8};
    in.Fill();
    in.bits >>= position % 8;
    in.valid -= position % 8;
    for (; i + 4 <= n; i += 4) {
      in.Fill();
      unsigned taken = 0;
#pragma GCC unroll 4
      for (size_t j = 0; j < 4; j++) {
        const Token& t = tokens[out[i + j]];
        out[i + j] = t.base + in.Take(t.raw);
        taken += t.raw;
      }
      in.valid -= taken;
    }
    position = in.position(bytes);
  }
  if (max_raw <= 56) {
    for (; i < n; i++) {
      const Token& t = tokens[out[i]];
      const uint64_t word = base::LoadLe<uint64_t>(bytes + position / 8) >> position % 8;
      out[i] = t.base + (word & ~(~uint64_t{0} << t.raw));
      position += t.raw;
    }
    return position;
  }
  for (; i < n; i++) {
    const Token& t = tokens[out[i]];
    const unsigned shift = position % 8;
    uint64_t word = base::LoadLe<uint64_t>(bytes + position / 8) >> shift;
    word |= uint64_t{bytes[position / 8 + 8]} << 1 << (63 - shift);  // by 64: none
    out[i] = t.base + (word & ~(~uint64_t{0} << t.raw));
    position += t.raw;
  }
  return position;
}

struct Table {
  const State* states;
  const Token* tokens;  // NULL without raw bits
  unsigned log;
  unsigned streams;
  unsigned max_raw;
  bool sums;        // REQUIRES no raw bits; as the states are laid out
  uint64_t before;  // what they begin with
};

template <Means kMeans, bool kSums>
NODEDB_TS_INLINE size_t DecodeStreams(const Table& t, const uint8_t* bytes, uint64_t* out, size_t n) {
  switch (t.streams) {
    case 1: return DecodeTokens<kMeans, kSums, 1>(t.states, t.log, t.before, bytes, out, n);
    case 2: return DecodeTokens<kMeans, kSums, 2>(t.states, t.log, t.before, bytes, out, n);
    default: return DecodeTokens<kMeans, kSums, 4>(t.states, t.log, t.before, bytes, out, n);
  }
}

template <Means kMeans>
NODEDB_TS_INLINE size_t DecodeAll(const Table& t, const uint8_t* bytes, uint64_t* out, size_t n) {
  if (t.sums) return DecodeStreams<kMeans, true>(t, bytes, out, n);
  const size_t position = DecodeStreams<kMeans, false>(t, bytes, out, n);
  return t.tokens == nullptr ? position
                             : AddRawBits(t.tokens, t.max_raw, bytes, position, out, n);
}

size_t DecodeAnywhere(const Table& t, const uint8_t* bytes, uint64_t* out, size_t n) {
  return DecodeAll<Means::kPlain>(t, bytes, out, n);
}

#ifdef NODEDB_TS_BMI2
// The same with shifts that need no fixed register.
__attribute__((target("bmi,bmi2"))) size_t DecodeBmi2(const Table& t, const uint8_t* bytes,
                                                  uint64_t* out, size_t n) {
  return DecodeAll<Means::kBmi2>(t, bytes, out, n);
}
#endif

using DecodeFunction = size_t (*)(const Table&, const uint8_t*, uint64_t*, size_t);

DecodeFunction Best() {
#ifdef NODEDB_TS_BMI2
  if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) return DecodeBmi2;
#endif
  return DecodeAnywhere;
}

constexpr size_t kSlack = 2 * sizeof(uint64_t);  // that is read, not used, behind the last bit
constexpr size_t kMaxBytes =
    (4 * kEntropyMaxLog + kMaxVectorRows * (kEntropyMaxLog + 63)) / 8 + 1 + kSlack;

}  // namespace

bool EntropyDecoder::Read(base::ByteReader* in) {
  counts_ = std::make_unique<EntropyCounts>();
  EntropyCounts& counts = *counts_;
  states_.reset();
  sum_states_.reset();
  if (!counts.Read(in)) return false;
  log_ = counts.log;
  streams_ = counts.streams;
  max_raw_ = static_cast<uint8_t>(counts.MaxRawBits());
  tokens_.resize(max_raw_ == 0 ? 0 : counts.size);
  for (size_t i = 0; i < tokens_.size(); i++) {
    tokens_[i].base = entropy::BaseOf(counts.token[i], counts.split);
    tokens_[i].raw = static_cast<uint8_t>(entropy::RawBits(counts.token[i], counts.split));
  }
  return true;
}

// Walks over the states in order; which token comes next is found where the order of dealing says.
template <bool kSums>
std::unique_ptr<EntropyDecoder::State[]> EntropyDecoder::MakeStates() const {
  const EntropyCounts& counts = *counts_;
  const unsigned log = counts.log;
  const uint32_t size = 1u << log;
  uint8_t symbol_at[(size_t{1} << kEntropyMaxLog) + 2 * sizeof(uint64_t)];  // as they are dealt
  struct Next {
    uint32_t x;     // count .. 2 * count - 1
    uint32_t rest;  // of its states, apart from what depends on x
  } next[kEntropyMaxTokens];
  // b = log - floor(log2 x) bits lead from state x to base (x << b) - size; b is leading zeros less this.
  const unsigned less = 31 - log;
  uint8_t* at = symbol_at;
  for (uint32_t i = 0; i < counts.size; i++) {
    const uint64_t eight = i * uint64_t{0x0101010101010101};
    for (uint32_t j = 0; j < counts.count[i]; j += 16) {
      base::StoreLe<uint64_t>(at + j, eight);
      base::StoreLe<uint64_t>(at + j + 8, eight);
    }
    at += counts.count[i];
    const uint32_t symbol = max_raw_ == 0 ? counts.token[i] : i;
    next[i] = {counts.count[i], (uint32_t{SymbolOf<kSums>(symbol)} << 8) - (size << 16) - less};
  }
  auto states = std::make_unique_for_overwrite<State[]>(size);
  const uint32_t step = entropy::InverseStep(log);
  uint32_t k = 0;
  for (uint32_t i = 0; i < size; i++) {
    Next& n = next[symbol_at[k & (size - 1)]];
    const uint32_t x = n.x++;
    const auto zeros = static_cast<unsigned>(__builtin_clz(x));  // never of 0: no test for it
    states[i] = (x << (zeros - less) << 16) + zeros + n.rest;
    k += step;
  }
  return states;
}

size_t EntropyDecoder::DecodeSome(const base::ByteReader& in, size_t n, const uint64_t* before,
                                  std::span<uint64_t> out) const {
  static const DecodeFunction decode = Best();
  if (before != nullptr && sum_states_ == nullptr) sum_states_ = MakeStates<true>();
  if (before == nullptr && states_ == nullptr) states_ = MakeStates<false>();
  const Table table = {before != nullptr ? sum_states_.get() : states_.get(),
                       tokens_.empty() ? nullptr : tokens_.data(),
                       log_,
                       n < entropy::kOneStreamBelow ? 1u : streams_,
                       max_raw_,
                       before != nullptr,
                       before != nullptr ? *before : 0};
  // The most that the values can take. Where less is there, they are read from a copy with zeros behind.
  const size_t most = (table.streams * log_ + out.size() * (log_ + size_t{max_raw_})) / 8 + 1 + kSlack;
  const uint8_t* bytes = in.at();
  uint8_t copy[kMaxBytes];
  if (in.remaining() < most) {
    if (!in.empty()) std::memcpy(copy, bytes, in.remaining());
    std::memset(copy + in.remaining(), 0, most - in.remaining());
    bytes = copy;
  }
  return (decode(table, bytes, out.data(), out.size()) + 7) / 8;
}

bool EntropyDecoder::DecodeWanted(base::ByteReader* in, std::span<uint64_t> out, size_t wanted,
                                  const uint64_t* before) const {
  const uint8_t* bytes;
  // Each stream gives one value when it begins. Raw bits stand behind all tokens.
  wanted = std::max(wanted, size_t{4});
  if (wanted >= out.size() || !tokens_.empty()) return in->ReadBytes(DecodeSome(*in, out.size(), before, out), &bytes);
  return DecodeSome(*in, out.size(), before, out.first(wanted)) <= in->remaining() &&
         in->ReadBytes(in->remaining(), &bytes);
}

bool EntropyDecoder::Decode(base::ByteReader* in, std::span<uint64_t> out) const {
  return DecodeWanted(in, out, out.size(), nullptr);
}

bool EntropyDecoder::DecodeFirst(base::ByteReader* in, std::span<uint64_t> out, size_t wanted) const {
  return DecodeWanted(in, out, wanted, nullptr);
}

bool EntropyDecoder::DecodeSums(base::ByteReader* in, std::span<uint64_t> out, size_t wanted,
                                uint64_t before) const {
  if (tokens_.empty()) return DecodeWanted(in, out, wanted, &before);
  if (!DecodeWanted(in, out, wanted, nullptr)) return false;
  base::SumZigZag(out.data(), std::min(out.size(), wanted), before);
  return true;
}

}  // namespace nodedb_ts::codec
