// row_block.h - values as PostgreSQL holds them, in rows and in columns.
#ifndef NODEDB_TS_MEMTABLE_ROW_BLOCK_H
#define NODEDB_TS_MEMTABLE_ROW_BLOCK_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "memtable/column_store.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

// Longer values are a row's own business: the rows of a block stay small.
inline constexpr uint32_t kLongestInBlock = 2048;

inline const uint8_t* Address(uint64_t word) {
  return reinterpret_cast<const uint8_t*>(static_cast<uintptr_t>(word));
}

// Has the varlena a header of four bytes? The bit that tells is the lowest one.
inline bool HasLongHeader(const uint8_t* varlena) { return (varlena[0] & 1) == 0; }

// Neither stored elsewhere nor compressed?
inline bool IsPlain(const uint8_t* varlena) {
  return HasLongHeader(varlena) ? (varlena[0] & 3) == 0 : varlena[0] != 1;
}

// The bytes of a plain varlena as PostgreSQL lays it out.
inline std::string_view PlainView(const uint8_t* varlena) {
  const bool is_long = HasLongHeader(varlena);
  const size_t length = is_long ? (LoadAs<uint32_t>(varlena) >> 2) - 4 : (varlena[0] >> 1) - 1u;
  return {reinterpret_cast<const char*>(varlena + (is_long ? 4 : 1)), length};
}

// A value of a row of a block, and where its bytes are if it is a varlena; false: that is not plain, or too long for a block.
inline bool ReadValue(const NtsRowBlock& block, uint32_t row, uint32_t column, bool is_var, NtsValue* value) {
  *value = {block.words[row][column], 0, block.nulls[row][column] ? 1u : 0u};
  if (!is_var || value->is_null) return true;
  const uint8_t* const varlena = Address(value->word);
  if (!IsPlain(varlena)) return false;
  const std::string_view bytes = PlainView(varlena);
  value->word = reinterpret_cast<uintptr_t>(bytes.data());
  value->length = static_cast<uint32_t>(bytes.size());
  return bytes.size() <= kLongestInBlock;
}

// What is left of a block behind its first rows.
inline NtsRowBlock Behind(NtsRowBlock block, uint32_t rows) {
  block.words += rows;
  block.nulls += rows;
  block.count -= rows;
  if (block.images != nullptr) {
    block.images += rows;
    block.image_lengths += rows;
  }
  return block;
}

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_ROW_BLOCK_H
