// exact.h - sums of numerics and of squares in 128 bits, and the order of numerics.
//
// What does not fit is not taken: a function stops before such a value and says how many it took, so that the caller can
// do that one by other means.
#ifndef NODEDB_TS_EXEC_EXACT_H
#define NODEDB_TS_EXEC_EXACT_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "nodedb_ts/core.h"

namespace nodedb_ts::exec {

// Adds numerics, and their squares if with_squares. Returns how many from the front were taken.
size_t SumNumerics(std::span<const NtsSlice> numerics, bool with_squares, NtsExactSums* sums);

// Adds ints and their squares; nulls may be null. Returns how many words were taken, NULL or not.
size_t SumSquares(const uint64_t* words, const uint8_t* nulls, size_t count, NtsExactSums* sums);

// The quotient of a sum of ints and their number as PostgreSQL's numeric_div gives it, with as many digits: the bytes of
// a numeric behind the length word, of which there are at most NTS_QUOTIENT_BYTES; 0: it has too many digits.
// REQUIRES count > 0.
size_t QuotientNumeric(const NtsWideSum& sum, uint64_t count, uint8_t* numeric);

// Of the numerics from the front that can be compared, finds the greatest (else the least), of equal ones the last.
// Returns how many were looked at; 0: *place is not set.
size_t ExtremeNumeric(std::span<const NtsSlice> numerics, bool greatest, size_t* place);

}  // namespace nodedb_ts::exec

#endif  // NODEDB_TS_EXEC_EXACT_H
