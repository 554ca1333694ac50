// delta.h - differences between neighbours, as a frame.
#ifndef NODEDB_TS_CODEC_DELTA_DELTA_H
#define NODEDB_TS_CODEC_DELTA_DELTA_H

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kDeltaCodec;

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_DELTA_DELTA_H
