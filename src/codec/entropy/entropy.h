// entropy.h - an order-0 entropy coder for vectors of unsigned integers, mostly small ones.
//
// A table is made for many vectors (a column chunk) and stored once; each vector decodes alone with it.
// Values are split into tokens, which are coded by tANS, and raw bits; see README.md for the bytes.
// Nothing here depends on the machine: all costs that decide about bytes are integers.
#ifndef NODEDB_TS_CODEC_ENTROPY_ENTROPY_H
#define NODEDB_TS_CODEC_ENTROPY_ENTROPY_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::codec {

inline constexpr unsigned kEntropyMaxLog = 11;       // of the states of a table
inline constexpr size_t kEntropyMaxTokens = 256;     // with a count that is not 0
inline constexpr unsigned kEntropyExact = 256;       // smaller values may be tokens of their own
inline constexpr unsigned kEntropyMaxMantissa = 3;   // bits of a larger value in its token
inline constexpr size_t kEntropyBins = kEntropyExact + (56u << kEntropyMaxMantissa);

// How values become tokens. A value below 2^split is its own token, a larger one gives its exponent
// and the `mantissa` bits below its highest; the bits below those are raw. mantissa <= split.
struct EntropySplit {
  uint8_t split = 8;     // 1..8
  uint8_t mantissa = 3;  // 0..3
};

// How many values of a vector a bin has.
struct EntropyBin {
  uint16_t bin;
  uint16_t count;
};

// What the vectors hold: values below 256 exactly, larger ones by exponent and top 3 mantissa bits.
// REQUIRES fewer than 2^32 values in all.
class EntropyHistogram {
 public:
  void Add(std::span<const uint64_t> values);
  void Add(const EntropyHistogram& other);
  void Add(std::span<const EntropyBin> bins);
  // Those that are not empty, in order. REQUIRES fewer than 2^16 values in each.
  void FilledBins(std::vector<EntropyBin>* bins) const;
  void Clear() { *this = EntropyHistogram(); }

  uint64_t count() const { return count_; }
  const std::array<uint32_t, kEntropyBins>& bins() const { return bins_; }

  // Estimated bits of all values with the best table for them, without the table itself and without
  // what each vector costs (its states, 2 to 5 bytes).
  double Bits() const { return static_cast<double>(Choose().bits) / kOne; }
  // Estimated bits of that table.
  double TableBits() const { return static_cast<double>(Choose().table_bits) / kOne; }

  static constexpr uint64_t kOne = 1u << 16;  // a bit, where costs are integers
  struct Choice {
    EntropySplit split;
    uint64_t bits = 0;  // both in units of 1 / kOne
    uint64_t table_bits = 0;
  };
  // The split that makes values and table smallest. Takes some microseconds.
  Choice Choose() const;

 private:
  std::array<uint32_t, kEntropyBins> bins_ = {};
  uint64_t count_ = 0;
};

// The stored part of a table: its tokens and how many of the 2^log states each of them has.
struct EntropyCounts {
  EntropySplit split;
  uint8_t log = 0;      // 0..kEntropyMaxLog; 0: one token only, which takes no bits
  uint8_t streams = 4;  // states of a vector: 1, 2 or 4
  uint32_t size = 0;    // tokens with a count; below, in order
  std::array<uint16_t, kEntropyMaxTokens> token;
  std::array<uint16_t, kEntropyMaxTokens> count;  // >= 1, sum 2^log

  unsigned MaxRawBits() const;  // of any value
  void Write(base::ByteWriter* out) const;
  [[nodiscard]] bool Read(base::ByteReader* in);
};

// A table that encodes.
class EntropyEncoder {
 public:
  // False when the histogram is empty or would need too many tokens.
  [[nodiscard]] bool Build(const EntropyHistogram& histogram);

  // REQUIRES Build for all that follow.
  const EntropyCounts& counts() const { return counts_; }
  size_t TableBytes() const { return table_.size(); }
  void Write(base::ByteWriter* out) const { out->Bytes(table_.data(), table_.size()); }
  // What Encode will write, within a byte or two; SIZE_MAX when it cannot.
  size_t EstimateBytes(std::span<const uint64_t> values) const;
  // As before, within some more bytes: of a vector of which only the bins are known.
  size_t EstimateBytes(std::span<const EntropyBin> bins, size_t values) const;
  // Appends a vector of 1..1024 values. False, and nothing appended, when a value has no token.
  [[nodiscard]] bool Encode(std::span<const uint64_t> values, base::ByteWriter* out) const;

 private:
  struct Symbol {
    uint32_t add_bits;   // (state + add_bits) >> 16 is the number of bits to emit
    int32_t add_state;   // index of the next state: state >> bits + add_state
    uint16_t start;      // the state a stream begins with when this is its last token
    uint8_t raw;         // bits below the token
    uint32_t cost;       // of a value, in 1 / kOne bits, raw ones included
  };

  void MakeStates();
  template <size_t kStreams>
  void EncodeTokens(const uint16_t* symbols, size_t n, uint32_t* emitted,
                    uint32_t* first_states) const;

  EntropyCounts counts_;
  std::vector<uint8_t> table_;  // as Write writes it
  std::array<uint16_t, kEntropyBins> symbol_of_bin_;  // of the histogram; kNoSymbol
  std::array<Symbol, kEntropyMaxTokens> symbols_;
  std::array<uint16_t, size_t{1} << kEntropyMaxLog> states_;
};

// A table that decodes: a copy of what Read read. Its states, 4 bytes each, are made when it first decodes: who wants
// one vector of a chunk needs few of the chunk's tables. For one thread at a time.
class EntropyDecoder {
 public:
  // Reads what EntropyEncoder::Write wrote; trailing bytes are left. False: corrupt, not usable.
  [[nodiscard]] bool Read(base::ByteReader* in);
  // Reads exactly out.size() (1..1024) values and all of the vector's bytes. REQUIRES Read.
  [[nodiscard]] bool Decode(base::ByteReader* in, std::span<uint64_t> out) const;
  // The same where only the first `wanted` (at least 1) values matter, and nothing but the vector is in `in`: others
  // may be left as they were.
  [[nodiscard]] bool DecodeFirst(base::ByteReader* in, std::span<uint64_t> out, size_t wanted) const;
  // As DecodeFirst, of zigzagged differences: out[i] becomes `before` and the first i + 1 of them, added up.
  [[nodiscard]] bool DecodeSums(base::ByteReader* in, std::span<uint64_t> out, size_t wanted, uint64_t before) const;
  // Bytes of the heap.
  size_t memory_bytes() const {
    return ((states_ != nullptr) + (sum_states_ != nullptr)) * (sizeof(State) << log_) + sizeof(EntropyCounts) +
           tokens_.capacity() * sizeof(Token);
  }

  // From the low bit: how many bits say which state is next (8 bits), the value itself when no token has
  // raw bits, otherwise an index of tokens (8), and where the next states begin (16). For sums the value is the signed
  // one that the zigzagged one means.
  using State = uint32_t;
  struct Token {
    uint64_t base;
    uint8_t raw;
  };

 private:
  template <bool kSums>
  std::unique_ptr<State[]> MakeStates() const;
  // The first out.size() of a vector's n values; fewer than n only without raw bits. Adds them up from *before on, if that
  // is not NULL. Returns the bytes that were read.
  size_t DecodeSome(const base::ByteReader& in, size_t n, const uint64_t* before, std::span<uint64_t> out) const;
  bool DecodeWanted(base::ByteReader* in, std::span<uint64_t> out, size_t wanted, const uint64_t* before) const;

  std::unique_ptr<EntropyCounts> counts_;
  mutable std::unique_ptr<State[]> states_;  // null: not made yet
  mutable std::unique_ptr<State[]> sum_states_;  // likewise
  std::vector<Token> tokens_;  // empty when no token has raw bits
  uint8_t log_ = 0;
  uint8_t streams_ = 0;
  uint8_t max_raw_ = 0;
};

// Bytes that tables take.
inline size_t MemoryBytes(const std::vector<EntropyDecoder>& tables) {
  size_t bytes = 0;
  for (const EntropyDecoder& table : tables) bytes += sizeof(table) + table.memory_bytes();
  return bytes;
}

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_ENTROPY_ENTROPY_H
