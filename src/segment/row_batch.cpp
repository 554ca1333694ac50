#include "segment/row_batch.h"

#include <cstring>

#include "base/bits.h"
#include "segment/format.h"
#include "segment/plain_float.h"

namespace nodedb_ts::segment {
namespace {

// Writes into a fixed room; once something did not fit, nothing more is written.
// Unless kChecked, the caller knows that everything fits.
template <bool kChecked>
class RoomWriter {
 public:
  RoomWriter(uint8_t* at, uint8_t* end) : at_(at), end_(end) {}

  bool fits() const { return fits_; }
  uint8_t* at() const { return at_; }

  uint8_t* Take(size_t bytes) {
    if (kChecked && (!fits_ || static_cast<size_t>(end_ - at_) < bytes)) {
      fits_ = false;
      return nullptr;
    }
    uint8_t* taken = at_;
    at_ += bytes;
    return taken;
  }
  void Varint(uint64_t v) {
    uint8_t* p = at_;
    if (kChecked && (p = Take(base::VarintBytes(v))) == nullptr) return;
    for (; v >= 0x80; v >>= 7) *p++ = static_cast<uint8_t>(v | 0x80);
    *p++ = static_cast<uint8_t>(v);
    at_ = p;
  }
  void Bytes(const void* bytes, size_t count) {
    uint8_t* p = Take(count);
    if (p != nullptr && count > 0) std::memcpy(p, bytes, count);
  }

 private:
  uint8_t* at_;
  uint8_t* end_;
  bool fits_ = true;
};

template <bool kChecked>
void WriteValue(const NtsColumn& column, const NtsValue& value, RoomWriter<kChecked>* out) {
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

// The values behind the head, then the bitmap of NULLs, if there is one. Returns the end, or NULL.
template <bool kChecked>
uint8_t* WriteRow(const NtsSchema& schema, const NtsValue* values, bool any_null, uint8_t* at,
                  uint8_t* end) {
  const uint32_t n = schema.column_count;
  RoomWriter<kChecked> out(at, end);
  for (uint32_t c = 0; c < n; c++) {
    if (!values[c].is_null) WriteValue(schema.columns[c], values[c], &out);
  }
  if (any_null) {
    uint8_t* bitmap = out.Take((n + 7) / 8);
    if (bitmap == nullptr) return nullptr;
    std::memset(bitmap, 0, (n + 7) / 8);
    for (uint32_t c = 0; c < n; c++) {
      if (values[c].is_null && schema.columns[c].kind != NTS_KIND_NONE) {
        bitmap[c / 8] |= static_cast<uint8_t>(1u << (c % 8));
      }
    }
  }
  return out.fits() ? out.at() : nullptr;
}

}  // namespace

size_t EncodeRowBatch(const NtsSchema& schema, std::span<const uint8_t> head,
                      const NtsValue* values, std::span<uint8_t> payload) {
  constexpr size_t kMostBytes = 10;  // of a value that is no byte string, or of a length
  const uint32_t n = schema.column_count;
  if (payload.size() < head.size()) return 0;
  std::memcpy(payload.data(), head.data(), head.size());
  uint64_t most = head.size() + (n + 7) / 8;
  bool any_null = false;
  for (uint32_t c = 0; c < n; c++) {
    const NtsColumn& column = schema.columns[c];
    if (values[c].is_null) {
      // A dropped column has neither value nor flag: its shape says it all.
      any_null = any_null || column.kind != NTS_KIND_NONE;
    } else {
      most += kMostBytes + (column.kind == NTS_KIND_VAR ? values[c].length : column.width);
    }
  }
  if (any_null) payload[0] = kBatchNullBitmap;
  uint8_t* const start = payload.data();
  uint8_t* const rest = start + head.size();
  uint8_t* const end = start + payload.size();
  uint8_t* const at = most <= payload.size()
                          ? WriteRow<false>(schema, values, any_null, rest, end)
                          : WriteRow<true>(schema, values, any_null, rest, end);
  return at == nullptr ? 0 : static_cast<size_t>(at - start);
}

}  // namespace nodedb_ts::segment
