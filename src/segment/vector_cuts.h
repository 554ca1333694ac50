// vector_cuts.h - where the vectors of a long series end at level 2.
#ifndef NODEDB_TS_SEGMENT_VECTOR_CUTS_H
#define NODEDB_TS_SEGMENT_VECTOR_CUTS_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nodedb_ts::segment {

// Appends the lengths of the fewest vectors that n rows fit into, as equal as they can be.
void CutEvenly(size_t n, std::vector<uint32_t>* vector_rows);

// Appends the lengths of vectors that end where periods of the clock do (a day, an hour, a minute ..., counted from the
// time 0), so that whoever groups rows by such periods, or by longer ones, finds whole vectors in one group. times: of
// the rows of a series, ascending, behind those without one (nulls: 1). The period is the longest with room in a
// vector. false, and nothing is appended: vectors would be too small.
bool CutByPeriod(std::span<const uint64_t> times, std::span<const uint8_t> nulls, int64_t units_per_second,
                 std::vector<uint32_t>* vector_rows);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_VECTOR_CUTS_H
