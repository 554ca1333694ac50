// flush_plan.h - from one frozen memtable, or rows by column, to batches and segments.
#ifndef NODEDB_TS_MEMTABLE_FLUSH_PLAN_H
#define NODEDB_TS_MEMTABLE_FLUSH_PLAN_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/large_memory.h"
#include "base/status.h"
#include "memtable/flush_source.h"
#include "memtable/series_order.h"
#include "memtable/staged_rows.h"
#include "memtable/time_buckets.h"
#include "nodedb_ts/core.h"
#include "segment/batch.h"
#include "segment/dictionary_set.h"

namespace nodedb_ts::memtable {

// Few rows become batches in arrival order. Many become segments: rows are grouped by
// time bucket, neighbouring buckets joined until a segment is large enough, groups
// split where they are too large, and sorted by (series, time) one group at a time,
// when its turn to be encoded comes. A plan may be begun again at any time.
class FlushPlan {
 public:
  // `source` must stay unchanged until the plan ends. series_columns: what segments
  // are sorted by; those of a memtable if it is keyed. dictionaries: in place of the options', borrowed.
  void Begin(const FlushSource* source, const NtsFlushOptions& options,
             std::span<const uint16_t> series_columns,
             const segment::DictionarySet* dictionaries = nullptr);

  // True when so many rows become segments.
  static bool MakesSegments(const FlushSource& source, const NtsFlushOptions& options);

  // Encodes the next output; kind END when there is none. Its bytes are valid until
  // the next call.
  base::Status Next(NtsOutput* output);

  // Encodes a batch of staged rows from `first` on; kind END when that one is too large for a batch.
  base::Status EncodeStaged(const StagedRows& staged, uint32_t first, const NtsFlushOptions& options,
                            NtsOutput* output);

  // False: not yet, not any more, or Begin() has failed.
  bool begun() const { return source_ != nullptr; }
  // True when each row has been put out.
  bool finished() const;
  // Ends the plan; keeps scratch buffers, which the next flush of a bulk load needs.
  void End();
  // Ends the plan and keeps small scratch buffers only.
  void Release();

 private:
  struct Group {
    size_t begin;  // in order_
    size_t end;
  };

  base::Status NextBatch(NtsOutput* output);
  base::Status NextSegment(NtsOutput* output);
  uint32_t BatchCandidates();
  bool CommandsDiffer(std::span<const uint32_t> rows);
  void PlanSegments();
  void JoinBuckets(const std::vector<BucketRows>& buckets);
  void SplitGroup(Group group);
  void SplitByBytes(Group group);
  void SplitByIds(Group group);
  void DescribeBatch(const segment::RowSource& source, const NtsSchema& schema, segment::BatchLayout layout,
                     NtsOutput* output);
  void Describe(std::span<const uint32_t> rows, NtsOutput* output);
  void DescribeTimes(const uint64_t* times, const uint8_t* nulls, size_t rows,
                     NtsOutput* output) const;

  const FlushSource* source_ = nullptr;
  NtsFlushOptions options_ = {};
  std::vector<uint16_t> series_columns_;
  const segment::DictionarySet* dictionaries_ = nullptr;
  bool batches_ = false;           // rows are tried as batches first
  bool segments_planned_ = false;
  bool order_used_ = false;  // series_order_ has buffers
  uint32_t next_row_ = 0;          // of the batches
  size_t batch_rows_ = 0;          // of the newest batch that was full, in whatever flush
  base::LargeVector<uint32_t> order_;    // rows that become segments
  std::vector<Group> groups_;      // of order_, one segment each
  size_t next_group_ = 0;
  SeriesOrder series_order_;

  std::vector<uint8_t> bytes_;     // of the output
  base::LargeVector<uint32_t> rows_;     // of the output
  std::vector<uint32_t> starts_;
  std::vector<uint64_t> words_;
  std::vector<uint8_t> nulls_;
  std::vector<uint32_t> command_ids_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_FLUSH_PLAN_H
