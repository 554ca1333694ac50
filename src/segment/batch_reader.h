// batch_reader.h - decodes batch payloads; hostile bytes give kCorrupt.
#ifndef NODEDB_TS_SEGMENT_BATCH_READER_H
#define NODEDB_TS_SEGMENT_BATCH_READER_H

#include <cstdint>
#include <span>

#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/batch.h"

namespace nodedb_ts::segment {

// As nts_batch_info and nts_batch_decode of core.h.
base::Status ReadBatchInfo(std::span<const NtsColumn> columns, const NtsBatchBytes& batch, NtsBatchInfo* info);

struct BatchTarget {
  size_t first;  // where the rows begin in each column's arrays
  uint64_t* const* values;
  uint8_t* const* nulls;
  uint8_t* data;
  uint64_t data_bytes;
  uint32_t* command_ids;  // or NULL
};

base::Status DecodeBatch(std::span<const NtsColumn> columns, const NtsBatchBytes& batch, const BatchTarget& target);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_BATCH_READER_H
