// plain.h - values as they are: the fallback that always works.
#ifndef NODEDB_TS_CODEC_PLAIN_PLAIN_H
#define NODEDB_TS_CODEC_PLAIN_PLAIN_H

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kPlainCodec;

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_PLAIN_PLAIN_H
