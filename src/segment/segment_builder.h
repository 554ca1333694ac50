// segment_builder.h - from rows to the bytes of one segment (FORMAT.md).
//
// Sans-I/O: bytes come back in memory. BuildSegment makes a whole segment at once;
// a SegmentBuilder makes it row group by row group, so that a large one never stands
// in memory as a whole. Not thread-safe.
#ifndef NODEDB_TS_SEGMENT_SEGMENT_BUILDER_H
#define NODEDB_TS_SEGMENT_SEGMENT_BUILDER_H

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_writer.h"
#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/chunk_writer.h"
#include "segment/dictionary_set.h"
#include "segment/format.h"
#include "segment/last_rows.h"
#include "segment/read_back.h"
#include "segment/row_source.h"

namespace nodedb_ts::segment {

struct SegmentBuildOptions {
  uint8_t level = 1;             // 1: prefer encoding speed, 2: prefer size
  bool with_row_ids = false;     // store GatherRowIds as a hidden column
  bool with_command_ids = false; // store GatherCommandIds as a hidden column
  bool with_last_rows = false;   // store copies of each series' last row, where that is cheap
  std::span<const uint16_t> series_columns;  // what the rows are sorted by, <= 16
  int zstd_level = 0;            // of level 2; 0: a good default
  // Of the time column; vectors of level 2 then end with minutes, hours and the like. 0: it is no clock's time.
  int64_t units_per_second = 0;
  const DictionarySet* dictionaries = nullptr;  // that byte strings may refer to
};

struct SegmentSummary {
  uint64_t rows = 0;
  uint64_t footer_offset = 0;    // the footer begins here
  uint64_t length = 0;           // and ends here, as does the segment
  bool last_rows = false;        // it has copies of the last rows
  uint32_t dictionaries = 0;     // id of the set that it refers to
};

// The times of a segment's rows, or of those of one series.
struct TimeRange {
  bool has_time = false;  // some row has one: min, max are set
  bool has_null = false;  // some row has none (or the table has no time column)
  int64_t min = 0;
  int64_t max = 0;
};

// Appends to `bytes`, which the caller may empty between calls: nothing of it is
// looked at again. Throws std::bad_alloc.
class SegmentBuilder {
 public:
  // Borrows everything. `bytes` and what options refers to must outlive the builder.
  SegmentBuilder(const NtsSchema& schema, const SegmentBuildOptions& options,
                 std::vector<uint8_t>* bytes)
      : schema_(schema), options_(options), bytes_(bytes),
        chunk_writer_(options.level, options.zstd_level) {}

  // First of all. kLimit, kBug: the schema or the options cannot be built.
  base::Status Begin();
  // A new series begins at this row of the segment; the first one at row 0. Before the
  // group with that row is added. Never called: one series.
  void StartSeries(uint64_t row) { series_starts_.push_back(static_cast<uint32_t>(row)); }
  // Appends a row group of the leading rows of `rows`, as many as one may have: *taken.
  // REQUIRES: rows is not empty.
  base::Status AddGroup(const RowSource& source, std::span<const uint32_t> rows, size_t* taken);
  // Appends the last rows and the footer. kBug: it does not say what was built.
  base::Status Finish(SegmentSummary* summary);

  uint64_t rows() const { return rows_; }
  uint64_t data_bytes() const { return data_bytes_; }  // of all row groups
  uint64_t series() const { return series_starts_.size(); }
  TimeRange times() const;

 private:
  struct RowGroup {
    size_t rows = 0;
    uint64_t raw_bytes = 0;
    std::vector<uint32_t> vector_rows;
  };

  // What a row group leaves behind.
  struct Written {
    std::vector<uint8_t> bytes;  // its chunks
    std::vector<uint8_t> chunk_entries;
    std::vector<std::optional<std::vector<uint8_t>>> constants;
    bool uses_dictionaries = false;
  };

  ChunkWriter& writer() { return fast_writer_ ? *fast_writer_ : chunk_writer_; }
  void CutVectors(const RowSource& source, std::span<const uint32_t> rows, bool by_period,
                  std::vector<uint32_t>* vector_rows);
  base::Status PlanGroup(const RowSource& source, std::span<const uint32_t> rows, bool by_period, RowGroup* group);
  base::Status TryLongerVectors(const RowSource& source, std::span<const uint32_t> rows, size_t start, Written before,
                                RowGroup* group);
  base::Status MeasureRows(const RowSource& source, std::span<const uint32_t> rows);
  base::Status WriteColumns(const RowSource& source, const RowGroup& group,
                            std::span<const uint32_t> rows);
  base::Status WriteColumn(const RowSource& source, size_t column, const RowGroup& group,
                           std::span<const uint32_t> rows);
  base::Status WriteHidden(const RowSource& source, const RowGroup& group,
                           std::span<const uint32_t> rows);
  base::Status WriteWords(const ColumnShape& shape, const RowGroup& group, uint64_t* words,
                          ChunkSummary* summary);
  void AddChunk(size_t column, const ColumnShape& shape, size_t start, const ChunkSummary& summary);
  void NoteTimes(const ChunkSummary& summary, std::span<const uint64_t> words);
  void FindLastRows(size_t rows);
  base::Status WriteLastRows(bool* written);
  uint32_t UsedDictionaries() const { return uses_dictionaries_ ? options_.dictionaries->id() : 0; }
  void WriteFooter(bool last_rows);
  base::Status CheckFooter(std::span<const uint8_t> footer) const;
  void WriteSchemaSection(base::ByteWriter* out) const;
  void WriteGroupSection(base::ByteWriter* out) const;
  void WriteSeriesSection(base::ByteWriter* out);
  void WriteSeriesList(std::vector<uint64_t>* words, const std::vector<uint8_t>& nulls,
                       base::ByteWriter* out);

  const NtsSchema& schema_;
  const SegmentBuildOptions& options_;
  std::vector<uint8_t>* bytes_;
  ChunkWriter chunk_writer_;
  std::optional<ChunkWriter> fast_writer_;  // while the last rows are written
  ReadBack read_back_;
  std::vector<ColumnShape> shapes_;
  std::vector<RowGroup> groups_;
  std::vector<uint8_t> chunk_entries_;
  // The value of each stored column in the row group before, where it was constant.
  std::vector<std::optional<std::vector<uint8_t>>> constants_;
  std::vector<uint32_t> series_starts_;
  size_t next_start_ = 0;  // the first series behind the rows that were cut
  std::vector<TimeRange> series_times_;  // of those that have been reached
  TimeRange times_;
  LastRows last_rows_;
  bool uses_dictionaries_ = false;
  bool taking_last_ = false;   // what is gathered is for last_rows_, too
  bool noting_times_ = true;   // false: the row group at hand is written a second time
  size_t last_series_ = 0;     // that the first row of the row group is of
  std::vector<uint32_t> last_positions_;  // in the row group, of its series' last rows
  uint64_t rows_ = 0;
  uint64_t data_bytes_ = 0;
  uint64_t frame_bytes_ = 0;  // of the row group's chunks whose vectors are zstd frames
  // Buffers of one row group.
  std::vector<uint64_t> words_;
  std::vector<uint64_t> times_of_group_;
  std::vector<uint8_t> nulls_;
  std::vector<std::string_view> views_;
  ByteRuns runs_;
  std::vector<uint32_t> command_ids_;
  std::vector<uint64_t> row_bytes_;      // raw bytes of each row
  std::vector<uint64_t> largest_bytes_;  // of its longest by-reference value
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
