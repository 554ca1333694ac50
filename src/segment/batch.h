// batch.h - the payload of an L0 batch: rows that fit in one page (FORMAT.md).
#ifndef NODEDB_TS_SEGMENT_BATCH_H
#define NODEDB_TS_SEGMENT_BATCH_H

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::segment {

enum class BatchLayout : uint8_t { kPlainRows = 0, kColumns = 1 };

// Encodes as many leading rows of `rows` as fit into max_bytes: 1..8 rows in the
// plain row layout (integers as zigzag varints, floats raw, bytes with a length),
// more in the columns layout. *encoded_rows = 0 when not even the first row fits.
// payload is replaced (its capacity is kept: this is the path of every one-row
// commit). with_command_ids stores a command id for each row. expected_rows: how many may fit,
// as those of an earlier batch did; 0: not known.
base::Status EncodeBatch(const NtsSchema& schema, const RowSource& source,
                         std::span<const uint32_t> rows, bool with_command_ids,
                         size_t max_bytes, size_t expected_rows,
                         std::vector<uint8_t>* payload, BatchLayout* layout,
                         size_t* encoded_rows);

// How the payloads of rows without command ids and NULLs begin: BatchHeadBytes(schema) bytes.
std::vector<uint8_t> BatchHead(const NtsSchema& schema);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_BATCH_H
