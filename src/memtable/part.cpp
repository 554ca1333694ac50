#include "memtable/part.h"

#include <algorithm>
#include <cstring>

#include "memtable/row_block.h"
#include "memtable/series_choice.h"
#include "memtable/timeseries_manager.h"

namespace nodedb_ts::memtable {

namespace {

constexpr uint64_t kBlockBudgetBytes = 4 << 20;

bool SameSchema(const NtsSchema& a, const NtsSchema& b) {
  if (a.column_count != b.column_count || a.time_column != b.time_column) return false;
  for (uint32_t i = 0; i < a.column_count; ++i) {
    if (a.columns[i].kind != b.columns[i].kind || a.columns[i].width != b.columns[i].width) {
      return false;
    }
  }
  return true;
}

// The first row of a block of plain values.
void ReadRow(const NtsSchema& schema, const NtsRowBlock& block, NtsValue* values) {
  for (uint32_t i = 0; i < schema.column_count; ++i) {
    static_cast<void>(ReadValue(block, 0, i, schema.columns[i].kind == NTS_KIND_VAR, &values[i]));
    if (schema.columns[i].kind == NTS_KIND_NONE) values[i].is_null = 1;
  }
}

}  // namespace

Part::Part(TimeseriesManager* manager, const NtsSchema& schema)
    : manager_(manager),
      unkeyed_(TableLayout::Make(schema, false, {}, manager->FullChunkBytes())),
      staged_(&manager->budget_, unkeyed_) {}

Part::~Part() {
  active_.reset();
  queued_.clear();
  frozen_.clear();
  manager_->budget_.ReleaseSlabs();
}

// ---- rows --------------------------------------------------------------

Memtable* Part::Active() {
  if (active_ != nullptr && (active_->rows() > 0 || active_->shared_layout() == layout())) {
    return active_.get();
  }
  active_ = std::make_unique<Memtable>(&manager_->budget_, layout());
  return active_.get();
}

base::Status Part::Append(const NtsValue* values, uint64_t row_id, uint32_t command_id,
                          NtsIngest* result) {
  UnstageFirst();
  Memtable* active = Active();
  // Before the row, so that a failure leaves the part as it was.
  if (active->rows() == kChoiceRows - 1 && !has_series_) {
    TakeSeries(ChooseSeriesColumns(schema(), *active, active->rows()), true);
    Rekey();
    active = active_.get();
  }
  switch (active->Append(values, row_id, command_id)) {
    case Grow::kNoMemory:
      return base::Status::Memory("out of memory for a row");
    case Grow::kNoBudget:
      ++manager_->rejected_;
      *result = NTS_INGEST_REJECTED;
      return base::Status::Ok();
    case Grow::kOk:
      break;
  }
  ++manager_->ingested_;
  EvictOver(manager_->options_.max_series);
  *result = manager_->FlushNeeded(active_->shared_bytes()) ? NTS_INGEST_FLUSH_NEEDED : NTS_INGEST_OK;
  return base::Status::Ok();
}

uint32_t Part::AppendBlock(const NtsRowBlock& block, uint32_t command_id, NtsIngest* result) {
  *result = NTS_INGEST_OK;
  // A budget of a few blocks is watched row by row.
  if (manager_->options_.memory_budget_bytes < kBlockBudgetBytes) return 0;
  if (Stage(block, command_id)) {
    manager_->ingested_ += block.count;
    if (manager_->FlushNeeded(0)) *result = NTS_INGEST_FLUSH_NEEDED;
    return block.count;
  }
  UnstageFirst();
  Memtable* const active = Active();
  NtsRowBlock rest = block;
  if (!has_series_) {
    // The row that brings the choice of series columns comes by itself.
    const uint32_t until = kChoiceRows - 1;
    if (active->rows() >= until) return 0;
    rest.count = std::min(block.count, until - active->rows());
  }
  // Small chunks take a few rows each.
  uint32_t added = 0;
  while (rest.count > 0 && *result == NTS_INGEST_OK) {
    const uint32_t rows = active->AppendBlock(rest, command_id, manager_->options_.max_series);
    if (rows == 0) break;
    added += rows;
    rest = Behind(rest, rows);
    if (manager_->FlushNeeded(active->shared_bytes())) *result = NTS_INGEST_FLUSH_NEEDED;
  }
  manager_->ingested_ += added;
  return added;
}

// ---- staged rows -------------------------------------------------------

// Keeps a block that has no rows before it, and none behind it as far as the caller knows, as it is.
bool Part::Stage(const NtsRowBlock& block, uint32_t command_id) {
  return block.following == 0 && !flushing_ && rows() == 0 && staged_.Take(block, command_id);
}

// A memtable of the staged rows from `first` on; nullptr: *result says why not.
std::unique_ptr<Memtable> Part::TableOfStaged(uint32_t first, Grow* result) const {
  auto table = std::make_unique<Memtable>(&manager_->budget_, layout());
  std::vector<NtsValue> values(schema().column_count);
  NtsRowBlock rest = Behind(staged_.block(), first);
  while (rest.count > 0) {
    uint32_t added = table->AppendBlock(rest, staged_.command_id());
    if (added == 0) {
      ReadRow(schema(), rest, values.data());
      *result = table->Append(values.data(), NTS_NO_ROW_ID, staged_.command_id());
      if (*result != Grow::kOk) return nullptr;
      added = 1;
    }
    rest = Behind(rest, added);
  }
  return table;
}

// Moves them to a memtable; false: there is no memory for it, they stay.
bool Part::Unstage() {
  if (staged_.empty()) return true;
  queued_.reserve(queued_.size() + 1);
  Grow result = Grow::kOk;
  auto table = TableOfStaged(0, &result);
  if (table == nullptr) return false;
  staged_.Clear(manager_->KeepBytes());
  if (active_ == nullptr || active_->rows() == 0) {
    active_ = std::move(table);
    EvictOver(manager_->options_.max_series);
  } else {
    table->account().MoveTo(Pool::kQueued);
    queued_.insert(queued_.begin(), std::move(table));
  }
  return true;
}

// More rows come. Where the budget refuses, they go to a memtable of their own.
void Part::UnstageFirst() {
  if (!staged_.empty() && !flushing_ && (active_ == nullptr || active_->rows() == 0)) static_cast<void>(Unstage());
}

// The next batch of staged rows; kind END: those that are left are in frozen_.
base::Status Part::FlushStaged(NtsOutput* output) {
  const base::Status status = plan_.EncodeStaged(staged_, staged_done_, options_, output);
  if (!status.ok()) return status;
  if (output->kind != NTS_OUTPUT_END) {
    staged_done_ += static_cast<uint32_t>(output->rows);
    return status;
  }
  // A row that is too large for a page: that takes a segment.
  const Budget::Lift lift(&manager_->budget_);
  frozen_.reserve(frozen_.size() + 1);
  Grow result = Grow::kOk;
  auto table = TableOfStaged(staged_done_, &result);
  if (table == nullptr) return base::Status::Memory("out of memory for flushing rows");
  table->account().MoveTo(Pool::kFrozen);
  frozen_.insert(frozen_.begin(), std::move(table));
  if (staged_done_ == 0) {
    staged_.Clear(manager_->KeepBytes());
  } else {
    staged_.Truncate(staged_done_);
  }
  plan_.End();
  return status;
}

void Part::EvictOver(uint64_t max_series) {
  if (active_ == nullptr || !active_->layout().has_keys()) return;
  while (active_->active_series() > max_series) {
    active_->EvictColdest();
    ++manager_->evictions_;
  }
}

uint64_t Part::RowBytes(const NtsValue* values) const {
  return Memtable::RowBytes(*layout(), values);
}

uint64_t Part::rows() const {
  uint64_t rows = staged_.rows() + (active_ == nullptr ? 0 : active_->rows());
  for (const auto& table : queued_) rows += table->rows();
  for (const auto& table : frozen_) rows += table->rows();
  return rows;
}

uint64_t Part::bytes() const {
  uint64_t bytes = staged_.bytes() + (active_ == nullptr || active_->rows() == 0 ? 0 : active_->bytes());
  for (const auto& table : queued_) bytes += table->bytes();
  for (const auto& table : frozen_) bytes += table->bytes();
  return bytes;
}

bool Part::Fetch(uint64_t row_id, NtsValue* values, uint32_t* command_id) const {
  const auto look = [&](const Memtable& table) {
    const auto row = table.FindRow(row_id);
    if (!row) return false;
    table.ReadRow(*row, values);
    *command_id = table.CommandId(*row);
    return true;
  };
  if (row_id == NTS_NO_ROW_ID) return false;
  if (active_ != nullptr && look(*active_)) return true;
  const auto found = [&](const std::unique_ptr<Memtable>& table) { return look(*table); };
  return std::any_of(queued_.begin(), queued_.end(), found) ||
         std::any_of(frozen_.begin(), frozen_.end(), found);
}

// Keeps an empty memtable with its small buffers for the next rows.
void Part::Recycle(std::unique_ptr<Memtable> table) {
  table->Clear(manager_->KeepBytes());
  const bool vacant = active_ == nullptr || (active_->rows() == 0 && active_->bytes() == 0);
  if (vacant && table->shared_layout() == layout()) active_ = std::move(table);
}

void Part::Reset() {
  flushing_ = false;
  plan_.End();
  columns_.reset();
  if (!firm_) ForgetSeries();
  staged_.Clear(manager_->KeepBytes());
  staged_done_ = 0;
  if (active_ != nullptr) active_->Clear(manager_->KeepBytes());
  for (auto& table : queued_) Recycle(std::move(table));
  for (auto& table : frozen_) Recycle(std::move(table));
  queued_.clear();
  frozen_.clear();
  plan_.Release();
  manager_->budget_.ReleaseSlabs();
}

// ---- series columns ----------------------------------------------------

bool Part::HasKeyedRows() const {
  const auto keyed = [](const std::unique_ptr<Memtable>& table) {
    return table != nullptr && table->rows() > 0 && table->layout().keyed();
  };
  return keyed(active_) || std::any_of(queued_.begin(), queued_.end(), keyed) ||
         std::any_of(frozen_.begin(), frozen_.end(), keyed);
}

base::Status Part::SetSeries(std::span<const uint16_t> columns) {
  const base::Status status = CheckSeriesColumns(schema(), columns);
  if (!status.ok()) return status;
  if (has_series_ && std::equal(columns.begin(), columns.end(), series_columns_.begin(),
                                series_columns_.end())) {
    firm_ = true;
    return base::Status::Ok();
  }
  if (HasKeyedRows()) return base::Status::Ok();
  TakeSeries(columns, true);
  Rekey();
  EvictOver(manager_->options_.max_series);
  return base::Status::Ok();
}

void Part::TakeSeries(std::span<const uint16_t> columns, bool firm) {
  std::vector<uint16_t> copy(columns.begin(), columns.end());
  keyed_ = TableLayout::Make(schema(), true, copy, manager_->FullChunkBytes());
  series_columns_.swap(copy);
  has_series_ = true;
  firm_ = firm;
}

void Part::ForgetSeries() {
  has_series_ = firm_ = false;
  series_columns_.clear();
  keyed_.reset();
}

// Stores the active rows anew in the layout that the series columns ask for. The budget may
// refuse: a memtable of another layout is numbered when it is flushed instead.
void Part::Rekey() {
  if (active_ == nullptr || active_->rows() == 0 || active_->shared_layout() == layout()) return;
  Budget& budget = manager_->budget_;
  // Rows that shared their tags may not do so any more, so it can take much more than they do now.
  if (!budget.MakeRoom(active_->bytes())) return;
  auto keyed = std::make_unique<Memtable>(&budget, layout());
  if (keyed->AppendAll(*active_) == Grow::kOk) active_ = std::move(keyed);
}

// ---- merge -------------------------------------------------------------

base::Status Part::Merge(Part* from) {
  if (from == this || from->manager_ != manager_ || !SameSchema(schema(), from->schema())) {
    return base::Status::Bug("merge of parts of different tables");
  }
  if (from->flushing_) from->FlushEnd(false);
  {
    const Budget::Lift lift(&manager_->budget_);
    if ((!flushing_ && !Unstage()) || !from->Unstage()) return base::Status::Memory("out of memory for merging parts");
  }
  queued_.reserve(queued_.size() + from->queued_.size() + from->frozen_.size() + 1);
  if (!has_series_ && from->has_series_) {
    TakeSeries(from->series_columns_, from->firm_);
    Rekey();
  }
  const base::Status status = TakeActive(from);
  if (!status.ok()) return status;
  for (Tables* tables : {&from->frozen_, &from->queued_}) {
    for (auto& table : *tables) {
      table->account().MoveTo(Pool::kQueued);
      queued_.push_back(std::move(table));
    }
    tables->clear();
  }
  EvictOver(manager_->options_.max_series);
  return base::Status::Ok();
}

base::Status Part::TakeActive(Part* from) {
  if (from->active_ == nullptr || from->active_->rows() == 0) return base::Status::Ok();
  Budget& budget = manager_->budget_;
  if (active_ == nullptr || active_->rows() == 0) {
    active_.swap(from->active_);
    if (has_series_) Rekey();
    return base::Status::Ok();
  }
  if (budget.MakeRoom(from->active_->copy_bytes())) {
    // Small parts end in one memtable: many of them would make many small segments.
    const Budget::Lift lift(&budget);
    if (active_->AppendAll(*from->active_) != Grow::kOk) {
      return base::Status::Memory("out of memory for merging parts");
    }
    from->active_->Clear(manager_->KeepBytes());
    return base::Status::Ok();
  }
  active_->account().MoveTo(Pool::kQueued);
  queued_.push_back(std::move(active_));
  active_ = std::move(from->active_);
  return base::Status::Ok();
}

// ---- flush -------------------------------------------------------------

base::Status Part::FlushBegin(const NtsFlushOptions& options) {
  if (flushing_) FlushEnd(false);
  TakeOptions(options);
  if (staged_.rows() >= options.min_segment_rows || staged_.bytes() >= options.min_segment_bytes) {
    static_cast<void>(Unstage());
  }
  frozen_.reserve(frozen_.size() + queued_.size() + 1);
  for (auto& table : queued_) frozen_.push_back(std::move(table));
  queued_.clear();
  if (active_ != nullptr && active_->rows() > 0) frozen_.push_back(std::move(active_));
  for (auto& table : frozen_) {
    table->account().MoveTo(Pool::kFrozen);
    if (has_series_ || !FlushPlan::MakesSegments(*table, options)) continue;
    TakeSeries(ChooseSeriesColumns(schema(), *table, table->rows()),
               table->rows() >= kChoiceFirmRows);
  }
  if (!staged_.empty()) staged_.Freeze();
  staged_done_ = 0;
  current_ = 0;
  flushing_ = true;
  plan_.End();
  return base::Status::Ok();
}

base::Status Part::FlushBeginColumns(std::span<const NtsColumnBlock> blocks, uint32_t command_id,
                                     const NtsFlushOptions& options) {
  if (flushing_) FlushEnd(false);
  if (rows() > 0) return base::Status::Bug("a part with rows is to flush others");
  auto columns = std::make_unique<ColumnBlocks>(schema());
  const base::Status status = columns->Take(blocks, command_id);
  if (!status.ok()) return status;
  TakeOptions(options);
  columns_ = std::move(columns);
  current_ = 0;
  if (!has_series_ && FlushPlan::MakesSegments(*columns_, options)) {
    // As many rows as had come before the choice if they had been appended.
    const uint32_t rows = columns_->rows() >= kChoiceRows ? kChoiceRows - 1 : columns_->rows();
    TakeSeries(ChooseSeriesColumns(schema(), *columns_, rows), rows >= kChoiceFirmRows);
  }
  plan_.End();
  flushing_ = true;
  return base::Status::Ok();
}

void Part::TakeOptions(const NtsFlushOptions& options) {
  options_ = options;
  dictionaries_ = options.dictionaries == nullptr ? nullptr : options.dictionaries->set;
  options_.dictionaries = nullptr;  // the handle may be closed
}

void Part::StartPlan() {
  if (columns_ != nullptr) return plan_.Begin(columns_.get(), options_, series_columns(), dictionaries_.get());
  const Memtable& table = *frozen_[current_];
  const bool keyed = table.layout().keyed();
  plan_.Begin(&table, options_, keyed ? table.layout().series_columns() : series_columns(),
              dictionaries_.get());
}

base::Status Part::FlushNext(NtsOutput* output) {
  if (!flushing_) return base::Status::Bug("no flush has begun");
  *output = NtsOutput();
  if (staged_done_ < staged_.rows()) {
    const base::Status status = FlushStaged(output);
    if (!status.ok() || output->kind != NTS_OUTPUT_END) return status;
  }
  while (current_ < sources()) {
    // Here, not before: where it runs out of memory, the next call begins with it again.
    if (!plan_.begun()) StartPlan();
    const base::Status status = plan_.Next(output);
    if (!status.ok() || output->kind != NTS_OUTPUT_END) return status;
    ++current_;
    plan_.End();
  }
  return base::Status::Ok();
}

void Part::FlushEnd(bool success) {
  if (!flushing_) return;
  flushing_ = false;
  // Rows that were never put out are not in shared storage, whatever the caller says.
  const bool complete = staged_done_ == staged_.rows() &&
                        (current_ >= sources() || (current_ + 1 == sources() && plan_.begun() && plan_.finished()));
  const bool had_columns = columns_ != nullptr;
  staged_done_ = 0;
  plan_.End();
  dictionaries_.reset();
  columns_.reset();
  if (!success || !complete || (frozen_.empty() && staged_.empty() && !had_columns)) return;
  staged_.Clear(manager_->KeepBytes());
  for (auto& table : frozen_) Recycle(std::move(table));
  frozen_.clear();
  ++manager_->flushes_;
}

}  // namespace nodedb_ts::memtable
