// runs_of_rows.h - which rows of a selection belong together: gathering, changes from row to row, buckets.
#ifndef NODEDB_TS_EXEC_RUNS_OF_ROWS_H
#define NODEDB_TS_EXEC_RUNS_OF_ROWS_H

#include <cstddef>
#include <cstdint>

namespace nodedb_ts::exec {

// out[i] = values[rows[i]].
template <typename T>
void Gather(const T* values, const uint32_t* rows, size_t count, T* out) {
  for (size_t i = 0; i < count; ++i) out[i] = values[rows[i]];
}

// marks[i] |= 1 where value i differs from the one before; marks[0] stays.
template <typename T>
void MarkChanges(const T* values, size_t count, uint8_t* marks) {
  for (size_t i = 1; i < count; ++i) marks[i] |= values[i] != values[i - 1];
}

// Positions of the marks that are set, ascending; returns how many. Room: count.
size_t ListMarks(const uint8_t* marks, size_t count, uint32_t* positions);

// Is no word, as an int64, smaller than the one before? May be false where some are not in [-2^62, 2^62).
bool IsAscending(const uint64_t* words, size_t count);

// Of ascending int64 words, how many are less than the limit: found from the front, in steps that double.
size_t CountBelow(const uint64_t* words, size_t count, int64_t limit);

// out[i] = start of the bucket of `width` from `origin` on that words[i] (an int64) lies in. Returns the position of
// the first word that is not in [origin, limit) or too far from the origin, or count.
size_t FloorBuckets(const uint64_t* words, size_t count, int64_t origin, int64_t limit, int64_t width,
                    uint64_t* out);

}  // namespace nodedb_ts::exec

#endif  // NODEDB_TS_EXEC_RUNS_OF_ROWS_H
