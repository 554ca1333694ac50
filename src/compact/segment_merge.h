// segment_merge.h - merges sorted segments into sorted segments, as a stream.
//
// Sans-I/O: Next() says which bytes it wants, or hands out bytes of the segment in the
// making, and goes on with the next call. In memory are one row group of each input,
// the rows of one row group of the output, decoded, and its bytes.
#ifndef NODEDB_TS_COMPACT_SEGMENT_MERGE_H
#define NODEDB_TS_COMPACT_SEGMENT_MERGE_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compact/merge_input.h"
#include "compact/row_buffer.h"
#include "nodedb_ts/core.h"
#include "segment/dictionary_set.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"

namespace nodedb_ts::compact {

class SegmentMerge {
 public:
  // schema and options are copied, with what they refer to. defaults: NULL, or a value
  // for each column, whose bytes are borrowed.
  static base::Status Make(const NtsSchema& schema, const NtsMergeOptions& options,
                           const NtsValue* defaults, std::unique_ptr<SegmentMerge>* merge);

  // Borrows the segment. Of rows with equal series and time those of earlier inputs come
  // first. kBug: it is not sorted by the target's columns. Before the first Next().
  base::Status Add(const segment::Segment& segment);
  // As nts_merge_next of core.h.
  base::Status Next(NtsMergeStep* step);

 private:
  SegmentMerge(const NtsSchema& schema, const NtsMergeOptions& options, const NtsValue* defaults);

  // Puts an input that has a current row where it belongs. kCorrupt: it should have
  // come up before.
  base::Status Place(uint32_t input);
  void PushHeap(uint32_t input);
  void BeginSeries();
  base::Status TakeRun();
  uint32_t FirstByTime(uint32_t* second) const;
  base::Status Materialize();
  base::Status WantBytes(uint32_t input, NtsMergeStep* step);
  base::Status WriteGroup(NtsMergeStep* step);
  base::Status BeginSegment();
  base::Status EndSegment(NtsMergeStep* step);
  bool SegmentIsFull() const;

  std::vector<NtsColumn> columns_;
  std::vector<uint16_t> series_;
  NtsSchema schema_;
  NtsMergeOptions options_;
  std::vector<NtsValue> defaults_;
  std::vector<std::unique_ptr<MergeInput>> inputs_;
  bool begun_ = false;

  // Inputs with a current row: in the current series, by number; the others, a heap with
  // the smallest series on top.
  std::vector<uint32_t> tied_;
  std::vector<uint32_t> heap_;
  std::vector<KeyValue> series_key_;  // of the current series
  bool has_series_ = false;
  std::vector<uint32_t> waiting_;     // inputs that need bytes
  uint32_t loading_ = UINT32_MAX;     // whose bytes were asked for

  std::vector<Run> runs_;             // taken, but not in buffer_ yet
  size_t run_rows_ = 0;
  size_t step_rows_;                  // so many at once
  RowBuffer buffer_;

  std::shared_ptr<const segment::DictionarySet> dictionaries_;
  segment::SegmentBuildOptions build_;
  std::vector<uint8_t> bytes_;        // handed out, or to be handed out
  std::optional<segment::SegmentBuilder> builder_;
  bool series_begins_ = false;        // with the next row of the segment
  uint64_t largest_group_ = 0;        // bytes of a row group of this segment
};

}  // namespace nodedb_ts::compact

#endif  // NODEDB_TS_COMPACT_SEGMENT_MERGE_H
