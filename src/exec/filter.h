// filter.h - conditions on decoded vectors of words.
//
// A filter narrows `keep`, one byte for each row, 0 or 1; NULLs never pass. Nothing here allocates
// or fails.
#ifndef NODEDB_TS_EXEC_FILTER_H
#define NODEDB_TS_EXEC_FILTER_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "nodedb_ts/core.h"

namespace nodedb_ts::exec {

// Order of a word and a constant, which is a signed integer or the bits of a double. -0 equals 0;
// NaN equals NaN and is greater than all others, as in PostgreSQL.
int CompareWord(NtsWordOrder order, uint64_t word, uint64_t constant);

// keep[i] &= values[i] is not NULL and (values[i] compare constant). All of keep's size.
void FilterCompare(NtsWordOrder order, NtsCompare compare, const uint64_t* values, const uint8_t* nulls,
                   uint64_t constant, std::span<uint8_t> keep);

// keep[i] &= values[i] is not NULL and among the constants, which ascend in CompareWord's order.
void FilterIn(NtsWordOrder order, const uint64_t* values, const uint8_t* nulls,
              std::span<const uint64_t> constants, std::span<uint8_t> keep);

// Positions of the ones in keep, ascending; returns how many.
uint32_t Positions(std::span<const uint8_t> keep, uint32_t* positions);

}  // namespace nodedb_ts::exec

#endif  // NODEDB_TS_EXEC_FILTER_H
