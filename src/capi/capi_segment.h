// capi_segment.h - the handle of an open segment, for the files of this room.
#ifndef NODEDB_TS_CAPI_CAPI_SEGMENT_H
#define NODEDB_TS_CAPI_CAPI_SEGMENT_H

#include <memory>

#include "nodedb_ts/core.h"
#include "segment/segment_reader.h"

struct NtsSegment {
  std::unique_ptr<nodedb_ts::segment::Segment> segment;
};

#endif  // NODEDB_TS_CAPI_CAPI_SEGMENT_H
