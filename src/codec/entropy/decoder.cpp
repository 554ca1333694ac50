// Reads tables and decodes with them.
#include <algorithm>
#include <cstring>

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

// Returns the word whose low byte is the number of bits that were taken.
NODEDB_TS_INLINE State Step(const State* states, BitIn* in, size_t* state, uint64_t* out) {
  const State s = states[*state];
  uint64_t symbol = (s >> 8) & 0xFF;
#ifdef __GNUC__
  asm("" : "+r"(symbol));  // or GCC gathers four of them in a vector register, which takes longer
#endif
  *out = symbol;
  *state = (s >> 16) + in->Take(s);
  return s;
}

// Reads as many bits as the states say, which no stored byte can make more than `log` for a value: the
// caller has made room for them. Returns the position of the first bit behind.
template <size_t kStreams>
NODEDB_TS_INLINE size_t DecodeTokens(const State* states, unsigned log, const uint8_t* bytes,
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
    State taken = Step(states, &in, &state[0], &out[i]);
    taken += Step(states, &in, &state[1 % kStreams], &out[i + 1]);
    taken += Step(states, &in, &state[2 % kStreams], &out[i + 2]);
    taken += Step(states, &in, &state[3 % kStreams], &out[i + 3]);
    in.valid -= taken & 0xFF;  // the sum of four low bytes: at most 4 * kEntropyMaxLog
  }
  // All indexes of `state` are constant, here too: it stays in registers.
  in.Fill();
  State taken = 0;
  if (i < steps) taken += Step(states, &in, &state[0], &out[i++]);
  if (i < steps) taken += Step(states, &in, &state[1 % kStreams], &out[i++]);
  if (i < steps) taken += Step(states, &in, &state[2 % kStreams], &out[i++]);
  in.valid -= taken & 0xFF;
  // Nothing follows the last value of each.
  for (size_t k = 0; k < kStreams; k++) {
    out[steps + (k + kStreams - steps % kStreams) % kStreams] = (states[state[k]] >> 8) & 0xFF;
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
};

NODEDB_TS_INLINE size_t DecodeAll(const Table& t, const uint8_t* bytes, uint64_t* out, size_t n) {
  size_t position;
  switch (t.streams) {
    case 1: position = DecodeTokens<1>(t.states, t.log, bytes, out, n); break;
    case 2: position = DecodeTokens<2>(t.states, t.log, bytes, out, n); break;
    default: position = DecodeTokens<4>(t.states, t.log, bytes, out, n); break;
  }
  return t.tokens == nullptr ? position
                             : AddRawBits(t.tokens, t.max_raw, bytes, position, out, n);
}

size_t DecodeAnywhere(const Table& t, const uint8_t* bytes, uint64_t* out, size_t n) {
  return DecodeAll(t, bytes, out, n);
}

#ifdef NODEDB_TS_BMI2
// The same with shifts that need no fixed register.
__attribute__((target("bmi,bmi2"))) size_t DecodeBmi2(const Table& t, const uint8_t* bytes,
                                                  uint64_t* out, size_t n) {
  return DecodeAll(t, bytes, out, n);
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
void EntropyDecoder::MakeStates() const {
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
    next[i] = {counts.count[i], (symbol << 8) - (size << 16) - less};
  }
  states_ = std::make_unique_for_overwrite<State[]>(size);
  State* states = states_.get();
  const uint32_t step = entropy::InverseStep(log);
  uint32_t k = 0;
  for (uint32_t i = 0; i < size; i++) {
    Next& n = next[symbol_at[k & (size - 1)]];
    const uint32_t x = n.x++;
    const auto zeros = static_cast<unsigned>(__builtin_clz(x));  // never of 0: no test for it
    states[i] = (x << (zeros - less) << 16) + zeros + n.rest;
    k += step;
  }
}

size_t EntropyDecoder::DecodeSome(const base::ByteReader& in, size_t n, std::span<uint64_t> out) const {
  static const DecodeFunction decode = Best();
  if (states_ == nullptr) MakeStates();
  const Table table = {states_.get(), tokens_.empty() ? nullptr : tokens_.data(), log_,
                       n < entropy::kOneStreamBelow ? 1u : streams_, max_raw_};
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

bool EntropyDecoder::Decode(base::ByteReader* in, std::span<uint64_t> out) const {
  const uint8_t* bytes;
  return in->ReadBytes(DecodeSome(*in, out.size(), out), &bytes);
}

bool EntropyDecoder::DecodeFirst(base::ByteReader* in, std::span<uint64_t> out, size_t wanted) const {
  // Each stream gives one value when it begins. Raw bits stand behind all tokens.
  wanted = std::max(wanted, size_t{4});
  if (wanted >= out.size() || !tokens_.empty()) return Decode(in, out);
  const uint8_t* bytes;
  return DecodeSome(*in, out.size(), out.first(wanted)) <= in->remaining() && in->ReadBytes(in->remaining(), &bytes);
}

}  // namespace nodedb_ts::codec
