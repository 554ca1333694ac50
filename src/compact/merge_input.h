// merge_input.h - one sorted segment on its way through a merge.
//
// Holds the bytes of one row group, and the decoded series columns and times of one of
// its vectors: the cursor of the merge. Rows are taken over in runs that never cross a
// vector. The bytes are hostile: a wrong one, or rows out of order, give kCorrupt.
#ifndef NODEDB_TS_COMPACT_MERGE_INPUT_H
#define NODEDB_TS_COMPACT_MERGE_INPUT_H

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "compact/row_buffer.h"
#include "nodedb_ts/core.h"
#include "segment/segment_reader.h"

namespace nodedb_ts::compact {

// A value of a series column that outlives its vector.
struct KeyValue {
  bool is_null = true;
  uint64_t word = 0;
  std::string bytes;
};

// Rows of a vector, one after the other, of the row group that is loaded.
struct Run {
  uint32_t input;
  uint32_t vector;
  uint32_t first;  // in the vector
  uint32_t count;
};

class MergeInput {
 public:
  // Borrows all. columns: the current row type. series: what the segment is sorted by,
  // then by its time column.
  MergeInput(const segment::Segment& segment, std::span<const NtsColumn> columns,
             std::span<const uint16_t> series, std::span<const NtsValue> defaults);

  // What an input of a merge is likely to hold at most.
  static uint64_t MemoryBytes(const segment::Segment& segment);

  // ---- the bytes of a row group ----

  bool AtEnd() const { return !loaded_ && next_group_ == info_.row_groups; }
  // Wants the bytes of the next row group.
  bool NeedsBytes() const { return !loaded_ && next_group_ < info_.row_groups; }
  // Where they stand in the segment, and where they go (length may be 0). The row group
  // before is forgotten: REQUIRES that all runs of it have been appended.
  base::Status Want(uint64_t* offset, uint64_t* length, uint8_t** room);
  // They are there: checks them and decodes the first vector's keys.
  base::Status Load();

  // ---- the cursor; only while a row group is loaded ----

  uint32_t vector() const { return vector_; }
  uint32_t row() const { return row_; }
  // Behind the last row of the vector that has the current row's series.
  uint32_t series_end() const { return series_end_; }
  // Order of the current row's series against a key, or another input's.
  int CompareSeries(const std::vector<KeyValue>& key) const;
  int CompareSeries(const MergeInput& other) const;
  void CopySeries(std::vector<KeyValue>* key) const;
  // Rows from the current one on, inside its series, whose time is before that of the
  // other input's current row (or equal to it: equal_too).
  uint32_t RowsBefore(const MergeInput& other, bool equal_too) const;
  // The time of a row is before (after: > 0) that of the other's current row.
  int CompareTime(uint32_t row, const MergeInput& other) const;
  // Passes rows of the current series. Behind a vector's last row the next vector is
  // decoded; behind a row group's the input needs bytes again, or is at its end.
  base::Status Advance(uint32_t rows);

  // ---- values of the loaded row group ----

  // Before the first run of each column.
  void BeginColumn() { decoded_vector_ = UINT32_MAX; }
  base::Status Append(size_t column, const Run& run, RowBuffer* out);

 private:
  struct KeyColumn {
    uint16_t column;
    segment::ColumnShape shape;
    bool bytes;
    std::vector<uint64_t> values;
    std::vector<uint8_t> nulls;
    std::vector<uint64_t> data;
  };

  std::span<const uint8_t> ChunkBytes(const segment::ChunkEntry& entry) const {
    if (entry.length == 0) return {};
    return {bytes_.get() + (entry.offset - group_info_.first_byte), entry.length};
  }
  base::Status DecodeKeys();
  base::Status DecodeKey(int32_t column, uint64_t* values, uint8_t* nulls,
                         std::vector<uint64_t>* data);
  base::Status CheckOrder(bool continues);
  bool SameSeriesAsBefore(uint32_t row) const;
  void FindSeriesEnd();
  void AppendDefault(size_t column, uint32_t count, RowBuffer* out) const;
  base::Status AppendWords(size_t column, const Run& run, uint32_t rows, RowBuffer* out);
  base::Status AppendBytes(size_t column, const Run& run, uint32_t rows, RowBuffer* out);
  base::Status DecodeBytes(size_t column, const Run& run, uint32_t rows, RowBuffer* out);

  const segment::Segment& segment_;
  std::span<const NtsColumn> columns_;
  std::span<const NtsValue> defaults_;
  NtsSegmentInfo info_ = {};

  uint32_t group_ = 0;  // whose bytes are, or will be, in bytes_
  uint32_t next_group_ = 0;
  NtsRowGroupInfo group_info_ = {};
  std::unique_ptr<uint8_t[]> bytes_;
  uint64_t bytes_room_ = 0;
  bool loaded_ = false;

  // The vector that the cursor is in.
  std::vector<KeyColumn> keys_;
  std::vector<uint64_t> times_;
  std::vector<uint8_t> time_nulls_;
  std::vector<uint8_t> series_begins_;  // 1: the row's series is not that of the row before
  uint32_t vector_ = 0;
  uint32_t vector_rows_ = 0;
  uint32_t row_ = 0;
  uint32_t series_end_ = 0;
  // The row before the vector, to check the order.
  bool has_last_ = false;
  std::vector<KeyValue> last_key_;
  bool last_time_null_ = true;
  int64_t last_time_ = 0;

  // The vector of the column being appended that was decoded last.
  uint32_t decoded_vector_ = UINT32_MAX;
  bool decoded_in_place_ = false;  // its byte strings live as long as the row buffer
  std::vector<uint64_t> decoded_values_;
  std::vector<uint8_t> decoded_nulls_;
  std::vector<uint64_t> decoded_data_;
};

}  // namespace nodedb_ts::compact

#endif  // NODEDB_TS_COMPACT_MERGE_INPUT_H
