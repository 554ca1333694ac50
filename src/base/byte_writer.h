// byte_writer.h - appends little-endian values to a byte vector, which the caller
// owns. Throws std::bad_alloc when the vector cannot grow.
#ifndef NODEDB_TS_BASE_BYTE_WRITER_H
#define NODEDB_TS_BASE_BYTE_WRITER_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.h"

namespace nodedb_ts::base {

class ByteWriter {
 public:
  explicit ByteWriter(std::vector<uint8_t>* out) : out_(out) {}

  size_t size() const { return out_->size(); }
  std::vector<uint8_t>* vector() { return out_; }

  void U8(uint8_t v) { out_->push_back(v); }
  void U16(uint16_t v) { Le(v); }
  void U32(uint32_t v) { Le(v); }
  void U64(uint64_t v) { Le(v); }
  void Width(uint64_t v, size_t width) { StoreLeWidth(Extend(width), v, width); }

  void Varint(uint64_t v) {
    if (v < 0x80) return out_->push_back(static_cast<uint8_t>(v));
    uint8_t buffer[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) buffer[n++] = static_cast<uint8_t>(v | 0x80);
    buffer[n++] = static_cast<uint8_t>(v);
    Bytes(buffer, n);
  }
  void Zig(int64_t v) { Varint(ZigZag(v)); }

  void Bytes(const void* bytes, size_t count) {
    const auto* p = static_cast<const uint8_t*>(bytes);
    out_->insert(out_->end(), p, p + count);
  }

  // Appends `count` zero bytes and returns their address (until the next append).
  uint8_t* Extend(size_t count) {
    out_->resize(out_->size() + count);
    return out_->data() + out_->size() - count;
  }

 private:
  template <typename T>
  void Le(T v) {
    StoreLe<T>(Extend(sizeof(T)), v);
  }

  std::vector<uint8_t>* out_;
};

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_BYTE_WRITER_H
