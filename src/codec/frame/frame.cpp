#include "codec/frame/frame.h"

#include "codec/bitpack/bitpack.h"

namespace nodedb_ts::codec {
namespace {

void Encode(const WordShape&, std::span<const uint64_t> values, base::ByteWriter* out) {
  WriteFrame(values, PlanFrame(values), out);
}

bool Decode(const WordShape&, base::ByteReader* in, std::span<uint64_t> out) {
  return ReadFrame(in, out);
}

}  // namespace

const WordCodec kFrameCodec = {kFrame, "frame", Encode, Decode};

}  // namespace nodedb_ts::codec
