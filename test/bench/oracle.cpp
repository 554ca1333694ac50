// How far level 2's choice of codecs for words is from trying everything.
//
//   oracle [--every=N] [--doubles] NAME TYPES < CSV
//
// TYPES: a letter for each column: t timestamp, d date, 2 4 8 integers of so many bytes, f float8, s text.
// The CSV has no header; empty is NULL. The first text column is the series, the first time (or else the
// first integer) column the time; rows are sorted by them, a segment of level 2 is built, and for the word
// chunks of every N-th row group printed:
//
//   chosen   bytes that the encoder wrote
//   oracle   bytes of the least of: every codec with every parameter for each vector; integers, first and
//            second differences of them and of every scaled form by entropy tables that are made for the
//            vectors that use them; with and without a dictionary, a mapping, steps
//
// --doubles: no oracle, but each series of each float8 column on its own, beside plain ALP, ALP-RD and Chimp128
// (float_sizes.h) and zstd -3 over the raw doubles. The last line has sums, and how much would be saved if each
// series had the least of all.
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/decimal/decimal.h"
#include "codec/entropy/entropy.h"
#include "codec/gorilla/gorilla.h"
#include "codec/registry/registry.h"
#include "codec/scaled/scaled.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"
#include "segment/statistics.h"

#include "float_sizes.h"

namespace nodedb_ts {
namespace {

using base::BitWidth;
using base::VarintBytes;
using base::ZigZag;
using codec::WordKind;
using codec::WordShape;
using Words = std::vector<uint64_t>;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "oracle: %s\n", what.c_str());
  std::exit(1);
}

// ---- sets -----------------------------------------------------------------------

class Set : public segment::RowSource {
 public:
  explicit Set(const std::string& types) : types_(types), words_(types.size()), texts_(types.size()), nulls_(types.size()) {
    for (const char t : types) {
      switch (t) {
        case 't': case '8': columns_.push_back({NTS_KIND_INT, 8, 0, 8}); break;
        case 'd': case '4': columns_.push_back({NTS_KIND_INT, 4, 0, 4}); break;
        case '2': columns_.push_back({NTS_KIND_INT, 2, 0, 2}); break;
        case 'f': columns_.push_back({NTS_KIND_FLOAT8, 8, 0, 8}); break;
        case 's': columns_.push_back({NTS_KIND_VAR, 4, 0, 0}); break;
        default: Fail(std::string("unknown type ") + t);
      }
    }
  }

  void Read(std::istream& in) {
    std::string line;
    std::vector<std::string> fields;
    while (std::getline(in, line)) {
      for (std::string more; std::count(line.begin(), line.end(), '"') % 2 != 0;) {
        if (!std::getline(in, more)) break;
        line += '\n' + more;
      }
      Split(line, &fields);
      if (fields.size() != types_.size()) Fail("a row with another number of columns: " + line);
      uint64_t bytes = 0;
      for (size_t c = 0; c < fields.size(); c++) {
        const bool null = fields[c].empty();
        nulls_[c].push_back(null);
        if (types_[c] == 's') {
          bytes += fields[c].size();
          texts_[c].push_back(std::move(fields[c]));
        } else {
          bytes += 8;
          words_[c].push_back(null ? 0 : Word(types_[c], fields[c]));
        }
      }
      largest_ = std::max(largest_, bytes);
      rows_++;
    }
  }

  void Sort() {
    const size_t series = types_.find('s');
    size_t time = types_.find_first_of("td");
    if (time == std::string::npos) time = types_.find_first_of("248");
    time_ = time == std::string::npos ? -1 : static_cast<int>(time);
    series_ = series == std::string::npos ? -1 : static_cast<int>(series);
    order_.resize(rows_);
    std::iota(order_.begin(), order_.end(), 0u);
    std::stable_sort(order_.begin(), order_.end(), [this](uint32_t a, uint32_t b) {
      const int by_series = CompareSeries(a, b);
      if (by_series != 0 || time_ < 0) return by_series < 0;
      const auto t = static_cast<size_t>(time_);
      return static_cast<int64_t>(words_[t][a]) < static_cast<int64_t>(words_[t][b]);
    });
    for (size_t i = 0; i < rows_; i++) {
      if (i == 0 || CompareSeries(order_[i - 1], order_[i]) != 0) {
        starts_.push_back(static_cast<uint32_t>(i));
      }
    }
  }

  void GatherWords(size_t c, std::span<const uint32_t> rows, uint64_t* out,
                   uint8_t* nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      out[i] = words_[c][rows[i]];
      nulls[i] = nulls_[c][rows[i]];
    }
  }
  void GatherBytes(size_t c, std::span<const uint32_t> rows, std::string_view* out,
                   uint8_t* nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      nulls[i] = nulls_[c][rows[i]];
      out[i] = texts_[c][rows[i]];
    }
  }
  void GatherRowIds(std::span<const uint32_t>, uint64_t*) const override {}
  void GatherCommandIds(std::span<const uint32_t>, uint32_t*) const override {}
  uint64_t LargestRowBytes() const override { return largest_; }

  const std::string& types() const { return types_; }
  const std::vector<NtsColumn>& columns() const { return columns_; }
  const std::vector<uint32_t>& order() const { return order_; }
  const std::vector<uint32_t>& starts() const { return starts_; }
  int time() const { return time_; }
  int series() const { return series_; }
  std::string SeriesName(uint32_t row) const {
    return series_ < 0 ? "all" : texts_[static_cast<size_t>(series_)][row];
  }

 private:
  static void Split(const std::string& line, std::vector<std::string>* fields) {
    fields->assign(1, "");
    bool quoted = false;
    for (size_t i = 0; i < line.size(); i++) {
      const char c = line[i];
      if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
        fields->back() += line[++i];
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        fields->emplace_back();
      } else {
        fields->back() += c;
      }
    }
  }

  // Microseconds, or days, since 2000.
  static int64_t Time(const std::string& text) {
    struct tm t = {};
    const char* end = strptime(text.c_str(), "%Y-%m-%d", &t);
    if (end == nullptr) Fail("no time: " + text);
    if (*end != 0) end = strptime(end + 1, "%H:%M:%S", &t);
    int64_t micros = 0;
    if (end != nullptr && *end == '.') {
      std::string digits(end + 1);
      digits = digits.substr(0, digits.find_first_not_of("0123456789"));
      digits.resize(6, '0');
      micros = std::atoll(digits.c_str());
    }
    return (timegm(&t) - 946684800) * 1'000'000 + micros;
  }

  static uint64_t Word(char type, const std::string& text) {
    switch (type) {
      case 't': return static_cast<uint64_t>(Time(text));
      case 'd': return static_cast<uint64_t>(Time(text) / 86'400'000'000);
      case 'f': return std::bit_cast<uint64_t>(std::strtod(text.c_str(), nullptr));
      default: return static_cast<uint64_t>(std::strtoll(text.c_str(), nullptr, 10));
    }
  }

  int CompareSeries(uint32_t a, uint32_t b) const {
    if (series_ < 0) return 0;
    const auto& t = texts_[static_cast<size_t>(series_)];
    return t[a].compare(t[b]);
  }

  std::string types_;
  std::vector<NtsColumn> columns_;
  std::vector<Words> words_;
  std::vector<std::vector<std::string>> texts_;
  std::vector<std::vector<uint8_t>> nulls_;
  std::vector<uint32_t> order_;
  std::vector<uint32_t> starts_;
  uint64_t largest_ = 0;
  size_t rows_ = 0;
  int series_ = -1;
  int time_ = -1;
};

// ---- codecs that stand alone ------------------------------------------------------

// A frame of these values with every base worth trying and every width.
size_t LeastFrame(std::span<const uint64_t> values) {
  std::vector<int64_t> sorted;
  for (const uint64_t v : values) sorted.push_back(static_cast<int64_t>(v));
  std::sort(sorted.begin(), sorted.end());
  const size_t n = values.size();
  size_t least = SIZE_MAX;
  uint64_t before = ~static_cast<uint64_t>(sorted[0]);
  for (const size_t share : {0, 1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    const auto base = static_cast<uint64_t>(sorted[n * share / 1024]);
    if (base == before) continue;
    before = base;
    for (unsigned width = 0; width <= 64; width++) {
      size_t exceptions = 0;
      size_t bytes = VarintBytes(ZigZag(static_cast<int64_t>(base))) + 1 + codec::PackedBytes(n, width);
      size_t next = 0;
      for (size_t i = 0; i < n && bytes < least; i++) {
        if (BitWidth(values[i] - base) <= width) continue;
        exceptions++;
        bytes += VarintBytes(i - next) + VarintBytes(ZigZag(static_cast<int64_t>(values[i] - base)));
        next = i + 1;
      }
      least = std::min(least, bytes + VarintBytes(exceptions));
      if (exceptions == 0) break;
    }
  }
  return least;
}

template <typename F>
size_t Written(F&& write) {
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  write(&out);
  return bytes.size();
}

size_t LeastIntegers(std::span<const uint64_t> values, uint8_t width) {
  const WordShape shape{WordKind::kInt, width};
  size_t least = values.size() * width;
  const auto encoded = [&](uint8_t number) {
    return Written([&](base::ByteWriter* out) { codec::FindWordCodec(number)->encode(shape, values, out); });
  };
  if (std::all_of(values.begin(), values.end(), [&](uint64_t v) { return v == values[0]; })) {
    return std::min(least, encoded(codec::kConstant));
  }
  least = std::min({least, encoded(codec::kRuns), LeastFrame(values)});
  Words deltas;
  for (size_t i = 1; i < values.size(); i++) deltas.push_back(values[i] - values[i - 1]);
  return std::min(least, VarintBytes(ZigZag(static_cast<int64_t>(values[0]))) + LeastFrame(deltas));
}

// ---- what a vector may be ---------------------------------------------------------

// Integers that a table may code, and what stands before them.
struct Candidate {
  Words residuals;
  size_t head = 0;  // bytes, without the codec number of the vector
  double own_bits = 0;
};

struct Vector {
  Words values;
  size_t alone = SIZE_MAX;
  std::vector<Candidate> candidates;
};

void AddCandidates(std::span<const uint64_t> x, size_t head, uint64_t common_base, Vector* v) {
  const size_t n = x.size();
  const auto add = [&](Words residuals, size_t more) {
    codec::EntropyHistogram histogram;
    histogram.Add(residuals);
    v->candidates.push_back({std::move(residuals), head + more, histogram.Bits()});
  };
  int64_t own = INT64_MAX;
  for (const uint64_t w : x) own = std::min(own, static_cast<int64_t>(w));
  uint64_t bases[3] = {0, common_base, static_cast<uint64_t>(own)};
  for (size_t b = 0; b < 3; b++) {
    if (std::find(bases, bases + b, bases[b]) != bases + b) continue;
    Words residuals;
    for (const uint64_t w : x) residuals.push_back(w - bases[b]);
    add(residuals, 1 + VarintBytes(ZigZag(static_cast<int64_t>(bases[b]))));
  }
  const auto zig = [](uint64_t d) { return ZigZag(static_cast<int64_t>(d)); };
  Words deltas;
  Words second;
  for (size_t i = 1; i < n; i++) deltas.push_back(zig(x[i] - x[i - 1]));
  for (size_t i = 2; i < n; i++) second.push_back(zig(x[i] - 2 * x[i - 1] + x[i - 2]));
  const size_t first = 1 + VarintBytes(zig(x[0]));
  if (n > 1) add(std::move(deltas), first);
  if (n > 2) add(std::move(second), first + VarintBytes(zig(x[1] - x[0])));
}

constexpr size_t kMostCandidates = 8;

void KeepBestCandidates(Vector* v) {
  std::stable_sort(v->candidates.begin(), v->candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.own_bits + 8.0 * static_cast<double>(a.head) < b.own_bits + 8.0 * static_cast<double>(b.head);
  });
  if (v->candidates.size() > kMostCandidates) v->candidates.resize(kMostCandidates);
}

// Every scaled form that leaves at most half of the values as exceptions.
void AddScaled(const WordShape& shape, Vector* v) {
  const auto add = [&](unsigned exponent, codec::ScaledForm form, unsigned digits) {
    codec::ScaledVector plan;
    plan.exponent = static_cast<uint8_t>(exponent);
    plan.form = form;
    plan.digits = static_cast<uint8_t>(digits);
    codec::FillScaled(shape, v->values, &plan);
    if (plan.exceptions.size() * 2 > v->values.size()) return;
    const size_t head =
        Written([&](base::ByteWriter* out) { codec::WriteScaledHead(shape, v->values, plan, out); }) + 1;
    if (head >= v->alone) return;
    v->alone = std::min(v->alone, head + LeastIntegers(plan.integers, 8));
    AddCandidates(plan.integers, head, 0, v);
    KeepBestCandidates(v);
  };
  for (unsigned e = 0; e <= 15; e++) add(e, codec::ScaledForm::kExact, 0);
  add(0, codec::ScaledForm::kBits, 0);
  if (shape.kind != WordKind::kFloat8) return;
  for (unsigned e = 0; e <= 12; e++) add(e, codec::ScaledForm::kUlps, 0);
  for (unsigned b = 2; b <= 10; b++) {
    for (unsigned e = 0; e + 1 < b; e++) add(e, codec::ScaledForm::kRounded, b);
  }
}

void PlanVector(const WordShape& shape, uint64_t common_base, Vector* v) {
  const size_t n = v->values.size();
  if (shape.kind == WordKind::kInt) {
    v->alone = LeastIntegers(v->values, shape.width);
    if (v->alone > 12) AddCandidates(v->values, 0, common_base, v);
    KeepBestCandidates(v);
    return;
  }
  v->alone = n * shape.width;
  for (const uint8_t number : {codec::kRuns, codec::kGorilla, codec::kDecimal}) {
    v->alone = std::min(v->alone, Written([&](base::ByteWriter* out) {
      codec::FindWordCodec(number)->encode(shape, v->values, out);
    }));
  }
  if (std::all_of(v->values.begin(), v->values.end(), [&](uint64_t w) { return w == v->values[0]; })) {
    v->alone = std::min<size_t>(v->alone, shape.width);
  }
  if (v->alone > 12) AddScaled(shape, v);
}

// ---- tables -------------------------------------------------------------------------

struct Use {
  int candidate = -1;  // -1: alone
  int table = 0;
};

// Bytes of all vectors and tables when `count` tables are made in some rounds of giving each vector what is
// least for it.
size_t WithTables(const std::vector<Vector>& vectors, size_t count, int start) {
  std::vector<size_t> order(vectors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (start == 0) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const auto mean = [&](size_t v) {
        const Vector& x = vectors[v];
        return x.candidates.empty() ? 0 : x.candidates[0].own_bits / static_cast<double>(x.values.size());
      };
      return mean(a) < mean(b);
    });
  }
  std::vector<Use> uses(vectors.size());
  for (size_t i = 0; i < order.size(); i++) {
    const size_t table = start == 2 ? i * 7919 % 104729 % count : i * count / order.size();
    if (!vectors[order[i]].candidates.empty()) uses[order[i]] = {0, static_cast<int>(table)};
  }
  constexpr int kRounds = 10;
  size_t least = SIZE_MAX;
  std::vector<std::unique_ptr<codec::EntropyEncoder>> tables;
  for (size_t t = 0; t < count; t++) tables.push_back(std::make_unique<codec::EntropyEncoder>());
  for (int round = 0; round < kRounds; round++) {
    std::vector<bool> usable(count);
    size_t total = 1;
    for (size_t t = 0; t < count; t++) {
      codec::EntropyHistogram histogram;
      for (size_t v = 0; v < vectors.size(); v++) {
        if (uses[v].candidate < 0 || uses[v].table != static_cast<int>(t)) continue;
        histogram.Add(vectors[v].candidates[static_cast<size_t>(uses[v].candidate)].residuals);
      }
      usable[t] = tables[t]->Build(histogram);
      if (usable[t]) total += tables[t]->TableBytes();
    }
    for (size_t v = 0; v < vectors.size(); v++) {
      size_t bytes = vectors[v].alone;
      uses[v].candidate = -1;
      for (size_t c = 0; c < vectors[v].candidates.size(); c++) {
        const Candidate& candidate = vectors[v].candidates[c];
        for (size_t t = 0; t < count; t++) {
          if (!usable[t] || candidate.head >= bytes) continue;
          const size_t coded = tables[t]->EstimateBytes(candidate.residuals);
          if (coded == SIZE_MAX || candidate.head + coded >= bytes) continue;
          bytes = candidate.head + coded;
          uses[v] = {static_cast<int>(c), static_cast<int>(t)};
        }
      }
      total += bytes;
    }
    if (least != SIZE_MAX && total + 8 >= least && round > 3) return std::min(least, total);
    least = std::min(least, total);
  }
  return least;
}

struct Chunk {
  const std::vector<uint32_t>& rows;  // of each vector
  const Words& words;
  const std::vector<uint8_t>& nulls;
};

size_t NullBytes(const uint8_t* nulls, size_t n) {
  const auto missing = static_cast<size_t>(std::count(nulls, nulls + n, 1));
  if (missing == 0 || missing == n) return 0;
  size_t runs = 0;
  size_t bytes = 0;
  size_t i = 0;
  for (uint8_t in = 0; i < n; in ^= 1) {
    size_t length = 0;
    while (i < n && nulls[i] == in) i++, length++;
    bytes += VarintBytes(length);
    runs++;
  }
  return std::min(bytes + VarintBytes(runs), (n + 7) / 8);
}

// Bytes of the vectors, their offsets, and their tables.
size_t LeastBody(const WordShape& shape, const Chunk& chunk) {
  std::vector<Vector> vectors;
  size_t heads = 0;
  size_t at = 0;
  int64_t smallest = INT64_MAX;
  for (const uint32_t n : chunk.rows) {
    heads += 1 + NullBytes(chunk.nulls.data() + at, n);
    Vector v;
    for (size_t i = at; i < at + n; i++) {
      if (chunk.nulls[i]) continue;
      v.values.push_back(chunk.words[i]);
      smallest = std::min(smallest, static_cast<int64_t>(chunk.words[i]));
    }
    if (!v.values.empty()) vectors.push_back(std::move(v));
    at += n;
  }
  size_t alone = 0;
  for (Vector& v : vectors) {
    PlanVector(shape, static_cast<uint64_t>(smallest), &v);
    alone += v.alone;
  }
  size_t least = alone;
  for (const size_t count : {1, 2, 3, 4, 6, 8}) {
    if (count > 1 && vectors.size() < count) break;
    for (int start = 0; start < (count == 1 ? 1 : 3); start++) {
      least = std::min(least, WithTables(vectors, count, start) + 5);  // with the model's length and flags
    }
  }
  least += heads;
  const size_t width = least < 256 ? 1 : least < 65536 ? 2 : 4;
  return least + (vectors.size() - 1) * width;
}

size_t ListBytes(const WordShape& shape, const Words& words, const std::vector<uint8_t>& nulls) {
  size_t bytes = 0;
  for (size_t at = 0; at < words.size(); at += codec::kMaxVectorRows) {
    const size_t n = std::min(codec::kMaxVectorRows, words.size() - at);
    const size_t vector = Written([&](base::ByteWriter* out) {
      segment::WriteWordVector(shape, words.data() + at, nulls.data() + at, n, out);
    });
    bytes += VarintBytes(vector) + vector;
  }
  return bytes;
}

size_t StepBytes(const WordShape& shape, const Chunk& chunk) {
  Words lengths;
  Words values;
  std::vector<uint8_t> missing;
  for (size_t i = 0; i < chunk.words.size(); i++) {
    const bool null = chunk.nulls[i];
    const uint64_t value = null ? 0 : chunk.words[i];
    if (i > 0 && missing.back() == null && values.back() == value) {
      lengths.back()++;
      continue;
    }
    lengths.push_back(1);
    values.push_back(value);
    missing.push_back(null);
  }
  const std::vector<uint8_t> none(lengths.size(), 0);
  return VarintBytes(lengths.size()) + ListBytes({WordKind::kInt, 8}, lengths, none) +
         ListBytes(shape, values, missing);
}

// The least of everything, without statistics.
size_t LeastChunk(const WordShape& shape, const Chunk& chunk) {
  size_t least = 1 + std::min(LeastBody(shape, chunk), StepBytes(shape, chunk));
  int64_t min = INT64_MAX;
  int64_t max = INT64_MIN;
  Words distinct;
  for (size_t i = 0; i < chunk.words.size(); i++) {
    if (chunk.nulls[i]) continue;
    const auto v = static_cast<int64_t>(chunk.words[i]);
    min = std::min(min, v);
    max = std::max(max, v);
    distinct.push_back(chunk.words[i]);
  }
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  Words other(chunk.words.size());
  const Chunk mapped{chunk.rows, other, chunk.nulls};
  if (shape.kind == WordKind::kInt && static_cast<uint64_t>(max) - static_cast<uint64_t>(min) <= INT64_MAX) {
    uint64_t divisor = 0;
    for (const uint64_t v : distinct) divisor = std::gcd(divisor, v - static_cast<uint64_t>(min));
    divisor = std::max<uint64_t>(divisor, 1);
    for (size_t i = 0; i < other.size(); i++) {
      other[i] = chunk.nulls[i] ? 0 : (chunk.words[i] - static_cast<uint64_t>(min)) / divisor;
    }
    const size_t model = 6 + VarintBytes(ZigZag(min)) + VarintBytes(divisor);
    least = std::min(least, model + std::min(LeastBody({WordKind::kInt, 8}, mapped),
                                             StepBytes({WordKind::kInt, 8}, mapped)));
  }
  const auto before = [&](uint64_t a, uint64_t b) {
    return segment::OrderOf(shape, a) < segment::OrderOf(shape, b);
  };
  std::sort(distinct.begin(), distinct.end(), before);
  if (distinct.size() <= chunk.words.size() / 2) {
    for (size_t i = 0; i < other.size(); i++) {
      other[i] = static_cast<uint64_t>(
          std::lower_bound(distinct.begin(), distinct.end(), chunk.words[i], before) - distinct.begin());
      if (chunk.nulls[i]) other[i] = 0;
    }
    const size_t dictionary = 5 + VarintBytes(distinct.size()) +
                              ListBytes(shape, distinct, std::vector<uint8_t>(distinct.size(), 0));
    least = std::min(least, dictionary + std::min(LeastBody({WordKind::kInt, 8}, mapped),
                                                  StepBytes({WordKind::kInt, 8}, mapped)));
  }
  return least;
}

// ---- a set --------------------------------------------------------------------------

// What chosen and least chunks have alike: 4 bytes and the statistics, as the chunk's end tells.
size_t StatisticsBytes(std::span<const uint8_t> chunk) {
  const uint8_t flags = chunk.back();
  if ((flags & segment::kChunkHasStatistics) == 0) return 0;
  const size_t behind = 1 + ((flags & segment::kChunkHasModel) != 0 ? 4 : 0) + 4;
  return 4 + base::LoadLe<uint32_t>(chunk.data() + chunk.size() - behind);
}

void Compare(const std::string& name, const Set& set, uint32_t every) {
  const NtsSchema schema{set.columns().data(), static_cast<uint32_t>(set.columns().size()), set.time(), 0};
  segment::SegmentBuildOptions options;
  options.level = 2;
  std::vector<uint16_t> series;
  if (set.series() >= 0) series.push_back(static_cast<uint16_t>(set.series()));
  options.series_columns = series;
  std::vector<uint8_t> bytes;
  segment::SegmentSummary summary;
  base::Status status =
      segment::BuildSegment(schema, set, set.order(), set.starts(), options, &bytes, &summary);
  if (!status.ok()) Fail(status.message());
  std::unique_ptr<segment::Segment> built;
  status = segment::Segment::Open({bytes.data() + summary.footer_offset, bytes.size() - summary.footer_offset},
                                  bytes.size(), set.columns(), &built);
  if (!status.ok()) Fail(status.message());
  NtsSegmentInfo info;
  built->Info(&info);
  size_t chosen_total = 0;
  size_t least_total = 0;
  for (size_t c = 0; c < set.columns().size(); c++) {
    if (set.types()[c] == 's') continue;
    size_t chosen = 0;
    size_t least = 0;
    std::map<std::string, int> codecs;
    for (uint32_t g = 0; g < info.row_groups; g += every) {
      const segment::ChunkEntry* entry;
      NtsRowGroupInfo group;
      if (!built->Chunk(g, static_cast<int32_t>(c), &entry).ok() || !built->RowGroup(g, &group).ok()) Fail("read");
      codecs[codec::CodecName(entry->codec)]++;
      if (entry->length == 0) continue;
      uint32_t first = 0;
      std::vector<uint32_t> rows(group.vectors);
      for (uint32_t v = group.vectors; v-- > 0;) (void)!built->Vector(g, v, &first, &rows[v]).ok();
      Words words(group.rows);
      std::vector<uint8_t> nulls(group.rows);
      set.GatherWords(c, std::span(set.order()).subspan(group.first_row, group.rows), words.data(), nulls.data());
      const size_t statistics = StatisticsBytes({bytes.data() + entry->offset, entry->length});
      const size_t found = statistics + LeastChunk(segment::WordShapeOf(segment::ShapeOf(set.columns()[c])),
                                                   {rows, words, nulls});
      chosen += entry->length;
      least += std::min<size_t>(found, entry->length);
    }
    std::string names;
    for (const auto& [codec, n] : codecs) names += (names.empty() ? "" : ", ") + codec;
    if (least > 0) {
      std::printf("| %s | %zu%c | %zu | %zu | %.4f | %s |\n", name.c_str(), c + 1, set.types()[c], chosen, least,
                  static_cast<double>(chosen) / static_cast<double>(least), names.c_str());
      std::fflush(stdout);
    }
    chosen_total += chosen;
    least_total += least;
  }
  std::printf("| %s | all | %zu | %zu | %.4f | |\n", name.c_str(), chosen_total, least_total,
              static_cast<double>(chosen_total) / static_cast<double>(std::max<size_t>(1, least_total)));
}

// ---- doubles --------------------------------------------------------------------------

void CompareDoubles(const Set& set) {
  size_t totals[5] = {};  // as in a line
  size_t values_total = 0;
  size_t least_total = 0;
  for (size_t c = 0; c < set.columns().size(); c++) {
    if (set.types()[c] != 'f') continue;
    for (size_t s = 0; s < set.starts().size(); s++) {
      const size_t begin = set.starts()[s];
      const size_t end = s + 1 < set.starts().size() ? set.starts()[s + 1] : set.order().size();
      Words words(end - begin);
      std::vector<uint8_t> nulls(end - begin);
      set.GatherWords(c, std::span(set.order()).subspan(begin, end - begin), words.data(), nulls.data());
      size_t n = 0;
      for (size_t i = 0; i < words.size(); i++) {
        if (!nulls[i]) words[n++] = words[i];
      }
      words.resize(n);
      if (n == 0) continue;
      nulls.assign(n, 0);
      size_t alp = 0;
      for (size_t at = 0; at < n; at += 1024) alp += AlpVectorBytes(std::span(words).subspan(at, std::min<size_t>(1024, n - at)));
      std::vector<uint8_t> packed(ZSTD_compressBound(n * 8));
      const size_t zstd = ZSTD_compress(packed.data(), packed.size(), words.data(), n * 8, 3);
      segment::ChunkWriter writer(2);
      std::vector<uint8_t> ours;
      std::map<std::string, int> codecs;
      for (size_t at = 0; at < n; at += segment::kMaxRowGroupRows) {
        const size_t rows = std::min(segment::kMaxRowGroupRows, n - at);
        std::vector<uint32_t> vectors(rows / 1024, 1024);
        if (rows % 1024 != 0) vectors.push_back(static_cast<uint32_t>(rows % 1024));
        Words copy(words.begin() + static_cast<ptrdiff_t>(at), words.begin() + static_cast<ptrdiff_t>(at + rows));
        const auto summary = writer.WriteWords({NTS_KIND_FLOAT8, 8}, copy.data(), nulls.data(), vectors, true, &ours);
        codecs[codec::CodecName(summary.codec)]++;
      }
      std::string names;
      for (const auto& [codec, count] : codecs) names += (names.empty() ? "" : ", ") + codec;
      const size_t sizes[5] = {alp, AlpRdBytes(words), Chimp128Bytes(words), zstd, ours.size()};
      const size_t best = *std::min_element(sizes, sizes + 4);
      std::printf("| %s | %zu |", set.SeriesName(set.order()[begin]).c_str(), n);
      for (size_t i = 0; i < 5; i++) {
        std::printf(" %zu |", sizes[i]);
        totals[i] += sizes[i];
      }
      std::printf(" %.3f | %s |\n", static_cast<double>(ours.size()) / static_cast<double>(best), names.c_str());
      std::fflush(stdout);
      values_total += n;
      least_total += std::min(best, ours.size());
    }
  }
  std::printf("| all | %zu |", values_total);
  for (const size_t total : totals) std::printf(" %zu |", total);
  std::printf(" %.2f %% to save | |\n", 100 - 100 * static_cast<double>(least_total) /
                                               static_cast<double>(std::max<size_t>(1, totals[4])));
}

}  // namespace
}  // namespace nodedb_ts

int main(int argc, char** argv) {
  uint32_t every = 1;
  bool doubles = false;
  std::vector<std::string> rest;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument.starts_with("--every=")) {
      every = static_cast<uint32_t>(std::max(1, std::atoi(argument.c_str() + 8)));
    } else if (argument == "--doubles") {
      doubles = true;
    } else {
      rest.push_back(argument);
    }
  }
  if (rest.size() != 2) nodedb_ts::Fail("usage: oracle [--every=N] [--doubles] NAME TYPES < CSV");
  std::ios::sync_with_stdio(false);
  nodedb_ts::Set set(rest[1]);
  set.Read(std::cin);
  set.Sort();
  if (doubles) {
    nodedb_ts::CompareDoubles(set);
  } else {
    nodedb_ts::Compare(rest[0], set, every);
  }
  return 0;
}
