// column_blocks.h - rows by column, in memory of the caller: what a small flush writes without a memtable in between.
//
// Rows of L0 have been decoded into columns, and a segment is made of columns. Nothing is copied but the column that is
// asked for, whose blocks are joined. Series are numbered by the flush. That is for rows that fit into memory as they
// are: a memtable stores a key once for its series, and equal tags once for rows that follow each other.
#ifndef NODEDB_TS_MEMTABLE_COLUMN_BLOCKS_H
#define NODEDB_TS_MEMTABLE_COLUMN_BLOCKS_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/large_memory.h"
#include "base/status.h"
#include "memtable/account.h"
#include "memtable/flush_source.h"

namespace nodedb_ts::memtable {

class ColumnBlocks final : public FlushSource {
 public:
  // `schema` must outlive it.
  explicit ColumnBlocks(const NtsSchema& schema);

  // Takes all its rows, once; what the blocks point to is borrowed. Failed: it is of no use any more.
  base::Status Take(std::span<const NtsColumnBlock> blocks, uint32_t command_id);

  const NtsSchema& schema() const override { return schema_; }
  uint32_t rows() const override { return rows_; }
  uint64_t raw_bytes() const override { return raw_bytes_; }
  uint64_t RawRowBytes(uint32_t row) const override;
  bool times_ascend() const override { return times_ascend_; }
  const RowIds& row_ids() const override { return row_ids_; }
  const CommandIds& command_ids() const override { return command_ids_; }
  uint32_t numbered_series() const override { return 0; }
  void GatherSeries(std::span<const uint32_t>, uint32_t*) const override {}
  int CompareSeries(uint32_t, uint32_t) const override { return 0; }

  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const override;
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override;
  bool GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most, segment::ByteRuns* runs) const override;
  uint64_t LargestRowBytes() const override { return largest_row_bytes_; }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  struct Place {
    const NtsColumnBlock* block;
    uint32_t offset;
  };

  base::Status Measure();
  void CheckTimes();
  Place Locate(uint32_t row) const;
  void Load(size_t column) const;
  void GatherLoaded(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const;
  void CopyWords(size_t column, uint32_t first, size_t count, uint64_t* words, uint8_t* nulls) const;

  const NtsSchema& schema_;
  std::vector<NtsColumnBlock> blocks_;
  std::vector<uint32_t> starts_;  // the first row of each
  uint32_t rows_ = 0;
  uint64_t raw_bytes_ = 0;
  uint64_t largest_row_bytes_ = 0;  // if one row had the longest value of each column
  bool times_ascend_ = false;
  // Of a run of each, which nobody needs to limit.
  Budget budget_{UINT64_MAX};
  Account account_{&budget_, nullptr};
  RowIds row_ids_;
  CommandIds command_ids_;
  // The column that was asked for last, of all rows: words as RowSource has them, or addresses.
  mutable size_t loaded_ = kNone;
  mutable bool has_nulls_ = false;
  mutable base::LargeVector<uint64_t> words_;
  mutable base::LargeVector<uint8_t> nulls_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_COLUMN_BLOCKS_H
