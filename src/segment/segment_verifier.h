// segment_verifier.h - checks a whole segment, chunk by chunk, and reports what is wrong.
//
// Sans-I/O: it says which chunk it wants next and is given its bytes; it goes on after
// every problem. A chunk that nobody can read is passed over, and what would have
// needed it is not judged. One row group's keys and times are in memory at a time.
#ifndef NODEDB_TS_SEGMENT_SEGMENT_VERIFIER_H
#define NODEDB_TS_SEGMENT_SEGMENT_VERIFIER_H

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/segment_reader.h"

namespace nodedb_ts::segment {

struct Problem {
  int32_t kind = 0;    // an NtsProblem
  uint32_t group = 0;  // row group, or UINT32_MAX: the segment as a whole
  int32_t column = 0;  // stored column, NTS_COLUMN_*, or INT32_MIN: none in particular
  std::string text;
};

class SegmentVerifier {
 public:
  // facts: what the directory says of the segment, which is borrowed.
  SegmentVerifier(const Segment& segment, const NtsSegmentFacts& facts);

  // Takes the next problem found so far; false: none is left.
  bool TakeProblem(Problem* problem);
  // The chunk that is wanted next; false: the end, all problems have been found.
  // A chunk wanted before and neither checked nor skipped counts as skipped.
  bool NextChunk(uint32_t* group, int32_t* column);
  // Checks the wanted chunk. *sound: it can be decoded and says what the footer says.
  base::Status CheckChunk(std::span<const uint8_t> chunk, bool* sound);

 private:
  // A column of a row group and what it is needed for, in the order of reading.
  struct Step {
    int32_t column;
    int key = -1;  // place among the series columns
    bool is_time = false;
  };
  // The value that a series column had in the row before.
  struct KeyValue {
    bool known = false;
    bool is_null = false;
    uint64_t word = 0;
    std::string bytes;
  };
  // Decoded vector.
  struct Vector {
    uint32_t first_row;
    uint32_t rows;
    uint64_t values[kMaxVectorRows];
    uint8_t nulls[kMaxVectorRows];
  };

  void Add(int32_t kind, int32_t column, std::string text);
  void AddGlobal(int32_t kind, std::string text);
  void CheckFooter();
  bool Advance();
  void BeginGroup();
  void Pass();  // the wanted chunk could not be read
  void Leave();
  base::Status CheckVectors(const ChunkRef& ref, const ChunkEntry& entry, bool* sound);
  void CheckStatistics(const ChunkRef& ref, const ChunkEntry& entry, const Vector& vector,
                       uint32_t number);
  void CompareKeys(const ColumnShape& shape, const Vector& vector, KeyValue* before);
  void NoteTimes(const Vector& vector);
  void NoteRowIds(const Vector& vector);
  void NoteCommandIds(const Vector& vector);
  void EndGroupOrder();
  void FindLastRows();
  bool InLastRows() const { return group_ == info_.row_groups; }
  void NoteLastRows(const ColumnShape& shape, const Vector& vector);
  uint64_t CompareLastRows(const ColumnShape& shape, const Vector& vector) const;
  void AddToSeries(uint32_t row);
  void CloseSeries();
  void EndSegment();

  const Segment& segment_;
  const NtsSegmentFacts facts_;
  NtsSegmentInfo info_ = {};
  std::deque<Problem> problems_;

  std::vector<Step> steps_;     // of every row group
  size_t order_steps_ = 0;      // the first of them decide the order of rows
  uint32_t group_ = 0;
  size_t step_ = 0;
  bool wanting_ = false;
  bool finished_ = false;
  bool begun_ = false;
  NtsRowGroupInfo group_info_ = {};

  // The chunk being checked.
  Vector vector_;
  std::vector<VectorStatistics> stored_;
  VectorStatistics merged_;
  uint32_t wrong_statistics_ = 0;

  // Order of the rows of this row group: < 0 the row before is of a smaller series,
  // 0 of the same, > 0 of a greater one.
  static constexpr int8_t kUnknown = 2;
  std::vector<int8_t> order_;
  std::vector<KeyValue> last_keys_;
  bool keys_known_ = false;   // in this row group
  std::vector<uint64_t> times_;
  std::vector<uint8_t> time_nulls_;
  bool times_known_ = false;  // in this row group
  bool have_last_time_ = false;
  bool last_time_null_ = false;
  int64_t last_time_ = 0;

  // Series as far as rows have been read.
  std::vector<SeriesEntry> index_;
  bool have_index_ = false;
  bool all_keys_ = true;      // of all row groups so far
  bool all_times_ = true;
  uint64_t series_ = 0;       // closed ones
  SeriesEntry open_;
  uint64_t wrong_series_ = 0;

  // The rows that the last rows are copies of: where, and a hash of each value by step (0: it could not
  // be read).
  std::vector<uint64_t> last_rows_;
  std::vector<std::vector<uint64_t>> last_values_;

  bool any_time_ = false;
  bool any_null_time_ = false;
  int64_t min_time_ = 0;
  int64_t max_time_ = 0;
  bool all_row_ids_ = true;
  std::vector<uint64_t> row_ids_;
  bool all_command_ids_ = true;
  uint64_t min_command_id_ = UINT64_MAX;
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_SEGMENT_VERIFIER_H
