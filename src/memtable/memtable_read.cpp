// Reading a memtable: single rows for look-up, columns for the segment builders.
#include <algorithm>
#include <array>
#include <utility>

#include "memtable/memtable.h"

namespace nodedb_ts::memtable {

namespace {

using Home = TableLayout::Home;

// Calls visit(i, how many, place of row first + i) for each chunk's share of consecutive rows.
template <typename Visit>
void ForEachShare(const ColumnStore& store, uint32_t first, size_t rows, Visit&& visit) {
  for (size_t i = 0; i < rows;) {
    const RowPlace place = store.At(static_cast<uint32_t>(first + i));
    const size_t share = std::min<size_t>(rows - i, place.capacity - place.offset);
    visit(i, share, place);
    i += share;
  }
}

// Calls visit(i, cell of rows[i]) and has the cells on their way from memory before their
// turn comes: in series order neighbouring rows lie far apart.
template <typename Visit>
void ForEachCell(const ColumnStore& store, uint32_t slot, std::span<const uint32_t> rows,
                 Visit&& visit) {
  constexpr size_t kAhead = 16;
  const uint8_t* ahead[kAhead];
  if (rows.empty()) return;
  if (AreConsecutive(rows)) {
    const uint32_t step = store.layout().slots[slot].step;
    ForEachShare(store, rows[0], rows.size(), [&](size_t i, size_t share, const RowPlace& place) {
      const uint8_t* cell = store.Cell(place, slot);
      for (const size_t end = i + share; i < end; ++i, cell += step) visit(i, cell);
    });
    return;
  }
  const ColumnCells cells(store, slot);
  const size_t first = std::min(kAhead, rows.size());
  for (size_t i = 0; i < first; ++i) {
    ahead[i] = cells[rows[i]];
    __builtin_prefetch(ahead[i]);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint8_t* cell = ahead[i % kAhead];
    if (i + kAhead < rows.size()) {
      ahead[i % kAhead] = cells[rows[i + kAhead]];
      __builtin_prefetch(ahead[i % kAhead]);
    }
    visit(i, cell);
  }
}

// NULL flags of the cells of a slot of words, which have been gathered: the word of a NULL is 0.
void GatherNulls(const ColumnStore& store, uint32_t slot, std::span<const uint32_t> rows,
                 const uint64_t* words, uint8_t* nulls) {
  if (rows.empty()) return;
  std::memset(nulls, 0, rows.size());
  if (!store.may_have_nulls()) return;
  if (!AreConsecutive(rows)) {
    const ColumnCells cells(store, slot);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (words[i] == 0) nulls[i] = cells.NullFlag(rows[i]);
    }
    return;
  }
  ForEachShare(store, rows[0], rows.size(), [&](size_t i, size_t share, const RowPlace& place) {
    if (place.nulls == nullptr) return;
    uint64_t bit = uint64_t{slot} * place.capacity + place.offset;
    for (const size_t end = i + share; i < end; ++i, ++bit) {
      nulls[i] = (place.nulls[bit >> 3] >> (bit & 7)) & 1;
    }
  });
}

// The same with the whole place of each row, which NULL flags need.
template <typename Visit>
void ForEachRow(const ColumnStore& store, uint32_t slot, std::span<const uint32_t> rows,
                Visit&& visit) {
  constexpr size_t kAhead = 16;
  const size_t fetched = rows.size() > kAhead ? rows.size() - kAhead : 0;
  for (size_t i = 0; i < fetched; ++i) {
    __builtin_prefetch(store.Cell(store.At(rows[i + kAhead]), slot));
    visit(i, store.At(rows[i]));
  }
  for (size_t i = fetched; i < rows.size(); ++i) visit(i, store.At(rows[i]));
}

constexpr size_t kPrefetched = 16;

}  // namespace

void Memtable::WillGather(std::span<const uint32_t> rows) const {
  gathered_ = {};
  tile_ = kNoTile;
  if (rows.size() <= kPrefetched) return;
  gathered_rows_.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) gathered_rows_[i] = store_.RowCells(store_.At(rows[i]));
  gathered_runs_.clear();
  if (layout_->has_numbers()) FindRuns(rows);
  gathered_ = rows;  // last: what is above may run out of memory
}

void Memtable::FindRuns(std::span<const uint32_t> rows) const {
  const bool has_keys = layout_->has_keys();
  const bool has_variants = layout_->has_variants();
  const uint32_t variant_offset = layout_->variant_offset();
  GatheredRun run = {0, kNoSeries, kNoVariant};
  ForEachCell(store_, TableLayout::kNumberSlot, rows, [&](size_t i, const uint8_t* cell) {
    const uint32_t series = has_keys ? LoadAs<uint32_t>(cell) : kNoSeries;
    const uint32_t variant = has_variants ? LoadAs<uint32_t>(cell + variant_offset) : kNoVariant;
    if (series != run.series || variant != run.variant) {
      if (i > 0) gathered_runs_.push_back(run);
      run.series = series;
      run.variant = variant;
    }
    run.end = static_cast<uint32_t>(i + 1);
  });
  gathered_runs_.push_back(run);
}

// ForEachCell, for rows that are gathered by what is known of them.
template <typename Visit>
void Memtable::ForEachRowCell(uint32_t slot, std::span<const uint32_t> rows, Visit&& visit) const {
  const Slot& s = layout_->rows().slots[slot];
  if (s.by_column || !AreGathered(rows)) {
    ForEachCell(store_, slot, rows, visit);
    return;
  }
  const uint8_t* const* const cells = gathered_rows_.data();
  const size_t fetched = rows.size() - kPrefetched;
  for (size_t i = 0; i < fetched; ++i) {
    __builtin_prefetch(cells[i + kPrefetched] + s.offset);
    visit(i, cells[i] + s.offset);
  }
  for (size_t i = fetched; i < rows.size(); ++i) visit(i, cells[i] + s.offset);
}

// Words of one column of cells of type Stored, widened like Wide.
template <typename Stored, typename Wide>
void Memtable::GatherColumn(uint32_t slot, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
  ForEachRowCell(slot, rows, [&](size_t i, const uint8_t* cell) {
    words[i] = static_cast<uint64_t>(static_cast<Wide>(LoadAs<Stored>(cell)));
  });
  GatherNulls(store_, slot, rows, words, nulls);
}

namespace {

// Columns lie a cache line more than the rows apart: at a power of two they would share the same few cache sets.
constexpr size_t kTileSkew = 8;

// kColumns words at the same place of each row, column by column.
template <size_t kColumns>
void Transpose(const uint8_t* const* rows, size_t count, uint32_t offset, uint64_t* words) {
  const size_t stride = count + kTileSkew;
  const auto take = [&](size_t i) {
    for (size_t c = 0; c < kColumns; ++c) words[c * stride + i] = LoadAs<uint64_t>(rows[i] + offset + c * 8);
  };
  const size_t fetched = count - kPrefetched;
  for (size_t i = 0; i < fetched; ++i) {
    const uint8_t* const ahead = rows[i + kPrefetched] + offset;
    __builtin_prefetch(ahead);
    if (kColumns > 8) __builtin_prefetch(ahead + 64);
    __builtin_prefetch(ahead + kColumns * 8 - 1);
    take(i);
  }
  for (size_t i = fetched; i < count; ++i) take(i);
}

using TransposeFunction = void (*)(const uint8_t* const*, size_t, uint32_t, uint64_t*);

template <size_t... kBefore>
constexpr std::array<TransposeFunction, sizeof...(kBefore)> MakeTransposeTable(std::index_sequence<kBefore...>) {
  return {Transpose<kBefore + 1>...};
}

}  // namespace

void Memtable::FillTile(uint32_t tile) const {
  static constexpr auto kTranspose = MakeTransposeTable(std::make_index_sequence<kTileColumns>());
  tile_ = kNoTile;
  const uint32_t first = tile * kTileColumns;
  const uint32_t columns = std::min(kTileColumns, layout_->rows().row_words - first);
  tile_words_.resize(columns * (gathered_.size() + kTileSkew));
  kTranspose[columns - 1](gathered_rows_.data(), gathered_.size(), first * 8, tile_words_.data());
  tile_ = tile;
}

// The words of the rows that are gathered; nullptr: they are not in tiles.
uint64_t* Memtable::TileWords(const Slot& slot) const {
  if (slot.by_column || slot.cell != CellKind::kWord8) return nullptr;
  const uint32_t word = slot.offset / 8;
  if (tile_ != word / kTileColumns) FillTile(word / kTileColumns);
  return tile_words_.data() + word % kTileColumns * (gathered_.size() + kTileSkew);
}

// Calls set(i, value of the key column) for each row.
template <typename Set>
void Memtable::ForEachKey(uint32_t slot, std::span<const uint32_t> rows, Set&& set) const {
  if (AreGathered(rows)) {
    size_t i = 0;
    for (const GatheredRun& run : gathered_runs_) {
      const NtsValue value = ReadCell(series_.keys(), series_.keys().At(run.series), slot);
      for (; i < run.end; ++i) set(i, value);
    }
    return;
  }
  uint32_t last = kNoSeries;
  NtsValue value = {0, 0, 1};
  ForEachCell(store_, TableLayout::kNumberSlot, rows, [&](size_t i, const uint8_t* cell) {
    const uint32_t series = LoadAs<uint32_t>(cell);
    if (series != last) {
      value = ReadCell(series_.keys(), series_.keys().At(series), slot);
      last = series;
    }
    set(i, value);
  });
}

// Calls set(begin, end, the stored value of a VAR column or nullptr) for rows that have it in common.
template <typename Set>
void Memtable::ForEachVar(uint32_t slot, std::span<const uint32_t> rows, Set&& set) const {
  const uint32_t offset = layout_->variants().slots[slot].offset;
  if (AreGathered(rows)) {
    constexpr size_t kAhead = 8;  // runs
    size_t begin = 0;
    for (size_t r = 0; r < gathered_runs_.size(); ++r) {
      if (r + kAhead < gathered_runs_.size()) {
        __builtin_prefetch(VariantCells(gathered_runs_[r + kAhead].variant) + offset);
      }
      const size_t end = gathered_runs_[r].end;
      set(begin, end, LoadVar(VariantCells(gathered_runs_[r].variant) + offset));
      begin = end;
    }
    return;
  }
  uint32_t last = kNoVariant;
  const uint8_t* stored = nullptr;
  ForEachCell(store_, TableLayout::kNumberSlot, rows, [&](size_t i, const uint8_t* cell) {
    const uint32_t variant = LoadAs<uint32_t>(cell + layout_->variant_offset());
    if (variant != last) {
      last = variant;
      stored = LoadVar(VariantCells(variant) + offset);
    }
    set(i, i + 1, stored);
  });
}

void Memtable::GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                           uint8_t* nulls) const {
  const TableLayout::Place place = layout_->place(column);
  if (place.home == Home::kNowhere) {
    std::fill_n(words, rows.size(), 0);
    std::fill_n(nulls, rows.size(), 1);
    return;
  }
  if (place.home == Home::kKey) {
    ForEachKey(place.slot, rows, [&](size_t i, const NtsValue& value) {
      words[i] = value.word;
      nulls[i] = static_cast<uint8_t>(value.is_null);
    });
    return;
  }
  const Slot& slot = layout_->rows().slots[place.slot];
  switch (slot.cell) {
    case CellKind::kWord1:
      return GatherColumn<int8_t, int64_t>(place.slot, rows, words, nulls);
    case CellKind::kWord2:
      return GatherColumn<int16_t, int64_t>(place.slot, rows, words, nulls);
    case CellKind::kWord4:
      if (slot.is_signed) {
        return GatherColumn<int32_t, int64_t>(place.slot, rows, words, nulls);
      }
      return GatherColumn<uint32_t, uint64_t>(place.slot, rows, words, nulls);
    default:
      return GatherColumn<uint64_t, uint64_t>(place.slot, rows, words, nulls);
  }
}

uint64_t* Memtable::LendWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
  const TableLayout::Place place = layout_->place(column);
  uint64_t* const lent =
      place.home == Home::kRow && AreGathered(rows) ? TileWords(layout_->rows().slots[place.slot]) : nullptr;
  if (lent == nullptr) {
    GatherWords(column, rows, words, nulls);
    return words;
  }
  GatherNulls(store_, place.slot, rows, lent, nulls);
  return lent;
}

namespace {

// Of a value of a column of byte strings.
std::string_view ViewOf(const NtsValue& value) {
  if (value.is_null) return {};
  return {static_cast<const char*>(BytesOf(value)), value.length};
}

}  // namespace

void Memtable::GatherBytes(size_t column, std::span<const uint32_t> rows,
                           std::string_view* values, uint8_t* nulls) const {
  const TableLayout::Place place = layout_->place(column);
  const auto set = [&](size_t i, const NtsValue& value) {
    nulls[i] = static_cast<uint8_t>(value.is_null);
    values[i] = ViewOf(value);
  };
  if (place.home == Home::kNowhere) {
    for (size_t i = 0; i < rows.size(); ++i) set(i, {0, 0, 1});
    return;
  }
  if (place.home == Home::kKey) {
    ForEachKey(place.slot, rows, set);
    return;
  }
  if (place.home == Home::kRow) {
    ForEachRow(store_, place.slot, rows, [&](size_t i, const RowPlace& row) {
      set(i, ReadCell(store_, row, place.slot));
    });
    return;
  }
  ForEachVar(place.slot, rows, [&](size_t begin, size_t end, const uint8_t* stored) {
    const std::string_view view = stored == nullptr ? std::string_view() : Arena::View(stored);
    const uint8_t is_null = stored == nullptr ? 1 : 0;
    for (size_t i = begin; i < end; ++i) {
      values[i] = view;
      nulls[i] = is_null;
    }
  });
}

bool Memtable::GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most, segment::ByteRuns* runs) const {
  const TableLayout::Place place = layout_->place(column);
  const bool known = place.home == Home::kKey || place.home == Home::kVariant;
  if (!known || !AreGathered(rows) || gathered_runs_.size() > most) return false;
  runs->Clear();
  if (place.home == Home::kVariant) {
    ForEachVar(place.slot, rows, [runs](size_t, size_t end, const uint8_t* stored) {
      runs->Add(end, stored == nullptr ? std::string_view() : Arena::View(stored), stored == nullptr);
    });
    return true;
  }
  for (const GatheredRun& run : gathered_runs_) {
    const NtsValue value = ReadCell(series_.keys(), series_.keys().At(run.series), place.slot);
    runs->Add(run.end, ViewOf(value), value.is_null != 0);
  }
  return true;
}

void Memtable::GatherSeries(std::span<const uint32_t> rows, uint32_t* series) const {
  ForEachCell(store_, TableLayout::kNumberSlot, rows,
              [&](size_t i, const uint8_t* cell) { series[i] = LoadAs<uint32_t>(cell); });
}

void Memtable::ReadRow(uint32_t row, NtsValue* values) const {
  const RowPlace place = store_.At(row);
  const RowPlace key = layout_->has_keys() ? series_.keys().At(SeriesOf(row)) : place;
  const RowPlace variant = layout_->has_variants() ? variants_.At(VariantOf(row)) : place;
  for (uint32_t i = 0; i < layout_->schema().column_count; ++i) {
    const TableLayout::Place at = layout_->place(i);
    if (at.home == Home::kNowhere) {
      values[i] = {0, 0, 1};
    } else if (at.home == Home::kKey) {
      values[i] = ReadCell(series_.keys(), key, at.slot);
    } else if (at.home == Home::kVariant) {
      values[i] = ReadCell(variants_, variant, at.slot);
    } else {
      values[i] = ReadCell(store_, place, at.slot);
    }
  }
}

uint64_t Memtable::RawRowBytes(uint32_t row) const {
  uint64_t bytes = layout_->fixed_raw_bytes();
  if (layout_->has_keys()) bytes += series_[SeriesOf(row)].key_bytes;
  if (!layout_->has_variants()) return bytes;
  const uint8_t* const cells = VariantCells(VariantOf(row));
  for (const Slot& slot : layout_->variants().slots) {
    const uint8_t* stored = LoadVar(cells + slot.offset);
    if (stored != nullptr) bytes += Arena::View(stored).size();
  }
  return bytes;
}

int Memtable::CompareSeries(uint32_t left, uint32_t right) const {
  const ColumnStore& keys = series_.keys();
  const RowPlace left_key = keys.At(left);
  const RowPlace right_key = keys.At(right);
  for (uint32_t slot = 0; slot < keys.layout().slots.size(); ++slot) {
    const int order = CompareCells(keys, left_key, right_key, slot);
    if (order != 0) return order;
  }
  return 0;
}

}  // namespace nodedb_ts::memtable
