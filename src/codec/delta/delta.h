// delta.h - differences between neighbours, or between those, as a frame.
#ifndef NODEDB_TS_CODEC_DELTA_DELTA_H
#define NODEDB_TS_CODEC_DELTA_DELTA_H

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kDeltaCodec;
extern const WordCodec kDeltaOfDeltaCodec;

// Of a vector of `count` integers: are all differences the same, as those of regular times? Then what they are, and the first
// integer. False also when the bytes are no such vector.
bool ReadEqualDeltas(base::ByteReader in, size_t count, uint64_t* first, uint64_t* delta);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_DELTA_DELTA_H
