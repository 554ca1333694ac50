#include "codec/constant/constant.h"

#include <algorithm>

namespace nodedb_ts::codec {
namespace {

void Encode(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  if (shape.kind == WordKind::kInt) {
    out->Zig(static_cast<int64_t>(values[0]));
  } else {
    out->Width(values[0], shape.width);
  }
}

bool Decode(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out) {
  uint64_t word;
  if (shape.kind == WordKind::kInt) {
    int64_t v;
    if (!in->ReadZigZag(&v)) return false;
    word = static_cast<uint64_t>(v);
  } else if (!in->ReadWidth(shape.width, &word)) {
    return false;
  }
  std::fill(out.begin(), out.end(), word);
  return true;
}

}  // namespace

const WordCodec kConstantCodec = {kConstant, "constant", Encode, Decode};

}  // namespace nodedb_ts::codec
