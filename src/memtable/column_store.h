// column_store.h - cells of rows in chunks, by column or by row.
//
// A chunk holds all columns of up to `capacity` rows in one allocation:
//
//   [column 0] [column 1] ... [cells of row 0] [cells of row 1] ...
//
// Cells of columns that are looked at by themselves lie side by side; the others lie row by row, since
// rows are written, and gathered in the order of series, as a whole. Cells: INT and floats at their width, FIXED inline, VAR a pointer into
// the arena (nullptr: NULL). The other kinds have a bitmap per chunk, made when
// the first NULL arrives in it.
#ifndef NODEDB_TS_MEMTABLE_COLUMN_STORE_H
#define NODEDB_TS_MEMTABLE_COLUMN_STORE_H

#include <cstdint>
#include <string_view>
#include <vector>

#include "memtable/arena.h"
#include "memtable/buffers.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

// What a slot holds is no column of the table.
inline constexpr uint16_t kNoColumn = UINT16_MAX;

enum class CellKind : uint8_t { kWord1, kWord2, kWord4, kWord8, kFixed, kVar };

struct Slot {
  CellKind cell;
  bool is_signed;   // INT: extend the sign
  uint16_t column;  // of the schema; or kNoColumn
  bool by_column;
  uint32_t width;   // bytes of a cell
  uint32_t step;    // from the cell of a row to that of the next one
  uint32_t before;  // bytes of a row in columns that lie before it
  uint32_t offset;  // by row: of the cell in its row
  uint32_t skew;    // bytes that a large chunk shifts its column by
  uint64_t full_start;  // where the column starts in a full chunk
};

struct StoreLayout {
  std::vector<Slot> slots;
  // The slots of columns, those of kWord8 first: a row is written without asking each of its cells
  // what it is.
  std::vector<uint16_t> write_order;
  uint32_t word8_end = 0;  // in write_order
  // Columns of kWord8 that lie in a row as they follow each other in the table, from `offset` on; and how
  // many cells of kWord8 by row there are in all: they come first in a row.
  struct WordRun {
    uint16_t column;
    uint16_t count;
    uint32_t offset;
  };
  std::vector<WordRun> word_runs;
  uint32_t row_words = 0;
  uint32_t row_bytes = 0;   // of all cells
  uint32_t row_step = 0;    // of those by row
  uint32_t skew_bytes = 0;  // of a large chunk
  ChunkGeometry geometry;

  void Add(uint16_t column, const NtsColumn& type, bool by_column);
  // A cell of one or two numbers of 32 bits that belong to no column.
  void AddNumbers(uint32_t count);
  // Places the widest cells first and sizes the chunks.
  void Finish(uint32_t full_bytes);

 private:
  void ListWordRuns();
};

// One row of a chunk.
struct RowPlace {
  uint8_t* data;
  uint8_t* nulls;     // nullptr: no NULL in this chunk
  uint32_t capacity;  // rows of the chunk
  uint32_t offset;    // of the row
};

class ColumnStore {
 public:
  // `layout` must outlive the store.
  ColumnStore(Account* account, const StoreLayout* layout)
      : account_(account), layout_(layout), chunks_(account) {}
  ~ColumnStore() { Release(); }
  ColumnStore(const ColumnStore&) = delete;
  ColumnStore& operator=(const ColumnStore&) = delete;

  const StoreLayout& layout() const { return *layout_; }

  // Room for the row at this position (rows are added one after the other).
  bool Reserve(uint32_t row) { return row < capacity_ || Grow(); }
  RowPlace At(uint32_t row) const {
    const ChunkPlace place = layout_->geometry.Locate(row);
    const Chunk& chunk = chunks_[place.chunk];
    return {chunk.data, chunk.nulls, place.capacity, place.offset};
  }
  uint8_t* Cell(const RowPlace& place, uint32_t slot) const {
    const Slot& s = layout_->slots[slot];
    return place.data + ColumnStart(s, place.capacity) + uint64_t{place.offset} * s.step;
  }
  // The cells of a row that lie together.
  uint8_t* RowCells(const RowPlace& place) const {
    return place.data + RowsStart(place.capacity) + uint64_t{place.offset} * layout_->row_step;
  }
  // NULL flag of a cell that is not VAR.
  static bool IsNull(const RowPlace& place, uint32_t slot) {
    if (place.nulls == nullptr) return false;
    const uint64_t bit = uint64_t{slot} * place.capacity + place.offset;
    return (place.nulls[bit >> 3] >> (bit & 7)) & 1;
  }
  // False: no chunk has a bitmap, so no cell but VAR is NULL.
  bool may_have_nulls() const { return has_bitmaps_; }
  // Marks a cell NULL, making the bitmap if need be.
  bool SetNull(uint32_t row, RowPlace* place, uint32_t slot);
  // Unmarks all cells of a row: it was not completed.
  void ClearNulls(uint32_t row);

  // Forgets all rows, keeps the chunks (and drops their bitmaps).
  void Clear();
  void Release();

  // Start of a column in a chunk. Large chunks shift each column by a cache line:
  // columns at a power-of-two distance would share the same few cache sets.
  static uint64_t ColumnStart(const Slot& slot, uint32_t capacity) {
    return uint64_t{slot.before} * capacity + (capacity >= kSkewRows ? slot.skew : 0) + slot.offset;
  }

 private:
  static constexpr uint32_t kSkewRows = 128;
  uint64_t RowsStart(uint32_t capacity) const {
    const uint32_t skew = capacity >= kSkewRows ? layout_->skew_bytes : 0;
    return uint64_t{layout_->row_bytes - layout_->row_step} * capacity + skew;
  }
  struct Chunk {
    uint8_t* data;
    uint8_t* nulls;
    bool in_slab;
  };
  bool Grow();

  Account* account_;
  const StoreLayout* layout_;
  PodVector<Chunk> chunks_;
  uint32_t capacity_ = 0;
  bool has_bitmaps_ = false;

  friend class ColumnCells;
};

// The cells of one column of a store, for visiting many of them.
class ColumnCells {
 public:
  ColumnCells(const ColumnStore& store, uint32_t slot)
      : store_(store), slot_(slot), geometry_(store.layout_->geometry),
        lead_chunks_(geometry_.lead_chunks()) {
    const Slot& s = store.layout_->slots[slot];
    step_ = s.step;
    full_start_ = s.full_start;
    null_start_ = uint64_t{slot} * geometry_.full();
  }
  [[gnu::always_inline]] const uint8_t* operator[](uint32_t row) const {
    const uint32_t high = row >> geometry_.full_shift;
    if (high == 0) [[unlikely]] return store_.Cell(store_.At(row), slot_);
    return store_.chunks_[lead_chunks_ + high].data + full_start_ +
           uint64_t{row & (geometry_.full() - 1)} * step_;
  }
  // 1: the cell, not of a VAR, is NULL.
  uint8_t NullFlag(uint32_t row) const {
    const uint32_t high = row >> geometry_.full_shift;
    if (high == 0) [[unlikely]] return ColumnStore::IsNull(store_.At(row), slot_) ? 1 : 0;
    const uint8_t* nulls = store_.chunks_[lead_chunks_ + high].nulls;
    if (nulls == nullptr) return 0;
    const uint64_t bit = null_start_ + (row & (geometry_.full() - 1));
    return (nulls[bit >> 3] >> (bit & 7)) & 1;
  }

 private:
  const ColumnStore& store_;
  const uint32_t slot_;
  const ChunkGeometry geometry_;
  const uint32_t lead_chunks_;
  uint32_t step_;
  uint64_t full_start_;
  uint64_t null_start_;  // bit of a full chunk's NULL flags where the column's begin
};

// ---- cells -------------------------------------------------------------

template <typename T>
inline T LoadAs(const void* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Short byte strings are compared so often that calling memcmp shows.
inline bool EqualBytes(const void* left, const void* right, size_t length) {
  const uint8_t* a = static_cast<const uint8_t*>(left);
  const uint8_t* b = static_cast<const uint8_t*>(right);
  if (length > 16) return std::memcmp(a, b, length) == 0;
  if (length >= 8) {
    return ((LoadAs<uint64_t>(a) ^ LoadAs<uint64_t>(b)) |
            (LoadAs<uint64_t>(a + length - 8) ^ LoadAs<uint64_t>(b + length - 8))) == 0;
  }
  if (length >= 4) {
    return ((LoadAs<uint32_t>(a) ^ LoadAs<uint32_t>(b)) |
            (LoadAs<uint32_t>(a + length - 4) ^ LoadAs<uint32_t>(b + length - 4))) == 0;
  }
  if (length == 0) return true;
  return a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1];
}

inline const uint8_t* LoadVar(const uint8_t* cell) { return LoadAs<const uint8_t*>(cell); }

inline const void* BytesOf(const NtsValue& value) {
  return reinterpret_cast<const void*>(static_cast<uintptr_t>(value.word));
}

// Is the stored value of variable length these bytes?
inline bool EqualVar(const uint8_t* stored, const NtsValue& value) {
  if (value.length < 255) {
    return stored[0] == value.length && EqualBytes(stored + 1, BytesOf(value), value.length);
  }
  return stored[0] == 255 && LoadAs<uint32_t>(stored + 1) == value.length &&
         std::memcmp(stored + 5, BytesOf(value), value.length) == 0;
}

uint64_t LoadWord(const Slot& slot, const uint8_t* cell);
// Reads a cell back as a value; VAR and FIXED point into the store.
NtsValue ReadCell(const ColumnStore& store, const RowPlace& place, uint32_t slot);
// Order of two cells of the same slot: numbers by value, bytes by memcmp, NULLs last.
int CompareCells(const ColumnStore& store, const RowPlace& left, const RowPlace& right,
                 uint32_t slot);

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_COLUMN_STORE_H
