#include "memtable/memtable.h"

#include <algorithm>

namespace nodedb_ts::memtable {

Memtable::Memtable(Budget* budget, std::shared_ptr<const TableLayout> layout)
    : layout_(std::move(layout)),
      account_(budget, this),
      arena_(&account_, layout_->full_chunk_bytes()),
      store_(&account_, &layout_->rows()),
      variants_(&account_, &layout_->variants()),
      series_(&account_, &layout_->keys(), layout_->full_chunk_bytes()),
      row_ids_(&account_, layout_->full_chunk_bytes()),
      command_ids_(&account_, layout_->full_chunk_bytes()) {}

uint32_t Memtable::active_series() const {
  if (layout_->has_keys()) return series_.active();
  return layout_->keyed() && rows_ > 0 ? 1 : 0;
}

uint64_t Memtable::RowBytes(const TableLayout& layout, const NtsValue* values) {
  // Row, variant, key, series entry and bucket, two runs, null flags; each rounded up.
  uint64_t bytes = layout.rows().row_bytes + layout.variants().row_bytes + layout.keys().row_bytes +
                   sizeof(Series) + 4 + sizeof(IdRun) + sizeof(CommandRun) + layout.rows().slots.size() / 8 + 64;
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
  uint32_t variant = kNoVariant;
  if (layout_->has_keys()) {
    series = series_.Find(values, &hash);
    is_new = series == kNoSeries;
    if (is_new) {
      series = series_.size();
      if (!series_.Prepare(values, &arena_, &key_bytes)) return account_.failure();
    } else {
      variant = series_[series].variant;
      key_bytes = series_[series].key_bytes;
    }
  }
  if (layout_->has_variants()) {
    variant = FindVariant(values, variant == kNoVariant ? NewestVariant() : variant);
    if (variant == kNoVariant) return account_.failure();
  }
  const RowPlace here = store_.At(rows_);
  const bool written = here.capacity == layout_->rows().geometry.full()
                           ? WriteRow<true>(values, series, variant, here)
                           : WriteRow<false>(values, series, variant, here);
  if (!written) return account_.failure();

  // From here on nothing can fail.
  if (layout_->has_keys()) {
    if (is_new) series_.CommitPrepared(hash, key_bytes);
    series_.AddRow(&series_.entry(series), series, rows_, variant);
  }
  if (layout_->has_variants() && variant == variant_count_) ++variant_count_;
  row_ids_.Append(rows_, row_id);
  command_ids_.Append(rows_, command_id);
  const uint64_t row_bytes = layout_->fixed_raw_bytes() + key_bytes + VarBytes(values);
  raw_bytes_ += row_bytes;
  largest_row_bytes_ = std::max(largest_row_bytes_, row_bytes);
  if (const Slot* const time = layout_->time_slot(); time != nullptr) {
    NoteTime(values[time->column].word, values[time->column].is_null != 0);
  }
  mark_ = arena_.mark();
  ++rows_;
  return Grow::kOk;
}

// The variant of a row with these values: `before` if that has the same ones, else a new one, which counts once
// variant_count_ says so; kNoVariant: the account refused.
uint32_t Memtable::FindVariant(const NtsValue* values, uint32_t before) {
  const std::vector<Slot>& slots = layout_->variants().slots;
  const size_t count = slots.size();
  const uint8_t* const old = before == kNoVariant ? nullptr : VariantCells(before);
  // Is that the row's value?
  const auto same = [](const uint8_t* stored, const NtsValue& value) {
    if (value.is_null || stored == nullptr) return (value.is_null != 0) == (stored == nullptr);
    return value.length <= kSharedBytes && EqualVar(stored, value);
  };
  size_t i = 0;
  if (old != nullptr) {
    while (i < count && same(LoadVar(old + slots[i].offset), values[slots[i].column])) ++i;
    if (i == count) return before;
  }
  if (!variants_.Reserve(variant_count_)) return kNoVariant;
  uint8_t* const made = VariantCells(variant_count_);
  placed_variant_ = variant_count_;
  placed_cells_ = made;
  if (i > 0) std::memcpy(made, old, slots[i].offset);
  // Where the first difference is, it is known to be one.
  for (size_t first = i; i < count; ++i) {
    const NtsValue& value = values[slots[i].column];
    const uint8_t* stored = old == nullptr ? nullptr : LoadVar(old + slots[i].offset);
    if (i == first || old == nullptr || !same(stored, value)) {
      stored = value.is_null ? nullptr : arena_.Store(BytesOf(value), value.length);
      if (stored == nullptr && !value.is_null) return kNoVariant;
    }
    std::memcpy(made + slots[i].offset, &stored, sizeof(stored));
  }
  return variant_count_;
}

// Of VAR columns that are no keys.
uint64_t Memtable::VarBytes(const NtsValue* values) const {
  uint64_t bytes = 0;
  for (const Slot& slot : layout_->variants().slots) {
    if (!values[slot.column].is_null) bytes += values[slot.column].length;
  }
  return bytes;
}

void Memtable::WriteNumbers(uint8_t* cell, uint32_t series, uint32_t variant) const {
  if (layout_->has_keys()) std::memcpy(cell, &series, sizeof(series));
  if (layout_->has_variants()) std::memcpy(cell + layout_->variant_offset(), &variant, sizeof(variant));
}

// kFullChunk: the row lies in a full chunk, so that the columns start at known places.
template <bool kFullChunk>
bool Memtable::WriteRow(const NtsValue* values, uint32_t series, uint32_t variant, RowPlace here) {
  const StoreLayout& layout = layout_->rows();
  const Slot* const slots = layout.slots.data();
  const uint16_t* order = layout.write_order.data();
  const uint16_t* const word8_end = order + layout.word8_end;
  const uint16_t* const end = order + layout.write_order.size();
  const auto cell_of = [&](const Slot& slot) {
    return here.data + (kFullChunk ? slot.full_start : ColumnStore::ColumnStart(slot, here.capacity)) +
           uint64_t{here.offset} * slot.step;
  };
  for (; order != word8_end; ++order) {
    const Slot& slot = slots[*order];
    const NtsValue& value = values[slot.column];
    const uint64_t word = value.is_null ? 0 : value.word;
    std::memcpy(cell_of(slot), &word, 8);
    if (value.is_null && !store_.SetNull(rows_, &here, *order)) [[unlikely]] return false;
  }
  if (layout_->has_numbers()) {
    const Slot& slot = slots[TableLayout::kNumberSlot];
    WriteNumbers(cell_of(slot), series, variant);
  }
  for (; order != end; ++order) {
    const Slot& slot = slots[*order];
    uint8_t* cell = cell_of(slot);
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
  return true;
}

void Memtable::Rollback() {
  arena_.Rewind(mark_);
  store_.ClearNulls(rows_);
  if (layout_->has_keys()) series_.AbandonPrepared();
}

Grow Memtable::AppendAll(const Memtable& other) {
  const Size before = {rows_, series_.size(), variant_count_, mark_};
  std::vector<NtsValue> values(layout_->schema().column_count);
  uint32_t id_hint = 0;
  uint32_t command_hint = 0;
  for (uint32_t row = 0; row < other.rows_; ++row) {
    other.ReadRow(row, values.data());
    const Grow result = Append(values.data(), other.row_ids_.Get(row, &id_hint),
                               other.command_ids_.Get(row, &command_hint));
    if (result == Grow::kOk) continue;
    Truncate(before);
    return result;
  }
  return Grow::kOk;
}

// Takes back the newest rows: the way out of a merge that ran out of memory, nothing else. Chunks of rows stay as room.
void Memtable::Truncate(const Size& size) {
  for (uint32_t row = size.rows; row < rows_; ++row) {
    raw_bytes_ -= RawRowBytes(row);
    store_.ClearNulls(row);
  }
  row_ids_.Truncate(size.rows, rows_);
  command_ids_.Truncate(size.rows);
  rows_ = size.rows;
  variant_count_ = size.variants;
  if (layout_->has_keys()) {
    series_.Truncate(size.series);
    for (uint32_t i = 0; i < size.series; ++i) {
      series_.entry(i).rows = 0;
      series_.entry(i).image = nullptr;
    }
    for (uint32_t row = 0; row < size.rows; ++row) {
      Series& entry = series_.entry(SeriesOf(row));
      ++entry.rows;
      entry.variant = VariantOf(row);
      if (entry.last_row != kEvictedRow) entry.last_row = row;
    }
    eviction_cursor_ = 0;
  }
  arena_.Rewind(size.mark);
  mark_ = size.mark;
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
  return LoadAs<uint32_t>(store_.Cell(store_.At(row), TableLayout::kNumberSlot));
}

uint32_t Memtable::VariantOf(uint32_t row) const {
  if (!layout_->has_variants()) return kNoVariant;
  return LoadAs<uint32_t>(store_.Cell(store_.At(row), TableLayout::kNumberSlot) + layout_->variant_offset());
}

void Memtable::Clear(uint64_t keep_bytes) {
  gathered_ = {};
  std::vector<const uint8_t*>().swap(gathered_rows_);
  std::vector<GatheredRun>().swap(gathered_runs_);
  base::LargeVector<uint64_t>().swap(tile_words_);
  rows_ = evicted_rows_ = eviction_cursor_ = 0;
  raw_bytes_ = 0;
  times_ascend_ = true;
  newest_time_ = INT64_MIN;
  largest_row_bytes_ = 0;
  image_bytes_ = image_hits_ = image_misses_ = 0;
  arena_.Clear();
  mark_ = arena_.mark();
  store_.Clear();
  variants_.Clear();
  variant_count_ = 0;
  placed_variant_ = kNoVariant;
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
  variants_.Release();
  series_.Release();
  row_ids_.Release();
  command_ids_.Release();
}

}  // namespace nodedb_ts::memtable
