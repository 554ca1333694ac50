// runs.h - run lengths: sorted labels and slowly changing values.
#ifndef NODEDB_TS_CODEC_RUNS_RUNS_H
#define NODEDB_TS_CODEC_RUNS_RUNS_H

#include <cstddef>
#include <span>

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {

extern const WordCodec kRunsCodec;

// Number of runs of equal words.
size_t CountRuns(std::span<const uint64_t> values);

// As kRunsCodec.encode, of values that are given as runs, of which neighbours differ.
void EncodeRuns(std::span<const WordRun> runs, base::ByteWriter* out);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_RUNS_RUNS_H
