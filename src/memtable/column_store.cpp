#include "memtable/column_store.h"

#include <algorithm>

namespace nodedb_ts::memtable {

namespace {

// The first chunk of a store: a memtable of one row must be tiny.
constexpr uint64_t kFirstChunkBytes = 512;
constexpr uint32_t kSkewBytes = 64;

uint64_t NullBytes(size_t slots, uint32_t capacity) { return (slots * capacity + 7) / 8; }

}  // namespace

void StoreLayout::Add(uint16_t column, const NtsColumn& type, bool by_column) {
  Slot slot = {CellKind::kVar, false, column, by_column, type.width, 0, 0, 0, 0, 0};
  switch (type.kind) {
    case NTS_KIND_INT:
      slot.is_signed = true;
      slot.cell = type.width == 1   ? CellKind::kWord1
                  : type.width == 2 ? CellKind::kWord2
                  : type.width == 4 ? CellKind::kWord4
                                    : CellKind::kWord8;
      break;
    case NTS_KIND_FLOAT4:
      slot.cell = CellKind::kWord4;
      break;
    case NTS_KIND_FLOAT8:
      slot.cell = CellKind::kWord8;
      break;
    case NTS_KIND_FIXED:
      slot.cell = CellKind::kFixed;
      break;
    default:
      slot.width = sizeof(const uint8_t*);
      break;
  }
  slots.push_back(slot);
}

void StoreLayout::AddNumbers(uint32_t count) {
  const auto width = static_cast<uint32_t>(count * sizeof(uint32_t));
  Add(kNoColumn, {NTS_KIND_INT, static_cast<uint8_t>(width), 0, width}, true);
}

void StoreLayout::Finish(uint32_t full_bytes) {
  const auto rank = [](const Slot& slot) {
    return slot.cell == CellKind::kFixed ? 0u : slot.width;
  };
  std::vector<uint32_t> order(slots.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return rank(slots[a]) > rank(slots[b]); });
  uint32_t column_bytes = 0;
  row_step = skew_bytes = 0;
  for (const uint32_t i : order) {
    Slot& slot = slots[i];
    if (slot.by_column) {
      slot.step = slot.width;
      slot.before = column_bytes;
      slot.skew = skew_bytes;
      column_bytes += slot.width;
      skew_bytes += kSkewBytes;
    } else {
      slot.offset = row_step;
      row_step += slot.width;
    }
  }
  row_bytes = column_bytes + row_step;
  for (Slot& slot : slots) {
    if (slot.by_column) continue;
    slot.step = row_step;
    slot.before = column_bytes;
    slot.skew = skew_bytes;
  }
  // A store of no columns at all still counts its rows.
  geometry = ChunkGeometry::For(row_bytes == 0 ? 1 : row_bytes,
                                std::min<uint64_t>(kFirstChunkBytes, full_bytes), full_bytes);
  write_order.clear();
  const auto add = [&](auto&& wanted) {
    for (uint32_t i = 0; i < slots.size(); ++i) {
      if (slots[i].column != kNoColumn && wanted(slots[i].cell)) write_order.push_back(static_cast<uint16_t>(i));
    }
    return static_cast<uint32_t>(write_order.size());
  };
  word8_end = add([](CellKind cell) { return cell == CellKind::kWord8; });
  add([](CellKind cell) { return cell != CellKind::kWord8; });
  for (Slot& slot : slots) slot.full_start = ColumnStore::ColumnStart(slot, geometry.full());
  ListWordRuns();
}

void StoreLayout::ListWordRuns() {
  word_runs.clear();
  row_words = 0;
  for (const Slot& slot : slots) {
    if (slot.by_column || slot.cell != CellKind::kWord8) continue;
    ++row_words;
    WordRun* const last = word_runs.empty() ? nullptr : &word_runs.back();
    if (last != nullptr && last->column + last->count == slot.column) {
      ++last->count;
    } else {
      word_runs.push_back({slot.column, 1, slot.offset});
    }
  }
}

bool ColumnStore::Grow() {
  const uint32_t rows = layout_->geometry.Locate(capacity_).capacity;
  if (!chunks_.Reserve()) return false;
  uint64_t size = uint64_t{layout_->row_bytes} * rows;
  if (rows >= kSkewRows) size += layout_->skew_bytes;
  uint8_t* data = static_cast<uint8_t*>(account_->AllocateFromSlab(size));
  const bool in_slab = data != nullptr;
  if (!in_slab) data = static_cast<uint8_t*>(account_->Allocate(size == 0 ? 1 : size));
  if (data == nullptr) return false;
  chunks_.push_back({data, nullptr, in_slab});
  capacity_ += rows;
  return true;
}

bool ColumnStore::SetNull(uint32_t row, RowPlace* place, uint32_t slot) {
  if (place->nulls == nullptr) {
    const uint64_t size = NullBytes(layout_->slots.size(), place->capacity);
    uint8_t* nulls = static_cast<uint8_t*>(account_->Allocate(size));
    if (nulls == nullptr) return false;
    std::memset(nulls, 0, size);
    chunks_[layout_->geometry.Locate(row).chunk].nulls = nulls;
    place->nulls = nulls;
    has_bitmaps_ = true;
  }
  const uint64_t bit = uint64_t{slot} * place->capacity + place->offset;
  place->nulls[bit >> 3] = static_cast<uint8_t>(place->nulls[bit >> 3] | (1u << (bit & 7)));
  return true;
}

void ColumnStore::ClearNulls(uint32_t row) {
  if (row >= capacity_) return;
  const RowPlace place = At(row);
  if (place.nulls == nullptr) return;
  for (uint32_t slot = 0; slot < layout_->slots.size(); ++slot) {
    const uint64_t bit = uint64_t{slot} * place.capacity + place.offset;
    place.nulls[bit >> 3] = static_cast<uint8_t>(place.nulls[bit >> 3] & ~(1u << (bit & 7)));
  }
}

void ColumnStore::Clear() {
  // The bitmaps stay too, all clear: a table with NULLs has them in every row.
  for (uint32_t i = 0, row = 0; i < chunks_.size(); ++i) {
    const uint32_t rows = layout_->geometry.Locate(row).capacity;
    if (chunks_[i].nulls != nullptr) {
      std::memset(chunks_[i].nulls, 0, NullBytes(layout_->slots.size(), rows));
    }
    row += rows;
  }
}

void ColumnStore::Release() {
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].in_slab) {
      account_->FreeToSlab(chunks_[i].data);
    } else {
      account_->Free(chunks_[i].data);
    }
    account_->Free(chunks_[i].nulls);
  }
  chunks_.Release();
  capacity_ = 0;
  has_bitmaps_ = false;
}

uint64_t LoadWord(const Slot& slot, const uint8_t* cell) {
  switch (slot.cell) {
    case CellKind::kWord1:
      return static_cast<uint64_t>(int64_t{LoadAs<int8_t>(cell)});
    case CellKind::kWord2:
      return static_cast<uint64_t>(int64_t{LoadAs<int16_t>(cell)});
    case CellKind::kWord4:
      if (!slot.is_signed) return LoadAs<uint32_t>(cell);
      return static_cast<uint64_t>(int64_t{LoadAs<int32_t>(cell)});
    default:
      return LoadAs<uint64_t>(cell);
  }
}

NtsValue ReadCell(const ColumnStore& store, const RowPlace& place, uint32_t slot) {
  const Slot& s = store.layout().slots[slot];
  const uint8_t* cell = store.Cell(place, slot);
  NtsValue value = {0, 0, 0};
  if (s.cell == CellKind::kVar) {
    const uint8_t* stored = LoadVar(cell);
    if (stored == nullptr) {
      value.is_null = 1;
    } else {
      const std::string_view view = Arena::View(stored);
      value.word = reinterpret_cast<uintptr_t>(view.data());
      value.length = static_cast<uint32_t>(view.size());
    }
  } else if (ColumnStore::IsNull(place, slot)) {
    value.is_null = 1;
  } else if (s.cell == CellKind::kFixed) {
    value.word = reinterpret_cast<uintptr_t>(cell);
    value.length = s.width;
  } else {
    value.word = LoadWord(s, cell);
  }
  return value;
}

int CompareCells(const ColumnStore& store, const RowPlace& left, const RowPlace& right,
                 uint32_t slot) {
  const Slot& s = store.layout().slots[slot];
  const NtsValue a = ReadCell(store, left, slot);
  const NtsValue b = ReadCell(store, right, slot);
  if (a.is_null != b.is_null) return a.is_null ? 1 : -1;
  if (a.is_null) return 0;
  if (s.cell == CellKind::kVar || s.cell == CellKind::kFixed) {
    const std::string_view x(static_cast<const char*>(BytesOf(a)), a.length);
    const std::string_view y(static_cast<const char*>(BytesOf(b)), b.length);
    return x.compare(y);
  }
  const int64_t x = static_cast<int64_t>(a.word);
  const int64_t y = static_cast<int64_t>(b.word);
  return x < y ? -1 : x > y ? 1 : 0;
}

}  // namespace nodedb_ts::memtable
