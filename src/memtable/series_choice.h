// series_choice.h - which columns tell one series from another.
#ifndef NODEDB_TS_MEMTABLE_SERIES_CHOICE_H
#define NODEDB_TS_MEMTABLE_SERIES_CHOICE_H

#include <cstdint>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::memtable {

inline constexpr uint32_t kChoiceRows = 10000;  // looked at
inline constexpr uint32_t kChoiceFirmRows = 1000;  // fewer: good for this flush only

// Chooses from the rows 0..rows-1 of a source (the first 10 000 of them). Ascending
// indexes, at most 16; empty: one series. Never a float, the time column, a constant
// or a nearly unique column.
std::vector<uint16_t> ChooseSeriesColumns(const NtsSchema& schema,
                                          const segment::RowSource& source, uint32_t rows);

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_SERIES_CHOICE_H
