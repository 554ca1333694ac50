#include "memtable/column_blocks.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "memtable/column_store.h"
#include "memtable/row_block.h"
#include "segment/format.h"

namespace nodedb_ts::memtable {

namespace {

constexpr uint32_t kFullChunkBytes = 1024;  // of the lists of ids, which have one run
constexpr uint32_t kMaxRows = UINT32_MAX - 16;

// Calls with(function from words other than 0 to views): what is known of the column is asked once for all of its values.
template <typename With>
void WithViews(const NtsColumn& column, With&& with) {
  if (column.kind == NTS_KIND_FIXED) {
    const uint32_t width = column.width;
    with([width](uint64_t word) { return std::string_view(reinterpret_cast<const char*>(Address(word)), width); });
  } else {
    with([](uint64_t word) { return PlainView(Address(word)); });
  }
}

}  // namespace

ColumnBlocks::ColumnBlocks(const NtsSchema& schema)
    : schema_(schema), row_ids_(&account_, kFullChunkBytes), command_ids_(&account_, kFullChunkBytes) {
  account_.MoveTo(Pool::kFrozen);
}

base::Status ColumnBlocks::Take(std::span<const NtsColumnBlock> blocks, uint32_t command_id) {
  uint64_t rows = 0;
  for (const NtsColumnBlock& block : blocks) {
    if (block.count == 0) continue;
    blocks_.push_back(block);
    starts_.push_back(static_cast<uint32_t>(rows));
    rows += block.count;
    if (rows > kMaxRows) return base::Status::Limit("more rows than a flush may have");
  }
  rows_ = static_cast<uint32_t>(rows);
  if (!row_ids_.Reserve(NTS_NO_ROW_ID) || !command_ids_.Reserve()) throw std::bad_alloc();
  if (rows_ > 0) {
    row_ids_.Append(0, NTS_NO_ROW_ID);
    command_ids_.Append(0, command_id);
  }
  CheckTimes();
  return Measure();
}

base::Status ColumnBlocks::Measure() {
  for (uint32_t c = 0; c < schema_.column_count; ++c) {
    const NtsColumn& column = schema_.columns[c];
    if (column.kind == NTS_KIND_NONE) continue;
    if (column.kind != NTS_KIND_VAR) {
      raw_bytes_ += uint64_t{rows_} * column.width;
      largest_row_bytes_ += column.width;
      continue;
    }
    uint64_t longest = 0;
    for (const NtsColumnBlock& block : blocks_) {
      const uint64_t* const words = block.words[c];
      const uint8_t* const nulls = block.nulls[c];
      for (uint32_t i = 0; i < block.count; ++i) {
        if (nulls[i]) continue;
        if (!IsPlain(Address(words[i]))) return base::Status::Bug("a value of a column to be flushed is not plain");
        const uint64_t length = PlainView(Address(words[i])).size();
        raw_bytes_ += length;
        longest = std::max(longest, length);
      }
    }
    largest_row_bytes_ += longest;
  }
  return base::Status::Ok();
}

void ColumnBlocks::CheckTimes() {
  if (schema_.time_column < 0 || schema_.columns[schema_.time_column].width != 8) return;
  int64_t newest = INT64_MIN;
  for (const NtsColumnBlock& block : blocks_) {
    const uint64_t* const words = block.words[schema_.time_column];
    if (std::memchr(block.nulls[schema_.time_column], 1, block.count) != nullptr) return;
    for (uint32_t i = 0; i < block.count; ++i) {
      const auto time = static_cast<int64_t>(words[i]);
      if (time < newest) return;
      newest = time;
    }
  }
  times_ascend_ = true;
}

ColumnBlocks::Place ColumnBlocks::Locate(uint32_t row) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), row);
  const auto block = static_cast<size_t>(after - starts_.begin()) - 1;
  return {&blocks_[block], row - starts_[block]};
}

uint64_t ColumnBlocks::RawRowBytes(uint32_t row) const {
  const Place place = Locate(row);
  uint64_t bytes = 0;
  for (uint32_t c = 0; c < schema_.column_count; ++c) {
    if (schema_.columns[c].kind != NTS_KIND_VAR) {
      bytes += schema_.columns[c].kind == NTS_KIND_NONE ? 0 : schema_.columns[c].width;
    } else if (!place.block->nulls[c][place.offset]) {
      bytes += PlainView(Address(place.block->words[c][place.offset])).size();
    }
  }
  return bytes;
}

// ---- columns -----------------------------------------------------------

// Joins the blocks of a column. REQUIRES: there are rows.
void ColumnBlocks::Load(size_t column) const {
  if (loaded_ == column) return;
  loaded_ = kNone;
  words_.resize(rows_);
  nulls_.resize(rows_);
  CopyWords(column, 0, rows_, words_.data(), nulls_.data());
  has_nulls_ = std::memchr(nulls_.data(), 1, rows_) != nullptr;
  loaded_ = column;
}

// Words of some rows, 0 for NULLs, or addresses, and their flags of NULLs.
void ColumnBlocks::GatherLoaded(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
  Load(column);
  const uint64_t* const from = words_.data();
  for (size_t i = 0; i < rows.size(); ++i) words[i] = from[rows[i]];
  if (!has_nulls_) {
    std::fill_n(nulls, rows.size(), uint8_t{0});
    return;
  }
  for (size_t i = 0; i < rows.size(); ++i) nulls[i] = nulls_[rows[i]];
}

// The same of rows that follow each other, without a look at the others.
void ColumnBlocks::CopyWords(size_t column, uint32_t first, size_t count, uint64_t* words, uint8_t* nulls) const {
  const NtsColumn& type = schema_.columns[column];
  if (type.kind == NTS_KIND_NONE) {
    std::fill_n(words, count, uint64_t{0});
    std::fill_n(nulls, count, uint8_t{1});
    return;
  }
  Place place = Locate(first);
  for (size_t done = 0; done < count; ++place.block, place.offset = 0) {
    const size_t share = std::min<size_t>(count - done, place.block->count - place.offset);
    std::memcpy(words + done, place.block->words[column] + place.offset, share * sizeof(uint64_t));
    std::memcpy(nulls + done, place.block->nulls[column] + place.offset, share);
    done += share;
  }
  segment::MakeCanonical(segment::ShapeOf(type), {words, count});
  if (std::memchr(nulls, 1, count) == nullptr) return;
  for (size_t i = 0; i < count; ++i) words[i] = nulls[i] ? 0 : words[i];
}

void ColumnBlocks::GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
  if (rows.empty()) return;
  if (loaded_ != column && AreConsecutive(rows)) return CopyWords(column, rows[0], rows.size(), words, nulls);
  GatherLoaded(column, rows, words, nulls);
}

void ColumnBlocks::GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                               uint8_t* nulls) const {
  constexpr size_t kPieceRows = 256;
  WithViews(schema_.columns[column], [&](auto&& view) {
    for (size_t begin = 0; begin < rows.size(); begin += kPieceRows) {
      const size_t count = std::min(kPieceRows, rows.size() - begin);
      uint64_t words[kPieceRows];
      GatherWords(column, rows.subspan(begin, count), words, nulls + begin);
      for (size_t i = 0; i < count; ++i) values[begin + i] = words[i] == 0 ? std::string_view() : view(words[i]);
    }
  });
}

bool ColumnBlocks::GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most,
                              segment::ByteRuns* runs) const {
  if (rows.empty() || most == 0) return false;
  Load(column);
  runs->Clear();
  WithViews(schema_.columns[column], [&](auto&& view) {
    const uint64_t* const words = words_.data();
    for (size_t begin = 0, i = 0; i < rows.size(); begin = i) {
      if (runs->size() == most) return runs->Clear();
      const uint64_t word = words[rows[begin]];
      const std::string_view value = word == 0 ? std::string_view() : view(word);
      for (i = begin + 1; i < rows.size(); ++i) {
        const uint64_t next = words[rows[i]];
        if (next == word) continue;
        if (next == 0 || word == 0) break;
        const std::string_view other = view(next);
        if (other.size() != value.size() || !EqualBytes(other.data(), value.data(), value.size())) break;
      }
      runs->Add(i, value, word == 0);
    }
  });
  return runs->size() > 0;
}

}  // namespace nodedb_ts::memtable
