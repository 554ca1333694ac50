// frame.h - frame of reference: packed offsets from a base.
#ifndef NODEDB_TS_CODEC_FRAME_FRAME_H
#define NODEDB_TS_CODEC_FRAME_FRAME_H

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kFrameCodec;

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_FRAME_FRAME_H
