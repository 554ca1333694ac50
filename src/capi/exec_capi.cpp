// exec_capi.cpp - the part of core.h that works on decoded vectors: conditions, aggregates. Nothing here can fail.
#include "exec/aggregate.h"
#include "exec/exact.h"
#include "exec/filter.h"
#include "exec/runs_of_rows.h"
#include "nodedb_ts/core.h"

namespace exec = nodedb_ts::exec;

extern "C" {

int nts_word_compare(int32_t order, uint64_t word, uint64_t constant) noexcept {
  return exec::CompareWord(static_cast<NtsWordOrder>(order), word, constant);
}

void nts_filter_compare(int32_t order, int32_t compare, const uint64_t* values, const uint8_t* nulls,
                        uint32_t rows, uint64_t constant, uint8_t* keep) noexcept {
  exec::FilterCompare(static_cast<NtsWordOrder>(order), static_cast<NtsCompare>(compare), values,
                      nulls, constant, {keep, rows});
}

void nts_filter_in(int32_t order, const uint64_t* values, const uint8_t* nulls, uint32_t rows,
                   const uint64_t* constants, uint32_t count, uint8_t* keep) noexcept {
  exec::FilterIn(static_cast<NtsWordOrder>(order), values, nulls, {constants, count}, {keep, rows});
}

uint32_t nts_filter_positions(const uint8_t* keep, uint32_t rows, uint32_t* positions) noexcept {
  return exec::Positions({keep, rows}, positions);
}

uint64_t nts_count_values(const uint8_t* nulls, size_t count) noexcept { return exec::CountValues(nulls, count); }

uint64_t nts_sum_int(const uint64_t* words, const uint8_t* nulls, size_t count, NtsWideSum* sum) noexcept {
  return exec::SumInt(words, nulls, count, sum);
}

uint64_t nts_min_int(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* least) noexcept {
  return exec::MinInt(words, nulls, count, least);
}

uint64_t nts_max_int(const uint64_t* words, const uint8_t* nulls, size_t count, int64_t* greatest) noexcept {
  return exec::MaxInt(words, nulls, count, greatest);
}

uint64_t nts_sum_float8(const uint64_t* words, const uint8_t* nulls, size_t count, double* sum) noexcept {
  return exec::SumFloat<double, double>(words, nulls, count, sum);
}

uint64_t nts_sum_float4(const uint64_t* words, const uint8_t* nulls, size_t count, float* sum) noexcept {
  return exec::SumFloat<float, float>(words, nulls, count, sum);
}

uint64_t nts_sum_float4_wide(const uint64_t* words, const uint8_t* nulls, size_t count, double* sum) noexcept {
  return exec::SumFloat<float, double>(words, nulls, count, sum);
}

uint64_t nts_min_float8(const uint64_t* words, const uint8_t* nulls, size_t count, double* least) noexcept {
  return exec::MinFloat<double>(words, nulls, count, least);
}

uint64_t nts_max_float8(const uint64_t* words, const uint8_t* nulls, size_t count, double* greatest) noexcept {
  return exec::MaxFloat<double>(words, nulls, count, greatest);
}

uint64_t nts_min_float4(const uint64_t* words, const uint8_t* nulls, size_t count, double* least) noexcept {
  return exec::MinFloat<float>(words, nulls, count, least);
}

uint64_t nts_max_float4(const uint64_t* words, const uint8_t* nulls, size_t count, double* greatest) noexcept {
  return exec::MaxFloat<float>(words, nulls, count, greatest);
}

bool nts_moderate_float8(const uint64_t* words, size_t count) noexcept { return exec::ModerateFloat8(words, count); }

size_t nts_sum_numerics(const NtsSlice* numerics, size_t count, bool with_squares, NtsExactSums* sums) noexcept {
  return exec::SumNumerics({numerics, count}, with_squares, sums);
}

size_t nts_sum_squares(const uint64_t* words, const uint8_t* nulls, size_t count, NtsExactSums* sums) noexcept {
  return exec::SumSquares(words, nulls, count, sums);
}

size_t nts_quotient_numeric(const NtsWideSum* sum, uint64_t count, uint8_t* numeric) noexcept {
  return exec::QuotientNumeric(*sum, count, numeric);
}

size_t nts_extreme_numeric(const NtsSlice* numerics, size_t count, bool greatest, size_t* place) noexcept {
  return exec::ExtremeNumeric({numerics, count}, greatest, place);
}

void nts_gather_words(const uint64_t* words, const uint32_t* rows, size_t count, uint64_t* out) noexcept {
  exec::Gather(words, rows, count, out);
}

void nts_gather_bytes(const uint8_t* bytes, const uint32_t* rows, size_t count, uint8_t* out) noexcept {
  exec::Gather(bytes, rows, count, out);
}

void nts_mark_changed_words(const uint64_t* words, size_t count, uint8_t* marks) noexcept {
  exec::MarkChanges(words, count, marks);
}

void nts_mark_changed_bytes(const uint8_t* bytes, size_t count, uint8_t* marks) noexcept {
  exec::MarkChanges(bytes, count, marks);
}

size_t nts_list_marks(const uint8_t* marks, size_t count, uint32_t* positions) noexcept {
  return exec::ListMarks(marks, count, positions);
}

bool nts_is_ascending(const uint64_t* words, size_t count) noexcept {
  return exec::IsAscending(words, count);
}

size_t nts_count_below(const uint64_t* words, size_t count, int64_t limit) noexcept {
  return exec::CountBelow(words, count, limit);
}

size_t nts_floor_buckets(const uint64_t* words, size_t count, int64_t origin, int64_t limit, int64_t width,
                         uint64_t* out) noexcept {
  return exec::FloorBuckets(words, count, origin, limit, width, out);
}

}  // extern "C"
