// timeseries_manager.h - all parts of a backend and the memory they share.
//
// The memory budget is a hard limit over active, queued and frozen rows of all parts:
// an append that would exceed it is rejected and changes nothing. From active_fraction
// of it on, appends say that a flush is due. Single-threaded; does no I/O.
#ifndef NODEDB_TS_MEMTABLE_TIMESERIES_MANAGER_H
#define NODEDB_TS_MEMTABLE_TIMESERIES_MANAGER_H

#include <cstdint>

#include "base/status.h"
#include "memtable/account.h"
#include "memtable/part.h"
#include "memtable/segment_sink.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

class TimeseriesManager {
 public:
  static base::Status CheckOptions(const NtsManagerOptions& options);

  // REQUIRES: the options passed the check.
  explicit TimeseriesManager(const NtsManagerOptions& options);
  ~TimeseriesManager();  // frees the parts still open
  TimeseriesManager(const TimeseriesManager&) = delete;
  TimeseriesManager& operator=(const TimeseriesManager&) = delete;

  base::Status Configure(const NtsManagerOptions& options);
  const NtsManagerOptions& options() const { return options_; }
  NtsCounters Counters() const;
  // Whose flush takes most from what makes one due when rows go to `appended` (FlushNeeded); nullptr: no rows.
  Part* Largest(const Part& appended) const;

  // The manager owns the part; Free (or its destructor) ends it.
  base::Status NewPart(const NtsSchema& schema, Part** part);
  void Free(Part* part);

  // Flushes all rows of a part into a sink. On failure they stay in the part.
  base::Status Flush(Part* part, const NtsFlushOptions& options, SegmentSink* sink);
  // Adds a row and flushes when that is due. Rejected for the second time: kLimit.
  base::Status IngestWithFlush(Part* part, const NtsValue* values, uint64_t row_id,
                               uint32_t command_id, const NtsFlushOptions& options,
                               SegmentSink* sink);

 private:
  friend class Part;

  // shared: of the memtable that took rows. Those that share a variant count as if they did not: segments of more rows
  // would save less than the memory costs that they have to wait in.
  bool FlushNeeded(uint64_t shared_bytes) const {
    return budget_.bytes(Pool::kActive) + budget_.bytes(Pool::kQueued) + shared_bytes >= flush_bytes_;
  }
  // Bytes that an empty part may keep: little against what makes a flush due.
  uint64_t KeepBytes() const;
  uint32_t FullChunkBytes() const;

  NtsManagerOptions options_;
  Budget budget_;
  uint64_t flush_bytes_ = 0;
  Part* parts_ = nullptr;
  uint64_t flushes_ = 0;
  uint64_t ingested_ = 0;
  uint64_t rejected_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_TIMESERIES_MANAGER_H
