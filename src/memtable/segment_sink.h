// segment_sink.h - where a flush puts its outputs.
#ifndef NODEDB_TS_MEMTABLE_SEGMENT_SINK_H
#define NODEDB_TS_MEMTABLE_SEGMENT_SINK_H

#include "base/status.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

class SegmentSink {
 public:
  virtual ~SegmentSink() = default;
  // Takes a batch or segment; its bytes are valid during the call only. A failure
  // fails the flush, whose rows then stay frozen.
  virtual base::Status Write(const NtsOutput& output) = 0;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_SEGMENT_SINK_H
