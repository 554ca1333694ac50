#include "segment/row_batch.h"

#include <cstring>

#include "base/bits.h"
#include "segment/format.h"
#include "segment/plain_float.h"

namespace nodedb_ts::segment {
namespace {

// Writes into a fixed room; once something did not fit, nothing more is written.
class RoomWriter {
 public:
  explicit RoomWriter(std::span<uint8_t> room)
      : begin_(room.data()), at_(room.data()), end_(room.data() + room.size()) {}

  bool fits() const { return fits_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

  uint8_t* Take(size_t bytes) {
    if (!fits_ || static_cast<size_t>(end_ - at_) < bytes) {
      fits_ = false;
      return nullptr;
    }
    uint8_t* taken = at_;
    at_ += bytes;
    return taken;
  }
  void Varint(uint64_t v) {
    uint8_t* p = Take(base::VarintBytes(v));
    if (p == nullptr) return;
    for (; v >= 0x80; v >>= 7) *p++ = static_cast<uint8_t>(v | 0x80);
    *p = static_cast<uint8_t>(v);
  }
  void Bytes(const void* bytes, size_t count) {
    uint8_t* p = Take(count);
    if (p != nullptr && count > 0) std::memcpy(p, bytes, count);
  }
  void Zero(size_t count) {
    uint8_t* p = Take(count);
    if (p != nullptr) std::memset(p, 0, count);
  }

 private:
  uint8_t* begin_;
  uint8_t* at_;
  uint8_t* end_;
  bool fits_ = true;
};

void WriteValue(const NtsColumn& column, const NtsValue& value, RoomWriter* out) {
  switch (column.kind) {
    case NTS_KIND_FLOAT4:
      if (uint8_t* p = out->Take(4)) base::StoreLe<uint32_t>(p, static_cast<uint32_t>(value.word));
      return;
    case NTS_KIND_FLOAT8: {
      const uint64_t code = PlainFloatCode(value.word);
      out->Varint(code);
      if (code != kPlainRawFloat) return;
      if (uint8_t* p = out->Take(8)) base::StoreLe<uint64_t>(p, value.word);
      return;
    }
    case NTS_KIND_FIXED:
      return out->Bytes(reinterpret_cast<const void*>(value.word), column.width);
    case NTS_KIND_VAR:
      out->Varint(value.length);
      return out->Bytes(reinterpret_cast<const void*>(value.word), value.length);
    case NTS_KIND_INT:
      if (column.width == 1) {
        if (uint8_t* p = out->Take(1)) *p = static_cast<uint8_t>(value.word);
        return;
      }
      return out->Varint(base::ZigZag(
          static_cast<int64_t>(base::SignExtend(value.word, column.width))));
    default:
      return;
  }
}

}  // namespace

size_t EncodeRowBatch(const NtsSchema& schema, const NtsValue* values,
                      std::span<uint8_t> payload) {
  const uint32_t n = schema.column_count;
  RoomWriter out(payload);
  bool any_null = false;
  bool any_fixed = false;
  out.Zero(1);  // flags
  out.Varint(n);
  uint8_t* shapes = out.Take((n + 1) / 2);
  if (shapes == nullptr) return 0;
  for (uint32_t c = 0; c < n; c++) {
    const uint8_t shape = BatchShapeOf(schema.columns[c]);
    if (c % 2 == 0) shapes[c / 2] = shape;
    else shapes[c / 2] = static_cast<uint8_t>(shapes[c / 2] | shape << 4);
    any_fixed = any_fixed || shape == kBatchFixed;
    // A dropped column has neither value nor flag: its shape says it all.
    any_null = any_null || (values[c].is_null && shape != kBatchNone);
  }
  if (any_fixed) {
    for (uint32_t c = 0; c < n; c++) {
      if (schema.columns[c].kind == NTS_KIND_FIXED) out.Varint(schema.columns[c].width);
    }
  }
  for (uint32_t c = 0; c < n; c++) {
    if (!values[c].is_null) WriteValue(schema.columns[c], values[c], &out);
  }
  if (any_null) {
    uint8_t* bitmap = out.Take((n + 7) / 8);
    if (bitmap == nullptr) return 0;
    std::memset(bitmap, 0, (n + 7) / 8);
    for (uint32_t c = 0; c < n; c++) {
      if (values[c].is_null && schema.columns[c].kind != NTS_KIND_NONE) {
        bitmap[c / 8] |= static_cast<uint8_t>(1u << (c % 8));
      }
    }
    payload[0] = kBatchNullBitmap;
  }
  return out.fits() ? out.size() : 0;
}

}  // namespace nodedb_ts::segment
