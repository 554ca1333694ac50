// part.h - the rows that one (sub)transaction put into one table.
//
// Double-buffered: an active memtable takes rows; frozen ones are being flushed, or
// were in a flush that failed. Between them may be queued ones, which wait for the
// next flush because a merge could not afford to copy them. The first block of rows is
// staged: unless more rows come, it becomes a batch without a memtable.
#ifndef NODEDB_TS_MEMTABLE_PART_H
#define NODEDB_TS_MEMTABLE_PART_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "memtable/column_blocks.h"
#include "memtable/flush_plan.h"
#include "memtable/memtable.h"
#include "memtable/staged_rows.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

class TimeseriesManager;

class Part {
 public:
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  // Adds a row. Rejected: the row is not in. A failure changes nothing.
  base::Status Append(const NtsValue* values, uint64_t row_id, uint32_t command_id,
                      NtsIngest* result);
  // Adds rows from the start of a block; returns how many (Memtable::AppendBlock).
  uint32_t AppendBlock(const NtsRowBlock& block, uint32_t command_id, NtsIngest* result);
  uint64_t RowBytes(const NtsValue* values) const;

  // Series columns; ignored once rows are keyed.
  base::Status SetSeries(std::span<const uint16_t> columns);
  bool has_series() const { return has_series_; }
  std::span<const uint16_t> series_columns() const { return series_columns_; }

  // Takes all rows of another part of the same manager and schema. On failure
  // nothing changed.
  base::Status Merge(Part* from);
  // Finds a row; values: one per column, valid until the part changes.
  bool Fetch(uint64_t row_id, NtsValue* values, uint32_t* command_id) const;
  void Reset();

  // A flush: begin, next until kind END, end. While it runs, rows may be appended.
  base::Status FlushBegin(const NtsFlushOptions& options);
  // The same with borrowed rows of the caller, which FlushEnd forgets, in place of rows of its own. kBug: it has such.
  base::Status FlushBeginColumns(std::span<const NtsColumnBlock> blocks, uint32_t command_id,
                                 const NtsFlushOptions& options);
  base::Status FlushNext(NtsOutput* output);
  void FlushEnd(bool success);

  uint64_t rows() const;
  uint64_t bytes() const;
  const NtsSchema& schema() const { return unkeyed_->schema(); }
  TimeseriesManager* manager() const { return manager_; }
  void* owner() const { return owner_; }
  void set_owner(void* owner) { owner_ = owner; }

 private:
  friend class TimeseriesManager;
  using Tables = std::vector<std::unique_ptr<Memtable>>;

  // REQUIRES: the schema was checked.
  Part(TimeseriesManager* manager, const NtsSchema& schema);

  const std::shared_ptr<const TableLayout>& layout() const {
    return has_series_ ? keyed_ : unkeyed_;
  }
  Memtable* Active();
  bool Stage(const NtsRowBlock& block, uint32_t command_id);
  std::unique_ptr<Memtable> TableOfStaged(uint32_t first, Grow* result) const;
  bool Unstage();
  void UnstageFirst();
  base::Status FlushStaged(NtsOutput* output);
  void TakeSeries(std::span<const uint16_t> columns, bool firm);
  void ForgetSeries();
  void Rekey();
  void EvictOver(uint64_t max_series);
  bool HasKeyedRows() const;
  base::Status TakeActive(Part* from);
  void TakeOptions(const NtsFlushOptions& options);
  // What the running flush writes: `columns_`, or the memtables of frozen_.
  size_t sources() const { return columns_ != nullptr ? 1 : frozen_.size(); }
  void StartPlan();
  void Recycle(std::unique_ptr<Memtable> table);

  TimeseriesManager* manager_;
  Part* previous_ = nullptr;  // in the manager's list
  Part* next_ = nullptr;
  void* owner_ = nullptr;
  std::shared_ptr<const TableLayout> unkeyed_;
  std::shared_ptr<const TableLayout> keyed_;  // when has_series_
  bool has_series_ = false;
  bool firm_ = false;  // the choice outlives a reset
  std::vector<uint16_t> series_columns_;
  StagedRows staged_;                 // before all others
  uint32_t staged_done_ = 0;          // put out by the flush that runs
  std::unique_ptr<Memtable> active_;  // may be missing or empty
  Tables queued_;
  Tables frozen_;
  bool flushing_ = false;
  std::unique_ptr<ColumnBlocks> columns_;  // of the flush that was begun with them
  size_t current_ = 0;  // of the sources, the one that plan_ is about
  NtsFlushOptions options_ = {};
  std::shared_ptr<const segment::DictionarySet> dictionaries_;  // of the flush
  FlushPlan plan_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_PART_H
