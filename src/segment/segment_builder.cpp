#include "segment/segment_builder.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "base/crc32c.h"
#include "segment/chunk_writer.h"
#include "segment/format.h"
#include "segment/segment_reader.h"
#include "segment/statistics.h"
#include "segment/vector_cuts.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteWriter;
using base::Status;

constexpr size_t kMostWrittenTwice = size_t{4} << 20;
constexpr uint64_t kLongSeriesRows = 512;
constexpr size_t kLeastRunRows = 16;  // on average: shorter runs of byte strings are written row by row
constexpr uint64_t kHugeRowBytes = uint64_t{8} << 20;
// Last rows are kept when a series has so many rows on average, and when they take no more than this share of
// the segment.
constexpr uint64_t kLastRowsLeastRows = 8;
constexpr uint64_t kLastRowsShare = 64;
constexpr uint64_t kMostExpectedBytes = uint64_t{32} << 20;
// Rows up to this never make a row group or a vector too large.
constexpr uint64_t kNeverCutRowBytes =
    std::min<uint64_t>(kMaxRowGroupBytes / kMaxRowGroupRows, kMaxVectorBytes / kMaxVectorRows);

// Tells a source which rows are gathered, and that it is over, also when it ends early.
class Gathering {
 public:
  Gathering(const RowSource& source, std::span<const uint32_t> rows) : source_(source) {
    source_.WillGather(rows);
  }
  ~Gathering() { source_.WillGather({}); }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

 private:
  const RowSource& source_;
};

}  // namespace

Status SegmentBuilder::Begin() {
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
  taking_last_ = options_.with_last_rows && !options_.series_columns.empty() && time >= 0 &&
                 shapes_[static_cast<size_t>(time)].kind == NTS_KIND_INT;
  if (taking_last_) last_rows_.Begin(shapes_.size());
  return Status::Ok();
}

Status SegmentBuilder::MeasureRows(const RowSource& source, std::span<const uint32_t> rows) {
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
    source.GatherBytes(c, rows, views_.data(), nulls_.data());
    for (size_t r = 0; r < rows.size(); r++) {
      const uint64_t size = nulls_[r] ? 0 : views_[r].size();
      if (size > codec::kMaxValueBytes) return Status::Limit("value longer than 1 GB - 9 bytes");
      row_bytes_[r] += size;
      largest_bytes_[r] = std::max(largest_bytes_[r], size);
    }
  }
  return Status::Ok();
}

// Cuts the next rows into full vectors; at level 2 long series into vectors of their own, which end where periods of
// the clock do (by_period), or have equal lengths.
void SegmentBuilder::CutVectors(const RowSource& source, std::span<const uint32_t> rows, bool by_period,
                                std::vector<uint32_t>* vector_rows) {
  size_t pending = 0;  // rows of short series
  const auto cut = [vector_rows](size_t n) {
    for (; n > kMaxVectorRows; n -= kMaxVectorRows) vector_rows->push_back(kMaxVectorRows);
    if (n > 0) vector_rows->push_back(static_cast<uint32_t>(n));
  };
  if (options_.level >= 2) {
    if (by_period) {
      times_of_group_.resize(rows.size());
      nulls_.resize(rows.size());
      source.GatherWords(static_cast<size_t>(schema_.time_column), rows, times_of_group_.data(), nulls_.data());
    }
    const uint64_t end = rows_ + rows.size();
    // Rows may be cut a second time.
    while (next_start_ > 0 && series_starts_[next_start_ - 1] > rows_) next_start_--;
    while (next_start_ < series_starts_.size() && series_starts_[next_start_] <= rows_) next_start_++;
    for (uint64_t at = rows_; at < end;) {
      const bool last = next_start_ == series_starts_.size() || series_starts_[next_start_] >= end;
      const uint64_t next = last ? end : series_starts_[next_start_++];
      if (next - at >= kLongSeriesRows) {
        cut(pending);
        pending = 0;
        const auto first = static_cast<size_t>(at - rows_);
        const auto n = static_cast<size_t>(next - at);
        if (!by_period || !CutByPeriod({times_of_group_.data() + first, n}, {nulls_.data() + first, n},
                                       options_.units_per_second, vector_rows)) {
          CutEvenly(n, vector_rows);
        }
      } else {
        pending += next - at;
      }
      at = next;
    }
  } else {
    pending = rows.size();
  }
  cut(pending);
}

// Takes as many rows as a row group may have and cuts them into vectors.
Status SegmentBuilder::PlanGroup(const RowSource& source, std::span<const uint32_t> rows, bool by_period,
                                 RowGroup* group) {
  const size_t most = std::min(kMaxRowGroupRows, rows.size());
  if (source.LargestRowBytes() <= kNeverCutRowBytes) {
    group->rows = most;
    group->raw_bytes = most * source.LargestRowBytes();
    CutVectors(source, rows.first(most), by_period, &group->vector_rows);
    return Status::Ok();
  }
  Status status = MeasureRows(source, rows.first(most));
  if (!status.ok()) return status;
  while (group->rows < most) {
    if (group->rows > 0 && group->raw_bytes + row_bytes_[group->rows] > kMaxRowGroupBytes) break;
    group->raw_bytes += row_bytes_[group->rows++];
  }
  // At level 1 a vector ends where its bytes do, and the next one may be full again.
  std::vector<uint32_t> planned;
  if (options_.level >= 2) {
    CutVectors(source, rows.first(group->rows), by_period, &planned);
  } else {
    planned.push_back(static_cast<uint32_t>(group->rows));
  }
  size_t r = 0;
  for (const uint32_t n : planned) {
    uint64_t vector_bytes = 0;
    uint32_t vector_rows = 0;
    for (const size_t end = r + n; r < end; r++) {
      // The sum of each row's longest value bounds every column's bytes.
      if (vector_rows == kMaxVectorRows ||
          (vector_rows > 0 && vector_bytes + largest_bytes_[r] > kMaxVectorBytes)) {
        group->vector_rows.push_back(vector_rows);
        vector_rows = 0;
        vector_bytes = 0;
      }
      vector_rows++;
      vector_bytes += largest_bytes_[r];
    }
    group->vector_rows.push_back(vector_rows);
  }
  return Status::Ok();
}

Status SegmentBuilder::AddGroup(const RowSource& source, std::span<const uint32_t> rows,
                                size_t* taken) {
  const size_t start = bytes_->size();
  const bool by_period = options_.level >= 2 && options_.units_per_second > 0 && schema_.time_column >= 0;
  RowGroup group;
  Status status = PlanGroup(source, rows, by_period, &group);
  if (!status.ok()) return status;
  if (rows_ + group.rows > UINT32_MAX) return Status::Limit("a segment with too many rows");
  if (group.raw_bytes / group.rows >= kHugeRowBytes) {
    // Doubling would copy, and for a while hold, a huge value once more.
    const uint64_t need = bytes_->size() + group.raw_bytes + (uint64_t{1} << 20);
    if (need > bytes_->capacity()) {
      bytes_->reserve(std::max<uint64_t>(need, bytes_->size() + bytes_->size() / 2));
    }
  }
  words_.resize(group.rows);
  nulls_.resize(group.rows);
  rows = rows.first(group.rows);
  if (taking_last_) FindLastRows(group.rows);
  Written before;
  if (by_period) before = {{}, chunk_entries_, constants_, uses_dictionaries_};
  frame_bytes_ = 0;
  status = WriteColumns(source, group, rows);
  // Large groups have large vectors, and are not held twice.
  const size_t written = bytes_->size() - start;
  if (status.ok() && by_period && written <= kMostWrittenTwice && frame_bytes_ * 2 > written) {
    status = TryLongerVectors(source, rows, start, std::move(before), &group);
  }
  if (!status.ok()) return status;
  rows_ += group.rows;
  data_bytes_ += bytes_->size() - start;
  *taken = group.rows;
  groups_.push_back(std::move(group));
  return Status::Ok();
}

// A frame finds more to refer to in a longer vector. Where frames take most of a row group, it is written a second time with
// vectors as long as the series let them be, and stays so if that saves a 32nd of it. before: what there was without
// the row group, which begins at `start`.
Status SegmentBuilder::TryLongerVectors(const RowSource& source, std::span<const uint32_t> rows, size_t start,
                                        Written before, RowGroup* group) {
  RowGroup longer;
  Status status = PlanGroup(source, rows, false, &longer);
  if (!status.ok() || longer.rows != group->rows || longer.vector_rows.size() * 10 > group->vector_rows.size() * 9) {
    return status;
  }
  const auto swap = [this, start](Written* other) {
    std::vector<uint8_t> bytes(bytes_->begin() + static_cast<ptrdiff_t>(start), bytes_->end());
    bytes_->resize(start);
    bytes_->insert(bytes_->end(), other->bytes.begin(), other->bytes.end());
    other->bytes.swap(bytes);
    other->chunk_entries.swap(chunk_entries_);
    other->constants.swap(constants_);
    std::swap(other->uses_dictionaries, uses_dictionaries_);
  };
  swap(&before);
  Written& shorter = before;
  // Last rows have been taken, and times noted.
  const bool taking_last = taking_last_;
  taking_last_ = false;
  noting_times_ = false;
  status = WriteColumns(source, longer, rows);
  noting_times_ = true;
  taking_last_ = taking_last;
  if (!status.ok()) return status;
  if ((bytes_->size() - start) * 32 > shorter.bytes.size() * 31) {
    swap(&shorter);
  } else {
    *group = std::move(longer);
  }
  return status;
}

// Where the row group at hand has the last rows of its series, as far as it knows.
void SegmentBuilder::FindLastRows(size_t rows) {
  const uint64_t end = rows_ + rows;
  const auto begins_before = [this](size_t series, uint64_t row) {
    return series < series_starts_.size() && series_starts_[series] < row;
  };
  while (begins_before(last_series_ + 1, rows_ + 1)) last_series_++;
  last_positions_.clear();
  for (size_t s = last_series_ + 1; begins_before(s, end); s++) {
    last_positions_.push_back(static_cast<uint32_t>(series_starts_[s] - 1 - rows_));
  }
  last_positions_.push_back(static_cast<uint32_t>(rows - 1));
  taking_last_ = last_rows_.BeginGroup(last_series_, last_positions_);
}

Status SegmentBuilder::WriteColumns(const RowSource& source, const RowGroup& group,
                                    std::span<const uint32_t> rows) {
  const Gathering gathering(source, rows);
  for (size_t c = 0; c < shapes_.size(); c++) {
    Status status = WriteColumn(source, c, group, rows);
    if (!status.ok()) return status;
  }
  return WriteHidden(source, group, rows);
}

namespace {

Status CheckWidth(const ColumnShape& shape, const std::vector<std::string_view>& values,
                  const std::vector<uint8_t>& nulls, size_t count) {
  if (shape.kind != NTS_KIND_FIXED) return Status::Ok();
  for (size_t i = 0; i < count; i++) {
    if (!nulls[i] && values[i].size() != shape.width) return Status::Bug("fixed-width value of another width");
  }
  return Status::Ok();
}

}  // namespace

Status SegmentBuilder::WriteColumn(const RowSource& source, size_t column, const RowGroup& group,
                                   std::span<const uint32_t> rows) {
  const ColumnShape& shape = shapes_[column];
  const size_t start = bytes_->size();
  ChunkSummary summary;
  summary.null_count = group.rows;
  if (IsWord(shape.kind)) {
    uint64_t* const words = source.LendWords(column, rows, words_.data(), nulls_.data());
    if (taking_last_) last_rows_.TakeWords(column, words, nulls_.data());
    Status status = WriteWords(shape, group, words, &summary);
    if (!status.ok()) return status;
    if (static_cast<int32_t>(column) == schema_.time_column && shape.kind == NTS_KIND_INT &&
        noting_times_ && &source != &last_rows_) {
      NoteTimes(summary, {words, group.rows});
    }
  } else if (IsBytes(shape.kind)) {
    // Level 2 tries more forms than runs have.
    if (options_.level < 2 && source.GatherRuns(column, rows, group.rows / kLeastRunRows, &runs_)) {
      Status status = CheckWidth(shape, runs_.values, runs_.nulls, runs_.size());
      if (!status.ok()) return status;
      if (writer().WriteRuns(shape, runs_, group.vector_rows, bytes_, &summary)) {
        if (taking_last_) taking_last_ = last_rows_.TakeRuns(column, runs_);
        AddChunk(column, shape, start, summary);
        return Status::Ok();
      }
    }
    views_.resize(group.rows);
    source.GatherBytes(column, rows, views_.data(), nulls_.data());
    Status status = CheckWidth(shape, views_, nulls_, group.rows);
    if (!status.ok()) return status;
    if (taking_last_) taking_last_ = last_rows_.TakeBytes(column, views_.data(), nulls_.data());
    // the last rows, for which there is another writer, do without
    const codec::TrainedDictionary* trained =
        options_.dictionaries == nullptr || fast_writer_
            ? nullptr
            : options_.dictionaries->Find(static_cast<uint32_t>(column));
    writer().UseTrained(trained);
    summary = writer().WriteBytes(shape, views_.data(), nulls_.data(), group.vector_rows,
                                  bytes_);
    if (summary.codec == codec::kBytesTrained) uses_dictionaries_ = true;
    if (summary.codec == codec::kBytesZstd || summary.codec == codec::kBytesZstdDictionary ||
        summary.codec == codec::kBytesTrained) {
      frame_bytes_ += bytes_->size() - start;
    }
    if (options_.level >= 2) {
      status =
          read_back_.CheckBytes(shape, summary, {bytes_->data() + start, bytes_->size() - start},
                                group.vector_rows, views_.data(), nulls_.data(), trained);
      if (!status.ok()) return status;
    }
  }
  AddChunk(column, shape, start, summary);
  return Status::Ok();
}

// Encodes words, which may change, and nulls_.
Status SegmentBuilder::WriteWords(const ColumnShape& shape, const RowGroup& group, uint64_t* words,
                                  ChunkSummary* summary) {
  const size_t start = bytes_->size();
  *summary = writer().WriteWords(shape, words, nulls_.data(), group.vector_rows, true, bytes_);
  if (options_.level < 2) return Status::Ok();
  return read_back_.CheckWords(shape, *summary, {bytes_->data() + start, bytes_->size() - start},
                               group.vector_rows, words, nulls_.data());
}

Status SegmentBuilder::WriteHidden(const RowSource& source, const RowGroup& group,
                                   std::span<const uint32_t> rows) {
  const auto write = [&](size_t column) {
    const size_t start = bytes_->size();
    ChunkSummary summary;
    std::fill(nulls_.begin(), nulls_.end(), uint8_t{0});
    Status status = WriteWords(kIdShape, group, words_.data(), &summary);
    AddChunk(column, kIdShape, start, summary);
    return status;
  };
  size_t column = shapes_.size();
  if (options_.with_row_ids) {
    source.GatherRowIds(rows, words_.data());
    if (taking_last_) last_rows_.TakeRowIds(words_.data());
    Status status = write(column++);
    if (!status.ok()) return status;
  }
  if (!options_.with_command_ids) return Status::Ok();
  command_ids_.resize(group.rows);
  source.GatherCommandIds(rows, command_ids_.data());
  if (taking_last_) last_rows_.TakeCommandIds(command_ids_.data());
  std::copy(command_ids_.begin(), command_ids_.end(), words_.begin());
  return write(column);
}

// A constant's value moves from the row groups to the footer, once for equal ones in a row.
void SegmentBuilder::AddChunk(size_t column, const ColumnShape& shape, size_t start,
                              const ChunkSummary& summary) {
  ByteWriter out(&chunk_entries_);
  if (constants_.size() <= column) constants_.resize(column + 1);
  std::optional<std::vector<uint8_t>>& before = constants_[column];
  const size_t length = bytes_->size() - start;
  if (summary.codec == codec::kConstant) {
    const std::vector<uint8_t> value(bytes_->begin() + static_cast<ptrdiff_t>(start), bytes_->end());
    bytes_->resize(start);
    if (before == value) return out.U8(kChunkEntrySameConstant);
    before = value;
    out.U8(codec::kConstant);
    out.Varint(length);
    return out.Bytes(value.data(), length);
  }
  before.reset();
  if (summary.codec == codec::kNone) return out.U8(codec::kNone);
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

// words and nulls_: the time column of the row group.
void SegmentBuilder::NoteTimes(const ChunkSummary& summary, std::span<const uint64_t> words) {
  if (summary.null_count > 0) times_.has_null = true;
  if (summary.has_range) {
    const auto min = static_cast<int64_t>(summary.min);
    const auto max = static_cast<int64_t>(summary.max);
    times_.min = times_.has_time ? std::min(times_.min, min) : min;
    times_.max = times_.has_time ? std::max(times_.max, max) : max;
    times_.has_time = true;
  }
  for (size_t r = 0; r < words.size() && !series_starts_.empty();) {
    while (series_times_.size() < series_starts_.size() &&
           series_starts_[series_times_.size()] <= rows_ + r) {
      series_times_.emplace_back();
    }
    // The rest of its series that is in the row group.
    const bool last = series_times_.size() == series_starts_.size();
    const uint64_t end = last ? words.size()
                              : std::min<uint64_t>(words.size(), series_starts_[series_times_.size()] - rows_);
    TimeRange times = series_times_.back();
    for (; r < end; r++) {
      if (nulls_[r]) continue;
      const auto v = static_cast<int64_t>(words[r]);
      times.min = times.has_time ? std::min(times.min, v) : v;
      times.max = times.has_time ? std::max(times.max, v) : v;
      times.has_time = true;
    }
    series_times_.back() = times;
  }
}

TimeRange SegmentBuilder::times() const {
  TimeRange times = times_;
  if (schema_.time_column < 0 && rows_ > 0) times.has_null = true;
  return times;
}

namespace {

void WriteSection(Section number, const std::vector<uint8_t>& section, ByteWriter* out) {
  out->U8(number);
  out->Varint(section.size());
  out->Bytes(section.data(), section.size());
}

}  // namespace

Status SegmentBuilder::Finish(SegmentSummary* summary) {
  series_times_.resize(series_starts_.size());
  Status status = WriteLastRows(&summary->last_rows);
  if (!status.ok()) return status;
  summary->rows = rows_;
  summary->footer_offset = data_bytes_;
  const size_t start = bytes_->size();
  summary->dictionaries = UsedDictionaries();
  WriteFooter(summary->last_rows);
  summary->length = data_bytes_ + bytes_->size() - start;
  return CheckFooter({bytes_->data() + start, bytes_->size() - start});
}

// As one more row group, unless they would take too much.
Status SegmentBuilder::WriteLastRows(bool* written) {
  *written = false;
  const bool wanted = taking_last_ && last_rows_.kept();
  taking_last_ = false;
  if (!wanted || rows_ < kLastRowsLeastRows * last_rows_.count()) return Status::Ok();
  const size_t start = bytes_->size();
  const size_t entries = chunk_entries_.size();
  RowGroup group;
  group.rows = last_rows_.count();
  for (size_t at = 0; at < group.rows; at += kLastRowsVectorRows) {
    group.vector_rows.push_back(static_cast<uint32_t>(std::min(kLastRowsVectorRows, group.rows - at)));
  }
  words_.resize(group.rows);
  nulls_.resize(group.rows);
  std::vector<uint32_t> order(group.rows);
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
  // For speed: they are read for a row here and there, and are small anyway.
  fast_writer_.emplace(uint8_t{1});
  Status status = WriteColumns(last_rows_, group, order);
  fast_writer_.reset();
  if (!status.ok()) return status;
  const uint64_t size = bytes_->size() - start + chunk_entries_.size() - entries;
  if (size > data_bytes_ / kLastRowsShare) {
    bytes_->resize(start);
    chunk_entries_.resize(entries);
    return Status::Ok();
  }
  data_bytes_ += bytes_->size() - start;
  groups_.push_back(std::move(group));
  *written = true;
  return Status::Ok();
}

// Reads the footer as a reader will: a mistake here would make all of the segment unreadable.
Status SegmentBuilder::CheckFooter(std::span<const uint8_t> footer) const {
  std::unique_ptr<Segment> segment;
  Status status = Segment::Open(footer, data_bytes_ + footer.size(),
                                {schema_.columns, schema_.column_count}, &segment);
  if (!status.ok()) return Status::Bug("an encoded segment footer is wrong: " + status.message());
  for (uint32_t g = 0; g < groups_.size(); g++) {
    for (uint32_t v = 0; v < groups_[g].vector_rows.size(); v++) {
      uint32_t first_row;
      uint32_t rows;
      if (!segment->Vector(g, v, &first_row, &rows).ok() || rows != groups_[g].vector_rows[v]) {
        return Status::Bug("an encoded segment footer lists other vectors");
      }
    }
  }
  return Status::Ok();
}

void SegmentBuilder::WriteFooter(bool last_rows) {
  const size_t start = bytes_->size();
  ByteWriter out(bytes_);
  out.U32(kFooterMagic);
  out.U16(kFormatVersion);
  out.U8(options_.level);
  out.U8(static_cast<uint8_t>((options_.with_row_ids ? kFlagRowIds : 0) |
                              (options_.with_command_ids ? kFlagCommandIds : 0) |
                              (last_rows ? kFlagLastRows : 0)));
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
  if (uses_dictionaries_) {
    section.clear();
    writer.Varint(UsedDictionaries());
    WriteSection(kSectionDictionaries, section, &out);
  }
  out.U32(base::Crc32c(0, bytes_->data() + start, bytes_->size() - start));
}

void SegmentBuilder::WriteSchemaSection(ByteWriter* out) const {
  out->Varint(rows_);
  out->Varint(rows_ == 0 ? 0 : std::max<size_t>(1, series_starts_.size()));
  out->Varint(shapes_.size());
  for (const ColumnShape& shape : shapes_) {
    out->U8(shape.kind);
    if (shape.kind == NTS_KIND_INT || shape.kind == NTS_KIND_FIXED) out->Varint(shape.width);
  }
  out->Zig(schema_.time_column < 0 ? -1 : schema_.time_column);
  out->Varint(options_.series_columns.size());
  for (const uint16_t c : options_.series_columns) out->Varint(c);
}

void SegmentBuilder::WriteGroupSection(ByteWriter* out) const {
  out->Varint(groups_.size());
  for (const RowGroup& group : groups_) {
    out->Varint(group.rows);
    // A vector that was cut for its bytes may be followed by full ones.
    const std::vector<uint32_t>& vectors = group.vector_rows;
    if (std::all_of(vectors.begin(), vectors.end() - 1,
                    [](uint32_t n) { return n == kMaxVectorRows; })) {
      out->Varint(0);
      continue;
    }
    out->Varint(vectors.size());
    for (const uint32_t n : vectors) out->Varint(n);
  }
}

void SegmentBuilder::WriteSeriesSection(ByteWriter* out) {
  const size_t n = series_starts_.size();
  std::vector<uint64_t> words(n);
  std::vector<uint8_t> none(n, 0);
  std::vector<uint8_t> timeless(n);
  for (size_t s = 0; s < n; s++) {
    words[s] = (s + 1 < n ? series_starts_[s + 1] : rows_) - series_starts_[s];
    timeless[s] = !series_times_[s].has_time;
  }
  WriteSeriesList(&words, none, out);
  for (size_t s = 0; s < n; s++) words[s] = static_cast<uint64_t>(series_times_[s].min);
  WriteSeriesList(&words, timeless, out);
  for (size_t s = 0; s < n; s++) {
    words[s] = static_cast<uint64_t>(series_times_[s].max) -
               static_cast<uint64_t>(series_times_[s].min);
  }
  WriteSeriesList(&words, timeless, out);
}

void SegmentBuilder::WriteSeriesList(std::vector<uint64_t>* words,
                                     const std::vector<uint8_t>& nulls, ByteWriter* out) {
  std::vector<uint32_t> vector_rows;
  for (size_t at = 0; at < words->size(); at += kMaxVectorRows) {
    vector_rows.push_back(static_cast<uint32_t>(std::min(kMaxVectorRows, words->size() - at)));
  }
  std::vector<uint8_t> chunk;
  const ChunkSummary summary = chunk_writer_.WriteWords(kIdShape, words->data(), nulls.data(),
                                                        vector_rows, false, &chunk);
  out->U8(summary.codec);
  out->Varint(chunk.size());
  out->Bytes(chunk.data(), chunk.size());
}

namespace {

// Row groups of a segment are much alike: growing by doubling would copy all bytes
// again and again into fresh memory.
void ExpectBytes(uint64_t bytes, std::vector<uint8_t>* out) {
  const uint64_t expected = bytes + bytes / 16;
  if (expected > out->capacity() && expected <= kMostExpectedBytes) out->reserve(expected);
}

}  // namespace

Status BuildSegment(const NtsSchema& schema, const RowSource& source,
                    std::span<const uint32_t> order, std::span<const uint32_t> series_starts,
                    const SegmentBuildOptions& options, std::vector<uint8_t>* bytes,
                    SegmentSummary* summary) {
  bytes->clear();
  SegmentBuilder builder(schema, options, bytes);
  Status status = builder.Begin();
  if (!status.ok()) return status;
  if (!series_starts.empty() && (series_starts[0] != 0 || order.empty() ||
                                 series_starts.back() >= order.size())) {
    return Status::Bug("series starts do not fit the rows");
  }
  // One series needs no index.
  if (series_starts.size() > 1) {
    for (const uint32_t start : series_starts) builder.StartSeries(start);
  }
  for (size_t done = 0; done < order.size();) {
    size_t taken = 0;
    if (done > 0) ExpectBytes(bytes->size() * order.size() / done, bytes);
    status = builder.AddGroup(source, order.subspan(done), &taken);
    if (!status.ok()) return status;
    done += taken;
  }
  return builder.Finish(summary);
}

}  // namespace nodedb_ts::segment
