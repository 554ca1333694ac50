// gorilla.h - floats as XOR with the value before.
#ifndef NODEDB_TS_CODEC_GORILLA_GORILLA_H
#define NODEDB_TS_CODEC_GORILLA_GORILLA_H

#include <cstddef>
#include <span>

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kGorillaCodec;

// Encodes as the codec does, but gives up (false, nothing appended) once more than
// max_bytes would be needed.
[[nodiscard]] bool EncodeGorilla(const WordShape& shape, std::span<const uint64_t> values,
                                 size_t max_bytes, base::ByteWriter* out);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_GORILLA_GORILLA_H
