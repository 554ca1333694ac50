#include "codec/delta/delta.h"

#include "base/words.h"
#include "codec/bitpack/bitpack.h"

namespace nodedb_ts::codec {
namespace {

// All arithmetic is modulo 2^64, so that INT64_MIN after INT64_MAX is no special case.
void Encode(const WordShape&, std::span<const uint64_t> values, base::ByteWriter* out) {
  out->Zig(static_cast<int64_t>(values[0]));
  if (values.size() == 1) return;
  uint64_t deltas[kMaxVectorRows];
  base::Differences(values.data(), values.size(), deltas);
  const std::span<const uint64_t> span(deltas, values.size() - 1);
  WriteFrame(span, PlanFrame(span), out);
}

bool Decode(const WordShape&, base::ByteReader* in, std::span<uint64_t> out) {
  int64_t first;
  if (!in->ReadZigZag(&first)) return false;
  out[0] = static_cast<uint64_t>(first);
  if (out.size() == 1) return true;
  if (!ReadFrame(in, out.subspan(1))) return false;
  base::SumUp(out.data() + 1, out.size() - 1, out[0]);
  return true;
}

void EncodeSecond(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  out->Zig(static_cast<int64_t>(values[0]));
  if (values.size() == 1) return;
  uint64_t deltas[kMaxVectorRows];
  base::Differences(values.data(), values.size(), deltas);
  Encode(shape, {deltas, values.size() - 1}, out);
}

bool DecodeSecond(const WordShape&, base::ByteReader* in, std::span<uint64_t> out) {
  int64_t first;
  int64_t delta;
  if (!in->ReadZigZag(&first)) return false;
  out[0] = static_cast<uint64_t>(first);
  if (out.size() == 1) return true;
  if (!in->ReadZigZag(&delta)) return false;
  out[1] = out[0] + static_cast<uint64_t>(delta);
  if (out.size() == 2) return true;
  if (!ReadFrame(in, out.subspan(2))) return false;
  base::SumUpTwice(out.data() + 2, out.size() - 2, out[1], static_cast<uint64_t>(delta));
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
const WordCodec kDeltaOfDeltaCodec = {kDeltaOfDelta, "delta of delta", EncodeSecond, DecodeSecond};

}  // namespace nodedb_ts::codec
