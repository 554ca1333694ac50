// table_source.h - rows in memory for tests: a RowSource with seeded random columns,
// and comparisons of what was decoded with what was put in.
#ifndef NODEDB_TS_TEST_UNIT_SEGMENT_TABLE_SOURCE_H
#define NODEDB_TS_TEST_UNIT_SEGMENT_TABLE_SOURCE_H

#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::test {

enum class Pattern { kConstant, kFew, kRuns, kSteps, kRandom, kExtremes, kDecimals, kAllNull };

inline constexpr Pattern kAllPatterns[] = {
    Pattern::kConstant, Pattern::kFew,      Pattern::kRuns,     Pattern::kSteps,
    Pattern::kRandom,   Pattern::kExtremes, Pattern::kDecimals, Pattern::kAllNull};

class TableSource : public segment::RowSource {
 public:
  explicit TableSource(size_t rows) : rows_(rows) {
    for (size_t r = 0; r < rows; r++) {
      row_ids.push_back(5000 + r * 3);
      command_ids.push_back(static_cast<uint32_t>(r / 100));
      order.push_back(static_cast<uint32_t>(r));
    }
  }

  size_t rows() const { return rows_; }

  // null_percent 0..100.
  void Add(NtsColumn column, Pattern pattern, unsigned null_percent, uint64_t seed) {
    columns.push_back(column);
    std::mt19937_64 random(seed);
    words.emplace_back(rows_, 0);
    bytes.emplace_back();
    nulls.emplace_back(rows_, 0);
    const bool by_word = column.kind >= NTS_KIND_INT && column.kind <= NTS_KIND_FLOAT8;
    if (column.kind == NTS_KIND_FIXED || column.kind == NTS_KIND_VAR) bytes.back().resize(rows_);
    for (size_t r = 0; r < rows_; r++) {
      if (column.kind == NTS_KIND_NONE || pattern == Pattern::kAllNull ||
          random() % 100 < null_percent) {
        nulls.back()[r] = 1;
        continue;
      }
      if (by_word) words.back()[r] = Word(column, pattern, r, &random);
      else bytes.back()[r] = String(column, pattern, r, &random);
    }
  }

  static NtsColumn Int(uint32_t width) {
    return {NTS_KIND_INT, static_cast<uint8_t>(width), 0, width};
  }
  static NtsColumn Float4() { return {NTS_KIND_FLOAT4, 4, 0, 4}; }
  static NtsColumn Float8() { return {NTS_KIND_FLOAT8, 8, 0, 8}; }
  static NtsColumn Fixed(uint32_t width, uint8_t align = 1) {
    return {NTS_KIND_FIXED, align, 0, width};
  }
  static NtsColumn Var(uint8_t align = 4) { return {NTS_KIND_VAR, align, 0, 0}; }
  static NtsColumn None() { return {NTS_KIND_NONE, 1, 0, 0}; }

  // One column of each kind, width and pattern.
  void AddEverything(unsigned null_percent, uint64_t seed) {
    const NtsColumn kinds[] = {Int(1),  Int(2),     Int(4),      Int(8), Float4(), Float8(),
                               Fixed(1), Fixed(6, 4), Fixed(16, 1), Fixed(64, 8), Var(), Var(8), Var(1)};
    for (const NtsColumn& kind : kinds) {
      for (const Pattern pattern : kAllPatterns) Add(kind, pattern, null_percent, seed++);
    }
    Add(None(), Pattern::kRandom, 0, seed);
  }

  NtsSchema Schema(int32_t time_column = -1) const {
    return {columns.data(), static_cast<uint32_t>(columns.size()), time_column, 0};
  }

  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* out,
                   uint8_t* out_nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      out[i] = words[column][rows[i]];
      out_nulls[i] = nulls[column][rows[i]];
    }
  }
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* out,
                   uint8_t* out_nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      out_nulls[i] = nulls[column][rows[i]];
      out[i] = out_nulls[i] ? std::string_view() : bytes[column][rows[i]];
    }
  }
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* out) const override {
    for (size_t i = 0; i < rows.size(); i++) out[i] = row_ids[rows[i]];
  }
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* out) const override {
    for (size_t i = 0; i < rows.size(); i++) out[i] = command_ids[rows[i]];
  }

  // Is the decoded word what row `row` holds?
  bool Same(size_t column, size_t row, uint64_t word, uint8_t null) const {
    if (null != nulls[column][row]) return false;
    if (null) return word == 0;
    const NtsColumn& c = columns[column];
    if (c.kind != NTS_KIND_FIXED && c.kind != NTS_KIND_VAR) return word == words[column][row];
    const auto* p = reinterpret_cast<const char*>(static_cast<uintptr_t>(word));
    if (word % c.align != 0) return false;
    size_t size = c.width;
    if (c.kind == NTS_KIND_VAR) {
      uint32_t head;
      std::memcpy(&head, p, 4);
      if (head % 4 != 0) return false;
      size = (head >> 2) - 4;
      p += 4;
    }
    return std::string_view(p, size) == bytes[column][row];
  }

  std::vector<NtsColumn> columns;
  std::vector<std::vector<uint64_t>> words;
  std::vector<std::vector<std::string>> bytes;
  std::vector<std::vector<uint8_t>> nulls;
  std::vector<uint64_t> row_ids;
  std::vector<uint32_t> command_ids;
  std::vector<uint32_t> order;

 private:
  static uint64_t Extend(uint64_t v, uint32_t width) {
    const unsigned shift = 64 - 8 * width;
    return static_cast<uint64_t>(static_cast<int64_t>(v << shift) >> shift);
  }
  static uint64_t FloatBits(const NtsColumn& column, double v) {
    if (column.kind == NTS_KIND_FLOAT4) return std::bit_cast<uint32_t>(static_cast<float>(v));
    return std::bit_cast<uint64_t>(v);
  }

  static uint64_t Word(const NtsColumn& column, Pattern pattern, size_t r,
                       std::mt19937_64* random) {
    const bool integer = column.kind == NTS_KIND_INT;
    const auto number = [&](double v) {
      return integer ? Extend(static_cast<uint64_t>(static_cast<int64_t>(v)), column.width)
                     : FloatBits(column, v);
    };
    switch (pattern) {
      case Pattern::kConstant: return number(42);
      case Pattern::kFew: return number(static_cast<double>((*random)() % 5) * 1000003.25);
      case Pattern::kRuns: return number(static_cast<double>(r / 300 % 7));
      case Pattern::kSteps: return number(static_cast<double>(r) * 10 + 1e9);
      case Pattern::kDecimals: return number(static_cast<double>((*random)() % 10000) / 100.0);
      case Pattern::kExtremes: return Extreme(column, (*random)());
      default:
        return integer ? Extend((*random)(), column.width)
               : column.kind == NTS_KIND_FLOAT4 ? (*random)() & UINT32_MAX
                                                : (*random)();
    }
  }

  static uint64_t Extreme(const NtsColumn& column, uint64_t pick) {
    static constexpr uint64_t kInts[] = {0x8000000000000000, 0x7fffffffffffffff, 0, 1, UINT64_MAX};
    static constexpr uint64_t kDoubles[] = {
        0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000123,
        0x7ff0000000000001, 0x8000000000000000, 0,                  1,
        0x7fefffffffffffff, 0x3ff0000000000000};
    static constexpr uint64_t kFloats[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffc00123,
                                           0x7f800001, 0x80000000, 0,          1};
    if (column.kind == NTS_KIND_FLOAT8) return kDoubles[pick % std::size(kDoubles)];
    if (column.kind == NTS_KIND_FLOAT4) return kFloats[pick % std::size(kFloats)];
    const uint64_t v = kInts[pick % std::size(kInts)];
    const unsigned drop = 64 - 8 * column.width;
    return v == 1 || v == 0 ? v : static_cast<uint64_t>(static_cast<int64_t>(v) >> drop);
  }

  static std::string String(const NtsColumn& column, Pattern pattern, size_t r,
                            std::mt19937_64* random) {
    std::string s;
    switch (pattern) {
      case Pattern::kConstant: s = "the same"; break;
      case Pattern::kFew: s = "label-" + std::to_string((*random)() % 5); break;
      case Pattern::kRuns: s = "host_" + std::to_string(r / 300); break;
      case Pattern::kSteps: s = "sequence number " + std::to_string(r); break;
      case Pattern::kDecimals: s = (*random)() % 3 ? "" : std::to_string((*random)() % 100); break;
      default:
        s.resize((*random)() % 40);
        for (char& c : s) c = static_cast<char>((*random)());
    }
    if (column.kind == NTS_KIND_FIXED) s.resize(column.width, 'x');
    return s;
  }

  size_t rows_;
};

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_SEGMENT_TABLE_SOURCE_H
