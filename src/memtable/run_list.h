// run_list.h - row ids and command ids of rows, as runs instead of one per row.
#ifndef NODEDB_TS_MEMTABLE_RUN_LIST_H
#define NODEDB_TS_MEMTABLE_RUN_LIST_H

#include <cstdint>
#include <optional>

#include "memtable/buffers.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::memtable {

// Rows [first_row, next run's first_row) have the ids first_id, first_id + 1, ...,
// or none.
struct IdRun {
  uint32_t first_row;
  uint64_t first_id;  // or NTS_NO_ROW_ID
};

struct CommandRun {
  uint32_t first_row;
  uint32_t command_id;
};

// Index of the run that holds a row. Runs is any array of runs by first_row;
// hint: a run to try first.
template <typename Runs>
uint32_t FindRun(const Runs& runs, uint32_t row, uint32_t hint) {
  const uint32_t size = runs.size();
  if (hint < size && runs[hint].first_row <= row) {
    if (hint + 1 == size || runs[hint + 1].first_row > row) return hint;
    if (hint + 2 == size || runs[hint + 2].first_row > row) return hint + 1;
  }
  uint32_t low = 0;
  uint32_t high = size;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (runs[middle].first_row <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Row ids. Ids of a part usually ascend; after a merge they need not, and then an
// index of the runs by id is kept.
class RowIds {
 public:
  RowIds(Account* account, uint32_t full_bytes)
      : runs_(account, ChunkGeometry::For(sizeof(IdRun), 32, full_bytes)),
        by_id_(account) {}

  // Room for one more row, whatever its id.
  bool Reserve(uint64_t row_id);
  void Append(uint32_t row, uint64_t row_id);  // REQUIRES: Reserve said yes

  // The row with this id; rows: how many there are.
  std::optional<uint32_t> Find(uint64_t row_id, uint32_t rows) const;
  uint64_t Get(uint32_t row, uint32_t* hint) const;
  uint32_t runs() const { return runs_.size(); }
  bool any() const { return with_ids_ > 0; }
  bool all(uint32_t rows) const { return with_ids_ == rows; }

  void Truncate(uint32_t rows, uint32_t old_rows);
  void Clear();
  void Release();

 private:
  uint32_t RunRows(uint32_t run, uint32_t rows) const {
    return (run + 1 < runs_.size() ? runs_[run + 1].first_row : rows) - runs_[run].first_row;
  }
  bool IndexAll();
  uint32_t LowerBound(uint64_t row_id) const;

  ChunkedArray<IdRun> runs_;
  PodVector<uint32_t> by_id_;   // runs with ids, by first id; unused while ascending_
  bool ascending_ = true;
  uint32_t with_ids_ = 0;       // rows that have an id
  uint64_t next_id_ = 0;        // id that continues the last run
  uint64_t highest_end_ = 0;    // one past the highest id seen
};

class CommandIds {
 public:
  CommandIds(Account* account, uint32_t full_bytes)
      : runs_(account, ChunkGeometry::For(sizeof(CommandRun), 24, full_bytes)) {}

  bool Reserve() { return runs_.Reserve(); }
  void Append(uint32_t row, uint32_t command_id) {
    if (runs_.empty() || runs_.back().command_id != command_id) {
      runs_.push_back({row, command_id});
    }
  }
  uint32_t Get(uint32_t row, uint32_t* hint) const {
    *hint = FindRun(runs_, row, *hint);
    return runs_[*hint].command_id;
  }
  uint32_t runs() const { return runs_.size(); }
  void Truncate(uint32_t rows) {
    while (!runs_.empty() && runs_.back().first_row >= rows) runs_.truncate(runs_.size() - 1);
  }
  void Clear() { runs_.clear(); }
  void Release() { runs_.Release(); }

 private:
  ChunkedArray<CommandRun> runs_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_RUN_LIST_H
