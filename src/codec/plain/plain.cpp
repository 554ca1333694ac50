#include "codec/plain/plain.h"

#include "base/bits.h"

namespace nodedb_ts::codec {
namespace {

template <typename T>
void Narrow(std::span<const uint64_t> values, uint8_t* out) {
  for (const uint64_t v : values) {
    base::StoreLe<T>(out, static_cast<T>(v));
    out += sizeof(T);
  }
}

// Sign-extends or zero-extends, as the type Extended says.
template <typename T, typename Extended>
void Widen(const uint8_t* in, std::span<uint64_t> out) {
  for (size_t i = 0; i < out.size(); i++) {
    out[i] = static_cast<uint64_t>(
        static_cast<int64_t>(static_cast<Extended>(base::LoadLe<T>(in + i * sizeof(T)))));
  }
}

void Encode(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  uint8_t* p = out->Extend(values.size() * shape.width);
  switch (shape.width) {
    case 2: return Narrow<uint16_t>(values, p);
    case 4: return Narrow<uint32_t>(values, p);
    case 8: return Narrow<uint64_t>(values, p);
    default:
      for (const uint64_t v : values) *p++ = static_cast<uint8_t>(v);
  }
}

bool Decode(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out) {
  const uint8_t* p;
  if (!in->ReadBytes(out.size() * shape.width, &p)) return false;
  switch (shape.width) {
    case 2: Widen<uint16_t, int16_t>(p, out); break;
    case 4:
      if (shape.kind == WordKind::kInt) Widen<uint32_t, int32_t>(p, out);
      else Widen<uint32_t, uint32_t>(p, out);
      break;
    case 8: Widen<uint64_t, int64_t>(p, out); break;
    default:
      for (size_t i = 0; i < out.size(); i++) out[i] = base::SignExtend(p[i], 1);
  }
  return true;
}

}  // namespace

const WordCodec kPlainCodec = {kPlain, "plain", Encode, Decode};

}  // namespace nodedb_ts::codec
