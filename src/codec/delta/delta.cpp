#include "codec/delta/delta.h"

#include "codec/bitpack/bitpack.h"

namespace nodedb_ts::codec {
namespace {

// All arithmetic is modulo 2^64, so that INT64_MIN after INT64_MAX is no special case.
void Encode(const WordShape&, std::span<const uint64_t> values, base::ByteWriter* out) {
  out->Zig(static_cast<int64_t>(values[0]));
  if (values.size() == 1) return;
  uint64_t deltas[kMaxVectorRows];
  const size_t n = values.size() - 1;
  for (size_t i = 0; i < n; i++) deltas[i] = values[i + 1] - values[i];
  const std::span<const uint64_t> span(deltas, n);
  WriteFrame(span, PlanFrame(span), out);
}

bool Decode(const WordShape&, base::ByteReader* in, std::span<uint64_t> out) {
  int64_t first;
  if (!in->ReadZigZag(&first)) return false;
  out[0] = static_cast<uint64_t>(first);
  if (out.size() == 1) return true;
  if (!ReadFrame(in, out.subspan(1))) return false;
  uint64_t value = out[0];
  for (size_t i = 1; i < out.size(); i++) {
    value += out[i];
    out[i] = value;
  }
  return true;
}

}  // namespace

bool ReadEqualDeltas(base::ByteReader in, size_t count, uint64_t* first, uint64_t* delta) {
  int64_t value;
  int64_t base;
  uint8_t width;
  uint64_t exceptions;
  if (count < 2 || !in.ReadZigZag(&value) || !in.ReadZigZag(&base) || !in.ReadU8(&width) || width != 0 ||
      !in.ReadVarint(&exceptions) || exceptions != 0 || !in.empty()) {
    return false;
  }
  *first = static_cast<uint64_t>(value);
  *delta = static_cast<uint64_t>(base);
  return true;
}

const WordCodec kDeltaCodec = {kDelta, "delta", Encode, Decode};

}  // namespace nodedb_ts::codec
