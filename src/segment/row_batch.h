// row_batch.h - one row straight into the payload of a batch.
//
// The path of a one-row commit: what EncodeBatch would write for that row (plain
// rows, no command ids), without a memtable in between and without allocation.
#ifndef NODEDB_TS_SEGMENT_ROW_BATCH_H
#define NODEDB_TS_SEGMENT_ROW_BATCH_H

#include <cstdint>
#include <span>

#include "nodedb_ts/core.h"

namespace nodedb_ts::segment {

// Returns the bytes written to `payload`, or 0 when the row does not fit.
// head: of the schema (BatchHead). values: one per column of the schema.
size_t EncodeRowBatch(const NtsSchema& schema, std::span<const uint8_t> head,
                      const NtsValue* values, std::span<uint8_t> payload);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_ROW_BATCH_H
