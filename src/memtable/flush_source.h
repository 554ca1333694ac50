// flush_source.h - rows that a flush sorts and writes: of a memtable, or by column where the caller has them.
#ifndef NODEDB_TS_MEMTABLE_FLUSH_SOURCE_H
#define NODEDB_TS_MEMTABLE_FLUSH_SOURCE_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "memtable/run_list.h"
#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::memtable {

// Do they follow each other, as rows that stay in arrival order do?
inline bool AreConsecutive(std::span<const uint32_t> rows) {
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i] != rows[0] + i) return false;
  }
  return true;
}

class FlushSource : public segment::RowSource {
 public:
  virtual const NtsSchema& schema() const = 0;
  virtual uint32_t rows() const = 0;
  // Bytes of values: of all rows, and of one.
  virtual uint64_t raw_bytes() const = 0;
  virtual uint64_t RawRowBytes(uint32_t row) const = 0;
  // There are times, and no row's is NULL or before that of a row that came earlier. Times of less than 64 bits
  // are not looked at.
  virtual bool times_ascend() const = 0;
  virtual const RowIds& row_ids() const = 0;
  virtual const CommandIds& command_ids() const = 0;

  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const final {
    uint32_t hint = 0;
    for (size_t i = 0; i < rows.size(); ++i) row_ids[i] = this->row_ids().Get(rows[i], &hint);
  }
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const final {
    uint32_t hint = 0;
    for (size_t i = 0; i < rows.size(); ++i) command_ids[i] = this->command_ids().Get(rows[i], &hint);
  }

  // How many series it has numbered; 0: its rows have no numbers, and the others are not called.
  virtual uint32_t numbered_series() const = 0;
  virtual void GatherSeries(std::span<const uint32_t> rows, uint32_t* series) const = 0;
  // Order of two series by key: numbers by value, bytes by memcmp, NULLs last.
  virtual int CompareSeries(uint32_t left, uint32_t right) const = 0;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_FLUSH_SOURCE_H
