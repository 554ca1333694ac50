// constant.h - one value for the whole vector.
#ifndef NODEDB_TS_CODEC_CONSTANT_CONSTANT_H
#define NODEDB_TS_CODEC_CONSTANT_CONSTANT_H

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kConstantCodec;

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_CONSTANT_CONSTANT_H
