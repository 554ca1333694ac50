// The choice, in words. A good key makes (key, time) unique with as few series as
// possible: hostname alone rather than the ten tags it determines, and not a label
// that merely changes over time. Where times repeat, that is measured. Where each
// time is unique anyway, or there is none, it says nothing, and the smallest set of
// labels that tells as many rows apart as all labels do is taken.
//
// Integers that are not labels are metrics unless they behave like an id: with them,
// (key, time) is unique; the values of the first half of the rows are those of the
// second; and there are about as many values as rows at one time. Gauges fail at least
// one of the three, also when several of them are combined.
#include "memtable/series_choice.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

#include "memtable/table_layout.h"

namespace nodedb_ts::memtable {

namespace {

constexpr size_t kMaxCandidates = 128;
constexpr size_t kMaxIdColumns = 3;

struct Codes {
  std::vector<uint32_t> of_row;  // dense numbers, equal for equal values
  uint32_t distinct = 1;
};

struct Candidate {
  uint16_t column;
  Codes codes;
};

// Two different values of equal 64-bit hash count as one: this is a guess anyway.
Codes Densify(const std::vector<uint64_t>& hashes) {
  size_t size = 64;
  while (size < hashes.size() * 2) size *= 2;
  std::vector<uint32_t> table(size, UINT32_MAX);  // first row with this hash
  Codes codes;
  codes.of_row.resize(hashes.size());
  codes.distinct = 0;
  for (uint32_t row = 0; row < hashes.size(); ++row) {
    size_t at = (hashes[row] * 0x9e3779b97f4a7c15u >> 32) & (size - 1);
    while (table[at] != UINT32_MAX && hashes[table[at]] != hashes[row]) {
      at = (at + 1) & (size - 1);
    }
    if (table[at] == UINT32_MAX) {
      table[at] = row;
      codes.of_row[row] = codes.distinct++;
    } else {
      codes.of_row[row] = codes.of_row[table[at]];
    }
  }
  return codes;
}

Codes Combine(const Codes& left, const Codes& right) {
  std::vector<uint64_t> pairs(left.of_row.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = uint64_t{left.of_row[i]} << 32 | right.of_row[i];
  }
  return Densify(pairs);
}

class Chooser {
 public:
  Chooser(const NtsSchema& schema, const segment::RowSource& source, uint32_t rows)
      : schema_(schema), source_(source), rows_(std::min(rows, kChoiceRows)) {
    order_.resize(rows_);
    std::iota(order_.begin(), order_.end(), 0);
    chosen_.of_row.assign(rows_, 0);
  }

  std::vector<uint16_t> Choose();

 private:
  Codes CodesOf(uint16_t column) const;
  std::vector<Candidate> Candidates(bool labels) const;
  void KeepAdmissible(std::vector<Candidate>* labels);
  void AddByTime(const std::vector<Candidate>& labels);
  void AddByDistinct(const std::vector<Candidate>& labels);
  void AddIds();
  bool LooksLikeIds(const Codes& codes) const;
  uint32_t WithTime(const Codes& codes) const { return Combine(codes, time_).distinct; }
  bool Chosen(uint16_t column) const {
    return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
  }
  void Take(uint16_t column, Codes codes) {
    columns_.push_back(column);
    chosen_ = std::move(codes);
  }

  const NtsSchema& schema_;
  const segment::RowSource& source_;
  const uint32_t rows_;
  std::vector<uint32_t> order_;
  Codes time_;
  uint32_t all_distinct_ = 1;   // of all admissible labels together
  uint32_t all_with_time_ = 1;  // and of them with the time
  Codes chosen_;                // of the columns chosen so far
  std::vector<uint16_t> columns_;
};

Codes Chooser::CodesOf(uint16_t column) const {
  const uint8_t kind = schema_.columns[column].kind;
  std::vector<uint64_t> hashes(rows_);
  std::vector<uint8_t> nulls(rows_);
  if (kind == NTS_KIND_VAR || kind == NTS_KIND_FIXED) {
    std::vector<std::string_view> views(rows_);
    source_.GatherBytes(column, order_, views.data(), nulls.data());
    for (uint32_t i = 0; i < rows_; ++i) hashes[i] = std::hash<std::string_view>()(views[i]);
  } else {
    source_.GatherWords(column, order_, hashes.data(), nulls.data());
  }
  for (uint32_t i = 0; i < rows_; ++i) {
    if (nulls[i]) hashes[i] = 0x6a09e667f3bcc909u;
  }
  return Densify(hashes);
}

// Columns that are neither constant nor nearly unique, lowest cardinality first.
std::vector<Candidate> Chooser::Candidates(bool labels) const {
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < schema_.column_count; ++i) {
    const NtsColumn& column = schema_.columns[i];
    if (static_cast<int64_t>(i) == schema_.time_column) continue;
    const bool is_label = (column.flags & NTS_COLUMN_LABEL) != 0;
    const bool fits = column.kind == NTS_KIND_INT ||
                      (labels && (column.kind == NTS_KIND_VAR || column.kind == NTS_KIND_FIXED));
    if (is_label != labels || !fits) continue;
    const uint16_t index = static_cast<uint16_t>(i);
    Codes codes = CodesOf(index);
    if (codes.distinct < 2 || uint64_t{codes.distinct} * 4 > uint64_t{rows_} * 3) continue;
    candidates.push_back({index, std::move(codes)});
    if (candidates.size() == kMaxCandidates) break;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return a.codes.distinct < b.codes.distinct;
                   });
  return candidates;
}

// Drops labels with which nearly each row would be a series of its own.
void Chooser::KeepAdmissible(std::vector<Candidate>* labels) {
  Codes all;
  all.of_row.assign(rows_, 0);
  std::vector<Candidate> kept;
  for (Candidate& label : *labels) {
    Codes wider = Combine(all, label.codes);
    if (uint64_t{wider.distinct} * 4 > uint64_t{rows_} * 3) continue;
    all = std::move(wider);
    kept.push_back(std::move(label));
  }
  labels->swap(kept);
  all_distinct_ = all.distinct;
  if (time_.distinct > 1) all_with_time_ = WithTime(all);
}

void Chooser::AddByTime(const std::vector<Candidate>& labels) {
  uint32_t unique = time_.distinct;
  while (columns_.size() < kMaxSeriesColumns &&
         uint64_t{unique} * 100 < uint64_t{all_with_time_} * 99) {
    const Candidate* best = nullptr;
    Codes best_codes;
    uint32_t best_unique = 0;
    for (const Candidate& label : labels) {
      if (Chosen(label.column)) continue;
      Codes codes = Combine(chosen_, label.codes);
      if (!columns_.empty() && codes.distinct > rows_ / 4) continue;
      const uint32_t with_time = WithTime(codes);
      // Of about equally good ones, the one with fewer series.
      const bool clearly = uint64_t{with_time} * 100 > uint64_t{best_unique} * 101;
      const bool about = uint64_t{with_time} * 101 >= uint64_t{best_unique} * 100;
      if (best == nullptr || clearly || (about && codes.distinct < best_codes.distinct)) {
        best = &label;
        best_codes = std::move(codes);
        best_unique = with_time;
      }
    }
    if (best == nullptr || uint64_t{best_unique} * 200 <= uint64_t{unique} * 201) return;
    unique = best_unique;
    Take(best->column, std::move(best_codes));
  }
}

void Chooser::AddByDistinct(const std::vector<Candidate>& labels) {
  while (columns_.size() < kMaxSeriesColumns && chosen_.distinct < all_distinct_) {
    const Candidate* best = nullptr;
    Codes best_codes;
    for (const Candidate& label : labels) {
      if (Chosen(label.column)) continue;
      Codes codes = Combine(chosen_, label.codes);
      if (!columns_.empty() && codes.distinct > rows_ / 4) continue;
      if (codes.distinct > best_codes.distinct) {
        best = &label;
        best_codes = std::move(codes);
      }
    }
    if (best == nullptr || best_codes.distinct <= chosen_.distinct) return;
    Take(best->column, std::move(best_codes));
  }
}

bool Chooser::LooksLikeIds(const Codes& codes) const {
  if (uint64_t{WithTime(codes)} * 100 < uint64_t{rows_} * 99) return false;
  if (uint64_t{codes.distinct} * time_.distinct > uint64_t{rows_} * 4) return false;
  // Codes are numbered by first appearance.
  const auto middle = codes.of_row.begin() + static_cast<ptrdiff_t>(rows_ / 2);
  const uint32_t half = *std::max_element(codes.of_row.begin(), middle) + 1;
  return uint64_t{half} * 100 >= uint64_t{codes.distinct} * 95;
}

void Chooser::AddIds() {
  const std::vector<Candidate> integers = Candidates(false);
  std::vector<uint16_t> taken;
  Codes codes = chosen_;
  while (taken.size() < kMaxIdColumns && columns_.size() + taken.size() < kMaxSeriesColumns) {
    const Candidate* best = nullptr;
    Codes best_codes;
    uint32_t best_unique = WithTime(codes);
    for (const Candidate& integer : integers) {
      Codes wider = Combine(codes, integer.codes);
      if (LooksLikeIds(wider)) {
        taken.push_back(integer.column);
        columns_.insert(columns_.end(), taken.begin(), taken.end());
        return;
      }
      const uint32_t with_time = WithTime(wider);
      if (with_time <= best_unique) continue;
      best = &integer;
      best_unique = with_time;
      best_codes = std::move(wider);
    }
    if (best == nullptr) return;
    taken.push_back(best->column);
    codes = std::move(best_codes);
  }
}

std::vector<uint16_t> Chooser::Choose() {
  if (rows_ < 2) return {};
  if (schema_.time_column >= 0) time_ = CodesOf(static_cast<uint16_t>(schema_.time_column));
  // Times that are nearly unique by themselves, or missing, tell nothing.
  const bool times_repeat = schema_.time_column >= 0 &&
                            uint64_t{time_.distinct} * 10 <= uint64_t{rows_} * 9;
  if (!times_repeat) time_ = Codes();
  if (times_repeat && time_.of_row.empty()) return {};
  std::vector<Candidate> labels = Candidates(true);
  KeepAdmissible(&labels);
  if (times_repeat && time_.distinct > 1) {
    AddByTime(labels);
    if (uint64_t{WithTime(chosen_)} * 10 < uint64_t{rows_} * 9) AddIds();
  }
  // Rows that arrive label by label have times that labels do not tell apart.
  if (columns_.empty()) AddByDistinct(labels);
  std::sort(columns_.begin(), columns_.end());
  return columns_;
}

}  // namespace

std::vector<uint16_t> ChooseSeriesColumns(const NtsSchema& schema,
                                          const segment::RowSource& source, uint32_t rows) {
  return Chooser(schema, source, rows).Choose();
}

}  // namespace nodedb_ts::memtable
