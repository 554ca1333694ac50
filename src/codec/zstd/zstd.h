// zstd.h - vectors of byte strings: lengths, then the bytes, plain, in one zstd frame or as codes of
// symbols (fsst/). Lengths stay outside of it, so that sizes are known without inflating.
#ifndef NODEDB_TS_CODEC_ZSTD_ZSTD_H
#define NODEDB_TS_CODEC_ZSTD_ZSTD_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

struct ZSTD_CCtx_s;
struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace nodedb_ts::codec {

class FsstDecoder;
class FsstEncoder;
class TrainedDictionary;

// Limits that encoders keep and decoders enforce.
inline constexpr uint64_t kMaxValueBytes = (uint64_t{1} << 30) - 9;
inline constexpr uint64_t kMaxVectorBytes = uint64_t{4} << 20;  // unless one value
inline constexpr uint64_t kMaxZstdDictionary = uint64_t{1} << 20;

// Encodes vectors of byte strings; keeps its compression context between calls.
class BytesEncoder {
 public:
  // zstd_level: of level 2, 1..22; 0: a good default.
  explicit BytesEncoder(uint8_t level, int zstd_level = 0)
      : zstd_level_(level <= 1 ? 1 : zstd_level == 0 ? 6 : zstd_level), quick_(level <= 1) {}
  ~BytesEncoder();
  BytesEncoder(const BytesEncoder&) = delete;
  BytesEncoder& operator=(const BytesEncoder&) = delete;

  // Appends 1..1024 values; returns the codec number. fixed_width: bytes of every
  // value, 0 when lengths vary. Throws std::bad_alloc.
  uint8_t Encode(uint32_t fixed_width, std::span<const std::string_view> values,
                 base::ByteWriter* out);

  // From now on vectors may refer to these bytes, which the reader has to know; empty: no longer.
  void UseDictionary(std::span<const uint8_t> content);
  // The same with a trained dictionary, which is borrowed; NULL: no longer. Not both at once.
  void UseTrained(const TrainedDictionary* trained) { trained_ = trained; }
  // From now on vectors are written as codes of this table, where that is less than the bytes, and not
  // as frames; NULL: no longer. Borrowed; the reader has to know the table.
  void UseSymbols(const FsstEncoder* symbols) { symbols_ = symbols; }
  // Appends the bytes as one frame at a high level: for what is stored once and read often.
  void Pack(std::span<const uint8_t> bytes, std::vector<uint8_t>* out);

 private:
  bool Compress(const char* bytes, size_t size, std::vector<uint8_t>* out);
  size_t CompressAt(int level, const char* bytes, size_t size, uint8_t* out, size_t limit);
  bool EncodeSymbols(std::span<const std::string_view> values, size_t total, std::vector<uint8_t>* out);
  void Join(std::span<const std::string_view> values, size_t total);

  int zstd_level_;
  bool quick_;  // level 1: a few short values are left as they are
  ZSTD_CCtx_s* context_ = nullptr;
  ZSTD_CDict_s* dictionary_ = nullptr;
  ZSTD_CDict_s* quick_dictionary_ = nullptr;  // the same one for level 1, where there is no other
  const TrainedDictionary* trained_ = nullptr;
  const FsstEncoder* symbols_ = nullptr;
  std::vector<char> joined_;
  std::vector<uint8_t> quick_frame_;
};

// Bytes that a chunk's frames refer to.
class ZstdDictionary {
 public:
  ZstdDictionary() = default;
  ~ZstdDictionary();
  ZstdDictionary(const ZstdDictionary&) = delete;
  ZstdDictionary& operator=(const ZstdDictionary&) = delete;

  // stored: as BytesEncoder::Pack wrote them.
  [[nodiscard]] bool Open(base::ByteReader stored);
  const ZSTD_DDict_s* get() const { return dictionary_; }

 private:
  ZSTD_DDict_s* dictionary_ = nullptr;
};

// Inflates what Pack wrote, at most max_bytes. False when the bytes are wrong.
[[nodiscard]] bool Unpack(base::ByteReader stored, uint64_t max_bytes, std::vector<uint8_t>* out);

// Are the tables of a trained dictionary such that frames can be read with it? Throws std::bad_alloc.
[[nodiscard]] bool CanInflateWith(std::span<const uint8_t> trained);

// What vectors may need to be read; borrowed, NULL: not there.
struct SharedBytes {
  const ZstdDictionary* dictionary = nullptr;  // of the chunk, as are
  const FsstDecoder* symbols = nullptr;        // these
  const TrainedDictionary* trained = nullptr;  // of the column
};

// A parsed vector: its bytes are one after the other in `stored`, in its frame, or as codes.
struct BytesVector {
  uint64_t total = 0;
  const uint8_t* stored = nullptr;
  size_t stored_size = 0;
  bool compressed = false;
  SharedBytes shared;  // what this one needs
};

// lengths.size() values; fills the lengths. Borrows the bytes and what is shared, which only
// kBytesZstdDictionary, kBytesFsst and kBytesTrained need.
[[nodiscard]] bool OpenBytes(uint32_t fixed_width, uint8_t number, base::ByteReader in,
                             const SharedBytes& shared, std::span<uint64_t> lengths,
                             BytesVector* vector);
// Writes the vector's `total` bytes to `out`.
[[nodiscard]] bool CopyBytes(const BytesVector& vector, uint8_t* out);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_ZSTD_ZSTD_H
