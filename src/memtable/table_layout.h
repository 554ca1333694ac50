// table_layout.h - how the rows of a table lie in a memtable; shared, immutable.
#ifndef NODEDB_TS_MEMTABLE_TABLE_LAYOUT_H
#define NODEDB_TS_MEMTABLE_TABLE_LAYOUT_H

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "memtable/column_store.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

inline constexpr uint32_t kMaxColumns = 1600;
inline constexpr uint32_t kMaxSeriesColumns = 16;

base::Status CheckSchema(const NtsSchema& schema);
// Series columns: ascending indexes, at most 16, of columns that exist.
base::Status CheckSeriesColumns(const NtsSchema& schema, std::span<const uint16_t> columns);

class TableLayout {
 public:
  // REQUIRES: the schema and the series columns passed the checks above.
  // keyed: rows are assigned to series on arrival (with no series columns all rows
  // are one series). full_chunk_bytes: size of a full chunk.
  static std::shared_ptr<const TableLayout> Make(const NtsSchema& schema, bool keyed,
                                                 std::span<const uint16_t> series_columns,
                                                 uint32_t full_chunk_bytes);

  // Where a column of the schema is stored.
  enum class Home : uint8_t { kNowhere, kRow, kVariant, kKey };
  struct Place {
    Home home = Home::kNowhere;
    uint32_t slot = 0;
  };

  const NtsSchema& schema() const { return schema_; }
  bool keyed() const { return keyed_; }
  // Keyed by at least one column: rows have a series number.
  bool has_keys() const { return !series_columns_.empty(); }
  // There are VAR columns beside the keys: rows have a variant number.
  bool has_variants() const { return !variants_.slots.empty(); }
  bool has_numbers() const { return has_keys() || has_variants(); }
  // Of rows(), when they have one of these numbers: a cell with that of the series, then that of the variant.
  static constexpr uint32_t kNumberSlot = 0;
  uint32_t variant_offset() const { return has_keys() ? sizeof(uint32_t) : 0; }  // in the cell
  std::span<const uint16_t> series_columns() const { return series_columns_; }
  // All series columns are VAR or FIXED.
  bool keys_are_bytes() const { return keys_are_bytes_; }
  const StoreLayout& rows() const { return rows_; }
  const StoreLayout& variants() const { return variants_; }
  const StoreLayout& keys() const { return keys_; }
  Place place(size_t column) const { return places_[column]; }
  uint32_t full_chunk_bytes() const { return full_chunk_bytes_; }
  // Of times in 64 bits; nullptr: there are none.
  const Slot* time_slot() const;
  // null_window() of a row's flags of NULLs (NtsRowBlock), from column `first` on, and 0xff for each that tells of a
  // column of words in rows(): not of keys, byte strings and dropped columns. Windows without any are left out; the last
  // one may overlap the one before.
  struct NullWindow {
    uint32_t first;
    uint64_t mask;
  };
  std::span<const NullWindow> word_nulls() const { return word_nulls_; }
  // Flags that one load takes: 8, 4, 2 or 1, as there are columns.
  uint32_t null_window() const { return null_window_; }
  // Raw bytes of a row without its variable-length values.
  uint32_t fixed_raw_bytes() const { return fixed_raw_bytes_; }

 private:
  TableLayout() = default;

  void ListColumns();
  void ListWordNulls();

  std::vector<NtsColumn> columns_;
  NtsSchema schema_ = {};
  bool keyed_ = false;
  bool keys_are_bytes_ = true;
  std::vector<uint16_t> series_columns_;
  StoreLayout rows_;
  StoreLayout variants_;
  StoreLayout keys_;
  std::vector<Place> places_;
  std::vector<NullWindow> word_nulls_;
  uint32_t null_window_ = 1;
  uint32_t full_chunk_bytes_ = 0;
  uint32_t fixed_raw_bytes_ = 0;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_TABLE_LAYOUT_H
