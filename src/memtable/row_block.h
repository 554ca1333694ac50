// row_block.h - values in the rows of an NtsRowBlock.
#ifndef NODEDB_TS_MEMTABLE_ROW_BLOCK_H
#define NODEDB_TS_MEMTABLE_ROW_BLOCK_H

#include <cstdint>

#include "memtable/column_store.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

// Longer values are a row's own business: the rows of a block stay small.
inline constexpr uint32_t kLongestInBlock = 2048;

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
