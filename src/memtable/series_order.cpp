#include "memtable/series_order.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace nodedb_ts::memtable {

void SeriesOrder::Prepare(const Memtable* source, std::span<const uint16_t> columns) {
  source_ = source;
  single_ = columns.empty();
  number_.clear();
  rank_.clear();
  ranks_ = 1;
  if (single_) return;
  const bool numbered = source->layout().has_keys();
  std::vector<uint32_t> representative;  // row of each series numbered here
  if (!numbered) {
    NumberRows(columns);
    for (uint32_t row = 0; row < source->rows(); ++row) {
      if (number_[row] == representative.size()) representative.push_back(row);
    }
  }
  const size_t series = numbered ? source->series().size() : representative.size();
  const auto compare = [&](uint32_t a, uint32_t b) {
    return numbered ? source->CompareSeries(a, b)
                    : source->CompareRows(representative[a], representative[b], columns);
  };
  std::vector<uint32_t> order(series);
  for (uint32_t i = 0; i < series; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return compare(a, b) < 0; });
  // A series that was evicted and came back has two numbers and one rank.
  rank_.resize(series);
  ranks_ = 0;
  for (size_t i = 0; i < series; ++i) {
    if (i > 0 && compare(order[i - 1], order[i]) != 0) ++ranks_;
    rank_[order[i]] = ranks_;
  }
  ++ranks_;
}

// Numbers the series of an unkeyed memtable in order of appearance: hashes each key
// column by column, then finds equal keys in a table of their numbers.
void SeriesOrder::NumberRows(std::span<const uint16_t> columns) {
  constexpr size_t kBlockRows = 1024;
  const uint32_t rows = source_->rows();
  std::vector<uint64_t> hashes(rows, 0);
  uint64_t words[kBlockRows];
  std::string_view views[kBlockRows];
  uint8_t nulls[kBlockRows];
  uint32_t block[kBlockRows];
  for (uint32_t begin = 0; begin < rows; begin += kBlockRows) {
    const uint32_t count = std::min<uint32_t>(kBlockRows, rows - begin);
    for (uint32_t i = 0; i < count; ++i) block[i] = begin + i;
    for (const uint16_t column : columns) {
      const uint8_t kind = source_->layout().schema().columns[column].kind;
      const bool is_bytes = kind == NTS_KIND_VAR || kind == NTS_KIND_FIXED;
      if (is_bytes) {
        source_->GatherBytes(column, {block, count}, views, nulls);
      } else {
        source_->GatherWords(column, {block, count}, words, nulls);
      }
      for (uint32_t i = 0; i < count; ++i) {
        const uint64_t value = nulls[i]   ? 0x6a09e667f3bcc909u
                               : is_bytes ? std::hash<std::string_view>()(views[i])
                                          : words[i];
        uint64_t& hash = hashes[begin + i];
        hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
      }
    }
  }
  number_.resize(rows);
  std::vector<uint32_t> table(64, kNoSeries);  // a row of the series, open addressing
  uint32_t series = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    if (series * 2 >= table.size()) {
      std::vector<uint32_t> wider(table.size() * 4, kNoSeries);
      for (const uint32_t old : table) {
        if (old == kNoSeries) continue;
        size_t at = (hashes[old] >> 20) & (wider.size() - 1);
        while (wider[at] != kNoSeries) at = (at + 1) & (wider.size() - 1);
        wider[at] = old;
      }
      table.swap(wider);
    }
    size_t at = (hashes[row] >> 20) & (table.size() - 1);
    while (table[at] != kNoSeries && (hashes[table[at]] != hashes[row] ||
                                      source_->CompareRows(table[at], row, columns) != 0)) {
      at = (at + 1) & (table.size() - 1);
    }
    if (table[at] == kNoSeries) {
      table[at] = row;
      number_[row] = series++;
    } else {
      number_[row] = number_[table[at]];
    }
  }
}

void SeriesOrder::RankOf(std::span<const uint32_t> rows) {
  row_rank_.resize(rows.size());
  if (number_.empty()) {
    source_->GatherSeries(rows, row_rank_.data());
    for (uint32_t& rank : row_rank_) rank = rank_[rank];
  } else {
    for (size_t i = 0; i < rows.size(); ++i) row_rank_[i] = rank_[number_[rows[i]]];
  }
}

void SeriesOrder::SortBySeries(std::span<const uint32_t> rows, base::LargeVector<uint32_t>* sorted,
                               std::vector<uint32_t>* starts) {
  RankOf(rows);
  sorted->resize(rows.size());
  if (ranks_ > rows.size() * 4) {
    // Few rows of many series: counting would cost more than sorting.
    std::vector<uint32_t> order(rows.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return row_rank_[a] < row_rank_[b]; });
    for (size_t i = 0; i < order.size(); ++i) {
      (*sorted)[i] = rows[order[i]];
      if (i == 0 || row_rank_[order[i]] != row_rank_[order[i - 1]]) {
        starts->push_back(static_cast<uint32_t>(i));
      }
    }
    return;
  }
  counts_.assign(ranks_, 0);
  for (const uint32_t rank : row_rank_) ++counts_[rank];
  uint32_t next = 0;
  for (uint32_t& count : counts_) {
    const uint32_t size = count;
    if (size > 0) starts->push_back(next);
    count = next;
    next += size;
  }
  for (size_t i = 0; i < rows.size(); ++i) (*sorted)[counts_[row_rank_[i]]++] = rows[i];
}

void SeriesOrder::SortByTime(size_t begin, size_t end, base::LargeVector<uint32_t>* sorted) {
  timed_.clear();
  size_t nulls = 0;
  for (size_t i = begin; i < end; ++i) {
    if (time_nulls_[i]) {
      (*sorted)[begin + nulls++] = (*sorted)[i];
    } else {
      timed_.push_back({static_cast<int64_t>(times_[i]), (*sorted)[i]});
    }
  }
  std::stable_sort(timed_.begin(), timed_.end(), [](const Timed& a, const Timed& b) {
    return a.time < b.time || (a.time == b.time && a.row < b.row);
  });
  for (size_t i = begin; i < begin + nulls; ++i) {
    times_[i] = 0;
    time_nulls_[i] = 1;
  }
  for (size_t i = 0; i < timed_.size(); ++i) {
    (*sorted)[begin + nulls + i] = timed_[i].row;
    times_[begin + nulls + i] = static_cast<uint64_t>(timed_[i].time);
    time_nulls_[begin + nulls + i] = 0;
  }
}

void SeriesOrder::Sort(std::span<const uint32_t> rows, base::LargeVector<uint32_t>* sorted,
                       std::vector<uint32_t>* starts) {
  starts->clear();
  times_.clear();
  time_nulls_.clear();
  if (single_) {
    sorted->assign(rows.begin(), rows.end());
  } else {
    SortBySeries(rows, sorted, starts);
  }
  const int32_t time_column = source_->layout().schema().time_column;
  if (time_column < 0 || source_->times_ascend()) return;
  times_.resize(rows.size());
  time_nulls_.resize(rows.size());
  source_->GatherWords(static_cast<size_t>(time_column), *sorted, times_.data(),
                       time_nulls_.data());
  // Rows usually arrive in time order; only series that did not are sorted.
  const size_t runs = single_ ? 1 : starts->size();
  for (size_t run = 0; run < runs; ++run) {
    const size_t begin = single_ ? 0 : (*starts)[run];
    const size_t end = run + 1 < runs ? (*starts)[run + 1] : rows.size();
    for (size_t i = begin + 1; i < end; ++i) {
      const bool ascends =
          time_nulls_[i - 1] ||
          (!time_nulls_[i] &&
           static_cast<int64_t>(times_[i - 1]) <= static_cast<int64_t>(times_[i]));
      if (ascends) continue;
      SortByTime(begin, end, sorted);
      break;
    }
  }
}

void SeriesOrder::Release() { *this = SeriesOrder(); }

}  // namespace nodedb_ts::memtable
