// binary_coder.h - adaptive binary range coder: every bit is coded with its own probability,
// which follows what has been coded (Rissanen and Langdon, "Universal modeling and coding", 1981;
// carry handling as in Martin, "Range encoding", 1979).
//
// Code is written once for both directions: a function template takes an `Io`, whose Code() and
// Raw() are given the value when encoding and return it always.
#ifndef NODEDB_TS_CODEC_TOKENS_BINARY_CODER_H
#define NODEDB_TS_CODEC_TOKENS_BINARY_CODER_H

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_reader.h"

namespace nodedb_ts::codec {

// The probability of a one, in 1/65536, and how often it has been adapted: early bits move it more.
struct Bit {
  uint16_t p = 32768;
  uint16_t n = 0;
};

inline constexpr unsigned kBitLimit = 30;
inline constexpr std::array<uint16_t, kBitLimit + 1> kBitRates = [] {
  std::array<uint16_t, kBitLimit + 1> rates{};
  for (unsigned n = 0; n <= kBitLimit; n++) rates[n] = static_cast<uint16_t>(65536 * 2 / (2 * n + 3));
  return rates;
}();

inline void Adapt(Bit* b, bool bit) {
  const int32_t p = b->p;
  // Never so sure that the other bit could not be coded.
  const int32_t target = bit ? 65535 - 24 : 24;
  b->p = static_cast<uint16_t>(p + (((target - p) * static_cast<int32_t>(kBitRates[b->n])) >> 16));
  b->n = static_cast<uint16_t>(b->n + (b->n < kBitLimit));
}

class BinaryEncoder {
 public:
  static constexpr bool kDecode = false;
  explicit BinaryEncoder(std::vector<uint8_t>* out) : out_(out), start_(out->size()) {}

  bool Code(Bit* b, bool bit) {
    const uint32_t bound = (range_ >> 16) * b->p;
    if (bit) {
      range_ = bound;
    } else {
      low_ += bound;
      range_ -= bound;
    }
    Adapt(b, bit);
    while (range_ < (1u << 24)) Shift();
    return bit;
  }

  // The low n (0..64) bits of v, all equally likely.
  uint64_t Raw(uint64_t v, unsigned n) {
    while (n > 0) {
      const unsigned k = n < 16 ? n : 16;
      n -= k;
      range_ >>= k;
      low_ += uint64_t{range_} * ((v >> n) & ((1u << k) - 1));
      while (range_ < (1u << 24)) Shift();
    }
    return v;
  }

  // Ends the stream; the decoder takes bytes behind its end for zeros.
  void Finish() {
    // A number of the interval with as many zeros at its end as possible.
    for (unsigned zeros = 32; zeros > 0; zeros -= 8) {
      const uint64_t mask = (uint64_t{1} << zeros) - 1;
      const uint64_t v = (low_ + mask) & ~mask;
      if (v >= low_ && v < low_ + range_) {
        low_ = v;
        break;
      }
    }
    for (int i = 0; i < 5; i++) Shift();
    for (int i = 0; i < 4 && out_->size() > start_ && out_->back() == 0; i++) out_->pop_back();
  }

 private:
  void Shift() {
    if (low_ < 0xFF000000u || low_ > UINT32_MAX) {
      const uint8_t carry = static_cast<uint8_t>(low_ >> 32);
      if (cache_used_) out_->push_back(static_cast<uint8_t>(cache_ + carry));
      for (; pending_ > 0; pending_--) out_->push_back(static_cast<uint8_t>(0xFF + carry));
      cache_ = static_cast<uint8_t>(low_ >> 24);
      cache_used_ = true;
    } else {
      pending_++;
    }
    low_ = (low_ & 0x00FFFFFF) << 8;
    range_ <<= 8;
  }

  std::vector<uint8_t>* out_;
  size_t start_;
  uint64_t low_ = 0;
  uint32_t range_ = UINT32_MAX;
  uint8_t cache_ = 0;
  bool cache_used_ = false;
  uint64_t pending_ = 0;
};

class BinaryDecoder {
 public:
  static constexpr bool kDecode = true;
  explicit BinaryDecoder(base::ByteReader in) : at_(in.at()), end_(in.at() + in.remaining()) {
    for (int i = 0; i < 4; i++) code_ = code_ << 8 | Next();
  }

  bool Code(Bit* b, bool) {
    const uint32_t bound = (range_ >> 16) * b->p;
    const bool bit = code_ < bound;
    if (bit) {
      range_ = bound;
    } else {
      code_ -= bound;
      range_ -= bound;
    }
    Adapt(b, bit);
    while (range_ < (1u << 24)) Shift();
    return bit;
  }

  uint64_t Raw(uint64_t, unsigned n) {
    uint64_t v = 0;
    while (n > 0) {
      const unsigned k = n < 16 ? n : 16;
      n -= k;
      range_ >>= k;
      uint32_t part = code_ / range_;
      if (part >> k) part = (1u << k) - 1;  // hostile bytes only
      code_ -= part * range_;
      v = v << k | part;
      while (range_ < (1u << 24)) Shift();
    }
    return v;
  }

  // All bytes were used, and not many more than there are.
  bool AtEnd() const { return at_ == end_ && missing_ <= 4; }
  // Reads on behind the end: the rest is no data.
  bool Exhausted() const { return missing_ > 4; }

 private:
  uint8_t Next() {
    if (at_ != end_) return *at_++;
    missing_++;
    return 0;
  }
  void Shift() {
    code_ = code_ << 8 | Next();
    range_ <<= 8;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  uint64_t missing_ = 0;
  uint32_t code_ = 0;
  uint32_t range_ = UINT32_MAX;
};

// A value of `depth` bits, bit by bit from the highest; uses bits[1 .. 2^depth).
template <typename Io>
uint32_t CodeTree(Io& io, Bit* bits, unsigned depth, uint32_t v) {
  uint32_t node = 1;
  for (unsigned i = depth; i-- > 0;) node = node << 1 | io.Code(&bits[node], (v >> i) & 1);
  return node - (1u << depth);
}

// An index below `count`, small ones more likely; uses GammaBits(count) bits. May return an index
// that is not below count.
inline unsigned GammaBits(uint32_t count) {
  const unsigned log = static_cast<unsigned>(std::bit_width(count)) - 1;
  return log + (2u << log);
}
template <typename Io>
uint32_t CodeGamma(Io& io, Bit* bits, uint32_t count, uint32_t index) {
  const unsigned max = static_cast<unsigned>(std::bit_width(count)) - 1;
  const uint32_t v = index + 1;
  const unsigned log = Io::kDecode ? 0 : static_cast<unsigned>(std::bit_width(v)) - 1;
  unsigned k = 0;
  while (k < max && io.Code(&bits[k], k < log)) k++;
  const uint32_t rest = CodeTree(io, bits + max + (1u << k), k, v - (1u << k));
  return (1u << k) + rest - 1;
}

// A number of at most max_bits bits: its length, its top bits, the rest raw; uses
// MagnitudeBits(max_bits) bits.
inline unsigned MagnitudeBits(unsigned max_bits) {
  return (1u << std::bit_width(max_bits)) + (max_bits + 1) * 8;
}
template <typename Io>
uint64_t CodeMagnitude(Io& io, Bit* bits, unsigned max_bits, uint64_t v) {
  const unsigned depth = static_cast<unsigned>(std::bit_width(max_bits));
  const unsigned n =
      CodeTree(io, bits, depth, Io::kDecode ? 0 : static_cast<uint32_t>(std::bit_width(v)));
  if (n <= 1) return n;
  if (n > max_bits) return 0;  // hostile
  const unsigned top = n - 1 < 3 ? n - 1 : 3;
  const unsigned rest = n - 1 - top;
  const uint32_t high = CodeTree(io, bits + (1u << depth) + n * 8, top,
                                 static_cast<uint32_t>(v >> rest) & ((1u << top) - 1));
  const uint64_t mask = (uint64_t{1} << rest) - 1;
  return uint64_t{1} << (n - 1) | uint64_t{high} << rest | io.Raw(v & mask, rest);
}

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_BINARY_CODER_H
