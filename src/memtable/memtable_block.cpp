// memtable_block.cpp - rows of a block, column by column.
//
// A block adds rows within one chunk. First every row finds, or makes, its series and variant;
// then each column is written for all of them. What a row by itself pays per column (which cell,
// which chunk, which kind) is paid once for a block.
//
// Most rows repeat the tags of the row before in their series. Where the caller hands in an
// image of each row's bytes, one comparison with the series' image tells so: then neither the
// key nor the tags are looked at.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "memtable/memtable.h"
#include "memtable/row_block.h"

namespace nodedb_ts::memtable {

namespace {

template <typename Flags>
bool HasNulls(const NtsRowBlock& block, uint32_t count, std::span<const TableLayout::NullWindow> windows) {
  static_assert(sizeof(bool) == 1);
  for (uint32_t i = 0; i < count; ++i) {
    const bool* const nulls = block.nulls[i];
    Flags any = 0;
    for (const TableLayout::NullWindow& window : windows) {
      any |= LoadAs<Flags>(nulls + window.first) & static_cast<Flags>(window.mask);
    }
    if (any != 0) return true;
  }
  return false;
}

// Is there a NULL in a column of words?
bool HasNulls(const NtsRowBlock& block, uint32_t count, const TableLayout& layout) {
  switch (layout.null_window()) {
    case 8: return HasNulls<uint64_t>(block, count, layout.word_nulls());
    case 4: return HasNulls<uint32_t>(block, count, layout.word_nulls());
    case 2: return HasNulls<uint16_t>(block, count, layout.word_nulls());
    default: return HasNulls<uint8_t>(block, count, layout.word_nulls());
  }
}

}  // namespace

uint32_t Memtable::AppendBlock(const NtsRowBlock& block, uint32_t command_id, uint64_t max_series) {
  block_values_.resize(layout_->schema().column_count);
  // An empty memtable would otherwise give back its own buffers to make room.
  if (rows_ == 0) account_.MoveTo(Pool::kActive);
  const uint32_t count = TryAppendBlock(block, command_id, max_series);
  if (rows_ == 0) {
    account_.MoveTo(Pool::kCached);
    Clear(0);
  }
  return count;
}

uint32_t Memtable::TryAppendBlock(const NtsRowBlock& block, uint32_t command_id, uint64_t max_series) {
  if (rows_ == kMaxRows || !store_.Reserve(rows_)) return 0;
  const RowPlace here = store_.At(rows_);
  uint32_t count = std::min({block.count, here.capacity - here.offset, kMaxRows - rows_, kMaxBlockRows});
  if (count == 0 || !row_ids_.Reserve(NTS_NO_ROW_ID) || !command_ids_.Reserve()) return 0;

  BlockRow rows[kMaxBlockRows];
  const uint32_t variants = variant_count_;
  const uint32_t series = series_.size();
  count = FindBlockSeries(block, count, max_series, rows);
  if (count == 0) return 0;
  block_has_nulls_ = HasNulls(block, count, *layout_);
  if (!WriteBlock(block, count, here, rows)) {
    UndoBlock(count, rows);
    if (series_.size() > series) series_.Truncate(series);
    variant_count_ = variants;
    return 0;
  }
  row_ids_.Append(rows_, NTS_NO_ROW_ID);
  command_ids_.Append(rows_, command_id);
  const uint64_t fixed = layout_->fixed_raw_bytes();
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t row_bytes = fixed + rows[i].var_bytes;
    raw_bytes_ += row_bytes;
    largest_row_bytes_ = std::max(largest_row_bytes_, row_bytes);
  }
  if (const Slot* const time = layout_->time_slot(); time != nullptr) {
    for (uint32_t i = 0; i < count; ++i) NoteTime(block.words[i][time->column], block.nulls[i][time->column]);
  }
  if (layout_->has_keys()) NoteBlock(block, count, rows);
  mark_ = arena_.mark();
  rows_ += count;
  return count;
}

// What series have to remember of rows that have been written.
void Memtable::NoteBlock(const NtsRowBlock& block, uint32_t count, const BlockRow* rows) {
  const bool takes_images = TakesImages(block);
  for (uint32_t i = 0; i < count; ++i) {
    if (rows[i].same) continue;
    if (!takes_images || block.images[i] == nullptr || rows[i].variant != rows[i].previous_variant) continue;
    Series& entry = series_.entry(rows[i].series);
    if (entry.last_row != rows_ + i) continue;
    const uint32_t length = block.image_lengths[i];
    if (length > kMaxImageBytes || image_bytes_ + length > raw_bytes_ / kImageShare) continue;
    entry.image = arena_.Store(block.images[i], length);
    if (entry.image == nullptr) continue;  // no memory for it
    entry.var_bytes = rows[i].var_bytes - entry.key_bytes;
    image_bytes_ += length;
  }
}

// Is this the image of the series' newest row?
bool Memtable::HasImage(const Series& series, const uint8_t* image, uint32_t length) {
  if (series.image == nullptr) return false;
  const std::string_view view = Arena::View(series.image);
  const bool same = view.size() == length && std::memcmp(view.data(), image, length) == 0;
  image_misses_ += same ? 0 : 1;
  image_hits_ += same ? 1 : 0;
  return same;
}

// Fills the series of a row, by its image or its key: kNoSeries if that is new, whose hash is *hash then. False: a value
// is not plain.
bool Memtable::FindBlockRow(const NtsRowBlock& block, uint32_t i, BlockRow* row, uint32_t* hash) {
  const uint8_t* const image = TakesImages(block) ? block.images[i] : nullptr;
  if (image != nullptr && layout_->keys_are_bytes()) {
    Series* const guess = series_.Guess(&row->series);
    row->same = guess != nullptr && HasImage(*guess, image, block.image_lengths[i]);
    if (row->same) return true;
  }
  for (const Slot& slot : layout_->keys().slots) {
    if (!ReadValue(block, i, slot.column, slot.cell == CellKind::kVar, &block_values_[slot.column])) return false;
  }
  row->series = series_.Find(block_values_.data(), hash);
  row->same = row->series != kNoSeries && image != nullptr &&
              HasImage(series_[row->series], image, block.image_lengths[i]);
  return true;
}

// The variant of a row that is not known to be `same`; false: a value is not plain, or refused.
bool Memtable::FindBlockVariant(const NtsRowBlock& block, uint32_t i, BlockRow* row) {
  for (const Slot& slot : layout_->variants().slots) {
    NtsValue& value = block_values_[slot.column];
    if (!ReadValue(block, i, slot.column, true, &value)) return false;
    row->var_bytes += value.length;
  }
  row->variant = FindVariant(block_values_.data(), row->previous_variant);
  if (row->variant == kNoVariant) return false;
  if (row->variant == variant_count_) ++variant_count_;
  return true;
}

// Adds a row to its series and variant, which may be new; false: it cannot be added to the block, nothing has changed.
bool Memtable::FindBlockSeriesOf(const NtsRowBlock& block, uint32_t i, uint64_t max_series, BlockRow* row) {
  const Arena::Mark mark = arena_.mark();
  Series* entry = nullptr;
  uint32_t hash = 0;
  uint32_t key_bytes = 0;
  bool is_new = false;
  bool found = true;
  if (layout_->has_keys()) {
    if (!FindBlockRow(block, i, row, &hash)) return false;
    is_new = row->series == kNoSeries;
    if (is_new) {
      if (series_.active() >= max_series) return false;
      row->series = series_.size();
      row->previous = 0;
      found = series_.Prepare(block_values_.data(), &arena_, &key_bytes);
      row->var_bytes = key_bytes;
    } else {
      entry = &series_.entry(row->series);
      row->previous = entry->last_row;
      row->variant = row->previous_variant = entry->variant;
      row->var_bytes = entry->key_bytes + (row->same ? entry->var_bytes : 0);
    }
  }
  if (found && !row->same && layout_->has_variants()) found = FindBlockVariant(block, i, row);
  if (!found) {
    if (is_new) series_.AbandonPrepared();
    arena_.Rewind(mark);
    return false;
  }
  if (is_new) {
    series_.CommitPrepared(hash, key_bytes);
    entry = &series_.entry(row->series);
  }
  if (entry != nullptr) series_.AddRow(entry, row->series, rows_ + i, row->variant, row->same);
  return true;
}

// Adds rows to their series until one cannot be; returns how many.
uint32_t Memtable::FindBlockSeries(const NtsRowBlock& block, uint32_t count, uint64_t max_series, BlockRow* rows) {
  uint32_t newest = NewestVariant();
  for (uint32_t i = 0; i < count; ++i) {
    BlockRow& row = rows[i];
    row = {kNoSeries, newest, 0, newest, 0, false};
    if (!FindBlockSeriesOf(block, i, max_series, &row)) return i;
    newest = row.variant;
  }
  return count;
}

void Memtable::UndoBlock(uint32_t count, const BlockRow* rows) {
  arena_.Rewind(mark_);
  for (uint32_t i = count; i-- > 0;) {
    store_.ClearNulls(rows_ + i);
    if (layout_->has_keys()) series_.TakeBack(rows[i].series, rows[i].previous, rows[i].previous_variant);
  }
}

bool Memtable::WriteBlock(const NtsRowBlock& block, uint32_t count, RowPlace here, const BlockRow* rows) {
  const StoreLayout& layout = layout_->rows();
  if (layout_->has_numbers()) {
    const Slot& slot = layout.slots[TableLayout::kNumberSlot];
    uint8_t* const cells = here.data + ColumnStore::ColumnStart(slot, here.capacity) + uint64_t{here.offset} * slot.width;
    for (uint32_t i = 0; i < count; ++i) {
      WriteNumbers(cells + uint64_t{i} * slot.width, rows[i].series, rows[i].variant);
    }
  }
  if (!block_has_nulls_) WriteBlockRuns(block, count, here);
  for (const uint16_t number : layout.write_order) {
    const Slot& slot = layout.slots[number];
    if (!block_has_nulls_ && slot.cell == CellKind::kWord8 && !slot.by_column) continue;
    uint8_t* const cells = here.data + ColumnStore::ColumnStart(slot, here.capacity) + uint64_t{here.offset} * slot.step;
    bool written;
    switch (slot.cell) {
      case CellKind::kWord8:
        written = WriteBlockWords<uint64_t>(block, count, here, number, cells);
        break;
      case CellKind::kWord4:
        written = WriteBlockWords<uint32_t>(block, count, here, number, cells);
        break;
      case CellKind::kWord2:
        written = WriteBlockWords<uint16_t>(block, count, here, number, cells);
        break;
      case CellKind::kWord1:
        written = WriteBlockWords<uint8_t>(block, count, here, number, cells);
        break;
      default:
        written = WriteBlockFixed(block, count, here, number, cells);
        break;
    }
    if (!written) return false;
  }
  return true;
}

// Cells of kWord8 by row, none of which is NULL.
void Memtable::WriteBlockRuns(const NtsRowBlock& block, uint32_t count, RowPlace here) {
  const StoreLayout& layout = layout_->rows();
  uint8_t* cells = store_.RowCells(here);
  for (uint32_t i = 0; i < count; ++i, cells += layout.row_step) {
    for (const StoreLayout::WordRun& run : layout.word_runs) {
      std::memcpy(cells + run.offset, block.words[i] + run.column, run.count * sizeof(uint64_t));
    }
  }
}

template <typename Word>
bool Memtable::WriteBlockWords(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                               uint8_t* cells) {
  const uint16_t column = layout_->rows().slots[number].column;
  const uint64_t step = layout_->rows().slots[number].step;
  if (!block_has_nulls_) {
    for (uint32_t i = 0; i < count; ++i) {
      const Word word = static_cast<Word>(block.words[i][column]);
      std::memcpy(cells + i * step, &word, sizeof(Word));
    }
    return true;
  }
  bool any_null = false;
  for (uint32_t i = 0; i < count; ++i) {
    const bool is_null = block.nulls[i][column];
    const Word word = is_null ? Word{0} : static_cast<Word>(block.words[i][column]);
    std::memcpy(cells + i * step, &word, sizeof(Word));
    any_null |= is_null;
  }
  return !any_null || SetBlockNulls(block, count, here, number);
}

bool Memtable::WriteBlockFixed(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                               uint8_t* cells) {
  const Slot& slot = layout_->rows().slots[number];
  bool any_null = false;
  for (uint32_t i = 0; i < count; ++i, cells += slot.step) {
    if (block.nulls[i][slot.column]) {
      std::memset(cells, 0, slot.width);
      any_null = true;
    } else {
      std::memcpy(cells, Address(block.words[i][slot.column]), slot.width);
    }
  }
  return !any_null || SetBlockNulls(block, count, here, number);
}

bool Memtable::SetBlockNulls(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number) {
  const uint16_t column = layout_->rows().slots[number].column;
  // The bitmap may have been made for a column before.
  here.nulls = store_.At(rows_).nulls;
  const uint32_t offset = here.offset;
  for (uint32_t i = 0; i < count; ++i) {
    if (!block.nulls[i][column]) continue;
    here.offset = offset + i;
    if (!store_.SetNull(rows_, &here, number)) return false;
  }
  return true;
}

}  // namespace nodedb_ts::memtable
