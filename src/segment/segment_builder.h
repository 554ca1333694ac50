// segment_builder.h - from rows to the bytes of one segment (FORMAT.md).
//
// Sans-I/O: bytes come back in memory, complete, before anything is allocated on
// disk. Not thread-safe; no state between calls.
#ifndef NODEDB_TS_SEGMENT_SEGMENT_BUILDER_H
#define NODEDB_TS_SEGMENT_SEGMENT_BUILDER_H

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::segment {

struct SegmentBuildOptions {
  uint8_t level = 1;             // 1: prefer encoding speed, 2: prefer size
  bool with_row_ids = false;     // store GatherRowIds as a hidden column
  bool with_command_ids = false; // store GatherCommandIds as a hidden column
  std::span<const uint16_t> series_columns;  // what the rows are sorted by, <= 16
};

struct SegmentSummary {
  uint64_t rows = 0;
  uint64_t footer_offset = 0;    // footer = [footer_offset, bytes.size())
};

// Builds a segment of the rows order[0..n) of the source, in that order.
// series_starts: ascending positions in `order` at which a new series begins, the
// first 0 (empty when there are no series columns: one series).
// bytes is replaced. Errors: kMemory (std::bad_alloc may also be thrown), kLimit.
base::Status BuildSegment(const NtsSchema& schema, const RowSource& source,
                          std::span<const uint32_t> order,
                          std::span<const uint32_t> series_starts,
                          const SegmentBuildOptions& options, std::vector<uint8_t>* bytes,
                          SegmentSummary* summary);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_SEGMENT_BUILDER_H
