// memtable_block.cpp - rows of a block, column by column.
//
// A block adds rows to series that are there already, within one full chunk. First
// every row finds its series; then each column is written for all of them. What a
// row by itself pays per column (which cell, which chunk, which kind) is paid once
// for a block.
//
// Most rows repeat the tags of the row before in their series. Where the caller hands in an
// image of each row's bytes, one comparison with the series' image tells so: then neither the
// key nor the tags are looked at.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "memtable/memtable.h"

namespace nodedb_ts::memtable {

namespace {

// Longer values are a row's own business: the rows of a block stay small.
constexpr uint32_t kLongestInBlock = 2048;

// The bytes of a varlena as PostgreSQL lays it out; false: stored elsewhere,
// compressed, or too long for a block.
inline bool PlainBytes(const uint8_t* varlena, NtsValue* value) {
  if ((varlena[0] & 3) == 0) {
    value->length = (LoadAs<uint32_t>(varlena) >> 2) - 4;
    value->word = reinterpret_cast<uintptr_t>(varlena + 4);
    return value->length <= kLongestInBlock;
  }
  value->length = (varlena[0] >> 1) - 1u;
  value->word = reinterpret_cast<uintptr_t>(varlena + 1);
  return (varlena[0] & 1) != 0 && varlena[0] != 1;
}

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

inline const uint8_t* Address(uint64_t word) {
  return reinterpret_cast<const uint8_t*>(static_cast<uintptr_t>(word));
}

}  // namespace

uint32_t Memtable::AppendBlock(const NtsRowBlock& block, uint32_t command_id) {
  // The first rows of a memtable, and those in chunks that still grow, come one by one.
  const uint32_t full = layout_->rows().geometry.full();
  if (rows_ < full || !store_.Reserve(rows_)) return 0;
  const RowPlace here = store_.At(rows_);
  uint32_t count = std::min({block.count, full - here.offset, kMaxRows - rows_});
  count = std::min<uint32_t>(count, kMaxBlockRows);
  if (count == 0 || !row_ids_.Reserve(NTS_NO_ROW_ID) || !command_ids_.Reserve()) return 0;

  BlockRow rows[kMaxBlockRows];
  count = FindBlockSeries(block, count, rows);
  if (count == 0) return 0;
  block_has_nulls_ = HasNulls(block, count, *layout_);
  FindStretches(count, rows);
  if (!WriteBlock(block, count, here, rows)) {
    UndoBlock(count, rows);
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
    Series& entry = series_.entry(rows[i].series);
    if (!rows[i].shared) {
      entry.same_from = rows_ + i;
      continue;
    }
    if (!takes_images || block.images[i] == nullptr || entry.last_row != rows_ + i) continue;
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

// The series of a row by its image or its key; nullptr: new, or with a value that is not plain.
Series* Memtable::FindBlockRow(const NtsRowBlock& block, uint32_t i, BlockRow* row) {
  const uint8_t* const image = TakesImages(block) ? block.images[i] : nullptr;
  if (image != nullptr && layout_->keys_are_bytes()) {
    Series* const guess = series_.Guess(&row->series);
    row->same = guess != nullptr && HasImage(*guess, image, block.image_lengths[i]);
    if (row->same) return guess;
  }
  row->series = FindBlockKey(block, i);
  if (row->series == kNoSeries) return nullptr;
  Series* const entry = &series_.entry(row->series);
  row->same = image != nullptr && HasImage(*entry, image, block.image_lengths[i]);
  return entry;
}

// The same by its key; or kNoSeries.
uint32_t Memtable::FindBlockKey(const NtsRowBlock& block, uint32_t i) {
  for (const Slot& slot : layout_->keys().slots) {
    NtsValue& value = block_key_[slot.column];
    value = {block.words[i][slot.column], 0, block.nulls[i][slot.column] ? 1u : 0u};
    if (slot.cell != CellKind::kVar || value.is_null) continue;
    if (!PlainBytes(Address(value.word), &value)) return kNoSeries;
  }
  uint32_t hash;
  return series_.Find(block_key_.data(), &hash);
}

// Adds rows to their series until one cannot be; returns how many.
uint32_t Memtable::FindBlockSeries(const NtsRowBlock& block, uint32_t count, BlockRow* rows) {
  const uint32_t full_shift = layout_->rows().geometry.full_shift;
  const bool has_keys = layout_->has_keys();
  if (has_keys) block_key_.resize(layout_->schema().column_count);
  for (uint32_t i = 0; i < count; ++i) {
    BlockRow& row = rows[i];
    row = {kNoSeries, rows_ + i - 1, 0, false, true, nullptr, 0};
    if (has_keys) {
      Series* const entry = FindBlockRow(block, i, &row);
      if (entry == nullptr) return i;
      row.previous = entry->last_row;
      row.var_bytes = entry->key_bytes + (row.same ? entry->var_bytes : 0);
      series_.AddRow(entry, row.series, rows_ + i, row.same);
    }
    // Cells of a full chunk lie at known places behind this address.
    if (row.previous >> full_shift == 0) continue;
    const RowPlace before = store_.At(row.previous);
    row.before = before.data + uint64_t{before.offset} * sizeof(const uint8_t*);
  }
  return count;
}

// Series that come in one order again and again have their rows before in that order, too.
void Memtable::FindStretches(uint32_t count, BlockRow* rows) {
  block_repeats_ = std::all_of(rows, rows + count,
                               [](const BlockRow& row) { return row.same && row.before != nullptr; });
  if (!block_repeats_) return;
  uint32_t begin = 0;
  for (uint32_t i = 1; i < count; ++i) {
    // What a stretch copies is written before it.
    const bool is_inside = rows[i].previous >= rows_ + begin;
    if (!is_inside && rows[i].before == rows[i - 1].before + sizeof(const uint8_t*)) continue;
    rows[begin].stretch = i - begin;
    begin = i;
  }
  rows[begin].stretch = count - begin;
}

void Memtable::UndoBlock(uint32_t count, const BlockRow* rows) {
  arena_.Rewind(mark_);
  for (uint32_t i = count; i-- > 0;) {
    store_.ClearNulls(rows_ + i);
    if (layout_->has_keys()) series_.TakeBack(rows[i].series, rows[i].previous);
  }
}

bool Memtable::WriteBlock(const NtsRowBlock& block, uint32_t count, RowPlace here, BlockRow* rows) {
  const StoreLayout& layout = layout_->rows();
  for (const uint16_t number : layout.write_order) {
    const Slot& slot = layout.slots[number];
    uint8_t* const cells = here.data + slot.full_start + uint64_t{here.offset} * slot.width;
    bool written;
    if (slot.column == UINT16_MAX) {  // the numbers of the rows' series
      for (uint32_t i = 0; i < count; ++i) {
        std::memcpy(cells + i * sizeof(uint32_t), &rows[i].series, sizeof(uint32_t));
      }
      continue;
    }
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
      case CellKind::kVar:
        written = WriteBlockVar(block, count, number, rows, cells);
        break;
      default:
        written = WriteBlockFixed(block, count, here, number, cells);
        break;
    }
    if (!written) return false;
  }
  return true;
}

template <typename Word>
bool Memtable::WriteBlockWords(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                               uint8_t* cells) {
  const uint16_t column = layout_->rows().slots[number].column;
  if (!block_has_nulls_) {
    for (uint32_t i = 0; i < count; ++i) {
      const Word word = static_cast<Word>(block.words[i][column]);
      std::memcpy(cells + i * sizeof(Word), &word, sizeof(Word));
    }
    return true;
  }
  bool any_null = false;
  for (uint32_t i = 0; i < count; ++i) {
    const bool is_null = block.nulls[i][column];
    const Word word = is_null ? Word{0} : static_cast<Word>(block.words[i][column]);
    std::memcpy(cells + i * sizeof(Word), &word, sizeof(Word));
    any_null |= is_null;
  }
  return !any_null || SetBlockNulls(block, count, here, number);
}

bool Memtable::WriteBlockFixed(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                               uint8_t* cells) {
  const Slot& slot = layout_->rows().slots[number];
  bool any_null = false;
  for (uint32_t i = 0; i < count; ++i, cells += slot.width) {
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

bool Memtable::WriteBlockVar(const NtsRowBlock& block, uint32_t count, uint16_t number, BlockRow* rows,
                             uint8_t* cells) {
  const Slot& slot = layout_->rows().slots[number];
  if (block_repeats_) {
    constexpr size_t kCell = sizeof(const uint8_t*);
    for (uint32_t i = 0; i < count; i += rows[i].stretch) {
      const uint8_t* const stored = rows[i].before + slot.full_start;
      if (rows[i].stretch == 1) {
        std::memcpy(cells + i * kCell, stored, kCell);
      } else {
        std::memcpy(cells + i * kCell, stored, rows[i].stretch * kCell);
      }
    }
    return true;
  }
  for (uint32_t i = 0; i < count; ++i) {
    BlockRow& row = rows[i];
    const uint8_t* const before = LoadVar(row.before != nullptr
                                              ? row.before + slot.full_start
                                              : store_.Cell(store_.At(row.previous), number));
    const uint8_t* stored = before;
    if (!row.same) {
      stored = nullptr;
      if (!block.nulls[i][slot.column]) {
        NtsValue value;
        if (!PlainBytes(Address(block.words[i][slot.column]), &value)) return false;
        row.var_bytes += value.length;
        const bool equal = value.length <= kSharedBytes && before != nullptr && EqualVar(before, value);
        stored = equal ? before : arena_.Store(BytesOf(value), value.length);
        if (stored == nullptr) return false;
      }
      row.shared &= stored == before;
    }
    std::memcpy(cells + i * sizeof(stored), &stored, sizeof(stored));
  }
  return true;
}

}  // namespace nodedb_ts::memtable
