// decimal.h - floats that are short decimals, as integers over a power of ten.
#ifndef NODEDB_TS_CODEC_DECIMAL_DECIMAL_H
#define NODEDB_TS_CODEC_DECIMAL_DECIMAL_H

#include <cstddef>
#include <span>

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kDecimalCodec;

// Encodes as the codec does, but gives up (false, nothing appended) when too many
// values are not short decimals.
[[nodiscard]] bool EncodeDecimal(const WordShape& shape, std::span<const uint64_t> values,
                                 base::ByteWriter* out);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_DECIMAL_DECIMAL_H
