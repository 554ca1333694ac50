#include "compact/merge_input.h"

#include <algorithm>
#include <cstring>

#include "segment/chunk_reader.h"

namespace nodedb_ts::compact {
namespace {

using base::Status;
using segment::BytesAt;
using segment::ChunkEntry;
using segment::IsBytes;
using segment::IsWord;
using segment::kMaxVectorRows;
using segment::ShapeOf;

// The byte strings of a vector up to this size are kept as a whole, shared ones once;
// of larger vectors only what is used is copied.
constexpr uint64_t kKeepDecodedBytes = 2 << 10;
constexpr uint64_t kLikelyRatio = 8;  // of what zstd saves
// A scratch buffer above this size is given back.
constexpr size_t kKeepWords = (uint64_t{1} << 20) / sizeof(uint64_t);

int Sign(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

// NULLs come last, words are compared as signed numbers, bytes as unsigned ones.
int CompareNulls(bool a, bool b) { return static_cast<int>(a) - static_cast<int>(b); }

template <typename T>
T* Resized(std::vector<T>* vector, size_t size) {
  if (vector->capacity() > kKeepWords && size <= kKeepWords) std::vector<T>().swap(*vector);
  if (vector->size() < size) vector->resize(size);
  return vector->data();
}

}  // namespace

MergeInput::MergeInput(const segment::Segment& segment, std::span<const NtsColumn> columns,
                       std::span<const uint16_t> series, std::span<const NtsValue> defaults)
    : segment_(segment), columns_(columns), defaults_(defaults) {
  segment_.Info(&info_);
  for (const uint16_t column : series) {
    KeyColumn key;
    key.column = column;
    key.shape = ShapeOf(columns[column]);
    key.bytes = IsBytes(key.shape.kind);
    key.values.resize(kMaxVectorRows);
    key.nulls.resize(kMaxVectorRows);
    keys_.push_back(std::move(key));
  }
  last_key_.resize(keys_.size());
  times_.resize(kMaxVectorRows);
  time_nulls_.resize(kMaxVectorRows);
  series_begins_.resize(kMaxVectorRows);
  decoded_values_.resize(kMaxVectorRows);
  decoded_nulls_.resize(kMaxVectorRows);
}

uint64_t MergeInput::MemoryBytes(const segment::Segment& segment) {
  NtsSegmentInfo info;
  segment.Info(&info);
  uint64_t largest = 0;
  uint64_t widest = 0;  // bytes of a vector, guessed
  for (uint32_t g = 0; g < info.row_groups; g++) {
    NtsRowGroupInfo group;
    uint64_t bytes = 0;
    if (!segment.RowGroup(g, &group).ok()) break;
    for (uint32_t c = 0; c < info.column_count; c++) {
      const ChunkEntry* entry;
      if (!segment.Chunk(g, static_cast<int32_t>(c), &entry).ok()) break;
      bytes += entry->length;
      widest = std::max(widest, entry->length / group.vectors * kLikelyRatio);
    }
    largest = std::max(largest, bytes);
  }
  return largest + std::min(widest, segment::kMaxVectorBytes) +
         (info.series_column_count + 4) * kMaxVectorRows * (sizeof(uint64_t) + 1);
}

// ---- the bytes of a row group ------------------------------------------

Status MergeInput::Want(uint64_t* offset, uint64_t* length, uint8_t** room) {
  group_ = next_group_;
  Status status = segment_.RowGroup(group_, &group_info_);
  if (!status.ok()) return status;
  uint64_t end = group_info_.first_byte;
  for (uint32_t c = 0; c < info_.column_count; c++) {
    const ChunkEntry* entry;
    status = segment_.Chunk(group_, static_cast<int32_t>(c), &entry);
    if (!status.ok()) return status;
    if (entry->length > 0) end = entry->offset + entry->length;
  }
  *offset = group_info_.first_byte;
  *length = end - group_info_.first_byte;
  if (*length > bytes_room_) {
    bytes_.reset();
    bytes_room_ = 0;
    bytes_.reset(new uint8_t[*length]);
    bytes_room_ = *length;
  }
  *room = bytes_.get();
  return Status::Ok();
}

Status MergeInput::Load() {
  for (uint32_t c = 0; c < info_.column_count; c++) {
    const ChunkEntry* entry;
    Status status = segment_.Chunk(group_, static_cast<int32_t>(c), &entry);
    if (!status.ok()) return status;
    if (entry->length == 0 || columns_[c].kind == NTS_KIND_NONE) continue;
    status = segment_.Verify(group_, static_cast<int32_t>(c), ChunkBytes(*entry));
    if (!status.ok()) return status;
  }
  loaded_ = true;
  next_group_ = group_ + 1;
  vector_ = 0;
  return DecodeKeys();
}

// ---- the cursor --------------------------------------------------------

Status MergeInput::DecodeKey(int32_t column, uint64_t* values, uint8_t* nulls,
                             std::vector<uint64_t>* data) {
  const ChunkEntry* entry;
  uint64_t data_bytes;
  bool any_null;
  Status status = segment_.Chunk(group_, column, &entry);
  if (!status.ok()) return status;
  const std::span<const uint8_t> chunk = ChunkBytes(*entry);
  status = segment_.VectorSize(group_, column, chunk, vector_, &data_bytes);
  if (!status.ok()) return status;
  auto* room = reinterpret_cast<uint8_t*>(Resized(data, (data_bytes + 7) / 8));
  return segment_.Decode(group_, column, chunk, vector_, values, nulls, room, data_bytes,
                         &any_null);
}

Status MergeInput::DecodeKeys() {
  uint32_t first_row;
  Status status = segment_.Vector(group_, vector_, &first_row, &vector_rows_);
  for (KeyColumn& key : keys_) {
    if (status.ok()) {
      status = DecodeKey(key.column, key.values.data(), key.nulls.data(), &key.data);
    }
  }
  if (status.ok() && info_.time_column >= 0) {
    std::vector<uint64_t> none;
    status = DecodeKey(info_.time_column, times_.data(), time_nulls_.data(), &none);
  }
  if (!status.ok()) return status;
  series_begins_[0] = 0;
  for (uint32_t r = 1; r < vector_rows_; r++) series_begins_[r] = !SameSeriesAsBefore(r);
  row_ = 0;
  bool continues = false;
  if (has_last_) {
    const int order = CompareSeries(last_key_);
    if (order < 0) return Status::Corrupt("segment: rows are not sorted by series");
    continues = order == 0;
  }
  status = CheckOrder(continues);
  if (!status.ok()) return status;
  FindSeriesEnd();
  return Status::Ok();
}

bool MergeInput::SameSeriesAsBefore(uint32_t row) const {
  for (const KeyColumn& key : keys_) {
    if (key.nulls[row] != key.nulls[row - 1]) return false;
    // Equal byte strings often share an address; those of NULLs are 0.
    if (key.values[row] == key.values[row - 1]) continue;
    if (!key.bytes || BytesAt(key.shape, key.values[row]) != BytesAt(key.shape, key.values[row - 1])) {
      return false;
    }
  }
  return true;
}

// Times ascend in each series, NULLs come first. continues: the first row is of the
// series of the row before the vector. (The order of series is checked as they come up.)
Status MergeInput::CheckOrder(bool continues) {
  if (info_.time_column < 0) return Status::Ok();
  bool null = last_time_null_;
  int64_t time = last_time_;
  for (uint32_t r = 0; r < vector_rows_; r++) {
    const bool same = r == 0 ? continues : series_begins_[r] == 0;
    const auto t = static_cast<int64_t>(times_[r]);
    if (same && !null && (time_nulls_[r] || t < time)) {
      return Status::Corrupt("segment: rows are not sorted by time");
    }
    null = time_nulls_[r] != 0;
    time = t;
  }
  last_time_null_ = null;
  last_time_ = time;
  return Status::Ok();
}

void MergeInput::FindSeriesEnd() {
  series_end_ = vector_rows_;
  if (row_ + 1 >= vector_rows_) return;
  const void* next = std::memchr(series_begins_.data() + row_ + 1, 1, vector_rows_ - row_ - 1);
  if (next != nullptr) {
    series_end_ = static_cast<uint32_t>(static_cast<const uint8_t*>(next) - series_begins_.data());
  }
}

int MergeInput::CompareSeries(const std::vector<KeyValue>& key) const {
  for (size_t k = 0; k < keys_.size(); k++) {
    const KeyColumn& mine = keys_[k];
    const bool null = mine.nulls[row_] != 0;
    int order = CompareNulls(null, key[k].is_null);
    if (order == 0 && !null) {
      order = mine.bytes ? BytesAt(mine.shape, mine.values[row_]).compare(key[k].bytes)
                         : Sign(static_cast<int64_t>(mine.values[row_]),
                                static_cast<int64_t>(key[k].word));
    }
    if (order != 0) return order;
  }
  return 0;
}

int MergeInput::CompareSeries(const MergeInput& other) const {
  for (size_t k = 0; k < keys_.size(); k++) {
    const KeyColumn& a = keys_[k];
    const KeyColumn& b = other.keys_[k];
    const bool null = a.nulls[row_] != 0;
    int order = CompareNulls(null, b.nulls[other.row_] != 0);
    if (order == 0 && !null) {
      order = a.bytes ? BytesAt(a.shape, a.values[row_])
                            .compare(BytesAt(b.shape, b.values[other.row_]))
                      : Sign(static_cast<int64_t>(a.values[row_]),
                             static_cast<int64_t>(b.values[other.row_]));
    }
    if (order != 0) return order;
  }
  return 0;
}

void MergeInput::CopySeries(std::vector<KeyValue>* key) const {
  key->resize(keys_.size());
  for (size_t k = 0; k < keys_.size(); k++) {
    KeyValue& value = (*key)[k];
    value.is_null = keys_[k].nulls[row_] != 0;
    value.word = keys_[k].values[row_];
    if (keys_[k].bytes && !value.is_null) value.bytes = BytesAt(keys_[k].shape, value.word);
  }
}

int MergeInput::CompareTime(uint32_t row, const MergeInput& other) const {
  if (info_.time_column < 0) return 0;
  const bool null = time_nulls_[row] != 0;
  const bool other_null = other.time_nulls_[other.row_] != 0;
  if (null || other_null) return static_cast<int>(other_null) - static_cast<int>(null);
  return Sign(static_cast<int64_t>(times_[row]), static_cast<int64_t>(other.times_[other.row_]));
}

uint32_t MergeInput::RowsBefore(const MergeInput& other, bool equal_too) const {
  const auto before = [&](uint32_t row) {
    const int order = CompareTime(row, other);
    return order < 0 || (equal_too && order == 0);
  };
  // Mostly all of them, or one, or a few: doubled steps, then halved ones.
  if (before(series_end_ - 1)) return series_end_ - row_;
  uint32_t low = row_;
  uint32_t step = 1;
  while (low + step < series_end_ && before(low + step)) {
    low += step;
    step *= 2;
  }
  uint32_t high = std::min(low + step, series_end_ - 1);  // not before
  if (!before(low)) return 0;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (before(middle)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low + 1 - row_;
}

Status MergeInput::Advance(uint32_t rows) {
  row_ += rows;
  if (row_ < series_end_) return Status::Ok();
  if (row_ < vector_rows_) {
    row_--;
    CopySeries(&last_key_);
    row_++;
    if (CompareSeries(last_key_) < 0) {
      return Status::Corrupt("segment: rows are not sorted by series");
    }
    FindSeriesEnd();
    return Status::Ok();
  }
  row_--;
  CopySeries(&last_key_);
  has_last_ = true;
  if (++vector_ < group_info_.vectors) return DecodeKeys();
  loaded_ = false;
  return Status::Ok();
}

// ---- values ------------------------------------------------------------

Status MergeInput::Append(size_t column, const Run& run, RowBuffer* out) {
  const uint8_t kind = columns_[column].kind;
  if (kind == NTS_KIND_NONE) return Status::Ok();
  if (column >= info_.column_count) {
    AppendDefault(column, run.count, out);
    return Status::Ok();
  }
  uint32_t first_row;
  uint32_t rows;
  Status status = segment_.Vector(group_, run.vector, &first_row, &rows);
  if (!status.ok()) return status;
  return IsWord(kind) ? AppendWords(column, run, rows, out) : AppendBytes(column, run, rows, out);
}

// The value that rows have which were stored before the column was added.
void MergeInput::AppendDefault(size_t column, uint32_t count, RowBuffer* out) const {
  const NtsValue& value = defaults_[column];
  const NtsColumn& type = columns_[column];
  uint8_t* nulls;
  if (IsWord(type.kind)) {
    std::fill_n(out->AddWords(column, count, &nulls), count, value.is_null ? 0 : value.word);
  } else {
    std::string_view view;
    if (!value.is_null) {
      view = {reinterpret_cast<const char*>(static_cast<uintptr_t>(value.word)),
              type.kind == NTS_KIND_VAR ? value.length : type.width};
    }
    std::fill_n(out->AddViews(column, count, &nulls), count, view);
    out->NoteBytes(column, view.size(), 0);
  }
  std::memset(nulls, value.is_null ? 1 : 0, count);
}

Status MergeInput::AppendWords(size_t column, const Run& run, uint32_t rows, RowBuffer* out) {
  const auto c = static_cast<int32_t>(column);
  const ChunkEntry* entry;
  uint8_t* nulls;
  uint64_t* words = out->AddWords(column, run.count, &nulls);
  bool any_null;
  Status status = segment_.Chunk(group_, c, &entry);
  if (!status.ok()) return status;
  if (run.count == rows) {
    return segment_.Decode(group_, c, ChunkBytes(*entry), run.vector, words, nulls, nullptr, 0,
                           &any_null);
  }
  if (decoded_vector_ != run.vector) {
    status = segment_.Decode(group_, c, ChunkBytes(*entry), run.vector, decoded_values_.data(),
                             decoded_nulls_.data(), nullptr, 0, &any_null);
    if (!status.ok()) return status;
    decoded_vector_ = run.vector;
  }
  std::copy_n(decoded_values_.data() + run.first, run.count, words);
  std::copy_n(decoded_nulls_.data() + run.first, run.count, nulls);
  return Status::Ok();
}

Status MergeInput::DecodeBytes(size_t column, const Run& run, uint32_t rows, RowBuffer* out) {
  const auto c = static_cast<int32_t>(column);
  const ChunkEntry* entry;
  uint64_t data_bytes;
  bool any_null;
  Status status = segment_.Chunk(group_, c, &entry);
  if (!status.ok()) return status;
  const std::span<const uint8_t> chunk = ChunkBytes(*entry);
  status = segment_.VectorSize(group_, c, chunk, run.vector, &data_bytes);
  if (!status.ok()) return status;
  decoded_in_place_ = data_bytes <= kKeepDecodedBytes || run.count == rows;
  uint8_t* room = decoded_in_place_
                      ? out->Allocate(data_bytes)
                      : reinterpret_cast<uint8_t*>(Resized(&decoded_data_, (data_bytes + 7) / 8));
  status = segment_.Decode(group_, c, chunk, run.vector, decoded_values_.data(),
                           decoded_nulls_.data(), room, data_bytes, &any_null);
  if (status.ok()) decoded_vector_ = run.vector;
  return status;
}

Status MergeInput::AppendBytes(size_t column, const Run& run, uint32_t rows, RowBuffer* out) {
  if (decoded_vector_ != run.vector) {
    Status status = DecodeBytes(column, run, rows, out);
    if (!status.ok()) return status;
  }
  const segment::ColumnShape shape = ShapeOf(columns_[column]);
  uint8_t* nulls;
  std::string_view* views = out->AddViews(column, run.count, &nulls);
  const uint64_t* values = decoded_values_.data() + run.first;
  std::copy_n(decoded_nulls_.data() + run.first, run.count, nulls);
  uint64_t longest = 0;
  uint64_t total = 0;  // of values that do not share an address with the one before
  for (uint32_t r = 0; r < run.count; r++) {
    if (nulls[r]) {
      views[r] = {};
      continue;
    }
    if (r > 0 && values[r] == values[r - 1]) {
      views[r] = views[r - 1];
      continue;
    }
    views[r] = BytesAt(shape, values[r]);
    longest = std::max<uint64_t>(longest, views[r].size());
    total += views[r].size();
  }
  out->NoteBytes(column, longest, total);
  if (decoded_in_place_ || total == 0) return Status::Ok();
  auto* copy = reinterpret_cast<char*>(out->Allocate(total));
  for (uint32_t r = 0; r < run.count; r++) {
    if (nulls[r] || views[r].empty()) continue;
    if (r > 0 && values[r] == values[r - 1]) {
      views[r] = views[r - 1];
      continue;
    }
    std::memcpy(copy, views[r].data(), views[r].size());
    views[r] = {copy, views[r].size()};
    copy += views[r].size();
  }
  return Status::Ok();
}

}  // namespace nodedb_ts::compact
