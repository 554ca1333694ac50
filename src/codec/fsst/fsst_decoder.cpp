// Decodes with a stored table.
#include <bit>
#include <cstring>

#include "base/bits.h"
#include "codec/fsst/fsst.h"

namespace nodedb_ts::codec {
namespace {

constexpr uint64_t kLowBits = 0x7f7f7f7f7f7f7f7f;
constexpr uint64_t kHighBits = 0x8080808080808080;
constexpr uint64_t kOnes = 0x0101010101010101;
constexpr size_t kStep = 8;  // codes at a time

}  // namespace

bool FsstDecoder::Open(base::ByteReader stored) {
  const uint8_t* counts;
  if (!stored.ReadBytes(kMaxFsstSymbolBytes, &counts)) return false;
  lengths_.fill(0);
  bytes_.fill(0);
  count_ = 0;
  for (size_t length = 1; length <= kMaxFsstSymbolBytes; length++) {
    if (counts[length - 1] > kMaxFsstSymbols - count_) return false;
    for (size_t i = 0; i < counts[length - 1]; i++) {
      if (!stored.ReadWidth(length, &bytes_[count_])) return false;
      lengths_[count_++] = static_cast<uint8_t>(length);
    }
  }
  return stored.empty();
}

// kManySymbols: more than 128, which decides how eight codes are compared with their number at once.
template <bool kManySymbols>
bool FsstDecoder::DecodeCodes(const uint8_t* in, const uint8_t* in_end, uint8_t* out, uint8_t* out_end) const {
  // Bit 7 of each byte of the sum: the low seven bits reach the number of symbols (less 128).
  const uint64_t add = ((kManySymbols ? 256 : 128) - count_) * kOnes;
  // Stores of bytes may change anything, for all the compiler knows, but not these.
  const uint8_t* lengths = lengths_.data();
  const uint64_t* bytes = bytes_.data();
  while (static_cast<size_t>(in_end - in) >= kStep &&
         static_cast<size_t>(out_end - out) >= kStep * kMaxFsstSymbolBytes) {
    const uint64_t codes = base::LoadLe<uint64_t>(in);
    const uint64_t sums = (codes & kLowBits) + add;
    const uint64_t beyond = (kManySymbols ? sums & codes : sums | codes) & kHighBits;
    if (beyond == 0) {
      // All ends before the first store: else each code's look-up would wait for it.
      const unsigned c0 = codes & 255, c1 = codes >> 8 & 255, c2 = codes >> 16 & 255, c3 = codes >> 24 & 255;
      const unsigned c4 = codes >> 32 & 255, c5 = codes >> 40 & 255, c6 = codes >> 48 & 255, c7 = codes >> 56;
      const size_t e0 = lengths[c0], e1 = e0 + lengths[c1], e2 = e1 + lengths[c2], e3 = e2 + lengths[c3];
      const size_t e4 = e3 + lengths[c4], e5 = e4 + lengths[c5], e6 = e5 + lengths[c6], e7 = e6 + lengths[c7];
      base::StoreLe<uint64_t>(out, bytes[c0]);
      base::StoreLe<uint64_t>(out + e0, bytes[c1]);
      base::StoreLe<uint64_t>(out + e1, bytes[c2]);
      base::StoreLe<uint64_t>(out + e2, bytes[c3]);
      base::StoreLe<uint64_t>(out + e3, bytes[c4]);
      base::StoreLe<uint64_t>(out + e4, bytes[c5]);
      base::StoreLe<uint64_t>(out + e5, bytes[c6]);
      base::StoreLe<uint64_t>(out + e6, bytes[c7]);
      out += e7;
      in += kStep;
      continue;
    }
    const size_t before = static_cast<size_t>(std::countr_zero(beyond)) / 8;
    for (size_t i = 0; i < before; i++) {
      base::StoreLe<uint64_t>(out, bytes[in[i]]);
      out += lengths[in[i]];
    }
    in += before;
    if (*in != kFsstEscape || in_end - in < 2) return false;
    *out++ = in[1];
    in += 2;
  }
  while (in < in_end) {
    const uint8_t code = *in++;
    if (code == kFsstEscape) {
      if (in == in_end || out == out_end) return false;
      *out++ = *in++;
      continue;
    }
    const size_t length = lengths[code];
    if (length == 0 || length > static_cast<size_t>(out_end - out)) return false;
    uint8_t symbol[kMaxFsstSymbolBytes];
    base::StoreLe<uint64_t>(symbol, bytes[code]);
    std::memcpy(out, symbol, length);
    out += length;
  }
  return out == out_end;
}

bool FsstDecoder::Decode(base::ByteReader in, uint8_t* out, size_t size) const {
  const uint8_t* end = in.at() + in.remaining();
  return count_ > 128 ? DecodeCodes<true>(in.at(), end, out, out + size)
                      : DecodeCodes<false>(in.at(), end, out, out + size);
}

}  // namespace nodedb_ts::codec
