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
base::Status ReadBatchInfo(std::span<const NtsColumn> columns, std::span<const uint8_t> payload,
                           uint32_t rows, uint8_t layout, NtsBatchInfo* info);

struct BatchTarget {
  size_t stride;
  uint64_t* values;
  uint8_t* nulls;
  uint8_t* data;
  uint64_t data_bytes;
  uint32_t* command_ids;  // or NULL
};

base::Status DecodeBatch(std::span<const NtsColumn> columns, std::span<const uint8_t> payload,
                         uint32_t rows, uint8_t layout, const BatchTarget& target);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_BATCH_READER_H
