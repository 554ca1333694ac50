#include "memtable/table_layout.h"

#include <algorithm>
#include <bit>
#include <string>

namespace nodedb_ts::memtable {

namespace {

bool ValidColumn(const NtsColumn& column) {
  switch (column.kind) {
    case NTS_KIND_NONE:
    case NTS_KIND_VAR:
      return true;
    case NTS_KIND_INT:
      return column.width == 1 || column.width == 2 || column.width == 4 || column.width == 8;
    case NTS_KIND_FLOAT4:
      return column.width == 4;
    case NTS_KIND_FLOAT8:
      return column.width == 8;
    case NTS_KIND_FIXED:
      return column.width >= 1 && column.width <= 32767;
    default:
      return false;
  }
}

}  // namespace

base::Status CheckSchema(const NtsSchema& schema) {
  if (schema.column_count > kMaxColumns) {
    return base::Status::Limit("a table may have at most " + std::to_string(kMaxColumns) +
                               " columns, not " + std::to_string(schema.column_count));
  }
  for (uint32_t i = 0; i < schema.column_count; ++i) {
    if (!ValidColumn(schema.columns[i])) {
      return base::Status::Bug("column " + std::to_string(i) + " has no valid kind and width");
    }
  }
  if (schema.time_column < -1 || schema.time_column >= static_cast<int64_t>(schema.column_count) ||
      (schema.time_column >= 0 && schema.columns[schema.time_column].kind != NTS_KIND_INT)) {
    return base::Status::Bug("the time column is not an integer column of the table");
  }
  if (schema.bucket_width < 0) return base::Status::Bug("negative bucket width");
  return base::Status::Ok();
}

base::Status CheckSeriesColumns(const NtsSchema& schema, std::span<const uint16_t> columns) {
  if (columns.size() > kMaxSeriesColumns) {
    return base::Status::Limit("at most " + std::to_string(kMaxSeriesColumns) +
                               " series columns are supported, not " +
                               std::to_string(columns.size()));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] >= schema.column_count || (i > 0 && columns[i] <= columns[i - 1])) {
      return base::Status::Bug("series columns are not ascending columns of the table");
    }
  }
  return base::Status::Ok();
}

std::shared_ptr<const TableLayout> TableLayout::Make(const NtsSchema& schema, bool keyed,
                                                     std::span<const uint16_t> series_columns,
                                                     uint32_t full_chunk_bytes) {
  std::shared_ptr<TableLayout> layout(new TableLayout());
  if (schema.column_count > 0) {
    layout->columns_.assign(schema.columns, schema.columns + schema.column_count);
  }
  layout->schema_ = schema;
  layout->schema_.columns = layout->columns_.data();
  layout->keyed_ = keyed;
  if (keyed) layout->series_columns_.assign(series_columns.begin(), series_columns.end());
  layout->full_chunk_bytes_ = full_chunk_bytes;
  layout->places_.resize(schema.column_count);
  layout->ListColumns();
  layout->rows_.Finish(full_chunk_bytes);
  layout->variants_.Finish(full_chunk_bytes);
  layout->keys_.Finish(full_chunk_bytes);
  layout->ListWordNulls();
  return layout;
}

const Slot* TableLayout::time_slot() const {
  if (schema_.time_column < 0) return nullptr;
  const Place& place = places_[static_cast<size_t>(schema_.time_column)];
  if (place.home != Home::kRow || rows_.slots[place.slot].cell != CellKind::kWord8) return nullptr;
  return &rows_.slots[place.slot];
}

// Gives each column its place.
void TableLayout::ListColumns() {
  const auto is_key = [this](uint32_t column) {
    return std::binary_search(series_columns_.begin(), series_columns_.end(), column);
  };
  bool any_variant = false;
  for (uint32_t i = 0; i < schema_.column_count; ++i) any_variant |= columns_[i].kind == NTS_KIND_VAR && !is_key(i);
  if (has_keys() || any_variant) rows_.AddNumbers(has_keys() && any_variant ? 2 : 1);
  for (uint32_t i = 0; i < schema_.column_count; ++i) {
    const NtsColumn& column = columns_[i];
    if (is_key(i)) keys_are_bytes_ &= column.kind == NTS_KIND_VAR || column.kind == NTS_KIND_FIXED;
    if (column.kind == NTS_KIND_NONE) continue;
    if (column.kind != NTS_KIND_VAR) fixed_raw_bytes_ += column.width;
    const Home home = is_key(i) ? Home::kKey : column.kind == NTS_KIND_VAR ? Home::kVariant : Home::kRow;
    StoreLayout& store = home == Home::kKey ? keys_ : home == Home::kVariant ? variants_ : rows_;
    places_[i] = {home, static_cast<uint32_t>(store.slots.size())};
    // Times of all rows are looked at before rows are gathered.
    store.Add(static_cast<uint16_t>(i), column, home == Home::kRow && static_cast<int64_t>(i) == schema_.time_column);
  }
}

void TableLayout::ListWordNulls() {
  const uint32_t count = schema_.column_count;
  null_window_ = std::bit_floor(std::clamp(count, 1u, 8u));
  for (uint32_t first = 0; first < count; first += null_window_) {
    NullWindow window = {std::min(first, count - null_window_), 0};
    for (const Slot& slot : rows_.slots) {
      if (slot.column == kNoColumn || slot.cell == CellKind::kFixed) continue;
      if (slot.column < first || slot.column >= first + null_window_) continue;
      window.mask |= uint64_t{0xff} << (slot.column - window.first) * 8;
    }
    if (window.mask != 0) word_nulls_.push_back(window);
  }
}

}  // namespace nodedb_ts::memtable
