#include "segment/segment_builder.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "base/crc32c.h"
#include "segment/chunk_writer.h"
#include "segment/format.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteWriter;
using base::Status;

constexpr uint64_t kHugeRowBytes = uint64_t{8} << 20;
constexpr uint64_t kMostExpectedBytes = uint64_t{32} << 20;
// Rows up to this never make a row group or a vector too large.
constexpr uint64_t kNeverCutRowBytes =
    std::min<uint64_t>(kMaxRowGroupBytes / kMaxRowGroupRows, kMaxVectorBytes / kMaxVectorRows);

struct RowGroup {
  size_t first = 0;  // position in `order`
  size_t rows = 0;
  uint64_t raw_bytes = 0;
  std::vector<uint32_t> vector_rows;
};

struct SeriesTimes {
  bool has_time = false;
  int64_t min = 0;
  int64_t max = 0;
};

class Builder {
 public:
  Builder(const NtsSchema& schema, const RowSource& source, std::span<const uint32_t> order,
          std::span<const uint32_t> series_starts, const SegmentBuildOptions& options,
          std::vector<uint8_t>* bytes)
      : schema_(schema), source_(source), order_(order), series_starts_(series_starts),
        options_(options), bytes_(bytes), chunk_writer_(options.level) {}

  Status Build(SegmentSummary* summary);

 private:
  Status Check();
  Status PlanGroup(size_t first, RowGroup* group);
  void ExpectBytes(uint64_t bytes);
  Status MeasureRows(std::span<const uint32_t> rows);
  Status WriteGroup(const RowGroup& group);
  Status WriteColumn(size_t column, const RowGroup& group, std::span<const uint32_t> rows);
  void WriteHidden(const RowGroup& group, std::span<const uint32_t> rows);
  void AddChunk(const ColumnShape& shape, size_t start, const ChunkSummary& summary);
  void NoteSeriesTimes(size_t first, size_t rows);
  void WriteFooter();
  void WriteSchemaSection(ByteWriter* out) const;
  void WriteGroupSection(ByteWriter* out) const;
  void WriteSeriesSection(ByteWriter* out) const;

  const NtsSchema& schema_;
  const RowSource& source_;
  std::span<const uint32_t> order_;
  std::span<const uint32_t> series_starts_;
  const SegmentBuildOptions& options_;
  std::vector<uint8_t>* bytes_;
  ChunkWriter chunk_writer_;
  std::vector<ColumnShape> shapes_;
  std::vector<RowGroup> groups_;
  std::vector<uint8_t> chunk_entries_;
  std::vector<SeriesTimes> series_times_;
  size_t next_series_ = 0;
  // Buffers of one row group.
  std::vector<uint64_t> words_;
  std::vector<uint8_t> nulls_;
  std::vector<std::string_view> views_;
  std::vector<uint32_t> command_ids_;
  std::vector<uint64_t> row_bytes_;      // raw bytes of each row
  std::vector<uint64_t> largest_bytes_;  // of its longest by-reference value
};

Status Builder::Check() {
  if (schema_.column_count > kMaxColumns) return Status::Limit("too many columns");
  if (options_.series_columns.size() > kMaxSeriesColumns) {
    return Status::Limit("more than 16 series columns");
  }
  for (const uint16_t c : options_.series_columns) {
    if (c >= schema_.column_count) return Status::Bug("series column out of range");
  }
  for (uint32_t c = 0; c < schema_.column_count; c++) {
    shapes_.push_back(ShapeOf(schema_.columns[c]));
    if (!ValidShape(shapes_.back())) return Status::Bug("column with an invalid kind or width");
  }
  const int32_t time = schema_.time_column;
  if (time >= static_cast<int32_t>(schema_.column_count)) {
    return Status::Bug("time column out of range");
  }
  if (!series_starts_.empty() && (series_starts_[0] != 0 || order_.empty() ||
                                  series_starts_.back() >= order_.size())) {
    return Status::Bug("series starts do not fit the rows");
  }
  return Status::Ok();
}

Status Builder::Build(SegmentSummary* summary) {
  bytes_->clear();
  Status status = Check();
  if (!status.ok()) return status;
  if (series_starts_.size() > 1) series_times_.resize(series_starts_.size());
  for (size_t first = 0; first < order_.size();) {
    RowGroup group;
    status = PlanGroup(first, &group);
    if (!status.ok()) return status;
    if (first > 0) ExpectBytes(bytes_->size() * order_.size() / first);
    status = WriteGroup(group);
    if (!status.ok()) return status;
    first += group.rows;
    groups_.push_back(std::move(group));
  }
  summary->rows = order_.size();
  summary->footer_offset = bytes_->size();
  WriteFooter();
  return Status::Ok();
}

// Row groups of a segment are much alike: growing by doubling would copy all bytes
// again and again into fresh memory.
void Builder::ExpectBytes(uint64_t bytes) {
  const uint64_t expected = bytes + bytes / 16;
  if (expected > bytes_->capacity() && expected <= kMostExpectedBytes) bytes_->reserve(expected);
}

Status Builder::MeasureRows(std::span<const uint32_t> rows) {
  uint64_t fixed = 0;
  uint64_t widest = 0;
  for (const ColumnShape& shape : shapes_) {
    fixed += shape.width;
    if (shape.kind == NTS_KIND_FIXED) widest = std::max<uint64_t>(widest, shape.width);
  }
  row_bytes_.assign(rows.size(), fixed);
  largest_bytes_.assign(rows.size(), widest);
  for (size_t c = 0; c < shapes_.size(); c++) {
    if (shapes_[c].kind != NTS_KIND_VAR) continue;
    views_.resize(rows.size());
    nulls_.resize(rows.size());
    source_.GatherBytes(c, rows, views_.data(), nulls_.data());
    for (size_t r = 0; r < rows.size(); r++) {
      const uint64_t size = nulls_[r] ? 0 : views_[r].size();
      if (size > codec::kMaxValueBytes) return Status::Limit("value longer than 1 GB - 9 bytes");
      row_bytes_[r] += size;
      largest_bytes_[r] = std::max(largest_bytes_[r], size);
    }
  }
  return Status::Ok();
}

// Takes as many rows as a row group may have and cuts them into vectors.
Status Builder::PlanGroup(size_t first, RowGroup* group) {
  const size_t most = std::min(kMaxRowGroupRows, order_.size() - first);
  if (source_.LargestRowBytes() <= kNeverCutRowBytes) {
    group->first = first;
    group->rows = most;
    group->raw_bytes = most * source_.LargestRowBytes();
    for (size_t r = 0; r < most; r += kMaxVectorRows) {
      group->vector_rows.push_back(static_cast<uint32_t>(std::min(kMaxVectorRows, most - r)));
    }
    return Status::Ok();
  }
  Status status = MeasureRows(order_.subspan(first, most));
  if (!status.ok()) return status;
  group->first = first;
  uint64_t vector_bytes = 0;
  uint32_t vector_rows = 0;
  for (size_t r = 0; r < most; r++) {
    if (r > 0 && group->raw_bytes + row_bytes_[r] > kMaxRowGroupBytes) break;
    // The sum of each row's longest value bounds every column's bytes.
    if (vector_rows == kMaxVectorRows ||
        (vector_rows > 0 && vector_bytes + largest_bytes_[r] > kMaxVectorBytes)) {
      group->vector_rows.push_back(vector_rows);
      vector_rows = 0;
      vector_bytes = 0;
    }
    vector_rows++;
    vector_bytes += largest_bytes_[r];
    group->raw_bytes += row_bytes_[r];
    group->rows++;
  }
  group->vector_rows.push_back(vector_rows);
  return Status::Ok();
}

Status Builder::WriteGroup(const RowGroup& group) {
  const std::span<const uint32_t> rows = order_.subspan(group.first, group.rows);
  if (group.raw_bytes / group.rows >= kHugeRowBytes) {
    // Doubling would copy, and for a while hold, a huge value once more.
    const uint64_t need = bytes_->size() + group.raw_bytes + (uint64_t{1} << 20);
    if (need > bytes_->capacity()) {
      bytes_->reserve(std::max<uint64_t>(need, bytes_->size() + bytes_->size() / 2));
    }
  }
  words_.resize(group.rows);
  nulls_.resize(group.rows);
  for (size_t c = 0; c < shapes_.size(); c++) {
    Status status = WriteColumn(c, group, rows);
    if (!status.ok()) return status;
  }
  WriteHidden(group, rows);
  return Status::Ok();
}

Status Builder::WriteColumn(size_t column, const RowGroup& group,
                            std::span<const uint32_t> rows) {
  const ColumnShape& shape = shapes_[column];
  const size_t start = bytes_->size();
  ChunkSummary summary;
  summary.null_count = group.rows;
  if (IsWord(shape.kind)) {
    source_.GatherWords(column, rows, words_.data(), nulls_.data());
    summary = chunk_writer_.WriteWords(shape, words_.data(), nulls_.data(), group.vector_rows,
                                       true, bytes_);
    if (static_cast<int32_t>(column) == schema_.time_column && shape.kind == NTS_KIND_INT) {
      NoteSeriesTimes(group.first, group.rows);
    }
  } else if (IsBytes(shape.kind)) {
    views_.resize(group.rows);
    source_.GatherBytes(column, rows, views_.data(), nulls_.data());
    if (shape.kind == NTS_KIND_FIXED) {
      for (size_t r = 0; r < group.rows; r++) {
        if (!nulls_[r] && views_[r].size() != shape.width) {
          return Status::Bug("fixed-width value of another width");
        }
      }
    }
    summary = chunk_writer_.WriteBytes(shape, views_.data(), nulls_.data(), group.vector_rows,
                                       bytes_);
  }
  AddChunk(shape, start, summary);
  return Status::Ok();
}

void Builder::WriteHidden(const RowGroup& group, std::span<const uint32_t> rows) {
  if (!options_.with_row_ids && !options_.with_command_ids) return;
  std::fill(nulls_.begin(), nulls_.end(), uint8_t{0});
  if (options_.with_row_ids) {
    source_.GatherRowIds(rows, words_.data());
    const size_t start = bytes_->size();
    AddChunk(kIdShape, start,
             chunk_writer_.WriteWords(kIdShape, words_.data(), nulls_.data(), group.vector_rows,
                                      true, bytes_));
  }
  if (options_.with_command_ids) {
    command_ids_.resize(group.rows);
    source_.GatherCommandIds(rows, command_ids_.data());
    std::copy(command_ids_.begin(), command_ids_.end(), words_.begin());
    const size_t start = bytes_->size();
    AddChunk(kIdShape, start,
             chunk_writer_.WriteWords(kIdShape, words_.data(), nulls_.data(), group.vector_rows,
                                      true, bytes_));
  }
}

void Builder::AddChunk(const ColumnShape& shape, size_t start, const ChunkSummary& summary) {
  ByteWriter out(&chunk_entries_);
  if (summary.codec == codec::kNone) return out.U8(codec::kNone);
  const size_t length = bytes_->size() - start;
  out.U8(static_cast<uint8_t>(summary.codec | (summary.has_range ? kChunkEntryHasRange : 0)));
  out.Varint(length);
  out.U32(base::Crc32c(0, bytes_->data() + start, length));
  out.Varint(summary.null_count);
  if (!summary.has_range) return;
  if (shape.kind == NTS_KIND_INT) {
    out.Zig(static_cast<int64_t>(summary.min));
    out.Varint(summary.max - summary.min);
  } else {
    out.Width(summary.min, shape.width);
    out.Width(summary.max, shape.width);
  }
}

// words_ and nulls_ hold the time column of the row group.
void Builder::NoteSeriesTimes(size_t first, size_t rows) {
  if (series_times_.empty()) return;
  for (size_t r = 0; r < rows; r++) {
    while (next_series_ + 1 < series_starts_.size() &&
           series_starts_[next_series_ + 1] <= first + r) {
      next_series_++;
    }
    if (nulls_[r]) continue;
    SeriesTimes& times = series_times_[next_series_];
    const auto v = static_cast<int64_t>(words_[r]);
    times.min = times.has_time ? std::min(times.min, v) : v;
    times.max = times.has_time ? std::max(times.max, v) : v;
    times.has_time = true;
  }
}

void WriteSection(Section number, const std::vector<uint8_t>& section, ByteWriter* out) {
  out->U8(number);
  out->Varint(section.size());
  out->Bytes(section.data(), section.size());
}

void Builder::WriteFooter() {
  const size_t start = bytes_->size();
  ByteWriter out(bytes_);
  out.U32(kFooterMagic);
  out.U16(kFormatVersion);
  out.U8(options_.level);
  out.U8(static_cast<uint8_t>((options_.with_row_ids ? kFlagRowIds : 0) |
                              (options_.with_command_ids ? kFlagCommandIds : 0)));
  std::vector<uint8_t> section;
  ByteWriter writer(&section);
  WriteSchemaSection(&writer);
  WriteSection(kSectionSchema, section, &out);
  section.clear();
  WriteGroupSection(&writer);
  WriteSection(kSectionRowGroups, section, &out);
  WriteSection(kSectionChunks, chunk_entries_, &out);
  if (series_starts_.size() > 1) {
    section.clear();
    WriteSeriesSection(&writer);
    WriteSection(kSectionSeries, section, &out);
  }
  out.U32(base::Crc32c(0, bytes_->data() + start, bytes_->size() - start));
}

void Builder::WriteSchemaSection(ByteWriter* out) const {
  out->Varint(order_.size());
  out->Varint(order_.empty() ? 0 : std::max<size_t>(1, series_starts_.size()));
  out->Varint(shapes_.size());
  for (const ColumnShape& shape : shapes_) {
    out->U8(shape.kind);
    if (shape.kind == NTS_KIND_INT || shape.kind == NTS_KIND_FIXED) out->Varint(shape.width);
  }
  out->Zig(schema_.time_column < 0 ? -1 : schema_.time_column);
  out->Varint(options_.series_columns.size());
  for (const uint16_t c : options_.series_columns) out->Varint(c);
}

void Builder::WriteGroupSection(ByteWriter* out) const {
  out->Varint(groups_.size());
  for (const RowGroup& group : groups_) {
    out->Varint(group.rows);
    const size_t full = (group.rows + kMaxVectorRows - 1) / kMaxVectorRows;
    if (group.vector_rows.size() == full) {  // then only the last can be shorter
      out->Varint(0);
      continue;
    }
    out->Varint(group.vector_rows.size());
    for (const uint32_t n : group.vector_rows) out->Varint(n);
  }
}

void Builder::WriteSeriesSection(ByteWriter* out) const {
  const size_t n = series_starts_.size();
  std::vector<uint64_t> words(n);
  std::vector<uint8_t> none(n, 0);
  std::vector<uint8_t> timeless(n);
  for (size_t s = 0; s < n; s++) {
    words[s] = (s + 1 < n ? series_starts_[s + 1] : order_.size()) - series_starts_[s];
    timeless[s] = !series_times_[s].has_time;
  }
  WriteWordList({codec::WordKind::kInt, 8}, words, none, out);
  for (size_t s = 0; s < n; s++) words[s] = static_cast<uint64_t>(series_times_[s].min);
  WriteWordList({codec::WordKind::kInt, 8}, words, timeless, out);
  for (size_t s = 0; s < n; s++) {
    words[s] = static_cast<uint64_t>(series_times_[s].max) -
               static_cast<uint64_t>(series_times_[s].min);
  }
  WriteWordList({codec::WordKind::kInt, 8}, words, timeless, out);
}

}  // namespace

Status BuildSegment(const NtsSchema& schema, const RowSource& source,
                    std::span<const uint32_t> order, std::span<const uint32_t> series_starts,
                    const SegmentBuildOptions& options, std::vector<uint8_t>* bytes,
                    SegmentSummary* summary) {
  return Builder(schema, source, order, series_starts, options, bytes).Build(summary);
}

}  // namespace nodedb_ts::segment
