// exec_capi.cpp - core.h's conditions on vectors. None of them can fail.
#include "exec/filter.h"
#include "nodedb_ts/core.h"

extern "C" {

int nts_word_compare(int32_t order, uint64_t word, uint64_t constant) noexcept {
  return nodedb_ts::exec::CompareWord(static_cast<NtsWordOrder>(order), word, constant);
}

void nts_filter_compare(int32_t order, int32_t compare, const uint64_t* values, const uint8_t* nulls,
                        uint32_t rows, uint64_t constant, uint8_t* keep) noexcept {
  nodedb_ts::exec::FilterCompare(static_cast<NtsWordOrder>(order), static_cast<NtsCompare>(compare), values,
                                 nulls, constant, {keep, rows});
}

void nts_filter_in(int32_t order, const uint64_t* values, const uint8_t* nulls, uint32_t rows,
                   const uint64_t* constants, uint32_t count, uint8_t* keep) noexcept {
  nodedb_ts::exec::FilterIn(static_cast<NtsWordOrder>(order), values, nulls, {constants, count}, {keep, rows});
}

uint32_t nts_filter_positions(const uint8_t* keep, uint32_t rows, uint32_t* positions) noexcept {
  return nodedb_ts::exec::Positions({keep, rows}, positions);
}

}  // extern "C"
