#include "memtable/staged_rows.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "memtable/row_block.h"
#include "segment/format.h"

namespace nodedb_ts::memtable {

namespace {

constexpr uint64_t kMaxBytes = 64 * 1024;
constexpr uint64_t kImageAlign = 8;  // of the most aligned type

}  // namespace

StagedRows::StagedRows(Budget* budget, std::shared_ptr<const TableLayout> layout)
    : layout_(std::move(layout)), account_(budget, this) {
  for (uint32_t i = 0; i < schema().column_count; ++i) {
    if (segment::IsBytes(schema().columns[i].kind)) byte_columns_.push_back(static_cast<uint16_t>(i));
  }
}

StagedRows::~StagedRows() { ReleaseBuffers(); }

void StagedRows::ReleaseBuffers() {
  account_.Free(buffer_);
  buffer_ = nullptr;
  buffer_bytes_ = 0;
}

void StagedRows::Clear(uint64_t keep_bytes) {
  rows_ = 0;
  account_.MoveTo(Pool::kCached);
  if (buffer_bytes_ > keep_bytes) ReleaseBuffers();
}

bool StagedRows::Take(const NtsRowBlock& block, uint32_t command_id) {
  const uint64_t columns = schema().column_count;
  if (block.images == nullptr || block.count == 0) return false;
  const auto length = [&](uint32_t row) {
    return byte_columns_.empty() || block.images[row] == nullptr ? 0 : block.image_lengths[row];
  };
  uint64_t image_bytes = 0;
  for (uint32_t i = 0; i < block.count; ++i) image_bytes += base::AlignUp(length(i), kImageAlign);
  // Addresses, words and images first, which are aligned.
  const uint64_t row_bytes = sizeof(*words_) + sizeof(*nulls_) + sizeof(*images_) + sizeof(*image_lengths_) +
                             columns * (sizeof(uint64_t) + sizeof(bool));
  const uint64_t bytes = block.count * row_bytes + image_bytes;
  if (bytes > kMaxBytes) return false;
  // An empty one would otherwise give back its own buffer to make room.
  account_.MoveTo(Pool::kActive);
  if (bytes > buffer_bytes_) {
    ReleaseBuffers();
    buffer_ = static_cast<uint8_t*>(account_.Allocate(bytes));
    buffer_bytes_ = buffer_ == nullptr ? 0 : bytes;
  }
  if (buffer_ == nullptr) {
    Clear(0);
    return false;
  }
  words_ = reinterpret_cast<const uint64_t**>(buffer_);
  nulls_ = reinterpret_cast<const bool**>(words_ + block.count);
  images_ = reinterpret_cast<const uint8_t**>(nulls_ + block.count);
  auto* words = reinterpret_cast<uint64_t*>(images_ + block.count);
  auto* image = reinterpret_cast<uint8_t*>(words + block.count * columns);
  image_lengths_ = reinterpret_cast<uint32_t*>(image + image_bytes);
  auto* nulls = reinterpret_cast<bool*>(image_lengths_ + block.count);
  for (uint32_t i = 0; i < block.count; ++i, words += columns, nulls += columns) {
    image_lengths_[i] = length(i);
    if (!CopyRow(block, i, words, nulls, image)) {
      Clear(buffer_bytes_);
      return false;
    }
    words_[i] = words;
    nulls_[i] = nulls;
    images_[i] = image_lengths_[i] > 0 ? image : nullptr;
    image += base::AlignUp(image_lengths_[i], kImageAlign);
  }
  rows_ = block.count;
  command_id_ = command_id;
  return true;
}

// False: a value is not plain, or does not lie in the row's image.
bool StagedRows::CopyRow(const NtsRowBlock& block, uint32_t row, uint64_t* words, bool* nulls, uint8_t* image) const {
  const uint32_t columns = schema().column_count;
  std::memcpy(words, block.words[row], columns * sizeof(*words));
  std::memcpy(nulls, block.nulls[row], columns * sizeof(*nulls));
  const uint8_t* const from = block.images[row];
  const uint32_t length = image_lengths_[row];
  if (length > 0) std::memcpy(image, from, length);
  for (const uint16_t column : byte_columns_) {
    if (nulls[column]) continue;
    const uint8_t* const value = Address(words[column]);
    if (value < from || value >= from + length) return false;
    const NtsColumn& type = schema().columns[column];
    NtsValue plain;
    if (!ReadValue(block, row, column, type.kind == NTS_KIND_VAR, &plain)) return false;
    const uint64_t bytes = type.kind == NTS_KIND_VAR ? plain.length : type.width;
    if (bytes > static_cast<uint64_t>(from + length - Address(plain.word))) return false;
    words[column] = reinterpret_cast<uintptr_t>(image + (value - from));
  }
  return true;
}

void StagedRows::GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
  const NtsColumn& type = schema().columns[column];
  if (type.kind == NTS_KIND_NONE) {
    std::fill_n(words, rows.size(), 0);
    std::fill_n(nulls, rows.size(), 1);
    return;
  }
  // Rows lie one after the other.
  const size_t columns = schema().column_count;
  const uint64_t* const all_words = words_[0] + column;
  const bool* const all_nulls = nulls_[0] + column;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool is_null = all_nulls[rows[i] * columns];
    words[i] = is_null ? 0 : all_words[rows[i] * columns];
    nulls[i] = is_null ? 1 : 0;
  }
  segment::MakeCanonical(segment::ShapeOf(type), {words, rows.size()});
}

void StagedRows::GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                             uint8_t* nulls) const {
  const NtsColumn& type = schema().columns[column];
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool is_null = type.kind == NTS_KIND_NONE || nulls_[rows[i]][column];
    nulls[i] = is_null ? 1 : 0;
    values[i] = {};
    if (is_null) continue;
    const uint8_t* const value = Address(words_[rows[i]][column]);
    values[i] = type.kind == NTS_KIND_VAR ? PlainView(value)
                                          : std::string_view(reinterpret_cast<const char*>(value), type.width);
  }
}

void StagedRows::GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const {
  std::fill_n(row_ids, rows.size(), uint64_t{NTS_NO_ROW_ID});
}

void StagedRows::GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const {
  std::fill_n(command_ids, rows.size(), command_id_);
}

}  // namespace nodedb_ts::memtable
