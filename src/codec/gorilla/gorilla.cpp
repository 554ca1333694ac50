#include "codec/gorilla/gorilla.h"

#include <algorithm>
#include <bit>

#include "base/bits.h"

// The scheme of Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series
// Database", VLDB 2015, section 4.1.2, for 32 and 64 bits, low bit first.
namespace nodedb_ts::codec {
namespace {

constexpr unsigned kLeadingBits = 5;
constexpr unsigned kMaxLeading = 31;
constexpr unsigned kLengthBits = 6;  // of length - 1

class BitWriter {
 public:
  explicit BitWriter(base::ByteWriter* out) : out_(out) {}

  void Put(uint64_t bits, unsigned count) {  // count 1..64, no bits above count
    pending_ |= bits << filled_;
    if (filled_ + count < 64) {
      filled_ += count;
      return;
    }
    out_->U64(pending_);
    const unsigned used = 64 - filled_;
    pending_ = used == 64 ? 0 : bits >> used;
    filled_ = count - used;
  }

  void Finish() { out_->Width(pending_, (filled_ + 7) / 8); }

 private:
  base::ByteWriter* out_;
  uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

class BitReader {
 public:
  BitReader(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  // The next bits, at least 57 of them valid; zeros behind the end.
  uint64_t Peek() const {
    const uint64_t byte = position_ / 8;
    if (byte + 8 <= size_) return base::LoadLe<uint64_t>(data_ + byte) >> (position_ % 8);
    if (byte >= size_) return 0;
    return base::LoadLeWidth(data_ + byte, size_ - byte) >> (position_ % 8);
  }
  void Skip(unsigned count) { position_ += count; }
  uint64_t Get(unsigned count) {  // 1..64
    if (count > 32) {
      const uint64_t low = Get(32);
      return low | Get(count - 32) << 32;
    }
    const uint64_t v = Peek() & ((uint64_t{1} << count) - 1);
    Skip(count);
    return v;
  }
  uint64_t bytes_used() const { return (position_ + 7) / 8; }
  bool overrun() const { return bytes_used() > size_; }

 private:
  const uint8_t* data_;
  size_t size_;
  uint64_t position_ = 0;
};

void Encode(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  (void)EncodeGorilla(shape, values, SIZE_MAX, out);
}

bool Decode(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out) {
  const unsigned word_bits = shape.width * 8u;
  BitReader bits(in->at(), in->remaining());
  uint64_t value = bits.Get(word_bits);
  out[0] = value;
  unsigned length = 0;
  unsigned trailing = 0;
  for (size_t i = 1; i < out.size(); i++) {
    const uint64_t next = bits.Peek();
    if ((next & 1) == 0) {
      bits.Skip(1);
      out[i] = value;
      continue;
    }
    if (next & 2) {
      const auto leading = static_cast<unsigned>(next >> 2) & kMaxLeading;
      length = (static_cast<unsigned>(next >> (2 + kLeadingBits)) & 63) + 1;
      bits.Skip(2 + kLeadingBits + kLengthBits);
      if (leading + length > word_bits) return false;
      trailing = word_bits - leading - length;
    } else {
      if (length == 0) return false;  // no window to reuse yet
      bits.Skip(2);
    }
    value ^= bits.Get(length) << trailing;
    out[i] = value;
    if (bits.overrun()) return false;
  }
  const uint8_t* used;
  return !bits.overrun() && in->ReadBytes(bits.bytes_used(), &used);
}

}  // namespace

bool EncodeGorilla(const WordShape& shape, std::span<const uint64_t> values, size_t max_bytes,
                   base::ByteWriter* out) {
  const unsigned word_bits = shape.width * 8u;
  const size_t start = out->size();
  BitWriter bits(out);
  bits.Put(values[0], word_bits);
  unsigned window_leading = 0;
  unsigned window_length = 0;
  for (size_t i = 1; i < values.size(); i++) {
    const uint64_t x = values[i] ^ values[i - 1];
    if (x == 0) {
      bits.Put(0, 1);
      continue;
    }
    const unsigned leading = std::min<unsigned>(
        static_cast<unsigned>(std::countl_zero(x)) - (64 - word_bits), kMaxLeading);
    const auto trailing = static_cast<unsigned>(std::countr_zero(x));
    const unsigned length = word_bits - leading - trailing;
    const unsigned window_trailing = word_bits - window_leading - window_length;
    // A window much wider than needed costs more than writing a new one.
    const bool reuse = window_length > 0 && leading >= window_leading &&
                       trailing >= window_trailing &&
                       window_length <= length + kLeadingBits + kLengthBits;
    if (reuse) {
      bits.Put(1, 2);
      bits.Put(x >> window_trailing, window_length);
    } else {
      window_leading = leading;
      window_length = length;
      bits.Put(3 | leading << 2 | static_cast<uint64_t>(length - 1) << (2 + kLeadingBits),
               2 + kLeadingBits + kLengthBits);
      bits.Put(x >> trailing, length);
    }
    if (out->size() - start > max_bytes) {
      out->vector()->resize(start);
      return false;
    }
  }
  bits.Finish();
  if (out->size() - start <= max_bytes) return true;
  out->vector()->resize(start);
  return false;
}

const WordCodec kGorillaCodec = {kGorilla, "gorilla", Encode, Decode};

}  // namespace nodedb_ts::codec
