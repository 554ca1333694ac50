// aggregate.h - folds of a vector's values into one: sums, extremes, counts.
//
// The words are those that nodedb_ts/core.h describes; nulls may be null: none. Every function returns the number of
// values that are not NULL. A fold of floats goes in row order and gives the bits that a loop over rows gives.
#ifndef NODEDB_TS_EXEC_AGGREGATE_H
#define NODEDB_TS_EXEC_AGGREGATE_H

#include <cstddef>
#include <cstdint>

#include "nodedb_ts/core.h"

namespace nodedb_ts::exec {

uint64_t CountValues(const uint8_t* nulls, size_t count);
uint64_t SumInt(const uint64_t* words, const uint8_t* nulls, size_t count, NtsWideSum* sum);
uint64_t MinInt(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* least);
uint64_t MaxInt(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* greatest);

// Float: float or double, how the low bits of a word are read. Sum: what is added up.
template <typename Float, typename Sum>
uint64_t SumFloat(const uint64_t* words, const uint8_t* nulls, size_t count, Sum* sum);
// NaN counts as greater than everything else.
template <typename Float>
uint64_t MinFloat(const uint64_t* words, const uint8_t* nulls, size_t count, double* least);
template <typename Float>
uint64_t MaxFloat(const uint64_t* words, const uint8_t* nulls, size_t count, double* greatest);

// Is every float8 finite and below 1e100 in size?
bool ModerateFloat8(const uint64_t* words, size_t count);

}  // namespace nodedb_ts::exec

#endif  // NODEDB_TS_EXEC_AGGREGATE_H
