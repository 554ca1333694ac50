#include "memtable/run_list.h"

#include <algorithm>

namespace nodedb_ts::memtable {

bool RowIds::Reserve(uint64_t row_id) {
  if (!runs_.Reserve()) return false;
  if (row_id == NTS_NO_ROW_ID) return true;
  if (ascending_ && row_id < highest_end_ && row_id != next_id_) return IndexAll();
  return ascending_ || by_id_.Reserve();
}

// Leaves the common case: from now on the runs are found through an index.
bool RowIds::IndexAll() {
  by_id_.truncate(0);
  for (uint32_t run = 0; run < runs_.size(); ++run) {
    if (runs_[run].first_id == NTS_NO_ROW_ID) continue;
    if (!by_id_.Reserve()) return false;
    by_id_.push_back(run);
  }
  if (!by_id_.Reserve()) return false;
  ascending_ = false;
  return true;
}

uint32_t RowIds::LowerBound(uint64_t row_id) const {
  uint32_t low = 0;
  uint32_t high = by_id_.size();
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (runs_[by_id_[middle]].first_id <= row_id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;  // the first run that begins above row_id
}

void RowIds::Append(uint32_t row, uint64_t row_id) {
  if (row_id == NTS_NO_ROW_ID) {
    if (runs_.empty() || runs_.back().first_id != NTS_NO_ROW_ID) {
      runs_.push_back({row, NTS_NO_ROW_ID});
    }
    return;
  }
  ++with_ids_;
  const bool continues = !runs_.empty() && runs_.back().first_id != NTS_NO_ROW_ID &&
                         row_id == next_id_;
  if (!continues) {
    if (!ascending_) by_id_.insert(LowerBound(row_id), runs_.size());
    runs_.push_back({row, row_id});
  }
  next_id_ = row_id + 1;
  highest_end_ = std::max(highest_end_, next_id_);
}

std::optional<uint32_t> RowIds::Find(uint64_t row_id, uint32_t rows) const {
  if (with_ids_ == 0 || row_id >= highest_end_) return std::nullopt;
  const auto look = [&](uint32_t run) -> std::optional<uint32_t> {
    const IdRun& found = runs_[run];
    if (row_id < found.first_id || row_id - found.first_id >= RunRows(run, rows)) {
      return std::nullopt;
    }
    return found.first_row + static_cast<uint32_t>(row_id - found.first_id);
  };
  if (!ascending_) {
    // Runs do not overlap: an id is handed out once.
    const uint32_t above = LowerBound(row_id);
    return above == 0 ? std::nullopt : look(by_id_[above - 1]);
  }
  uint32_t low = 0;
  uint32_t high = runs_.size();
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    // A run without ids lies between two that have them or at an end.
    const uint32_t probe = middle;
    if (runs_[middle].first_id == NTS_NO_ROW_ID) {
      if (middle == low) {
        low = middle + 1;
        continue;
      }
      --middle;
    }
    if (runs_[middle].first_id > row_id) {
      high = middle;
    } else if (const auto row = look(middle)) {
      return row;
    } else {
      low = probe + 1;
    }
  }
  return std::nullopt;
}

uint64_t RowIds::Get(uint32_t row, uint32_t* hint) const {
  *hint = FindRun(runs_, row, *hint);
  const IdRun& run = runs_[*hint];
  return run.first_id == NTS_NO_ROW_ID ? NTS_NO_ROW_ID : run.first_id + (row - run.first_row);
}

void RowIds::Truncate(uint32_t rows, uint32_t old_rows) {
  while (!runs_.empty() && runs_.back().first_row >= rows) {
    if (runs_.back().first_id != NTS_NO_ROW_ID) {
      with_ids_ -= old_rows - runs_.back().first_row;
      for (uint32_t i = 0; i < by_id_.size(); ++i) {
        if (by_id_[i] != runs_.size() - 1) continue;
        for (uint32_t k = i + 1; k < by_id_.size(); ++k) by_id_[k - 1] = by_id_[k];
        by_id_.truncate(by_id_.size() - 1);
        break;
      }
    }
    old_rows = runs_.back().first_row;
    runs_.truncate(runs_.size() - 1);
  }
  next_id_ = NTS_NO_ROW_ID;  // nothing continues
  if (runs_.empty() || runs_.back().first_id == NTS_NO_ROW_ID) return;
  with_ids_ -= old_rows - rows;
  next_id_ = runs_.back().first_id + (rows - runs_.back().first_row);
}

void RowIds::Clear() {
  runs_.clear();
  by_id_.truncate(0);
  ascending_ = true;
  with_ids_ = 0;
  next_id_ = highest_end_ = 0;
}

void RowIds::Release() {
  runs_.Release();
  by_id_.Release();
  Clear();
}

}  // namespace nodedb_ts::memtable
