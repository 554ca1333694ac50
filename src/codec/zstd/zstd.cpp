#include "codec/zstd/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "codec/bitpack/bitpack.h"
#include "codec/fsst/fsst.h"
#include "codec/registry/registry.h"
#include "codec/zstd/trained.h"

namespace nodedb_ts::codec {
namespace {

constexpr size_t kMinCompressBytes = 64;          // a frame has about 12 bytes of its own
// At level 1 the tables for a few short values cost more time than all else that is done to them.
constexpr size_t kMinQuickBytes = 1024;
constexpr size_t kMostTriedTwice = size_t{1} << 20;  // a second frame is held beside the first
constexpr size_t kHugeBytes = size_t{8} << 20;    // probe a piece first, level 1 only
// Higher levels want tables of tens of megabytes for inputs beyond this size.
constexpr size_t kLargeBytes = size_t{256} << 10;
constexpr int kLargeLevel = 9;
constexpr int kPackLevel = 19;
constexpr size_t kProbeBytes = size_t{256} << 10;
// A block of 128 kB takes at least 4 bytes, so no frame grows by more than 2^15.
constexpr uint64_t kMaxRatio = uint64_t{1} << 16;

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_DCtx* DecompressionContext() {
  // Made once per thread: making one costs more than inflating a small vector.
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context;
  if (context == nullptr) context.reset(ZSTD_createDCtx());
  if (context == nullptr) throw std::bad_alloc();
  return context.get();
}

// zstd would take such bytes for a dictionary with entropy tables.
bool IsTrained(std::span<const uint8_t> content) {
  return content.size() >= 4 && base::LoadLe<uint32_t>(content.data()) == ZSTD_MAGIC_DICTIONARY;
}

}  // namespace

BytesEncoder::~BytesEncoder() {
  ZSTD_freeCCtx(context_);
  UseDictionary({});
}

void BytesEncoder::UseDictionary(std::span<const uint8_t> content) {
  ZSTD_freeCDict(dictionary_);
  ZSTD_freeCDict(quick_dictionary_);
  dictionary_ = quick_dictionary_ = nullptr;
  if (content.empty() || IsTrained(content)) return;
  quick_dictionary_ = ZSTD_createCDict(content.data(), content.size(), 1);
  if (zstd_level_ > 1) dictionary_ = ZSTD_createCDict(content.data(), content.size(), zstd_level_);
  if (quick_dictionary_ == nullptr || (zstd_level_ > 1 && dictionary_ == nullptr)) throw std::bad_alloc();
}

void BytesEncoder::Pack(std::span<const uint8_t> bytes, std::vector<uint8_t>* out) {
  if (context_ == nullptr) context_ = ZSTD_createCCtx();
  if (context_ == nullptr) throw std::bad_alloc();
  const size_t start = out->size();
  out->resize(start + ZSTD_compressBound(bytes.size()));
  const int level = std::max(zstd_level_, bytes.size() > kLargeBytes ? 12 : kPackLevel);
  const size_t written = ZSTD_compressCCtx(context_, out->data() + start, out->size() - start,
                                           bytes.data(), bytes.size(), level);
  if (ZSTD_isError(written)) throw std::bad_alloc();  // nothing else can fail
  out->resize(start + written);
}

// Appends one frame, unless it would save less than 1/16.
bool BytesEncoder::Compress(const char* bytes, size_t size, std::vector<uint8_t>* out) {
  if (size < kMinCompressBytes) return false;
  if (context_ == nullptr) context_ = ZSTD_createCCtx();
  if (context_ == nullptr) throw std::bad_alloc();
  const bool huge = size >= kHugeBytes;
  const int level = huge ? 1 : size > kLargeBytes ? std::min(zstd_level_, kLargeLevel) : zstd_level_;
  const size_t start = out->size();
  if (huge) {
    // Looks at the middle: bytes that do not compress (images, archives) are not
    // worth a second copy of them.
    out->resize(start + ZSTD_compressBound(kProbeBytes));
    const size_t probe = ZSTD_compressCCtx(context_, out->data() + start, out->size() - start,
                                           bytes + size / 2, kProbeBytes, level);
    out->resize(start);
    if (ZSTD_isError(probe) || probe > kProbeBytes - kProbeBytes / 16) return false;
  }
  const size_t limit = size - size / 16;
  out->resize(start + limit);
  size_t written = CompressAt(level, bytes, size, out->data() + start, limit);
  if (level > 1 && size <= kMostTriedTwice) {
    // Of bytes with little to refer to (hexadecimal hashes) level 1 makes less: more literals, which cost half of what
    // short references do.
    quick_frame_.resize(limit);
    const size_t quick = CompressAt(1, bytes, size, quick_frame_.data(), limit);
    if (!ZSTD_isError(quick) && (ZSTD_isError(written) || quick < written)) {
      std::memcpy(out->data() + start, quick_frame_.data(), quick);
      written = quick;
    }
  }
  if (ZSTD_isError(written)) {  // mostly: does not fit into the limit
    out->resize(start);
    return false;
  }
  out->resize(start + written);
  return true;
}

// A frame of at most `limit` bytes: their number, or zstd's error.
size_t BytesEncoder::CompressAt(int level, const char* bytes, size_t size, uint8_t* out, size_t limit) {
  const ZSTD_CDict* dictionary = size >= kHugeBytes    ? nullptr
                                 : trained_ != nullptr ? trained_->Compressor(level == 1 ? 1 : zstd_level_)
                                 : level == 1          ? quick_dictionary_
                                                       : dictionary_;
  return dictionary != nullptr ? ZSTD_compress_usingCDict(context_, out, limit, bytes, size, dictionary)
                               : ZSTD_compressCCtx(context_, out, limit, bytes, size, level);
}

// All values in joined_, one after the other, and 8 bytes behind them.
void BytesEncoder::Join(std::span<const std::string_view> values, size_t total) {
  joined_.resize(total + 8);
  size_t at = 0;
  for (const std::string_view v : values) {
    if (!v.empty()) std::memcpy(joined_.data() + at, v.data(), v.size());
    at += v.size();
  }
}

// Appends codes; false when they are not less than the bytes. Symbols may begin in one value and end
// in the next: a vector is read as a whole.
bool BytesEncoder::EncodeSymbols(std::span<const std::string_view> values, size_t total,
                                 std::vector<uint8_t>* out) {
  Join(values, total);
  if (total == 0) return false;
  return symbols_->Encode(reinterpret_cast<const uint8_t*>(joined_.data()), total, total - 1, out);
}

uint8_t BytesEncoder::Encode(uint32_t fixed_width, std::span<const std::string_view> values,
                             base::ByteWriter* out) {
  size_t total = 0;
  if (fixed_width == 0) {
    uint64_t lengths[kMaxVectorRows];
    for (size_t i = 0; i < values.size(); i++) {
      lengths[i] = values[i].size();
      total += values[i].size();
    }
    std::vector<uint8_t> encoded;
    base::ByteWriter writer(&encoded);
    const uint8_t number = EncodeIntegers({lengths, values.size()}, 8, &writer);
    out->U8(number);
    out->Varint(encoded.size());
    out->Bytes(encoded.data(), encoded.size());
  } else {
    total = values.size() * fixed_width;
  }
  if (symbols_ != nullptr && total < kHugeBytes) {
    if (EncodeSymbols(values, total, out->vector())) return kBytesFsst;
    out->Bytes(joined_.data(), total);
    return kBytesPlain;
  }
  const uint8_t compressed = total >= kHugeBytes      ? kBytesZstd
                             : trained_ != nullptr    ? kBytesTrained
                             : dictionary_ != nullptr ? kBytesZstdDictionary
                                                      : kBytesZstd;
  if (values.size() == 1) {
    if (Compress(values[0].data(), total, out->vector())) return compressed;
    out->Bytes(values[0].data(), total);
    return kBytesPlain;
  }
  Join(values, total);
  const bool worth_it = !quick_ || trained_ != nullptr || total >= kMinQuickBytes;
  if (worth_it && Compress(joined_.data(), total, out->vector())) {
    return compressed;
  }
  out->Bytes(joined_.data(), total);
  return kBytesPlain;
}

ZstdDictionary::~ZstdDictionary() { ZSTD_freeDDict(dictionary_); }

bool ZstdDictionary::Open(base::ByteReader stored) {
  std::vector<uint8_t> content;
  if (!Unpack(stored, kMaxZstdDictionary, &content)) return false;
  if (content.empty() || IsTrained(content)) return false;
  ZSTD_freeDDict(dictionary_);
  dictionary_ = ZSTD_createDDict(content.data(), content.size());
  if (dictionary_ == nullptr) throw std::bad_alloc();
  return true;
}

bool Unpack(base::ByteReader stored, uint64_t max_bytes, std::vector<uint8_t>* out) {
  const unsigned long long size = ZSTD_getFrameContentSize(stored.at(), stored.remaining());
  // Covers the values that say that the size is unknown or wrong.
  if (size > max_bytes || size / kMaxRatio > stored.remaining()) return false;
  out->resize(size);
  const size_t got = ZSTD_decompressDCtx(DecompressionContext(), out->data(), out->size(),
                                         stored.at(), stored.remaining());
  return got == size;
}

bool CanInflateWith(std::span<const uint8_t> trained) {
  // A frame of nothing, with its content size: all that can be wrong is the dictionary.
  static constexpr uint8_t kEmptyFrame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00};
  return ZSTD_decompress_usingDict(DecompressionContext(), nullptr, 0, kEmptyFrame, sizeof(kEmptyFrame),
                                   trained.data(), trained.size()) == 0;
}

bool OpenBytes(uint32_t fixed_width, uint8_t number, base::ByteReader in,
               const SharedBytes& shared, std::span<uint64_t> lengths, BytesVector* vector) {
  vector->shared = {};
  switch (number) {
    case kBytesPlain: case kBytesZstd: break;
    case kBytesZstdDictionary: vector->shared.dictionary = shared.dictionary; break;
    case kBytesFsst: vector->shared.symbols = shared.symbols; break;
    case kBytesTrained: vector->shared.trained = shared.trained; break;
    default: return false;
  }
  if (number == kBytesZstdDictionary && shared.dictionary == nullptr) return false;
  if (number == kBytesFsst && shared.symbols == nullptr) return false;
  if (number == kBytesTrained && shared.trained == nullptr) return false;
  uint64_t total = 0;
  if (fixed_width == 0) {
    uint8_t lengths_number;
    uint64_t lengths_size;
    base::ByteReader encoded;
    if (!in.ReadU8(&lengths_number) || !in.ReadVarint(&lengths_size)) return false;
    if (!in.ReadSpan(lengths_size, &encoded)) return false;
    if (!DecodeWords({WordKind::kInt, 8}, lengths_number, encoded, lengths)) return false;
    for (const uint64_t length : lengths) {
      if (length > kMaxValueBytes) return false;
      total += length;
    }
  } else {
    std::fill(lengths.begin(), lengths.end(), fixed_width);
    total = uint64_t{fixed_width} * lengths.size();
  }
  if (total > (lengths.size() > 1 ? kMaxVectorBytes : kMaxValueBytes)) return false;
  vector->total = total;
  vector->stored = in.at();
  vector->stored_size = in.remaining();
  vector->compressed = number != kBytesPlain;
  if (!vector->compressed) return vector->stored_size == total;
  if (number == kBytesFsst) return total <= vector->stored_size * kMaxFsstSymbolBytes;
  return total / kMaxRatio <= vector->stored_size &&
         ZSTD_getFrameContentSize(vector->stored, vector->stored_size) == total;
}

bool CopyBytes(const BytesVector& vector, uint8_t* out) {
  if (vector.total == 0) return true;
  if (!vector.compressed) {
    std::memcpy(out, vector.stored, vector.total);
    return true;
  }
  if (vector.shared.symbols != nullptr) {
    return vector.shared.symbols->Decode({vector.stored, vector.stored_size}, out, vector.total);
  }
  const ZSTD_DDict* dictionary = vector.shared.trained != nullptr      ? vector.shared.trained->decompressor()
                                 : vector.shared.dictionary != nullptr ? vector.shared.dictionary->get()
                                                                       : nullptr;
  const size_t got =
      dictionary == nullptr
          ? ZSTD_decompressDCtx(DecompressionContext(), out, vector.total, vector.stored,
                                vector.stored_size)
          : ZSTD_decompress_usingDDict(DecompressionContext(), out, vector.total, vector.stored,
                                       vector.stored_size, dictionary);
  return got == vector.total;
}

}  // namespace nodedb_ts::codec
