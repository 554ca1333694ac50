#include "memtable/flush_plan.h"

#include <algorithm>

#include "memtable/time_buckets.h"
#include "segment/segment_builder.h"

namespace nodedb_ts::memtable {

namespace {

// Scratch buffers above this many elements are given back after a flush.
constexpr size_t kKeepElements = 1024;

template <typename Vector>
void Trim(Vector* scratch) {
  if (scratch->capacity() > kKeepElements) Vector().swap(*scratch);
}

}  // namespace

bool FlushPlan::MakesSegments(const FlushSource& source, const NtsFlushOptions& options) {
  return source.rows() > 0 && (source.rows() >= options.min_segment_rows ||
                               source.raw_bytes() >= options.min_segment_bytes);
}

void FlushPlan::Begin(const FlushSource* source, const NtsFlushOptions& options,
                      std::span<const uint16_t> series_columns,
                      const segment::DictionarySet* dictionaries) {
  End();
  dictionaries_ = dictionaries;
  options_ = options;
  options_.max_segment_rows = std::max<uint64_t>(options_.max_segment_rows, 1);
  options_.max_batch_rows = std::clamp<uint32_t>(options_.max_batch_rows, 1, UINT16_MAX);
  series_columns_.assign(series_columns.begin(), series_columns.end());
  batches_ = !MakesSegments(*source, options_);
  segments_planned_ = false;
  next_row_ = 0;
  next_group_ = 0;
  if (!batches_) {
    order_.resize(source->rows());
    for (uint32_t row = 0; row < source->rows(); ++row) order_[row] = row;
  }
  source_ = source;  // last: until then the plan has not begun
}

bool FlushPlan::finished() const {
  if (source_ == nullptr) return true;
  if (batches_ && next_row_ < source_->rows()) return false;
  return segments_planned_ ? next_group_ == groups_.size() : order_.empty();
}

void FlushPlan::End() {
  source_ = nullptr;
  dictionaries_ = nullptr;
  groups_.clear();
  order_.clear();
}

void FlushPlan::Release() {
  End();
  Trim(&order_);
  Trim(&groups_);
  Trim(&rows_);
  Trim(&starts_);
  Trim(&words_);
  Trim(&nulls_);
  Trim(&command_ids_);
  // A batch payload has at most a page; segments are large.
  if (bytes_.capacity() > 16 * kKeepElements) std::vector<uint8_t>().swap(bytes_);
  if (order_used_) series_order_.Release();
  order_used_ = false;
}

base::Status FlushPlan::Next(NtsOutput* output) {
  *output = NtsOutput();
  if (source_ == nullptr) return base::Status::Ok();
  while (batches_ && next_row_ < source_->rows()) {
    const base::Status status = NextBatch(output);
    if (!status.ok() || output->kind != NTS_OUTPUT_END) return status;
  }
  if (order_.empty()) return base::Status::Ok();
  if (!segments_planned_) PlanSegments();
  if (next_group_ == groups_.size()) return base::Status::Ok();
  return NextSegment(output);
}

// ---- batches -----------------------------------------------------------

// Puts the rows that one batch may hold, as far as ids tell, into rows_.
uint32_t FlushPlan::BatchCandidates() {
  const uint32_t limit = std::min(source_->rows() - next_row_, options_.max_batch_rows);
  uint32_t hint = 0;
  const bool same = source_->row_ids().runs() == 1;
  const uint64_t first_id = source_->row_ids().Get(next_row_, &hint);
  uint32_t count = 1;
  for (; count < limit && !same; ++count) {
    const uint64_t id = source_->row_ids().Get(next_row_ + count, &hint);
    if (first_id == NTS_NO_ROW_ID ? id != NTS_NO_ROW_ID : id != first_id + count) break;
  }
  if (same) count = limit;
  rows_.resize(count);
  for (uint32_t i = 0; i < count; ++i) rows_[i] = next_row_ + i;
  return count;
}

bool FlushPlan::CommandsDiffer(std::span<const uint32_t> rows) {
  if (!options_.keep_command_ids || source_->command_ids().runs() == 1) return false;
  command_ids_.resize(rows.size());
  source_->GatherCommandIds(rows, command_ids_.data());
  return std::any_of(command_ids_.begin(), command_ids_.end(),
                     [&](uint32_t id) { return id != command_ids_[0]; });
}

base::Status FlushPlan::NextBatch(NtsOutput* output) {
  BatchCandidates();
  std::span<const uint32_t> rows(rows_);
  bool with_command_ids = CommandsDiffer(rows);
  segment::BatchLayout layout = segment::BatchLayout::kPlainRows;
  size_t encoded = 0;
  base::Status status =
      segment::EncodeBatch(source_->schema(), *source_, rows, with_command_ids,
                           options_.max_batch_bytes, batch_rows_, &bytes_, &layout, &encoded);
  if (!status.ok()) return status;
  if (encoded == 0 && with_command_ids) {
    // Alone it needs no command id.
    rows = rows.first(1);
    with_command_ids = false;
    status = segment::EncodeBatch(source_->schema(), *source_, rows, false,
                                  options_.max_batch_bytes, batch_rows_, &bytes_, &layout, &encoded);
    if (!status.ok()) return status;
  } else if (encoded < rows.size() && with_command_ids && !CommandsDiffer(rows.first(encoded))) {
    // What did fit has a single command id after all.
    status = segment::EncodeBatch(source_->schema(), *source_, rows.first(encoded),
                                  false, options_.max_batch_bytes, encoded, &bytes_, &layout,
                                  &encoded);
    if (!status.ok()) return status;
  }
  if (encoded == 0) {
    order_.push_back(next_row_);  // too large for a page
    ++next_row_;
    return base::Status::Ok();
  }
  if (encoded < rows.size()) batch_rows_ = encoded;
  if (encoded > rows.size()) return base::Status::Bug("a batch holds more rows than it was given");
  rows = rows.first(encoded);
  rows_.resize(encoded);
  DescribeBatch(*source_, source_->schema(), layout, output);
  Describe(rows, output);
  // Last: what is above may run out of memory, and then they are still to be put out.
  next_row_ += static_cast<uint32_t>(encoded);
  return base::Status::Ok();
}

// The batch in bytes_ of the rows in rows_, as far as it does not depend on their ids.
void FlushPlan::DescribeBatch(const segment::RowSource& source, const NtsSchema& schema, segment::BatchLayout layout,
                              NtsOutput* output) {
  output->kind = NTS_OUTPUT_BATCH;
  output->batch_layout = static_cast<uint8_t>(layout);
  output->bytes = bytes_.data();
  output->length = bytes_.size();
  if (schema.time_column >= 0) {
    words_.resize(rows_.size());
    nulls_.resize(rows_.size());
    source.GatherWords(static_cast<size_t>(schema.time_column), rows_, words_.data(), nulls_.data());
  }
  DescribeTimes(words_.data(), nulls_.data(), schema.time_column < 0 ? 0 : rows_.size(), output);
}

base::Status FlushPlan::EncodeStaged(const StagedRows& staged, uint32_t first, const NtsFlushOptions& options,
                                     NtsOutput* output) {
  *output = NtsOutput();
  rows_.resize(std::clamp<uint32_t>(options.max_batch_rows, 1, staged.rows() - first));
  for (uint32_t i = 0; i < rows_.size(); ++i) rows_[i] = first + i;
  segment::BatchLayout layout = segment::BatchLayout::kPlainRows;
  size_t encoded = 0;
  const base::Status status = segment::EncodeBatch(staged.schema(), staged, rows_, false, options.max_batch_bytes,
                                                   batch_rows_, &bytes_, &layout, &encoded);
  if (!status.ok() || encoded == 0) return status;
  if (encoded < rows_.size()) batch_rows_ = encoded;
  rows_.resize(encoded);
  DescribeBatch(staged, staged.schema(), layout, output);
  output->rows = encoded;
  output->min_command_id = output->max_command_id = staged.command_id();
  return base::Status::Ok();
}

// ---- planning segments -------------------------------------------------

void FlushPlan::PlanSegments() {
  groups_.clear();
  next_group_ = 0;
  std::vector<BucketRows> buckets;
  GroupByBucket(*source_, &order_, &buckets);
  series_order_.Prepare(source_, series_columns_);
  JoinBuckets(buckets);
  segments_planned_ = order_used_ = true;
}

void FlushPlan::JoinBuckets(const std::vector<BucketRows>& buckets) {
  // Retention waits for the newest row of a segment, and for ever for one without a time; so
  // neither NULL times nor distant ones (infinity) may share a segment with the rest.
  constexpr uint64_t kMostJoined = 64;
  // Buckets are judged by the mean row: exact sizes would need another pass.
  const uint64_t mean_bytes = source_->raw_bytes() / source_->rows();
  const auto large_enough = [&](Group group) {
    const uint64_t rows = group.end - group.begin;
    return rows >= options_.min_segment_rows ||
           (options_.min_segment_bytes > 0 && rows * mean_bytes >= options_.min_segment_bytes);
  };
  const auto may_join = [](const BucketRows& first, const BucketRows& next) {
    return first.has_time == next.has_time &&
           static_cast<uint64_t>(next.number) - static_cast<uint64_t>(first.number) < kMostJoined;
  };
  std::vector<Group> joined;
  size_t first = 0;       // bucket of the group that is open
  size_t joined_first = 0;  // of the last one in `joined`
  Group open = {0, 0};
  for (size_t i = 0; i < buckets.size(); ++i) {
    open.end = buckets[i].end;
    const bool last = i + 1 == buckets.size() || !may_join(buckets[first], buckets[i + 1]);
    if (!last && !large_enough(open)) continue;
    // A small rest goes to the group before it, where it may.
    if (!large_enough(open) && !joined.empty() && may_join(buckets[joined_first], buckets[i])) {
      joined.back().end = open.end;
    } else {
      joined.push_back(open);
      joined_first = first;
    }
    open.begin = open.end;
    first = i + 1;
  }
  for (const Group& group : joined) SplitGroup(group);
}

// Cuts a group that has too many rows into equal pieces, in arrival order: pieces of
// rows that arrived in time order do not overlap in time.
void FlushPlan::SplitGroup(Group group) {
  const size_t rows = group.end - group.begin;
  const size_t pieces = (rows - 1) / options_.max_segment_rows + 1;
  for (size_t i = 0; i < pieces; ++i) {
    // Not rows * i / pieces, which could overflow on 32-bit systems.
    const size_t size = rows / pieces + (i < rows % pieces ? 1 : 0);
    SplitByBytes({group.begin, group.begin + size});
    group.begin += size;
  }
}

void FlushPlan::SplitByBytes(Group group) {
  if (source_->raw_bytes() <= options_.max_segment_bytes) return SplitByIds(group);
  uint64_t bytes = 0;
  size_t begin = group.begin;
  for (size_t i = group.begin; i < group.end; ++i) {
    const uint64_t row_bytes = source_->RawRowBytes(order_[i]);
    if (i > begin && bytes + row_bytes > options_.max_segment_bytes) {
      SplitByIds({begin, i});
      begin = i;
      bytes = 0;
    }
    bytes += row_bytes;
  }
  SplitByIds({begin, group.end});
}

// A segment stores an id for each row or for none.
void FlushPlan::SplitByIds(Group group) {
  const RowIds& ids = source_->row_ids();
  if (!ids.any() || ids.all(source_->rows())) {
    groups_.push_back(group);
    return;
  }
  uint32_t hint = 0;
  const auto begin = order_.begin() + static_cast<ptrdiff_t>(group.begin);
  const auto end = order_.begin() + static_cast<ptrdiff_t>(group.end);
  const auto middle = std::stable_partition(begin, end, [&](uint32_t row) {
    return ids.Get(row, &hint) != NTS_NO_ROW_ID;
  });
  const size_t cut = static_cast<size_t>(middle - order_.begin());
  if (cut > group.begin) groups_.push_back({group.begin, cut});
  if (cut < group.end) groups_.push_back({cut, group.end});
}

// ---- segments ----------------------------------------------------------

base::Status FlushPlan::NextSegment(NtsOutput* output) {
  const Group group = groups_[next_group_];
  series_order_.Sort({order_.data() + group.begin, group.end - group.begin}, &rows_, &starts_);
  uint32_t hint = 0;
  segment::SegmentBuildOptions build;
  build.level = options_.level;
  build.with_row_ids = source_->row_ids().Get(rows_[0], &hint) != NTS_NO_ROW_ID;
  build.with_command_ids = CommandsDiffer(rows_);
  build.series_columns = series_columns_;
  build.with_last_rows = true;
  build.dictionaries = dictionaries_;
  segment::SegmentSummary summary;
  const base::Status status =
      segment::BuildSegment(source_->schema(), *source_, rows_, starts_, build, &bytes_,
                            &summary);
  if (!status.ok()) return status;
  ++next_group_;
  output->kind = NTS_OUTPUT_SEGMENT;
  output->bytes = bytes_.data();
  output->length = bytes_.size();
  output->footer_offset = summary.footer_offset;
  output->dictionaries = summary.dictionaries;
  if (source_->times_ascend()) {
    const uint32_t ends[] = {order_[group.begin], order_[group.end - 1]};
    uint64_t times[2];
    uint8_t nulls[2];
    source_->GatherWords(static_cast<size_t>(source_->schema().time_column), ends, times, nulls);
    DescribeTimes(times, nulls, 2, output);
  } else {
    const base::LargeVector<uint64_t>& times = series_order_.times();
    DescribeTimes(times.data(), series_order_.time_nulls().data(), times.size(), output);
  }
  Describe(rows_, output);
  return base::Status::Ok();
}

// ---- what an output says of its rows -----------------------------------

// rows 0: the table has no time column.
void FlushPlan::DescribeTimes(const uint64_t* times, const uint8_t* nulls, size_t rows,
                              NtsOutput* output) const {
  output->has_null_time = rows == 0 ? 1 : 0;
  for (size_t i = 0; i < rows; ++i) {
    if (nulls[i]) {
      output->has_null_time = 1;
      continue;
    }
    const int64_t time = static_cast<int64_t>(times[i]);
    if (!output->has_time) {
      output->has_time = 1;
      output->min_time = output->max_time = time;
    }
    output->min_time = std::min(output->min_time, time);
    output->max_time = std::max(output->max_time, time);
  }
}

void FlushPlan::Describe(std::span<const uint32_t> rows, NtsOutput* output) {
  output->rows = rows.size();
  uint32_t hint = 0;
  output->min_command_id = output->max_command_id =
      source_->command_ids().Get(rows[0], &hint);
  if (source_->command_ids().runs() > 1) {
    for (const uint32_t row : rows) {
      const uint32_t id = source_->command_ids().Get(row, &hint);
      output->min_command_id = std::min(output->min_command_id, id);
      output->max_command_id = std::max(output->max_command_id, id);
    }
  }
  hint = 0;
  const uint64_t first = source_->row_ids().Get(rows[0], &hint);
  if (first == NTS_NO_ROW_ID) return;
  output->has_row_ids = 1;
  output->min_row_id = output->max_row_id = first;
  for (const uint32_t row : rows) {
    const uint64_t id = source_->row_ids().Get(row, &hint);
    output->min_row_id = std::min(output->min_row_id, id);
    output->max_row_id = std::max(output->max_row_id, id);
  }
}

}  // namespace nodedb_ts::memtable
