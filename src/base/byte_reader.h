// byte_reader.h - reads stored bytes, which may be hostile: every read checks what
// is left and returns false, leaving the reader where it was, when there is too
// little. The bytes are borrowed.
#ifndef NODEDB_TS_BASE_BYTE_READER_H
#define NODEDB_TS_BASE_BYTE_READER_H

#include <cstddef>
#include <cstdint>

#include "base/bits.h"

namespace nodedb_ts::base {

class ByteReader {
 public:
  ByteReader() = default;
  ByteReader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  bool empty() const { return at_ == end_; }
  const uint8_t* at() const { return at_; }

  [[nodiscard]] bool ReadU8(uint8_t* v) {
    if (remaining() < 1) return false;
    *v = *at_++;
    return true;
  }
  [[nodiscard]] bool ReadU16(uint16_t* v) { return ReadLe(v); }
  [[nodiscard]] bool ReadU32(uint32_t* v) { return ReadLe(v); }
  [[nodiscard]] bool ReadU64(uint64_t* v) { return ReadLe(v); }

  // The low `width` (1..8) bytes of a word.
  [[nodiscard]] bool ReadWidth(size_t width, uint64_t* v) {
    if (remaining() < width) return false;
    *v = LoadLeWidth(at_, width);
    at_ += width;
    return true;
  }

  // LEB128, at most 10 bytes; bits beyond the 64th are an error.
  [[nodiscard]] bool ReadVarint(uint64_t* v) {
    const uint8_t* p = at_;
    if (p != end_ && *p < 0x80) {
      *v = *p;
      at_ = p + 1;
      return true;
    }
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (p == end_) return false;
      const uint8_t byte = *p++;
      if (shift == 63 && byte > 1) return false;
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        *v = result;
        at_ = p;
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool ReadZigZag(int64_t* v) {
    uint64_t u;
    if (!ReadVarint(&u)) return false;
    *v = UnZigZag(u);
    return true;
  }

  [[nodiscard]] bool ReadBytes(uint64_t count, const uint8_t** bytes) {
    if (remaining() < count) return false;
    *bytes = at_;
    at_ += count;
    return true;
  }

  // A reader of the next `count` bytes, which this one skips.
  [[nodiscard]] bool ReadSpan(uint64_t count, ByteReader* span) {
    if (remaining() < count) return false;
    *span = ByteReader(at_, static_cast<size_t>(count));
    at_ += count;
    return true;
  }

  // Cuts `count` bytes off the end.
  [[nodiscard]] bool TakeTail(uint64_t count, const uint8_t** bytes) {
    if (remaining() < count) return false;
    end_ -= count;
    *bytes = end_;
    return true;
  }

 private:
  template <typename T>
  bool ReadLe(T* v) {
    if (remaining() < sizeof(T)) return false;
    *v = LoadLe<T>(at_);
    at_ += sizeof(T);
    return true;
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
};

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_BYTE_READER_H
