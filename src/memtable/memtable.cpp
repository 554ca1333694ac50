#include "memtable/memtable.h"

#include <algorithm>

namespace nodedb_ts::memtable {

namespace {

constexpr uint32_t kNoRow = UINT32_MAX;

}  // namespace

Memtable::Memtable(Budget* budget, std::shared_ptr<const TableLayout> layout)
    : layout_(std::move(layout)),
      account_(budget, this),
      arena_(&account_, layout_->full_chunk_bytes()),
      store_(&account_, &layout_->rows()),
      series_(&account_, &layout_->keys(), layout_->full_chunk_bytes()),
      row_ids_(&account_, layout_->full_chunk_bytes()),
      command_ids_(&account_, layout_->full_chunk_bytes()) {}

uint32_t Memtable::active_series() const {
  if (layout_->has_keys()) return series_.active();
  return layout_->keyed() && rows_ > 0 ? 1 : 0;
}

uint64_t Memtable::RowBytes(const TableLayout& layout, const NtsValue* values) {
  // Row, key, series entry and bucket, two runs, null flags; each rounded up.
  uint64_t bytes = layout.rows().row_bytes + layout.keys().row_bytes + sizeof(Series) + 4 +
                   sizeof(IdRun) + sizeof(CommandRun) + layout.rows().slots.size() / 8 + 64;
  const NtsSchema& schema = layout.schema();
  for (uint32_t i = 0; i < schema.column_count; ++i) {
    if (schema.columns[i].kind != NTS_KIND_VAR || values[i].is_null) continue;
    bytes += uint64_t{values[i].length} + (values[i].length < 255 ? 1 : 16);
  }
  return bytes;
}

Grow Memtable::Append(const NtsValue* values, uint64_t row_id, uint32_t command_id) {
  if (rows_ == kMaxRows) return Grow::kNoBudget;
  // An empty memtable would otherwise give back its own buffers to make room.
  if (rows_ == 0) account_.MoveTo(Pool::kActive);
  const Grow result = TryAppend(values, row_id, command_id);
  if (result != Grow::kOk) {
    Rollback();
    if (rows_ == 0) {
      account_.MoveTo(Pool::kCached);
      Clear(0);
    }
  }
  return result;
}

Grow Memtable::TryAppend(const NtsValue* values, uint64_t row_id, uint32_t command_id) {
  if (!store_.Reserve(rows_) || !row_ids_.Reserve(row_id) || !command_ids_.Reserve()) {
    return account_.failure();
  }
  uint32_t series = kNoSeries;
  uint32_t hash = 0;
  uint32_t key_bytes = 0;
  bool is_new = false;
  uint32_t previous_row = rows_ == 0 ? kNoRow : rows_ - 1;
  if (layout_->has_keys()) {
    series = series_.Find(values, &hash);
    is_new = series == kNoSeries;
    if (is_new) {
      series = series_.size();
      if (!series_.Prepare(values, &arena_, &key_bytes)) return account_.failure();
    } else {
      previous_row = series_[series].last_row;
      key_bytes = series_[series].key_bytes;
    }
  }
  uint64_t var_bytes = key_bytes;
  bool shared = true;
  const RowPlace here = store_.At(rows_);
  const bool written = here.capacity == layout_->rows().geometry.full()
                           ? WriteRow<true>(values, series, previous_row, here, &var_bytes, &shared)
                           : WriteRow<false>(values, series, previous_row, here, &var_bytes, &shared);
  if (!written) return account_.failure();

  // From here on nothing can fail.
  if (layout_->has_keys()) {
    if (is_new) series_.CommitPrepared(hash, key_bytes);
    series_.AddRow(&series_.entry(series), series, rows_);
    if (is_new || !shared) series_.entry(series).same_from = rows_;
  }
  row_ids_.Append(rows_, row_id);
  command_ids_.Append(rows_, command_id);
  const uint64_t row_bytes = layout_->fixed_raw_bytes() + var_bytes;
  raw_bytes_ += row_bytes;
  largest_row_bytes_ = std::max(largest_row_bytes_, row_bytes);
  mark_ = arena_.mark();
  ++rows_;
  return Grow::kOk;
}

// kFullChunk: the row lies in a full chunk, so that the columns start at known places. *shared becomes
// false when a cell of a VAR column is not that of the previous row.
template <bool kFullChunk>
bool Memtable::WriteRow(const NtsValue* values, uint32_t series, uint32_t previous_row,
                        RowPlace here, uint64_t* var_bytes, bool* shared) {
  const StoreLayout& layout = layout_->rows();
  const Slot* const slots = layout.slots.data();
  const uint16_t* order = layout.write_order.data();
  const uint16_t* const word8_end = order + layout.word8_end;
  const uint16_t* const var_end = order + layout.var_end;
  const uint16_t* const end = order + layout.write_order.size();
  const auto cell_of = [&](const Slot& slot, uint64_t width) {
    return here.data + (kFullChunk ? slot.full_start : ColumnStore::ColumnStart(slot, here.capacity)) +
           here.offset * width;
  };
  for (; order != word8_end; ++order) {
    const Slot& slot = slots[*order];
    const NtsValue& value = values[slot.column];
    const uint64_t word = value.is_null ? 0 : value.word;
    std::memcpy(cell_of(slot, 8), &word, 8);
    if (value.is_null && !store_.SetNull(rows_, &here, *order)) [[unlikely]] return false;
  }
  const RowPlace before = previous_row == kNoRow ? here : store_.At(previous_row);
  const bool before_full = before.capacity == layout.geometry.full();
  uint64_t var_total = 0;
  for (; order != var_end; ++order) {
    const Slot& slot = slots[*order];
    const NtsValue& value = values[slot.column];
    const uint8_t* stored = nullptr;
    const uint8_t* previous = nullptr;
    if (previous_row != kNoRow) {
      previous = LoadVar(before.data +
                         (before_full ? slot.full_start : ColumnStore::ColumnStart(slot, before.capacity)) +
                         uint64_t{before.offset} * sizeof(stored));
    }
    if (!value.is_null) {
      var_total += value.length;
      const bool equal = value.length <= kSharedBytes && previous != nullptr && EqualVar(previous, value);
      stored = equal ? previous : arena_.Store(BytesOf(value), value.length);
      if (stored == nullptr) return false;
    }
    if (stored != previous) *shared = false;
    std::memcpy(cell_of(slot, sizeof(stored)), &stored, sizeof(stored));
  }
  for (; order != end; ++order) {
    const Slot& slot = slots[*order];
    uint8_t* cell = cell_of(slot, slot.width);
    if (slot.column == UINT16_MAX) {  // the number of the row's series
      std::memcpy(cell, &series, sizeof(series));
      continue;
    }
    const NtsValue& value = values[slot.column];
    if (value.is_null) [[unlikely]] {
      std::memset(cell, 0, slot.width);
      if (!store_.SetNull(rows_, &here, *order)) return false;
      continue;
    }
    switch (slot.cell) {
      case CellKind::kWord4:
        std::memcpy(cell, &value.word, 4);
        break;
      case CellKind::kWord2:
        std::memcpy(cell, &value.word, 2);
        break;
      case CellKind::kWord1:
        std::memcpy(cell, &value.word, 1);
        break;
      default:
        std::memcpy(cell, BytesOf(value), slot.width);
        break;
    }
  }
  *var_bytes += var_total;
  return true;
}

void Memtable::Rollback() {
  arena_.Rewind(mark_);
  store_.ClearNulls(rows_);
  if (layout_->has_keys()) series_.AbandonPrepared();
}

Grow Memtable::AppendAll(const Memtable& other) {
  const uint32_t rows_before = rows_;
  const uint32_t series_before = series_.size();
  std::vector<NtsValue> values(layout_->schema().column_count);
  uint32_t id_hint = 0;
  uint32_t command_hint = 0;
  for (uint32_t row = 0; row < other.rows_; ++row) {
    other.ReadRow(row, values.data());
    const Grow result = Append(values.data(), other.row_ids_.Get(row, &id_hint),
                               other.command_ids_.Get(row, &command_hint));
    if (result == Grow::kOk) continue;
    Truncate(rows_before, series_before);
    return result;
  }
  return Grow::kOk;
}

// Takes back the newest rows. Arena bytes they used stay unused: this is the way
// out of a merge that ran out of memory, nothing else.
void Memtable::Truncate(uint32_t rows, uint32_t series) {
  for (uint32_t row = rows; row < rows_; ++row) {
    raw_bytes_ -= RawRowBytes(row);
    store_.ClearNulls(row);
  }
  row_ids_.Truncate(rows, rows_);
  command_ids_.Truncate(rows);
  rows_ = rows;
  if (layout_->has_keys()) {
    series_.Truncate(series);
    for (uint32_t i = 0; i < series; ++i) {
      series_.entry(i).rows = 0;
      series_.entry(i).image = nullptr;
    }
    for (uint32_t row = 0; row < rows; ++row) {
      Series& entry = series_.entry(SeriesOf(row));
      ++entry.rows;
      if (entry.last_row != kEvictedRow) entry.last_row = row;
    }
    eviction_cursor_ = 0;
  }
  if (rows_ == 0) {
    account_.MoveTo(Pool::kCached);
    Clear(0);
  }
}

void Memtable::EvictColdest() {
  // A series' newest row only moves towards the end, so the cursor never goes back.
  while (true) {
    const uint32_t row = eviction_cursor_++;
    const uint32_t series = SeriesOf(row);
    if (series_[series].last_row != row) continue;
    evicted_rows_ += series_[series].rows;
    series_.Evict(series);
    return;
  }
}

uint32_t Memtable::SeriesOf(uint32_t row) const {
  return LoadAs<uint32_t>(store_.Cell(store_.At(row), 0));
}

void Memtable::Clear(uint64_t keep_bytes) {
  gathered_ = {};
  std::vector<const uint8_t*>().swap(gathered_cells_);
  std::vector<GatheredRun>().swap(gathered_runs_);
  rows_ = evicted_rows_ = eviction_cursor_ = 0;
  raw_bytes_ = 0;
  largest_row_bytes_ = 0;
  image_bytes_ = image_hits_ = image_misses_ = 0;
  arena_.Clear();
  mark_ = arena_.mark();
  store_.Clear();
  series_.Clear();
  row_ids_.Clear();
  command_ids_.Clear();
  account_.MoveTo(Pool::kCached);
  if (account_.bytes() > keep_bytes) ReleaseBuffers();
}

void Memtable::ReleaseBuffers() {
  arena_.Release();
  mark_ = arena_.mark();
  store_.Release();
  series_.Release();
  row_ids_.Release();
  command_ids_.Release();
}

}  // namespace nodedb_ts::memtable
