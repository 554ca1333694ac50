// series_order.h - rows sorted by (series key, time).
#ifndef NODEDB_TS_MEMTABLE_SERIES_ORDER_H
#define NODEDB_TS_MEMTABLE_SERIES_ORDER_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/large_memory.h"
#include "memtable/flush_source.h"

namespace nodedb_ts::memtable {

class SeriesOrder {
 public:
  // Ranks the series of the source's rows in these columns. A memtable keyed by just these
  // has numbered them already; else the rows are looked at here.
  void Prepare(const FlushSource* source, std::span<const uint16_t> columns);

  // Sorts rows by series, then time (NULL first), then arrival, into *sorted; starts:
  // positions at which a series begins, empty without series columns. REQUIRES: rows
  // stand in arrival order within each time.
  void Sort(std::span<const uint32_t> rows, base::LargeVector<uint32_t>* sorted,
            std::vector<uint32_t>* starts);

  // Times of the rows sorted last, in their order; empty without a time column, and where all times ascend: they
  // were not looked at.
  const base::LargeVector<uint64_t>& times() const { return times_; }
  const base::LargeVector<uint8_t>& time_nulls() const { return time_nulls_; }

  void Release();

 private:
  struct Timed {
    int64_t time;
    uint32_t row;
  };
  void RankOf(std::span<const uint32_t> rows);
  void SortBySeries(std::span<const uint32_t> rows, base::LargeVector<uint32_t>* sorted,
                    std::vector<uint32_t>* starts);
  void SortByTime(size_t begin, size_t end, base::LargeVector<uint32_t>* sorted);

  const FlushSource* source_ = nullptr;
  bool single_ = true;              // no series columns
  uint32_t ranks_ = 0;
  std::vector<uint32_t> rank_;      // of each series number
  base::LargeVector<uint32_t> number_;    // of each row, where the source has none
  base::LargeVector<uint32_t> row_rank_;  // of the rows being sorted
  std::vector<uint32_t> counts_;
  base::LargeVector<uint64_t> times_;
  base::LargeVector<uint8_t> time_nulls_;
  std::vector<Timed> timed_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_SERIES_ORDER_H
