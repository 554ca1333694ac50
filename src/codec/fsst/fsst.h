// fsst.h - short repeated pieces of byte strings as one-byte codes (Boncz, Neumann, Leis: "FSST: Fast
// Random Access String Compression", VLDB 2020). One table of symbols serves a chunk; with it, the
// bytes of every vector decode alone, at memory speed.
#ifndef NODEDB_TS_CODEC_FSST_FSST_H
#define NODEDB_TS_CODEC_FSST_FSST_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::codec {

inline constexpr size_t kMaxFsstSymbols = 255;
inline constexpr size_t kMaxFsstSymbolBytes = 8;
inline constexpr uint8_t kFsstEscape = 255;      // a byte as it is follows
inline constexpr size_t kFsstSampleBytes = 16384;  // more teaches little

// Up to 8 bytes, the first one lowest; those behind `length` are 0.
struct FsstSymbol {
  uint64_t bytes = 0;
  uint8_t length = 0;
  bool operator==(const FsstSymbol&) const = default;
};

// A table made from a sample. Allocates about 1 MB while it learns, 70 kB then.
class FsstEncoder {
 public:
  // Takes the first 2 * kFsstSampleBytes at most; false when there are none. Throws std::bad_alloc.
  bool Learn(std::span<const uint8_t> sample);
  // Appends the table.
  void WriteTable(base::ByteWriter* out) const;
  // Appends the codes of bytes[0..size), unless they take more than `most` bytes: false then, and *out
  // is as before. REQUIRES 8 readable bytes behind them, whatever they are; Learn.
  bool Encode(const uint8_t* bytes, size_t size, size_t most, std::vector<uint8_t>* out) const;
  size_t size() const { return symbols_.size(); }

 private:
  class Counts;

  void Take(std::vector<FsstSymbol> symbols);
  void Count(std::span<const uint8_t> sample, Counts* counts) const;
  std::vector<FsstSymbol> Better(const Counts& counts, uint16_t least) const;
  unsigned Find(uint64_t word, size_t left) const;

  // By length, in ascending order; a symbol's place is its code.
  std::vector<FsstSymbol> symbols_;
  // Codes by the first two bytes: of a symbol of these two, else of the first one, else the escape.
  std::vector<uint8_t> short_codes_;
  // Symbols of three bytes or more by a hash of three, longest first; where each hash's begin.
  std::vector<uint8_t> long_codes_;
  std::vector<uint8_t> first_long_;
};

// A stored table, for decoding. Takes hostile bytes.
class FsstDecoder {
 public:
  // All bytes must be used.
  [[nodiscard]] bool Open(base::ByteReader stored);
  // Writes exactly `size` bytes, of all codes. False when the codes are wrong or of other length.
  [[nodiscard]] bool Decode(base::ByteReader in, uint8_t* out, size_t size) const;

 private:
  template <bool kManySymbols>
  bool DecodeCodes(const uint8_t* in, const uint8_t* in_end, uint8_t* out, uint8_t* out_end) const;

  size_t count_ = 0;
  std::array<uint8_t, 256> lengths_ = {};  // 0: no such symbol
  std::array<uint64_t, 256> bytes_ = {};
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_FSST_FSST_H
