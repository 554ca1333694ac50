#include "memtable/series_order.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "memtable/key_hash.h"
#include "memtable/series_map.h"
#include "segment/format.h"

namespace nodedb_ts::memtable {

namespace {

// Numbers the series of rows that have no numbers, in order of appearance. As in a SeriesMap, the series that followed
// that of the row before last time is tried first, and the key hashed only where that is wrong.
class KeyNumbers {
 public:
  KeyNumbers(const FlushSource& source, std::span<const uint16_t> columns) : source_(source), columns_(columns) {
    values_.resize(columns.size() * kBlockRows);
    for (const uint16_t column : columns) {
      is_bytes_.push_back(segment::IsBytes(source.schema().columns[column].kind) ? 1 : 0);
    }
  }

  // number: of each row.
  void Number(base::LargeVector<uint32_t>* number) {
    number->resize(source_.rows());
    const bool one_text = columns_.size() == 1 && is_bytes_[0] != 0;
    for (uint32_t begin = 0; begin < source_.rows(); begin += kBlockRows) {
      const uint32_t count = std::min(kBlockRows, source_.rows() - begin);
      GatherKeys(begin, count);
      uint32_t* const numbers = number->data() + begin;
      for (uint32_t i = 0; i < count; ++i) {
        if (last_ != kNoSeries) i = one_text ? Follow<true>(i, count, numbers) : Follow<false>(i, count, numbers);
        if (i == count) break;
        const uint32_t series = Find(i);
        if (series == series_.size()) Add(i);
        if (last_ != kNoSeries) series_[last_].follower = series;
        numbers[i] = last_ = series;
      }
    }
  }

  size_t series() const { return series_.size(); }

  // As FlushSource::CompareSeries.
  int Compare(uint32_t left, uint32_t right) const {
    const size_t count = columns_.size();
    const Value* const a = keys_.data() + left * count;
    const Value* const b = keys_.data() + right * count;
    for (size_t c = 0; c < count; ++c) {
      const int order = CompareValues(a[c], b[c], is_bytes_[c] != 0);
      if (order != 0) return order;
    }
    return 0;
  }

 private:
  static constexpr uint32_t kBlockRows = 256;

  struct Value {
    uint64_t word;  // of a byte string: its address
    uint32_t length;
    uint32_t is_null;
  };
  struct KeySeries {
    uint64_t hash;
    uint32_t follower;
  };

  static const void* BytesAt(const Value& value) {
    return reinterpret_cast<const void*>(static_cast<uintptr_t>(value.word));
  }

  static int CompareValues(const Value& a, const Value& b, bool is_bytes) {
    if (a.is_null != b.is_null) return a.is_null ? 1 : -1;
    if (is_bytes) {
      const std::string_view x(static_cast<const char*>(BytesAt(a)), a.length);
      return x.compare(std::string_view(static_cast<const char*>(BytesAt(b)), b.length));
    }
    const auto x = static_cast<int64_t>(a.word);
    const auto y = static_cast<int64_t>(b.word);
    return x < y ? -1 : x > y ? 1 : 0;
  }

  void GatherKeys(uint32_t begin, uint32_t count) {
    uint32_t rows[kBlockRows];
    uint8_t nulls[kBlockRows];
    for (uint32_t i = 0; i < count; ++i) rows[i] = begin + i;
    for (size_t c = 0; c < columns_.size(); ++c) {
      Value* const values = values_.data() + c * kBlockRows;
      if (is_bytes_[c]) {
        std::string_view views[kBlockRows];
        source_.GatherBytes(columns_[c], {rows, count}, views, nulls);
        for (uint32_t i = 0; i < count; ++i) {
          values[i] = {reinterpret_cast<uintptr_t>(views[i].data()), static_cast<uint32_t>(views[i].size()), nulls[i]};
        }
      } else {
        uint64_t words[kBlockRows];
        source_.GatherWords(columns_[c], {rows, count}, words, nulls);
        for (uint32_t i = 0; i < count; ++i) values[i] = {words[i], 0, nulls[i]};
      }
    }
  }

  template <bool kOneText>
  [[gnu::always_inline]] static bool Equal(const Value* value, const Value* key, const uint8_t* is_bytes, size_t count) {
    for (size_t c = 0; c < (kOneText ? 1 : count); ++c, value += kBlockRows) {
      if (value->length != key[c].length || value->is_null != key[c].is_null) return false;
      if (value->word == key[c].word) continue;
      if (!kOneText && is_bytes[c] == 0) return false;
      if (!EqualBytes(BytesAt(*value), BytesAt(key[c]), value->length)) return false;
    }
    return true;
  }
  bool Matches(uint32_t series, uint32_t i) const {
    const size_t count = columns_.size();
    return Equal<false>(values_.data() + i, keys_.data() + series * count, is_bytes_.data(), count);
  }

  // Numbers rows from i on as long as each is of the series that is expected; returns the first that is not, or count.
  template <bool kOneText>
  uint32_t Follow(uint32_t i, uint32_t count, uint32_t* numbers) {
    const KeySeries* const series = series_.data();
    const Value* const keys = keys_.data();
    const Value* const values = values_.data();
    const uint8_t* const is_bytes = is_bytes_.data();
    const size_t columns = kOneText ? 1 : columns_.size();
    uint32_t last = last_;
    for (; i < count; ++i) {
      const uint32_t next = series[last].follower;
      if (!Equal<kOneText>(values + i, keys + next * columns, is_bytes, columns)) break;
      numbers[i] = last = next;
    }
    last_ = last;
    return i;
  }

  uint64_t HashOf(uint32_t i) const {
    uint64_t state = 0;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const Value& value = values_[c * kBlockRows + i];
      state = value.is_null   ? Mix(state, kNullHash)
              : is_bytes_[c] ? MixBytes(state, BytesAt(value), value.length)
                             : Mix(state, value.word);
    }
    return state;
  }

  // The series of a row; the next number if it is new, whose hash is in hash_ then.
  uint32_t Find(uint32_t i) {
    hash_ = HashOf(i);
    size_t at = PlaceOf(hash_);
    for (; table_[at] != kNoSeries; at = (at + 1) & (table_.size() - 1)) {
      if (series_[table_[at]].hash == hash_ && Matches(table_[at], i)) return table_[at];
    }
    return static_cast<uint32_t>(series_.size());
  }

  void Add(uint32_t i) {
    if (series_.size() * 2 >= table_.size()) {
      table_.assign(table_.size() * 4, kNoSeries);
      for (uint32_t series = 0; series < series_.size(); ++series) Enter(series);
    }
    // It follows itself until it is known better.
    const auto series = static_cast<uint32_t>(series_.size());
    series_.push_back({hash_, series});
    for (size_t c = 0; c < columns_.size(); ++c) keys_.push_back(values_[c * kBlockRows + i]);
    Enter(series);
  }

  size_t PlaceOf(uint64_t hash) const {
    constexpr unsigned kUnusedBits = 20;  // the low ones are mixed least
    return (hash >> kUnusedBits) & (table_.size() - 1);
  }
  void Enter(uint32_t series) {
    size_t at = PlaceOf(series_[series].hash);
    while (table_[at] != kNoSeries) at = (at + 1) & (table_.size() - 1);
    table_[at] = series;
  }

  const FlushSource& source_;
  const std::span<const uint16_t> columns_;
  std::vector<uint8_t> is_bytes_;  // of each key column
  std::vector<Value> values_;      // of the block at hand, column by column
  std::vector<Value> keys_;        // of each series, all columns
  std::vector<KeySeries> series_;
  std::vector<uint32_t> table_ = std::vector<uint32_t>(64, kNoSeries);  // open addressing
  uint32_t last_ = kNoSeries;  // of the row before
  uint64_t hash_ = 0;
};

}  // namespace

void SeriesOrder::Prepare(const FlushSource* source, std::span<const uint16_t> columns) {
  source_ = source;
  single_ = columns.empty();
  number_.clear();
  rank_.clear();
  ranks_ = 1;
  if (single_) return;
  const bool numbered = source->numbered_series() > 0;
  std::optional<KeyNumbers> keys;
  if (!numbered) keys.emplace(*source, columns).Number(&number_);
  const size_t series = numbered ? source->numbered_series() : keys->series();
  const auto compare = [&](uint32_t a, uint32_t b) {
    return numbered ? source->CompareSeries(a, b) : keys->Compare(a, b);
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
  const int32_t time_column = source_->schema().time_column;
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
