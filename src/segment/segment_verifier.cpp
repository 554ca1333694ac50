#include "segment/segment_verifier.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/crc32c.h"
#include "segment/format.h"

namespace nodedb_ts::segment {
namespace {

using base::Status;
using std::to_string;

constexpr uint32_t kNoGroup = UINT32_MAX;
constexpr int32_t kNoColumn = INT32_MIN;
constexpr uint64_t kRowIdLimit = uint64_t{255} << 40;
// More ids than this are not compared with each other.
constexpr size_t kMaxComparedIds = size_t{1} << 24;

// Never 0.
uint64_t HashValue(const ColumnShape& shape, uint64_t value, bool is_null) {
  if (is_null) return 2;
  if (IsWord(shape.kind)) return (value ^ value >> 32) * 0x9E3779B97F4A7C15 | 1;
  const std::string_view bytes = BytesAt(shape, value);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return uint64_t{base::Crc32c(0, data, bytes.size())} << 32 | (bytes.size() & 0x7fffffff) << 1 | 1;
}

int Sign(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

}  // namespace

SegmentVerifier::SegmentVerifier(const Segment& segment, const NtsSegmentFacts& facts)
    : segment_(segment), facts_(facts) {
  segment.Info(&info_);
  for (uint32_t i = 0; i < info_.series_column_count; i++) {
    const auto column = static_cast<int32_t>(info_.series_columns[i]);
    const auto same = [&](const Step& s) { return s.column == column; };
    if (std::any_of(steps_.begin(), steps_.end(), same)) continue;
    steps_.push_back({column, static_cast<int>(steps_.size())});
  }
  last_keys_.resize(steps_.size());
  const auto is_time = [&](const Step& s) { return s.column == info_.time_column; };
  if (info_.time_column >= 0) {
    const auto key = std::find_if(steps_.begin(), steps_.end(), is_time);
    if (key != steps_.end()) {
      key->is_time = true;
    } else {
      steps_.push_back({info_.time_column, -1, true});
    }
  }
  order_steps_ = steps_.size();
  for (uint32_t c = 0; c < info_.column_count; c++) {
    const auto column = static_cast<int32_t>(c);
    const auto same = [&](const Step& s) { return s.column == column; };
    if (std::any_of(steps_.begin(), steps_.begin() + static_cast<ptrdiff_t>(order_steps_), same)) {
      continue;
    }
    steps_.push_back({column});
  }
  if (info_.has_row_ids) steps_.push_back({NTS_COLUMN_ROW_ID});
  if (info_.has_command_ids) steps_.push_back({NTS_COLUMN_COMMAND_ID});
  CheckFooter();
}

void SegmentVerifier::Add(int32_t kind, int32_t column, std::string text) {
  problems_.push_back({kind, group_, column, InLastRows() ? "last rows: " + text : std::move(text)});
}

void SegmentVerifier::AddGlobal(int32_t kind, std::string text) {
  problems_.push_back({kind, kNoGroup, kNoColumn, std::move(text)});
}

bool SegmentVerifier::TakeProblem(Problem* problem) {
  if (problems_.empty()) return false;
  *problem = std::move(problems_.front());
  problems_.pop_front();
  return true;
}

void SegmentVerifier::CheckFooter() {
  if (info_.rows != facts_.rows) {
    AddGlobal(NTS_PROBLEM_SEGMENT, "the footer counts " + to_string(info_.rows) +
                                       " rows, the directory " + to_string(facts_.rows));
  }
  if (info_.level != facts_.level) {
    AddGlobal(NTS_PROBLEM_SEGMENT, "the footer says level " + to_string(info_.level) +
                                       ", the directory " + to_string(facts_.level));
  }
  if (info_.has_row_ids != facts_.has_row_ids || info_.has_command_ids != facts_.has_command_ids) {
    AddGlobal(NTS_PROBLEM_SEGMENT, "footer and directory disagree on the hidden columns");
  }
  if (info_.rows == 0) AddGlobal(NTS_PROBLEM_SEGMENT, "it has no rows");
  const Status status = segment_.Series(&index_);
  have_index_ = status.ok() && !index_.empty();
  if (!status.ok()) AddGlobal(NTS_PROBLEM_SERIES, status.message());
  if (status.ok() && info_.has_last_rows) FindLastRows();
}

void SegmentVerifier::FindLastRows() {
  last_rows_.resize(info_.series);
  if (!segment_.LastRows(0, static_cast<uint32_t>(info_.series), last_rows_.data()).ok()) last_rows_.clear();
  last_values_.resize(steps_.size());
  for (std::vector<uint64_t>& values : last_values_) values.resize(last_rows_.size());
}

// ---- stepping through the chunks ---------------------------------------

void SegmentVerifier::BeginGroup() {
  begun_ = true;
  step_ = 0;
  if (InLastRows()) EndSegment();
  (void)segment_.RowGroup(group_, &group_info_).ok();
  const bool keyed = !last_keys_.empty();
  order_.assign(group_info_.rows, 0);
  // Without series columns all rows are of one series.
  if (!keyed && group_ == 0 && !order_.empty()) order_[0] = -1;
  keys_known_ = true;
  times_known_ = true;
  times_.clear();
  time_nulls_.clear();
  if (order_steps_ == 0 && !InLastRows()) EndGroupOrder();
}

// Leaves the current step.
void SegmentVerifier::Leave() {
  wanting_ = false;
  if (++step_ == order_steps_ && !InLastRows()) EndGroupOrder();
}

void SegmentVerifier::Pass() {
  const Step& step = steps_[step_];
  if (InLastRows()) return;
  if (step.key >= 0) {
    keys_known_ = all_keys_ = false;
    last_keys_[static_cast<size_t>(step.key)].known = false;
  }
  if (step.is_time) times_known_ = all_times_ = have_last_time_ = false;
  if (step.column == NTS_COLUMN_ROW_ID) all_row_ids_ = false;
  if (step.column == NTS_COLUMN_COMMAND_ID) all_command_ids_ = false;
}

// Finds the next chunk that has bytes; those without are checked on the way.
bool SegmentVerifier::NextChunk(uint32_t* group, int32_t* column) {
  if (wanting_) {
    Pass();
    Leave();
  }
  while (!finished_) {
    if (group_ == info_.row_groups + (info_.has_last_rows ? 1 : 0)) {
      finished_ = true;
      if (!info_.has_last_rows) EndSegment();
      break;
    }
    if (!begun_) BeginGroup();
    if (step_ == steps_.size()) {
      group_++;
      begun_ = false;
      continue;
    }
    const ChunkEntry* entry;
    if (!segment_.Chunk(group_, steps_[step_].column, &entry).ok()) return false;
    wanting_ = true;
    if (entry->length == 0) {
      bool sound;
      (void)CheckChunk({}, &sound).ok();
      continue;
    }
    *group = group_;
    *column = steps_[step_].column;
    return true;
  }
  return false;
}

Status SegmentVerifier::CheckChunk(std::span<const uint8_t> chunk, bool* sound) {
  if (!wanting_) return Status::Bug("no chunk is wanted");
  const Step& step = steps_[step_];
  const ChunkEntry* entry;
  ChunkRef ref;
  *sound = false;
  Status status = segment_.Chunk(group_, step.column, &entry);
  if (status.ok()) status = segment_.StoredChunk(group_, step.column, chunk, &ref);
  if (!status.ok()) return status;
  status = segment_.Verify(group_, step.column, chunk);
  // What fails its checksum is not looked into: anything could be in there.
  if (status.ok()) status = CheckDictionary(ref);
  if (status.ok()) status = CheckVectors(ref, *entry, sound);
  if (status.code() == base::Code::kMemory) return status;
  if (!status.ok()) {
    Add(NTS_PROBLEM_CHUNK, step.column, status.message());
    Pass();
  }
  Leave();
  return Status::Ok();
}

// ---- one chunk ---------------------------------------------------------

Status SegmentVerifier::CheckVectors(const ChunkRef& ref, const ChunkEntry& entry, bool* sound) {
  const Step step = steps_[step_];
  const bool words = IsWord(ref.shape.kind);
  Status status = ReadChunkStatistics(ref, &stored_);
  if (!status.ok()) {
    Add(NTS_PROBLEM_STATISTICS, step.column, status.message());
    stored_.clear();
  }
  const size_t problems = problems_.size();
  uint64_t null_count = 0;
  uint64_t wrong_copies = 0;
  merged_ = {};
  wrong_statistics_ = 0;
  if (step.is_time) times_.reserve(group_info_.rows);
  for (uint32_t v = 0; v < ref.vectors; v++) {
    uint64_t size = 0;
    uint64_t cursor = 0;
    bool any_null;
    status = segment_.Vector(group_, v, &vector_.first_row, &vector_.rows);
    if (status.ok()) status = MeasureVector(ref, v, vector_.rows, &size);
    std::unique_ptr<uint64_t[]> data;
    if (status.ok() && size > 0) data.reset(new uint64_t[(size + 7) / 8]);
    if (status.ok()) {
      status = DecodeVector(ref, v, vector_.rows, vector_.values, vector_.nulls,
                            reinterpret_cast<uint8_t*>(data.get()), size, &cursor, &any_null);
    }
    if (!status.ok()) {
      return {status.code(), "vector " + to_string(v) + ": " + status.message()};
    }
    for (uint32_t r = 0; r < vector_.rows; r++) null_count += vector_.nulls[r];
    if (words) CheckStatistics(ref, entry, vector_, v);
    if (InLastRows()) {
      wrong_copies += CompareLastRows(ref.shape, vector_);
      continue;
    }
    NoteLastRows(ref.shape, vector_);
    if (step.key >= 0) CompareKeys(ref.shape, vector_, &last_keys_[static_cast<size_t>(step.key)]);
    if (step.is_time) NoteTimes(vector_);
    if (step.column == NTS_COLUMN_ROW_ID) NoteRowIds(vector_);
    if (step.column == NTS_COLUMN_COMMAND_ID) NoteCommandIds(vector_);
  }
  if (null_count != entry.null_count) {
    Add(NTS_PROBLEM_STATISTICS, step.column,
        "the footer counts " + to_string(entry.null_count) + " NULLs, there are " +
            to_string(null_count));
  }
  if (wrong_statistics_ > 0) {
    Add(NTS_PROBLEM_STATISTICS, step.column,
        "statistics of " + to_string(wrong_statistics_) + " vectors do not fit their values");
  }
  if (entry.has_range && (!merged_.has_range || merged_.min != entry.min ||
                          merged_.max != entry.max)) {
    Add(NTS_PROBLEM_STATISTICS, step.column, "the footer's range is not that of the values");
  }
  if (wrong_copies > 0) {
    Add(NTS_PROBLEM_LAST_ROWS, step.column,
        to_string(wrong_copies) + " values are not those of the series' last rows");
  }
  *sound = problems_.size() == problems;
  return Status::Ok();
}

void SegmentVerifier::CheckStatistics(const ChunkRef& ref, const ChunkEntry& entry,
                                      const Vector& vector, uint32_t number) {
  const codec::WordShape shape = WordShapeOf(ref.shape);
  const VectorStatistics found =
      ComputeStatistics(shape, vector.values, vector.nulls, vector.rows);
  if (entry.has_range) {
    MergeRange(shape, found, &merged_.has_range, &merged_.min, &merged_.max);
  }
  if (stored_.empty()) return;
  const VectorStatistics& said = stored_[number];
  const bool fits = said.null_count == found.null_count && said.has_range == found.has_range &&
                    (!said.has_range || (said.min == found.min && said.max == found.max)) &&
                    (!said.has_sum || (found.has_sum && said.sum == found.sum));
  if (!fits) wrong_statistics_++;
}

// Compares each row's value with that of the row before, unless an earlier series
// column has decided. NULLs come last, words are compared as signed numbers, bytes
// as unsigned ones.
void SegmentVerifier::CompareKeys(const ColumnShape& shape, const Vector& vector,
                                  KeyValue* before) {
  const bool bytes = IsBytes(shape.kind);
  for (uint32_t r = 0; r < vector.rows; r++) {
    int8_t& order = order_[vector.first_row + r];
    const bool first = r == 0;
    const bool null = vector.nulls[r] != 0;
    if (first && !before->known && order == 0) {
      // Nothing stands before the first row of all: a series begins.
      order = group_ == 0 && vector.first_row == 0 ? int8_t{-1} : kUnknown;
    }
    if (order != 0) continue;
    const bool null_before = first ? before->is_null : vector.nulls[r - 1] != 0;
    int sign;
    if (null || null_before) {
      sign = static_cast<int>(null_before) - static_cast<int>(null);
    } else if (bytes) {
      const std::string_view a = first ? std::string_view(before->bytes)
                                       : BytesAt(shape, vector.values[r - 1]);
      sign = a.compare(BytesAt(shape, vector.values[r]));
    } else {
      sign = Sign(static_cast<int64_t>(first ? before->word : vector.values[r - 1]),
                  static_cast<int64_t>(vector.values[r]));
    }
    order = static_cast<int8_t>(sign < 0 ? -1 : sign > 0 ? 1 : 0);
  }
  const uint32_t last = vector.rows - 1;
  before->known = true;
  before->is_null = vector.nulls[last] != 0;
  before->word = vector.values[last];
  if (bytes && !before->is_null) before->bytes = BytesAt(shape, vector.values[last]);
}

void SegmentVerifier::NoteLastRows(const ColumnShape& shape, const Vector& vector) {
  const uint64_t first = group_info_.first_row + vector.first_row;
  const auto begin = std::lower_bound(last_rows_.begin(), last_rows_.end(), first);
  for (auto at = begin; at != last_rows_.end() && *at < first + vector.rows; ++at) {
    const uint64_t r = *at - first;
    last_values_[step_][static_cast<size_t>(at - last_rows_.begin())] =
        HashValue(shape, vector.values[r], vector.nulls[r] != 0);
  }
}

// How many values differ from what the rows have. Positions are unknown if the series index is damaged.
uint64_t SegmentVerifier::CompareLastRows(const ColumnShape& shape, const Vector& vector) const {
  uint64_t wrong = 0;
  for (uint32_t r = 0; r < vector.rows && !last_rows_.empty(); r++) {
    const uint64_t wanted = last_values_[step_][vector.first_row + r];
    wrong += wanted != 0 && wanted != HashValue(shape, vector.values[r], vector.nulls[r] != 0);
  }
  return wrong;
}

void SegmentVerifier::NoteTimes(const Vector& vector) {
  times_.insert(times_.end(), vector.values, vector.values + vector.rows);
  time_nulls_.insert(time_nulls_.end(), vector.nulls, vector.nulls + vector.rows);
}

void SegmentVerifier::NoteRowIds(const Vector& vector) {
  for (uint32_t r = 0; r < vector.rows; r++) {
    if (vector.nulls[r] || vector.values[r] >= kRowIdLimit) {
      Add(NTS_PROBLEM_ROW_IDS, NTS_COLUMN_ROW_ID,
          "row " + to_string(group_info_.first_row + vector.first_row + r) + " has no valid id");
      all_row_ids_ = false;
      return;
    }
  }
  if (row_ids_.size() + vector.rows <= kMaxComparedIds) {
    row_ids_.insert(row_ids_.end(), vector.values, vector.values + vector.rows);
  } else {
    all_row_ids_ = false;
  }
}

void SegmentVerifier::NoteCommandIds(const Vector& vector) {
  for (uint32_t r = 0; r < vector.rows; r++) {
    if (vector.nulls[r] || vector.values[r] > UINT32_MAX) {
      Add(NTS_PROBLEM_COMMAND_IDS, NTS_COLUMN_COMMAND_ID,
          "row " + to_string(group_info_.first_row + vector.first_row + r) +
              " has no valid command id");
      all_command_ids_ = false;
      return;
    }
    min_command_id_ = std::min(min_command_id_, vector.values[r]);
  }
}

// ---- the order of rows -------------------------------------------------

// Keys and times of the row group are there, as far as they could be read.
void SegmentVerifier::EndGroupOrder() {
  const bool timed = info_.time_column >= 0 && times_known_ && times_.size() == order_.size();
  bool reported = false;
  const auto complain = [&](uint32_t row, const char* what) {
    if (!reported) {
      Add(NTS_PROBLEM_ORDER, kNoColumn,
          "row " + to_string(group_info_.first_row + row) + ' ' + what);
    }
    reported = true;
  };
  if (info_.time_column >= 0 && !timed) have_last_time_ = false;
  for (uint32_t row = 0; row < order_.size(); row++) {
    const bool null = timed && time_nulls_[row] != 0;
    const int64_t time = timed ? static_cast<int64_t>(times_[row]) : 0;
    if (keys_known_) {
      const int8_t order = order_[row];
      if (order == kUnknown) all_keys_ = false;
      if (order == 1) complain(row, "is of a smaller series than the row before");
      const bool same = order == 0 && (row > 0 || group_ > 0);
      if (same && timed && have_last_time_ && !last_time_null_ && (null || time < last_time_)) {
        complain(row, "is older than the row before of its series");
      }
      if (!same) CloseSeries();
      open_.rows++;
    }
    if (!timed) continue;
    have_last_time_ = true;
    last_time_null_ = null;
    last_time_ = time;
    any_null_time_ = any_null_time_ || null;
    if (null) continue;
    min_time_ = any_time_ ? std::min(min_time_, time) : time;
    max_time_ = any_time_ ? std::max(max_time_, time) : time;
    any_time_ = true;
    open_.min_time = open_.has_time ? std::min(open_.min_time, time) : time;
    open_.max_time = open_.has_time ? std::max(open_.max_time, time) : time;
    open_.has_time = true;
  }
}

void SegmentVerifier::CloseSeries() {
  if (open_.rows > 0) {
    if (have_index_ && all_keys_ && series_ < index_.size()) {
      const SeriesEntry& said = index_[series_];
      const bool rows = said.rows == open_.rows;
      const bool times = !all_times_ || (said.has_time == open_.has_time &&
                                         (!said.has_time || (said.min_time == open_.min_time &&
                                                             said.max_time == open_.max_time)));
      if (!rows || !times) wrong_series_++;
    }
    series_++;
  }
  open_ = {};
}

void SegmentVerifier::EndSegment() {
  CloseSeries();
  if (wrong_series_ > 0) {
    AddGlobal(NTS_PROBLEM_SERIES, to_string(wrong_series_) +
                                      " entries of the series index do not fit their rows");
  }
  if (all_keys_ && series_ != info_.series) {
    AddGlobal(NTS_PROBLEM_SERIES, "the footer counts " + to_string(info_.series) +
                                      " series, there are " + to_string(series_));
  }
  const bool null_time = any_null_time_ || info_.time_column < 0;
  if (all_times_ && ((facts_.has_time != 0) != any_time_ ||
                     (facts_.has_null_time != 0) != null_time ||
                     (any_time_ && (facts_.min_time != min_time_ || facts_.max_time != max_time_)))) {
    AddGlobal(NTS_PROBLEM_STATISTICS, "the directory's range of times is not that of the rows");
  }
  if (info_.has_row_ids && all_row_ids_ && !row_ids_.empty()) {
    std::sort(row_ids_.begin(), row_ids_.end());
    const auto twice = std::adjacent_find(row_ids_.begin(), row_ids_.end());
    if (twice != row_ids_.end()) {
      AddGlobal(NTS_PROBLEM_ROW_IDS, "two rows have the id " + to_string(*twice));
    }
    if (row_ids_.front() != facts_.first_row_id || row_ids_.back() != facts_.last_row_id) {
      AddGlobal(NTS_PROBLEM_ROW_IDS, "the directory's range of row ids is not that of the rows");
    }
  }
  if (!info_.has_row_ids && info_.rows > 0 &&
      facts_.last_row_id - facts_.first_row_id != info_.rows - 1) {
    AddGlobal(NTS_PROBLEM_ROW_IDS, "the directory's range of row ids is not as long as the rows");
  }
  if (info_.has_command_ids && all_command_ids_ && min_command_id_ != facts_.min_command_id) {
    AddGlobal(NTS_PROBLEM_COMMAND_IDS, "the directory's command id is not the smallest of the rows");
  }
}

}  // namespace nodedb_ts::segment
