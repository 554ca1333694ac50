// memtable.h - rows of one table in memory, by column, in arrival order.
//
// Rows are only added. A keyed memtable assigns each row to its series on arrival
// and stores the values of series columns once per series. Other values of variable
// length are stored once per variant: rows that repeat all of them, as those of a series
// repeat its tags, share one. Everything it allocates is charged to its Account. Not thread-safe.
#ifndef NODEDB_TS_MEMTABLE_MEMTABLE_H
#define NODEDB_TS_MEMTABLE_MEMTABLE_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/large_memory.h"
#include "memtable/account.h"
#include "memtable/arena.h"
#include "memtable/column_store.h"
#include "memtable/flush_source.h"
#include "memtable/run_list.h"
#include "memtable/series_map.h"
#include "memtable/table_layout.h"

namespace nodedb_ts::memtable {

class Memtable final : public FlushSource, private CacheOwner {
 public:
  // `budget` must outlive the memtable.
  Memtable(Budget* budget, std::shared_ptr<const TableLayout> layout);

  // Adds a row; unless kOk is returned nothing changed. values: one per column.
  Grow Append(const NtsValue* values, uint64_t row_id, uint32_t command_id);
  // Adds rows from the start of a block, without ids, by column, while they go into one chunk; returns how
  // many. It stops before a row of a series that is new when there are max_series active ones, and where
  // Append is needed for some other reason; 0 says nothing but that.
  uint32_t AppendBlock(const NtsRowBlock& block, uint32_t command_id, uint64_t max_series = UINT64_MAX);
  // Adds all rows of another memtable of the same schema; on failure nothing changed.
  Grow AppendAll(const Memtable& other);
  // What one row would add at most by itself, not counting the rest of a chunk.
  static uint64_t RowBytes(const TableLayout& layout, const NtsValue* values);

  // Rows of the series that was written least recently become "evicted": they stay,
  // but the series takes no more rows (a later row with its key starts a new one).
  // O(1) amortized over the rows. REQUIRES: active_series() > 0 and has_keys().
  void EvictColdest();

  const NtsSchema& schema() const override { return layout_->schema(); }
  uint32_t rows() const override { return rows_; }
  uint32_t evicted_rows() const { return evicted_rows_; }
  uint32_t active_series() const;
  uint64_t raw_bytes() const override { return raw_bytes_; }
  // What is saved by rows that share a variant.
  uint64_t shared_bytes() const {
    return rows_ <= variant_count_ ? 0 : uint64_t{rows_ - variant_count_} * layout_->variants().row_bytes;
  }
  // What its rows take in another memtable, at most: none may find its variant there.
  uint64_t copy_bytes() const {
    constexpr uint64_t kArenaHeader = 5;
    return bytes() + shared_bytes() + raw_bytes_ + uint64_t{rows_} * layout_->variants().slots.size() * kArenaHeader;
  }
  bool times_ascend() const override { return times_ascend_ && layout_->time_slot() != nullptr; }
  uint64_t bytes() const { return account_.bytes(); }
  const TableLayout& layout() const { return *layout_; }
  const std::shared_ptr<const TableLayout>& shared_layout() const { return layout_; }
  Account& account() { return account_; }
  const Account& account() const { return account_; }

  std::optional<uint32_t> FindRow(uint64_t row_id) const {
    return row_ids_.Find(row_id, rows_);
  }
  // values: one per column; addresses are valid while the memtable is unchanged.
  void ReadRow(uint32_t row, NtsValue* values) const;
  uint32_t CommandId(uint32_t row) const {
    uint32_t hint = 0;
    return command_ids_.Get(row, &hint);
  }
  uint64_t RawRowBytes(uint32_t row) const override;
  const RowIds& row_ids() const override { return row_ids_; }
  const CommandIds& command_ids() const override { return command_ids_; }

  // Series numbers of rows. REQUIRES: layout().has_keys().
  void GatherSeries(std::span<const uint32_t> rows, uint32_t* series) const override;
  const SeriesMap& series() const { return series_; }
  uint32_t numbered_series() const override { return layout_->has_keys() ? series_.size() : 0; }
  int CompareSeries(uint32_t left, uint32_t right) const override;

  // Forgets all rows. Keeps the buffers when they are at most keep_bytes.
  void Clear(uint64_t keep_bytes);

  void WillGather(std::span<const uint32_t> rows) const override;
  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                   uint8_t* nulls) const override;
  uint64_t* LendWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                      uint8_t* nulls) const override;
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override;
  bool GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most, segment::ByteRuns* runs) const override;
  uint64_t LargestRowBytes() const override { return largest_row_bytes_; }

 private:
  static constexpr uint32_t kMaxRows = UINT32_MAX - 16;
  // Values up to this length are compared with the previous row of the same series
  // and shared with it when equal: tags that the series columns determine would
  // otherwise be stored once per row. Rows with longer ones have a variant of their own.
  static constexpr uint32_t kSharedBytes = 64;
  static constexpr uint32_t kMaxBlockRows = 256;
  static constexpr uint32_t kMaxImageBytes = 1024;
  static constexpr uint64_t kImageShare = 8;  // images take so much of the rows' raw bytes at most
  static constexpr uint64_t kImageTrials = 256;

  // A row of a block that is being added.
  struct BlockRow {
    uint32_t series;
    uint32_t variant;
    uint32_t previous;  // the row before it in its series
    uint32_t previous_variant;
    uint32_t var_bytes;
    bool same;  // its image is that of `previous`
  };

  Grow TryAppend(const NtsValue* values, uint64_t row_id, uint32_t command_id);
  template <bool kFullChunk>
  bool WriteRow(const NtsValue* values, uint32_t series, uint32_t variant, RowPlace here);
  uint32_t FindVariant(const NtsValue* values, uint32_t before);
  uint64_t VarBytes(const NtsValue* values) const;
  void WriteNumbers(uint8_t* cell, uint32_t series, uint32_t variant) const;
  uint32_t VariantOf(uint32_t row) const;
  // The one made last: without keys, that of the newest row.
  uint32_t NewestVariant() const { return variant_count_ == 0 ? kNoVariant : variant_count_ - 1; }
  // Cells of a variant, one after the other. The next row mostly asks for those of the variant that was made last.
  uint8_t* VariantCells(uint32_t variant) const {
    return variant == placed_variant_ ? placed_cells_ : variants_.RowCells(variants_.At(variant));
  }
  uint32_t TryAppendBlock(const NtsRowBlock& block, uint32_t command_id, uint64_t max_series);
  bool FindBlockRow(const NtsRowBlock& block, uint32_t i, BlockRow* row, uint32_t* hash);
  // Where images mostly differ, they cost more than they save.
  bool TakesImages(const NtsRowBlock& block) const {
    return block.images != nullptr && image_misses_ <= image_hits_ + kImageTrials;
  }
  bool HasImage(const Series& series, const uint8_t* image, uint32_t length);
  bool FindBlockVariant(const NtsRowBlock& block, uint32_t i, BlockRow* row);
  bool FindBlockSeriesOf(const NtsRowBlock& block, uint32_t i, uint64_t max_series, BlockRow* row);
  uint32_t FindBlockSeries(const NtsRowBlock& block, uint32_t count, uint64_t max_series, BlockRow* rows);
  bool WriteBlock(const NtsRowBlock& block, uint32_t count, RowPlace here, const BlockRow* rows);
  void WriteBlockRuns(const NtsRowBlock& block, uint32_t count, RowPlace here);
  template <typename Word>
  bool WriteBlockWords(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                       uint8_t* cells);
  bool WriteBlockFixed(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number,
                       uint8_t* cells);
  bool SetBlockNulls(const NtsRowBlock& block, uint32_t count, RowPlace here, uint16_t number);
  void UndoBlock(uint32_t count, const BlockRow* rows);
  void NoteBlock(const NtsRowBlock& block, uint32_t count, const BlockRow* rows);
  bool AreGathered(std::span<const uint32_t> rows) const {
    return !gathered_.empty() && rows.data() == gathered_.data() && rows.size() == gathered_.size();
  }
  void FindRuns(std::span<const uint32_t> rows) const;
  template <typename Set>
  void ForEachKey(uint32_t slot, std::span<const uint32_t> rows, Set&& set) const;
  template <typename Set>
  void ForEachVar(uint32_t slot, std::span<const uint32_t> rows, Set&& set) const;
  template <typename Visit>
  void ForEachRowCell(uint32_t slot, std::span<const uint32_t> rows, Visit&& visit) const;
  template <typename Stored, typename Wide>
  void GatherColumn(uint32_t slot, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const;
  void FillTile(uint32_t tile) const;
  uint64_t* TileWords(const Slot& slot) const;
  void NoteTime(uint64_t word, bool is_null) {
    const auto time = static_cast<int64_t>(word);
    times_ascend_ = times_ascend_ && !is_null && time >= newest_time_;
    newest_time_ = time;
  }
  void Rollback();
  // What a memtable held at some moment.
  struct Size {
    uint32_t rows;
    uint32_t series;
    uint32_t variants;
    Arena::Mark mark;
  };
  void Truncate(const Size& size);
  void ReleaseBuffers() override;
  uint32_t SeriesOf(uint32_t row) const;

  std::shared_ptr<const TableLayout> layout_;
  Account account_;
  Arena arena_;
  Arena::Mark mark_;  // what the rows need of the arena
  ColumnStore store_;
  ColumnStore variants_;
  uint32_t variant_count_ = 0;
  uint32_t placed_variant_ = kNoVariant;  // whose cells are placed_cells_
  uint8_t* placed_cells_ = nullptr;
  SeriesMap series_;
  RowIds row_ids_;
  CommandIds command_ids_;
  uint32_t rows_ = 0;
  uint32_t evicted_rows_ = 0;
  uint32_t eviction_cursor_ = 0;  // no row before it is the newest of an active series
  uint64_t raw_bytes_ = 0;
  bool times_ascend_ = true;
  int64_t newest_time_ = INT64_MIN;
  uint64_t largest_row_bytes_ = 0;   // of any row since the last Clear
  uint64_t image_bytes_ = 0;
  uint64_t image_hits_ = 0;
  uint64_t image_misses_ = 0;
  std::vector<NtsValue> block_values_;  // scratch, one per column
  bool block_has_nulls_ = false;  // a word of the block that is being added is NULL
  // Rows that are about to be gathered, and where their cells by row lie.
  mutable std::span<const uint32_t> gathered_;
  mutable std::vector<const uint8_t*> gathered_rows_;
  // Some neighbouring cells of 8 bytes of these rows, column by column: a row is fetched from memory for all of them.
  static constexpr uint32_t kTileColumns = 16;
  static constexpr uint32_t kNoTile = UINT32_MAX;
  mutable base::LargeVector<uint64_t> tile_words_;
  mutable uint32_t tile_ = kNoTile;
  // Of these rows, those of one series and variant in a row; nothing where rows have no numbers.
  struct GatheredRun {
    uint32_t end;
    uint32_t series;
    uint32_t variant;
  };
  mutable std::vector<GatheredRun> gathered_runs_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_MEMTABLE_H
