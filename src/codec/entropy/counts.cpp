// The stored form of a table: how many states each token has.
#include <algorithm>
#include <bit>

#include "codec/entropy/entropy.h"
#include "codec/entropy/token.h"

namespace nodedb_ts::codec {
namespace {

using base::BitWidth;

// At most 32 bits at a time.
class BitWriter {
 public:
  explicit BitWriter(base::ByteWriter* out) : out_(out) {}
  void Put(uint32_t bits, unsigned count) {
    pending_ |= uint64_t{bits} << filled_;
    for (filled_ += count; filled_ >= 8; filled_ -= 8) {
      out_->U8(static_cast<uint8_t>(pending_));
      pending_ >>= 8;
    }
  }
  void Ones(unsigned count) { Put((1u << count) - 1, count + 1); }  // and a zero
  void Finish() {
    if (filled_ > 0) out_->U8(static_cast<uint8_t>(pending_));
  }

 private:
  base::ByteWriter* out_;
  uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

class BitReader {
 public:
  explicit BitReader(const base::ByteReader& in) : data_(in.at()), size_(in.remaining()) { Fill(); }

  // REQUIRES that no more than 57 bits are taken between two calls.
  void Fill() {
    const size_t byte = position_ / 8;
    uint64_t word = 0;
    if (byte + 8 <= size_) {
      word = base::LoadLe<uint64_t>(data_ + byte);
    } else if (byte < size_) {
      word = base::LoadLeWidth(data_ + byte, size_ - byte);
    }
    bits_ = word >> (position_ % 8);
  }
  uint32_t Take(unsigned count) {
    const auto v = static_cast<uint32_t>(bits_ & ((uint64_t{1} << count) - 1));
    Skip(count);
    return v;
  }
  unsigned Ones(unsigned most) {  // up to `most`, and the zero behind them
    const auto n = std::min(most, static_cast<unsigned>(std::countr_one(bits_)));
    Skip(n + 1);
    return n;
  }
  size_t bytes_used() const { return (position_ + 7) / 8; }

 private:
  void Skip(unsigned count) {
    bits_ >>= count;
    position_ += count;
  }

  const uint8_t* data_;
  size_t size_;
  size_t position_ = 0;
  uint64_t bits_ = 0;
};

// Where the width of the next count is looked for, and between what limits it is.
struct WidthRange {
  WidthRange(unsigned before, uint32_t left, bool after_gap)
      : least(after_gap ? 1 : 0), most(BitWidth(left)), guess(std::clamp(before, least, most)) {}
  bool known() const { return least == most; }
  bool only_up() const { return guess == least; }
  bool only_down() const { return guess == most; }
  unsigned least, most, guess;
};

constexpr unsigned kStreamBits = 2;

}  // namespace

unsigned EntropyCounts::MaxRawBits() const { return entropy::RawBits(token[size - 1], split); }

// The width of a count is coded by its difference from the one before, which is small where counts are
// smooth; the bits below its highest follow. The last count needs no mark: no states are left.
void EntropyCounts::Write(base::ByteWriter* out) const {
  BitWriter bits(out);
  bits.Put(log, 4);
  bits.Put(split.split - 1u, 3);
  bits.Put(split.mantissa, 2);
  bits.Put(BitWidth(streams) - 1, kStreamBits);
  uint32_t left = 1u << log;
  unsigned before = log;
  uint32_t next = 0;
  const auto put_width = [&](unsigned width, bool after_gap) {
    const WidthRange range(before, left, after_gap);
    if (range.known()) return;
    const bool down = width < range.guess;
    const unsigned distance = down ? range.guess - width : width - range.guess;
    bits.Ones(distance);
    if (distance > 0 && !range.only_up() && !range.only_down()) bits.Put(down, 1);
  };
  for (uint32_t i = 0; i < size; i++) {
    const uint32_t gap = token[i] - next;
    if (gap > 0) {
      put_width(0, false);
      bits.Ones(BitWidth(gap) - 1);
      bits.Put(gap - std::bit_floor(gap), BitWidth(gap) - 1);
    }
    const unsigned width = BitWidth(count[i]);
    put_width(width, gap > 0);
    bits.Put(count[i] - std::bit_floor(uint32_t{count[i]}), width - 1);
    left -= count[i];
    before = width;
    next = token[i] + 1u;
  }
  bits.Finish();
}

bool EntropyCounts::Read(base::ByteReader* in) {
  BitReader bits(*in);
  log = static_cast<uint8_t>(bits.Take(4));
  split.split = static_cast<uint8_t>(bits.Take(3) + 1);
  split.mantissa = static_cast<uint8_t>(bits.Take(2));
  const unsigned stream_bits = bits.Take(kStreamBits);
  if (log > kEntropyMaxLog || split.mantissa > split.split || stream_bits > 2) return false;
  streams = static_cast<uint8_t>(1u << stream_bits);
  const size_t end = entropy::TokenCount(split);
  uint32_t left = 1u << log;
  unsigned before = log;
  uint32_t next = 0;
  const auto take_width = [&](bool after_gap) {
    const WidthRange range(before, left, after_gap);
    if (range.known()) return range.least;
    const unsigned distance = bits.Ones(kEntropyMaxLog + 1);
    bool down = range.only_down();
    if (distance > 0 && !range.only_up() && !range.only_down()) down = bits.Take(1);
    return down ? range.guess - distance : range.guess + distance;  // may wrap: checked as too large
  };
  size = 0;
  while (left > 0) {
    bits.Fill();
    unsigned width = take_width(false);
    if (width == 0) {
      const unsigned gap_bits = bits.Ones(10);
      next += (1u << gap_bits) + bits.Take(gap_bits);
      bits.Fill();
      width = take_width(true);
      if (width == 0) return false;
    }
    if (width > BitWidth(left) || next >= end || size == kEntropyMaxTokens) return false;
    const uint32_t n = (1u << (width - 1)) + bits.Take(width - 1);
    if (n > left) return false;
    token[size] = static_cast<uint16_t>(next++);
    count[size++] = static_cast<uint16_t>(n);
    left -= n;
    before = width;
  }
  const uint8_t* used;
  return in->ReadBytes(bits.bytes_used(), &used);
}

}  // namespace nodedb_ts::codec
