// memtable_block.cpp - rows of a block, column by column.
//
// A block adds rows to series that are there already, within one full chunk. First
// every row finds its series; then each column is written for all of them. What a
// row by itself pays per column (which cell, which chunk, which kind) is paid once
// for a block.
#include <algorithm>

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
  mark_ = arena_.mark();
  rows_ += count;
  return count;
}

// The series of a row by its key, or kNoSeries: new, or with a value that is not plain.
uint32_t Memtable::FindBlockRow(const NtsRowBlock& block, uint32_t i) {
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
    row = {kNoSeries, rows_ + i - 1, 0, nullptr};
    if (has_keys) {
      row.series = FindBlockRow(block, i);
      if (row.series == kNoSeries) return i;
      const Series& entry = series_[row.series];
      row.previous = entry.last_row;
      row.var_bytes = entry.key_bytes;
      series_.AddRow(row.series, rows_ + i);
    }
    // Cells of a full chunk lie at known places behind this address.
    if (row.previous >> full_shift == 0) continue;
    const RowPlace before = store_.At(row.previous);
    row.before = before.data + uint64_t{before.offset} * sizeof(const uint8_t*);
  }
  return count;
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
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t* stored = nullptr;
    if (!block.nulls[i][slot.column]) {
      NtsValue value;
      if (!PlainBytes(Address(block.words[i][slot.column]), &value)) return false;
      rows[i].var_bytes += value.length;
      if (value.length <= kSharedBytes) {
        stored = LoadVar(rows[i].before != nullptr ? rows[i].before + slot.full_start
                                                   : store_.Cell(store_.At(rows[i].previous), number));
        if (stored != nullptr && !EqualVar(stored, value)) stored = nullptr;
      }
      if (stored == nullptr) stored = arena_.Store(BytesOf(value), value.length);
      if (stored == nullptr) return false;
    }
    std::memcpy(cells + i * sizeof(stored), &stored, sizeof(stored));
  }
  return true;
}

}  // namespace nodedb_ts::memtable
