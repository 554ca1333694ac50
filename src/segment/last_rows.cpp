#include "segment/last_rows.h"

namespace nodedb_ts::segment {

void LastRows::GiveUp() {
  given_up_ = true;
  std::vector<Column>().swap(columns_);
  std::vector<uint64_t>().swap(row_ids_);
  std::vector<uint32_t>().swap(command_ids_);
}

bool LastRows::BeginGroup(size_t first, std::span<const uint32_t> positions) {
  const size_t count = first + positions.size();
  if (count > kMaxLastRows || count * columns_.size() > kMaxLastRowsCells) {
    GiveUp();
    return false;
  }
  first_ = first;
  positions_ = positions;
  count_ = count;
  return true;
}

void LastRows::TakeWords(size_t column, const uint64_t* words, const uint8_t* nulls) {
  Column& to = columns_[column];
  to.words.resize(count_);
  to.nulls.resize(count_);
  for (size_t i = 0; i < positions_.size(); i++) {
    to.words[first_ + i] = words[positions_[i]];
    to.nulls[first_ + i] = nulls[positions_[i]];
  }
}

bool LastRows::TakeBytes(size_t column, const std::string_view* values, const uint8_t* nulls) {
  Column& to = BytesColumn(column);
  for (size_t i = 0; i < positions_.size(); i++) {
    const size_t row = positions_[i];
    if (!TakeValue(&to, i, values[row], nulls[row] != 0)) return false;
  }
  return true;
}

bool LastRows::TakeRuns(size_t column, const ByteRuns& runs) {
  Column& to = BytesColumn(column);
  size_t run = 0;
  for (size_t i = 0; i < positions_.size(); i++) {
    while (runs.ends[run] <= positions_[i]) run++;
    if (!TakeValue(&to, i, runs.values[run], runs.nulls[run] != 0)) return false;
  }
  return true;
}

LastRows::Column& LastRows::BytesColumn(size_t column) {
  Column& to = columns_[column];
  to.bytes.resize(count_);
  to.nulls.resize(count_);
  return to;
}

bool LastRows::TakeValue(Column* column, size_t position, std::string_view value, bool null) {
  std::string& kept = column->bytes[first_ + position];
  if (null) value = {};
  value_bytes_ += value.size();
  value_bytes_ -= kept.size();
  if (value_bytes_ > kMaxLastRowsBytes) {
    GiveUp();
    return false;
  }
  kept.assign(value);
  column->nulls[first_ + position] = null ? 1 : 0;
  return true;
}

void LastRows::TakeRowIds(const uint64_t* row_ids) {
  row_ids_.resize(count_);
  for (size_t i = 0; i < positions_.size(); i++) row_ids_[first_ + i] = row_ids[positions_[i]];
}

void LastRows::TakeCommandIds(const uint32_t* command_ids) {
  command_ids_.resize(count_);
  for (size_t i = 0; i < positions_.size(); i++) {
    command_ids_[first_ + i] = command_ids[positions_[i]];
  }
}

void LastRows::GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                           uint8_t* nulls) const {
  const Column& from = columns_[column];
  for (size_t i = 0; i < rows.size(); i++) {
    words[i] = from.words[rows[i]];
    nulls[i] = from.nulls[rows[i]];
  }
}

void LastRows::GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                           uint8_t* nulls) const {
  const Column& from = columns_[column];
  for (size_t i = 0; i < rows.size(); i++) {
    values[i] = from.bytes[rows[i]];
    nulls[i] = from.nulls[rows[i]];
  }
}

void LastRows::GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const {
  for (size_t i = 0; i < rows.size(); i++) row_ids[i] = row_ids_[rows[i]];
}

void LastRows::GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const {
  for (size_t i = 0; i < rows.size(); i++) command_ids[i] = command_ids_[rows[i]];
}

}  // namespace nodedb_ts::segment
