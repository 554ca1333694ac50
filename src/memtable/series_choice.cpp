// The choice, in words. A good key makes (key, time) unique with as few series as
// possible: hostname alone rather than the ten tags it determines, and not a label
// that merely changes over time. Where times repeat, that is measured.
//
// Where each time is unique anyway, or there is none, nothing needs telling apart, and a
// label has to show that it names a source: sources report in turn, so that between
// two rows of one lie about as many others each time, however they are shuffled. Labels
// that describe a row (a method, a status, a flag) come at random, those that describe a
// state stay for a while. Of labels in turn the one with most values is taken, and
// others that come in turn within it. If there is none in turn, the label with most values
// that leaves a series enough rows; but not one at random with few values, if rows
// come at regular times as they are: then they are one series.
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
// What makes a series of rows that do not come in turn.
constexpr uint32_t kLeastSeriesRows = 16;
constexpr uint32_t kLeastSources = 16;
// Spread of the distances between rows of one value: 0 strictly in turn, about 0.2 in rounds of random order, 1 at random,
// more in stretches.
constexpr double kMostInTurn = 0.5;
constexpr double kMostAtRandom = 2;
constexpr double kLeastWindows = 0.8;
constexpr uint32_t kSpreadRows = 5;  // of a value; fewer say nothing about their spread

struct Codes {
  std::vector<uint32_t> of_row;  // dense numbers, equal for equal values
  uint32_t distinct = 1;
};

struct Candidate {
  uint16_t column;
  Codes codes;
  bool admissible = true;  // where times repeat
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
    by_time_ = order_;
    chosen_.of_row.assign(rows_, 0);
  }

  std::vector<uint16_t> Choose();

 private:
  Codes CodesOf(uint16_t column) const;
  std::vector<Candidate> Candidates(bool labels) const;
  void LeaveOutInadmissible(std::vector<Candidate>* labels);
  void AddByTime(const std::vector<Candidate>& labels);
  void AddByTurns(const std::vector<Candidate>& labels);
  template <typename May>
  bool AddWidest(const std::vector<Candidate>& labels, May&& may);
  bool AddInTurn(const std::vector<Candidate>& labels);
  void AddMostDistinct(const std::vector<Candidate>& labels);
  void SortByTime();
  double Spread(const Codes& wider) const;
  double Windows(const Codes& wider) const;
  bool InTurn(const Codes& wider) const;
  bool AtRegularTimes() const;
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
  std::vector<uint32_t> by_time_;  // the rows in order of time
  std::vector<uint64_t> times_;    // of rows, if there is a time column
  Codes time_;
  uint32_t all_with_time_ = 1;     // of all admissible labels together with the time
  Codes chosen_;                   // of the columns chosen so far
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

// Leaves out labels with which nearly each row would be a series of its own.
void Chooser::LeaveOutInadmissible(std::vector<Candidate>* labels) {
  Codes all;
  all.of_row.assign(rows_, 0);
  for (Candidate& label : *labels) {
    Codes wider = Combine(all, label.codes);
    label.admissible = uint64_t{wider.distinct} * 4 <= uint64_t{rows_} * 3;
    if (label.admissible) all = std::move(wider);
  }
  all_with_time_ = WithTime(all);
}

void Chooser::AddByTime(const std::vector<Candidate>& labels) {
  uint32_t unique = time_.distinct;
  while (columns_.size() < kMaxSeriesColumns &&
         uint64_t{unique} * 100 < uint64_t{all_with_time_} * 99) {
    const Candidate* best = nullptr;
    Codes best_codes;
    uint32_t best_unique = 0;
    // Labels at random tell apart the few rows that come twice, too.
    const bool nearly = !columns_.empty() && uint64_t{unique} * 10 >= uint64_t{all_with_time_} * 9;
    for (const Candidate& label : labels) {
      if (!label.admissible || Chosen(label.column)) continue;
      Codes codes = Combine(chosen_, label.codes);
      if (!columns_.empty() && codes.distinct > rows_ / 4) continue;
      if (nearly && !InTurn(codes)) continue;
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

void Chooser::SortByTime() {
  times_.resize(rows_);
  std::vector<uint8_t> nulls(rows_);
  source_.GatherWords(static_cast<size_t>(schema_.time_column), order_, times_.data(), nulls.data());
  std::stable_sort(by_time_.begin(), by_time_.end(), [&](uint32_t a, uint32_t b) {
    return static_cast<int64_t>(times_[a]) < static_cast<int64_t>(times_[b]);
  });
}

// The mean variance of the distances between rows of one value of `wider`, counted in the rows with one value of what is
// chosen, to that of as many rows at random. Negative: values have too few rows to tell.
double Chooser::Spread(const Codes& wider) const {
  struct Value {
    uint32_t group, last, rows;
    double squares;
    uint32_t first;
  };
  std::vector<Value> values(wider.distinct);
  std::vector<uint32_t> seen(chosen_.distinct);
  for (const uint32_t row : by_time_) {
    Value& value = values[wider.of_row[row]];
    const uint32_t group = chosen_.of_row[row];
    const uint32_t at = seen[group]++;
    if (value.rows++ == 0) {
      value.group = group;
      value.first = at;
    } else {
      const double distance = at - value.last;
      value.squares += distance * distance;
    }
    value.last = at;
  }
  double sum = 0, counted = 0, all = 0;
  for (const Value& value : values) {
    const double k = value.rows, n = seen[value.group];
    if (value.rows == seen[value.group]) continue;
    all += k;
    if (value.rows < kSpreadRows) continue;
    const double span = value.last - value.first;
    const double variance = (value.squares - span * span / (k - 1)) / (k - 2);
    const double at_random = (n - k) * (n + 1) / ((k + 1) * (k + 2));
    // One value in long stretches says no more than that it is not in turn.
    sum += k * std::min(variance / at_random, 2 * kMostAtRandom);
    counted += k;
  }
  return counted * 2 >= all && counted > 0 ? sum / counted : -1;
}

// The share of a chosen value's d values of `wider` that each d rows have: 1 in turn, 0.75 or less at random.
double Chooser::Windows(const Codes& wider) const {
  std::vector<uint32_t> size(chosen_.distinct), seen(chosen_.distinct);
  std::vector<uint32_t> window(wider.distinct, UINT32_MAX);  // in which the value was last
  std::vector<uint8_t> known(wider.distinct);
  std::vector<uint32_t> length(chosen_.distinct);
  for (uint32_t row = 0; row < rows_; ++row) {
    size[chosen_.of_row[row]] += known[wider.of_row[row]] ^ 1;
    known[wider.of_row[row]] = 1;
    ++length[chosen_.of_row[row]];
  }
  double found = 0, places = 0;
  for (const uint32_t row : by_time_) {
    const uint32_t group = chosen_.of_row[row];
    const uint32_t number = seen[group]++ / size[group];
    if (size[group] < 2 || (number + 1) * size[group] > length[group]) continue;
    uint32_t& last = window[wider.of_row[row]];
    found += last != number;
    last = number;
    places += 1;
  }
  return places > 0 ? found / places : 0;
}

bool Chooser::InTurn(const Codes& wider) const {
  const double spread = Spread(wider);
  return spread < 0 ? Windows(wider) >= kLeastWindows : spread <= kMostInTurn;
}

// Of the chosen series: most times between rows equal the one before.
bool Chooser::AtRegularTimes() const {
  if (times_.empty()) return false;
  std::vector<uint32_t> before(chosen_.distinct, UINT32_MAX);
  std::vector<int64_t> step(chosen_.distinct, -1);
  uint32_t steps = 0, equal = 0;
  for (const uint32_t row : by_time_) {
    const uint32_t group = chosen_.of_row[row];
    if (before[group] != UINT32_MAX) {
      const auto now = static_cast<int64_t>(times_[row] - times_[before[group]]);
      if (step[group] >= 0) {
        ++steps;
        equal += now == step[group];
      }
      step[group] = now;
    }
    before[group] = row;
  }
  return equal * 2 > steps;
}

// Adds the label that makes most series of those that may(label, series with it); false: there is none.
template <typename May>
bool Chooser::AddWidest(const std::vector<Candidate>& labels, May&& may) {
  const Candidate* best = nullptr;
  Codes best_codes;
  best_codes.distinct = chosen_.distinct;
  for (const Candidate& label : labels) {
    if (Chosen(label.column)) continue;
    Codes codes = Combine(chosen_, label.codes);
    if (codes.distinct <= best_codes.distinct || !may(label, codes)) continue;
    best = &label;
    best_codes = std::move(codes);
  }
  if (best == nullptr) return false;
  Take(best->column, std::move(best_codes));
  return true;
}

// Adds the label with most values of those that come in turn within what is chosen.
bool Chooser::AddInTurn(const std::vector<Candidate>& labels) {
  return AddWidest(labels, [&](const Candidate&, const Codes& codes) {
    return (columns_.empty() || codes.distinct <= rows_ / 4) && InTurn(codes);
  });
}

void Chooser::AddMostDistinct(const std::vector<Candidate>& labels) {
  const bool regular = AtRegularTimes();
  if (regular && !columns_.empty()) return;
  AddWidest(labels, [&](const Candidate& label, const Codes& codes) {
    if (uint64_t{codes.distinct} * kLeastSeriesRows > rows_) return false;
    const bool few = label.codes.distinct < kLeastSources;
    return !(few && (regular || !columns_.empty()) && Spread(codes) < kMostAtRandom);
  });
}

void Chooser::AddByTurns(const std::vector<Candidate>& labels) {
  while (columns_.size() < kMaxSeriesColumns && AddInTurn(labels)) {
  }
  if (chosen_.distinct >= kLeastSources || columns_.size() == kMaxSeriesColumns) return;
  AddMostDistinct(labels);
  while (!columns_.empty() && columns_.size() < kMaxSeriesColumns && AddInTurn(labels)) {
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
  if (schema_.time_column >= 0) {
    time_ = CodesOf(static_cast<uint16_t>(schema_.time_column));
    SortByTime();
  }
  // Times that are nearly unique by themselves, or missing, tell nothing.
  const bool times_repeat = schema_.time_column >= 0 &&
                            uint64_t{time_.distinct} * 10 <= uint64_t{rows_} * 9;
  if (!times_repeat) time_ = Codes();
  if (times_repeat && time_.of_row.empty()) return {};
  std::vector<Candidate> labels = Candidates(true);
  if (times_repeat && time_.distinct > 1) {
    LeaveOutInadmissible(&labels);
    AddByTime(labels);
    if (uint64_t{WithTime(chosen_)} * 10 < uint64_t{rows_} * 9) AddIds();
  }
  // Rows that arrive label by label have times that labels do not tell apart.
  if (columns_.empty()) AddByTurns(labels);
  std::sort(columns_.begin(), columns_.end());
  return columns_;
}

}  // namespace

std::vector<uint16_t> ChooseSeriesColumns(const NtsSchema& schema,
                                          const segment::RowSource& source, uint32_t rows) {
  return Chooser(schema, source, rows).Choose();
}

}  // namespace nodedb_ts::memtable
