#include "compact/segment_merge.h"

#include <algorithm>

namespace nodedb_ts::compact {
namespace {

using base::Status;

constexpr size_t kFirstStepRows = 64;  // how wide rows are is not known yet
constexpr size_t kLeastStepRows = 16;

}  // namespace

SegmentMerge::SegmentMerge(const NtsSchema& schema, const NtsMergeOptions& options,
                           const NtsValue* defaults)
    : columns_(schema.columns, schema.columns + schema.column_count),
      series_(options.series_columns, options.series_columns + options.series_column_count),
      schema_(schema), options_(options), step_rows_(kFirstStepRows),
      buffer_(schema_, options.group_bytes, options.max_segment_rows) {
  schema_.columns = columns_.data();
  options_.series_columns = series_.data();
  if (defaults != nullptr) {
    defaults_.assign(defaults, defaults + schema.column_count);
  } else {
    defaults_.assign(schema.column_count, NtsValue{0, 0, 1});
  }
  build_.level = options.level;
  build_.zstd_level = options.compression_level;
  build_.series_columns = series_;
  build_.units_per_second = options.units_per_second;
  if (options.dictionaries != nullptr) dictionaries_ = options.dictionaries->set;
  build_.dictionaries = dictionaries_.get();
  // not in segments that are merged again
  build_.with_last_rows = options.series_index != 0;
}

Status SegmentMerge::Make(const NtsSchema& schema, const NtsMergeOptions& options,
                          const NtsValue* defaults, std::unique_ptr<SegmentMerge>* merge) {
  if (schema.column_count > segment::kMaxColumns) return Status::Limit("too many columns");
  if (options.series_column_count > segment::kMaxSeriesColumns) {
    return Status::Limit("more than 16 series columns");
  }
  if (schema.time_column >= static_cast<int32_t>(schema.column_count) ||
      (schema.time_column >= 0 && schema.columns[schema.time_column].kind != NTS_KIND_INT)) {
    return Status::Bug("bad time column");
  }
  for (uint32_t i = 0; i < options.series_column_count; i++) {
    const uint16_t c = options.series_columns[i];
    if (c >= schema.column_count || schema.columns[c].kind == NTS_KIND_NONE) {
      return Status::Bug("bad series column");
    }
  }
  if (options.compression_level < 0 || options.compression_level > 22) {
    return Status::Limit("zstd levels are 1 to 22");
  }
  merge->reset(new SegmentMerge(schema, options, defaults));
  return Status::Ok();
}

Status SegmentMerge::Add(const segment::Segment& segment) {
  NtsSegmentInfo info;
  segment.Info(&info);
  if (begun_) return Status::Bug("the merge has begun");
  if (info.time_column != schema_.time_column || info.column_count > columns_.size() ||
      !std::equal(series_.begin(), series_.end(), info.series_columns,
                  info.series_columns + info.series_column_count)) {
    return Status::Bug("a segment is sorted by other columns");
  }
  inputs_.push_back(std::make_unique<MergeInput>(segment, columns_, series_, defaults_));
  return Status::Ok();
}

Status SegmentMerge::Next(NtsMergeStep* step) {
  *step = {};
  bytes_.clear();
  if (!begun_) {
    begun_ = true;
    for (uint32_t i = 0; i < inputs_.size(); i++) {
      if (inputs_[i]->NeedsBytes()) waiting_.push_back(i);
    }
  }
  for (;;) {
    if (loading_ != UINT32_MAX) {
      const uint32_t input = loading_;
      loading_ = UINT32_MAX;
      Status status = inputs_[input]->Load();
      if (status.ok()) status = Place(input);
      if (!status.ok()) return status;
      continue;
    }
    const bool done = waiting_.empty() && tied_.empty() && heap_.empty();
    if (run_rows_ > 0 && (done || !waiting_.empty() || run_rows_ >= step_rows_ ||
                          run_rows_ >= buffer_.room())) {
      Status status = Materialize();
      if (!status.ok()) return status;
    }
    if (buffer_.full() || (done && buffer_.rows() > 0)) return WriteGroup(step);
    if (builder_ && (done || SegmentIsFull())) return EndSegment(step);
    if (done) return Status::Ok();  // END
    Status status = Status::Ok();
    if (!waiting_.empty()) {
      status = WantBytes(waiting_.back(), step);
      if (!status.ok() || step->kind == NTS_MERGE_READ) return status;
      continue;
    }
    if (!builder_) status = BeginSegment();
    if (status.ok()) status = TakeRun();
    if (!status.ok()) return status;
  }
}

Status SegmentMerge::WantBytes(uint32_t input, NtsMergeStep* step) {
  waiting_.pop_back();
  Status status = inputs_[input]->Want(&step->offset, &step->length, &step->room);
  if (!status.ok()) return status;
  loading_ = input;
  step->input = input;
  if (step->length > 0) step->kind = NTS_MERGE_READ;
  return Status::Ok();
}

// ---- whose rows come next ----------------------------------------------

Status SegmentMerge::Place(uint32_t input) {
  const int order = has_series_ ? inputs_[input]->CompareSeries(series_key_) : 1;
  if (order < 0) return Status::Corrupt("segment: rows are not sorted by series");
  if (order > 0) {
    PushHeap(input);
  } else {
    tied_.insert(std::lower_bound(tied_.begin(), tied_.end(), input), input);
  }
  return Status::Ok();
}

void SegmentMerge::PushHeap(uint32_t input) {
  heap_.push_back(input);
  std::push_heap(heap_.begin(), heap_.end(), [&](uint32_t a, uint32_t b) {
    return inputs_[a]->CompareSeries(*inputs_[b]) > 0;
  });
}

void SegmentMerge::BeginSeries() {
  const auto later = [&](uint32_t a, uint32_t b) {
    return inputs_[a]->CompareSeries(*inputs_[b]) > 0;
  };
  inputs_[heap_.front()]->CopySeries(&series_key_);
  has_series_ = true;
  series_begins_ = true;
  while (!heap_.empty() && inputs_[heap_.front()]->CompareSeries(series_key_) == 0) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    tied_.push_back(heap_.back());
    heap_.pop_back();
  }
  std::sort(tied_.begin(), tied_.end());
}

// Of the tied inputs the one whose current row comes first, and the next one.
uint32_t SegmentMerge::FirstByTime(uint32_t* second) const {
  uint32_t best = tied_[0];
  *second = UINT32_MAX;
  for (size_t i = 1; i < tied_.size(); i++) {
    const uint32_t input = tied_[i];
    const MergeInput& candidate = *inputs_[input];
    if (candidate.CompareTime(candidate.row(), *inputs_[best]) < 0) {
      *second = best;
      best = input;
    } else if (*second == UINT32_MAX ||
               candidate.CompareTime(candidate.row(), *inputs_[*second]) < 0) {
      *second = input;
    }
  }
  return best;
}

// Takes the longest run of rows that no other input has a row between.
Status SegmentMerge::TakeRun() {
  if (tied_.empty()) BeginSeries();
  uint32_t second;
  const uint32_t number = FirstByTime(&second);
  MergeInput& input = *inputs_[number];
  uint32_t rows = input.series_end() - input.row();
  if (second != UINT32_MAX && schema_.time_column >= 0) {
    rows = input.RowsBefore(*inputs_[second], number < second);
  }
  rows = static_cast<uint32_t>(std::min<size_t>(rows, buffer_.room() - run_rows_));
  if (series_begins_ && options_.series_index) {
    builder_->StartSeries(builder_->rows() + buffer_.rows() + run_rows_);
  }
  series_begins_ = false;
  const bool joins = !runs_.empty() && runs_.back().input == number &&
                     runs_.back().vector == input.vector() &&
                     runs_.back().first + runs_.back().count == input.row();
  if (joins) {
    runs_.back().count += rows;
  } else {
    runs_.push_back({number, input.vector(), input.row(), rows});
  }
  run_rows_ += rows;
  const bool leaves = input.row() + rows == input.series_end();
  Status status = input.Advance(rows);
  if (!status.ok() || !leaves) return status;
  tied_.erase(std::find(tied_.begin(), tied_.end(), number));
  if (input.NeedsBytes()) {
    waiting_.push_back(number);
  } else if (!input.AtEnd()) {
    return Place(number);
  }
  return Status::Ok();
}

// ---- the output --------------------------------------------------------

Status SegmentMerge::Materialize() {
  const uint64_t before = buffer_.value_bytes();
  for (uint32_t c = 0; c < columns_.size(); c++) {
    for (const auto& input : inputs_) input->BeginColumn();
    for (const Run& run : runs_) {
      Status status = inputs_[run.input]->Append(c, run, &buffer_);
      if (!status.ok()) return status;
    }
  }
  buffer_.EndRows(run_rows_);
  // Small steps where rows are wide, since the buffer's limit is looked at between steps;
  // large ones where not, since a vector is decoded in every step that needs some of it.
  const uint64_t row_bytes = (buffer_.value_bytes() - before) / run_rows_ + 1;
  step_rows_ = std::clamp<uint64_t>(options_.group_bytes / 8 / row_bytes, kLeastStepRows,
                                    step_rows_ * 4);
  runs_.clear();
  run_rows_ = 0;
  return Status::Ok();
}

Status SegmentMerge::BeginSegment() {
  builder_.emplace(schema_, build_, &bytes_);
  series_begins_ = !series_.empty();
  largest_group_ = 0;
  return builder_->Begin();
}

// Between two row groups: would one more be too much?
bool SegmentMerge::SegmentIsFull() const {
  if (builder_->rows() == 0 || run_rows_ > 0 || buffer_.rows() > 0) return false;
  return builder_->rows() + buffer_.max_rows() > options_.max_segment_rows ||
         builder_->data_bytes() + largest_group_ > options_.max_segment_bytes ||
         builder_->series() >= options_.max_segment_series;
}

Status SegmentMerge::WriteGroup(NtsMergeStep* step) {
  // Memory that is not touched costs nothing; growing would copy.
  bytes_.reserve(buffer_.bytes() + (uint64_t{1} << 20));
  for (std::span<const uint32_t> rows = buffer_.order(); !rows.empty();) {
    size_t taken = 0;
    const size_t start = bytes_.size();
    Status status = builder_->AddGroup(buffer_, rows, &taken);
    if (!status.ok()) return status;
    largest_group_ = std::max<uint64_t>(largest_group_, bytes_.size() - start);
    rows = rows.subspan(taken);
  }
  buffer_.Clear();
  step->kind = NTS_MERGE_BYTES;
  step->bytes = bytes_.data();
  step->length = bytes_.size();
  return Status::Ok();
}

Status SegmentMerge::EndSegment(NtsMergeStep* step) {
  segment::SegmentSummary summary;
  Status status = builder_->Finish(&summary);
  if (!status.ok()) return status;
  const segment::TimeRange times = builder_->times();
  step->kind = NTS_MERGE_SEGMENT;
  step->bytes = bytes_.data();
  step->length = bytes_.size();
  step->output.kind = NTS_OUTPUT_SEGMENT;
  step->output.rows = summary.rows;
  step->output.has_time = times.has_time;
  step->output.has_null_time = times.has_null;
  step->output.min_time = times.min;
  step->output.max_time = times.max;
  step->output.footer_offset = summary.footer_offset;
  step->output.dictionaries = summary.dictionaries;
  step->output.length = summary.length;
  builder_.reset();
  return Status::Ok();
}

}  // namespace nodedb_ts::compact
