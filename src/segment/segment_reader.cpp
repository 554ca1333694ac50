#include "segment/segment_reader.h"

#include <algorithm>
#include <iterator>

#include "base/crc32c.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteReader;
using base::Status;

Status Wrong(const char* what) {
  return Status::Corrupt(std::string("segment footer: ") + what);
}

constexpr size_t kHeaderBytes = 8;
constexpr size_t kMaxCachedChunks = 64;  // tables take some kilobytes each, runs up to kMaxCachedSteps * 13

// A list of the series index: a chunk with vectors of 1 024 entries.
bool ReadSeriesList(ByteReader* in, uint64_t count, std::vector<uint64_t>* words,
                    std::vector<uint8_t>* nulls) {
  uint8_t codec;
  uint64_t length;
  ByteReader bytes;
  if (!in->ReadU8(&codec) || !in->ReadVarint(&length) || !in->ReadSpan(length, &bytes)) {
    return false;
  }
  ChunkCache cache;
  ChunkRef chunk;
  chunk.shape = kIdShape;
  chunk.codec = codec;
  chunk.rows = static_cast<uint32_t>(count);
  chunk.vectors = static_cast<uint32_t>((count + kMaxVectorRows - 1) / kMaxVectorRows);
  chunk.bytes = bytes.at();
  chunk.length = bytes.remaining();
  chunk.cache = &cache;
  words->clear();
  nulls->clear();
  for (uint32_t v = 0; v < chunk.vectors; v++) {
    uint64_t values[kMaxVectorRows];
    uint8_t missing[kMaxVectorRows];
    const uint32_t n = chunk.VectorStart(v + 1) - chunk.VectorStart(v);
    uint64_t cursor = 0;
    bool any_null;
    if (!DecodeVector(chunk, v, n, values, missing, nullptr, 0, &cursor, &any_null).ok()) {
      return false;
    }
    words->insert(words->end(), values, values + n);
    nulls->insert(nulls->end(), missing, missing + n);
  }
  return true;
}

}  // namespace

Status Segment::Open(std::span<const uint8_t> footer, uint64_t segment_length,
                     std::span<const NtsColumn> columns, std::unique_ptr<Segment>* segment) {
  auto parsed = std::make_unique<Segment>();
  Status status = parsed->Parse(footer, segment_length, columns);
  if (status.ok()) *segment = std::move(parsed);
  return status;
}

Status Segment::Parse(std::span<const uint8_t> footer, uint64_t segment_length,
                      std::span<const NtsColumn> columns) {
  ByteReader in(footer.data(), footer.size());
  const uint8_t* crc;
  uint32_t magic;
  uint16_t version;
  uint8_t flags;
  if (footer.size() < kHeaderBytes + 4 || footer.size() > segment_length) {
    return Wrong("bad length");
  }
  if (!in.TakeTail(4, &crc) ||
      base::LoadLe<uint32_t>(crc) != base::Crc32c(0, footer.data(), in.remaining())) {
    return Wrong("checksum mismatch");
  }
  if (!in.ReadU32(&magic) || magic != kFooterMagic) return Wrong("bad magic number");
  if (!in.ReadU16(&version) || version == 0) return Wrong("bad version");
  if (version != kFormatVersion) {
    return Status::Unsupported("segment format version " + std::to_string(version) + ", not " +
                               std::to_string(kFormatVersion));
  }
  if (!in.ReadU8(&level_) || !in.ReadU8(&flags) || flags > (kFlagRowIds | kFlagCommandIds | kFlagLastRows)) {
    return Wrong("bad flags");
  }
  has_row_ids_ = flags & kFlagRowIds;
  has_command_ids_ = flags & kFlagCommandIds;
  has_last_rows_ = flags & kFlagLastRows;
  ByteReader sections[kSectionDictionaries + 1];
  bool seen[kSectionDictionaries + 1] = {};
  while (!in.empty()) {
    uint8_t number;
    uint64_t length;
    ByteReader section;
    if (!in.ReadU8(&number) || !in.ReadVarint(&length) || !in.ReadSpan(length, &section)) {
      return Wrong("bad section");
    }
    if (number == 0 || number > kSectionDictionaries) continue;  // of a later version
    if (seen[number]) return Wrong("section twice");
    seen[number] = true;
    sections[number] = section;
  }
  Status status = ParseSchema(sections[kSectionSchema], columns);
  if (status.ok()) status = ParseGroups(sections[kSectionRowGroups]);
  if (status.ok()) status = ParseChunks(sections[kSectionChunks], segment_length - footer.size());
  if (status.ok() && seen[kSectionDictionaries]) status = ParseDictionaries(sections[kSectionDictionaries]);
  if (!status.ok()) return status;
  const ByteReader& series = sections[kSectionSeries];
  if ((series_ > 1) != seen[kSectionSeries]) return Wrong("series index missing");
  if (!series.empty()) series_index_.assign(series.at(), series.at() + series.remaining());
  return Status::Ok();
}

Status Segment::ParseSchema(ByteReader in, std::span<const NtsColumn> columns) {
  uint64_t count;
  int64_t time;
  uint64_t series_columns;
  if (!in.ReadVarint(&rows_) || !in.ReadVarint(&series_) || !in.ReadVarint(&count)) {
    return Wrong("bad schema");
  }
  if (rows_ > UINT32_MAX || series_ > rows_ || (rows_ > 0) != (series_ > 0)) {
    return Wrong("bad row count");
  }
  if (count > kMaxColumns) return Wrong("too many columns");
  if (count > columns.size()) return Wrong("more columns than the table has");
  column_count_ = static_cast<uint32_t>(count);
  for (uint32_t c = 0; c < count; c++) {
    ColumnShape shape;
    uint64_t width = 0;
    if (!in.ReadU8(&shape.kind)) return Wrong("bad schema");
    if (shape.kind == NTS_KIND_INT || shape.kind == NTS_KIND_FIXED) {
      if (!in.ReadVarint(&width) || width > kMaxFixedWidth) return Wrong("bad schema");
    }
    if (shape.kind == NTS_KIND_FLOAT4) width = 4;
    if (shape.kind == NTS_KIND_FLOAT8) width = 8;
    shape.width = static_cast<uint32_t>(width);
    if (!ValidShape(shape)) return Wrong("bad column kind");
    if (!ShapesAgree(shape, ShapeOf(columns[c]))) {
      return Wrong("a column's type is not the table's");
    }
    shapes_.push_back(shape);
    dropped_.push_back(columns[c].kind == NTS_KIND_NONE);
    aligns_.push_back(SaneAlign(columns[c].align));
  }
  for (const bool hidden : {has_row_ids_, has_command_ids_}) {
    if (!hidden) continue;
    shapes_.push_back(kIdShape);
    dropped_.push_back(false);
    aligns_.push_back(8);
  }
  if (!in.ReadZigZag(&time) || time < -1 || time >= static_cast<int64_t>(count)) {
    return Wrong("bad time column");
  }
  time_column_ = static_cast<int32_t>(time);
  if (!in.ReadVarint(&series_columns) || series_columns > kMaxSeriesColumns) {
    return Wrong("bad series columns");
  }
  for (uint64_t i = 0; i < series_columns; i++) {
    uint64_t c;
    if (!in.ReadVarint(&c) || c >= count) return Wrong("bad series columns");
    series_columns_.push_back(static_cast<uint16_t>(c));
  }
  return Status::Ok();  // later versions may append to a section
}

Status Segment::ParseDictionaries(ByteReader in) {
  uint64_t id;
  if (!in.ReadVarint(&id) || id == 0 || id > UINT32_MAX) return Wrong("bad id of trained dictionaries");
  dictionaries_id_ = static_cast<uint32_t>(id);
  return Status::Ok();
}

Status Segment::UseDictionaries(std::shared_ptr<const DictionarySet> set) {
  if (set->id() != dictionaries_id_) {
    return Wrong("it refers to other trained dictionaries than it is read with");
  }
  dictionaries_ = std::move(set);
  return Status::Ok();
}

Status Segment::ParseGroup(ByteReader* in, Group* group) {
  uint64_t rows;
  uint64_t listed;
  if (!in->ReadVarint(&rows) || rows == 0 || rows > kMaxRowGroupRows) return Wrong("bad row group");
  if (!in->ReadVarint(&listed) || listed > rows) return Wrong("bad row group");
  group->rows = static_cast<uint32_t>(rows);
  group->vectors = static_cast<uint32_t>((rows + kMaxVectorRows - 1) / kMaxVectorRows);
  if (listed == 0) return Status::Ok();
  if (listed > in->remaining()) return Wrong("bad row group");
  group->vectors = static_cast<uint32_t>(listed);
  group->vector_starts.reserve(listed);
  uint64_t next = 0;
  for (uint64_t v = 0; v < listed; v++) {
    uint64_t n;
    if (!in->ReadVarint(&n) || n == 0 || n > kMaxVectorRows) return Wrong("bad vector rows");
    group->vector_starts.push_back(static_cast<uint32_t>(next));
    next += n;
  }
  return next == rows ? Status::Ok() : Wrong("bad vector rows");
}

Status Segment::ParseGroups(ByteReader in) {
  uint64_t count;
  if (!in.ReadVarint(&count) || count > in.remaining()) return Wrong("bad row groups");
  groups_.reserve(count);
  uint64_t next = 0;
  for (uint64_t g = 0; g < count; g++) {
    Group group;
    Status status = ParseGroup(&in, &group);
    if (!status.ok()) return status;
    group.first_row = next;
    const bool counts = !has_last_rows_ || g + 1 < count;
    if (counts) next += group.rows;
    groups_.push_back(std::move(group));
  }
  if (next != rows_) return Wrong("row groups do not add up");
  if (!has_last_rows_) return Status::Ok();
  if (groups_.empty() || groups_.back().rows != series_ || time_column_ < 0 || series_columns_.empty() ||
      series_ * column_count_ > kMaxLastRowsCells) {
    return Wrong("bad last rows");
  }
  return Status::Ok();
}

Status Segment::ParseConstant(ByteReader* in, const ColumnShape& shape, ChunkEntry* entry) {
  uint64_t length;
  const uint8_t* value;
  if (!in->ReadVarint(&length) || length > kMaxConstantBytes || !in->ReadBytes(length, &value)) {
    return Wrong("bad constant");
  }
  if (shape.kind == NTS_KIND_NONE || (shape.kind != NTS_KIND_VAR && length != shape.width)) {
    return Wrong("bad constant");
  }
  entry->codec = codec::kConstant;
  entry->null_count = 0;
  entry->constant_at = static_cast<uint32_t>(constants_.size());
  entry->constant_length = static_cast<uint32_t>(length);
  constants_.insert(constants_.end(), value, value + length);
  if (!IsWord(shape.kind)) return Status::Ok();
  entry->has_range = true;
  entry->min = base::LoadLeWidth(value, length);
  if (shape.kind == NTS_KIND_INT) entry->min = base::SignExtend(entry->min, shape.width);
  entry->max = entry->min;
  return Status::Ok();
}

// before: the column's entry in the row group before, or NULL.
Status Segment::ParseChunk(ByteReader* in, const ColumnShape& shape, uint32_t rows,
                           const ChunkEntry* before, ChunkEntry* entry) {
  uint8_t head;
  if (!in->ReadU8(&head)) return Wrong("bad chunk entry");
  entry->null_count = rows;
  if (head == codec::kNone) return Status::Ok();
  if (head == codec::kConstant) return ParseConstant(in, shape, entry);
  if (head == kChunkEntrySameConstant) {
    if (before == nullptr || before->codec != codec::kConstant) return Wrong("bad constant");
    *entry = *before;
    return Status::Ok();
  }
  uint64_t null_count;
  entry->codec = head & kVectorCodecMask;
  entry->has_range = head & kChunkEntryHasRange;
  if (!in->ReadVarint(&entry->length) || !in->ReadU32(&entry->crc32c)) {
    return Wrong("bad chunk entry");
  }
  if (!in->ReadVarint(&null_count) || null_count >= rows) return Wrong("bad null count");
  if (entry->codec == codec::kNone || entry->codec == codec::kConstant ||
      shape.kind == NTS_KIND_NONE) {
    return Wrong("bad chunk codec");
  }
  entry->null_count = static_cast<uint32_t>(null_count);
  if (!entry->has_range) return Status::Ok();
  if (shape.kind == NTS_KIND_INT) {
    int64_t min;
    if (!in->ReadZigZag(&min) || !in->ReadVarint(&entry->max)) return Wrong("bad range");
    entry->min = static_cast<uint64_t>(min);
    entry->max += entry->min;
    return Status::Ok();
  }
  if (!IsWord(shape.kind) || !in->ReadWidth(shape.width, &entry->min) ||
      !in->ReadWidth(shape.width, &entry->max)) {
    return Wrong("bad range");
  }
  return Status::Ok();
}

Status Segment::ParseChunks(ByteReader in, uint64_t data_length) {
  const uint64_t count = groups_.size() * StoredColumns();
  if (count > in.remaining()) return Wrong("chunk entries missing");
  chunks_.resize(count);
  uint64_t offset = 0;
  size_t at = 0;
  for (Group& group : groups_) {
    group.first_byte = offset;
    for (const ColumnShape& shape : shapes_) {
      ChunkEntry& entry = chunks_[at];
      const ChunkEntry* before = at >= StoredColumns() ? &chunks_[at - StoredColumns()] : nullptr;
      at++;
      Status status = ParseChunk(&in, shape, group.rows, before, &entry);
      if (!status.ok()) return status;
      if (entry.length > data_length - offset) return Wrong("chunk beyond the data");
      entry.offset = offset;
      offset += entry.length;
    }
  }
  return offset == data_length ? Status::Ok() : Wrong("chunks do not fill the data");
}

void Segment::Info(NtsSegmentInfo* info) const {
  *info = {};
  info->rows = rows_;
  info->row_groups = static_cast<uint32_t>(groups_.size() - (has_last_rows_ ? 1 : 0));
  info->has_last_rows = has_last_rows_;
  info->column_count = column_count_;
  info->level = level_;
  info->has_row_ids = has_row_ids_;
  info->has_command_ids = has_command_ids_;
  info->series = series_;
  info->time_column = time_column_;
  info->dictionaries = dictionaries_id_;
  info->series_column_count = static_cast<uint32_t>(series_columns_.size());
  std::copy(series_columns_.begin(), series_columns_.end(), info->series_columns);
}

Status Segment::RowGroup(uint32_t group, NtsRowGroupInfo* info) const {
  if (group >= groups_.size()) return Status::Bug("no such row group");
  const Group& g = groups_[group];
  *info = {g.first_row, g.first_byte, g.rows, g.vectors};
  return Status::Ok();
}

Status Segment::Vector(uint32_t group, uint32_t vector, uint32_t* first_row,
                       uint32_t* rows) const {
  if (group >= groups_.size() || vector >= groups_[group].vectors) {
    return Status::Bug("no such vector");
  }
  const Group& g = groups_[group];
  const auto start = [&g](uint32_t v) { return VectorStart(g.starts(), g.vectors, g.rows, v); };
  *first_row = start(vector);
  *rows = start(vector + 1) - *first_row;
  return Status::Ok();
}

Status Segment::Chunk(uint32_t group, int32_t column, const ChunkEntry** entry) const {
  size_t index = static_cast<size_t>(column);
  bool exists = column >= 0 && static_cast<uint32_t>(column) < column_count_;
  if (column == NTS_COLUMN_ROW_ID) {
    exists = has_row_ids_;
    index = column_count_;
  } else if (column == NTS_COLUMN_COMMAND_ID) {
    exists = has_command_ids_;
    index = column_count_ + (has_row_ids_ ? 1 : 0);
  }
  if (!exists || group >= groups_.size()) return Status::Bug("no such chunk");
  *entry = &chunks_[group * StoredColumns() + index];
  return Status::Ok();
}

Status Segment::StoredChunk(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                            ChunkRef* ref) const {
  const ChunkEntry* entry;
  Status status = Chunk(group, column, &entry);
  if (!status.ok()) return status;
  if (chunk.size() != entry->length) return Status::Bug("chunk of another length");
  const size_t index = static_cast<size_t>(entry - chunks_.data()) % StoredColumns();
  ref->shape = shapes_[index];
  ref->codec = entry->codec;
  ref->align = aligns_[index];
  const Group& g = groups_[group];
  ref->vectors = g.vectors;
  ref->rows = g.rows;
  ref->vector_starts = g.starts();
  ref->cache = entry->length == 0 ? nullptr : Cache(group, static_cast<size_t>(entry - chunks_.data()));
  ref->trained = dictionaries_ == nullptr ? nullptr : dictionaries_->Find(static_cast<uint32_t>(index));
  ref->bytes = chunk.data();
  ref->length = chunk.size();
  if (entry->codec == codec::kConstant) {
    ref->bytes = constants_.data() + entry->constant_at;
    ref->length = entry->constant_length;
  }
  return Status::Ok();
}

// What was parsed of a chunk grows as its vectors are read.
void Segment::CountLastCache() const {
  if (cached_.empty()) return;
  CachedChunk& last = cached_.back();
  const size_t bytes = sizeof(last) + last.cache.MemoryBytes();
  cached_bytes_ += bytes - last.bytes;
  last.bytes = bytes;
}

void Segment::DropCache(CachedChunks::iterator cached) const {
  cached_bytes_ -= cached->bytes;
  cache_of_[cached->chunk] = cached_.end();
  cached_.erase(cached);
}

void Segment::KeepParsed(size_t bytes) {
  kept_bytes_ = bytes;
  CountLastCache();
  while (!cached_.empty() && cached_bytes_ > bytes) DropCache(cached_.begin());
}

ChunkCache* Segment::Cache(uint32_t group, size_t chunk) const {
  if (!cached_.empty() && cached_.back().chunk == chunk) return &cached_.back().cache;
  CountLastCache();
  if (cache_of_.empty()) cache_of_.assign(chunks_.size(), cached_.end());
  if (cache_of_[chunk] != cached_.end()) {
    cached_.splice(cached_.end(), cached_, cache_of_[chunk]);
    return &cached_.back().cache;
  }
  // Vectors are mostly read column by column: those of the same row group are about to be asked for again.
  for (auto next = cached_.begin(); cached_bytes_ > kept_bytes_ && next != cached_.end();) {
    const auto oldest = next++;
    if (oldest->group != group) DropCache(oldest);
  }
  while (cached_bytes_ > kept_bytes_ && cached_.size() >= kMaxCachedChunks) DropCache(cached_.begin());
  CachedChunk& added = cached_.emplace_back();
  added.group = group;
  added.chunk = chunk;
  cache_of_[chunk] = std::prev(cached_.end());
  return &added.cache;
}

Status Segment::Ref(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                    ChunkRef* ref) const {
  Status status = StoredChunk(group, column, chunk, ref);
  if (status.ok() && column >= 0 && dropped_[static_cast<size_t>(column)]) ref->shape = {};
  return status;
}

Status Segment::Verify(uint32_t group, int32_t column, std::span<const uint8_t> chunk) const {
  const ChunkEntry* entry;
  Status status = Chunk(group, column, &entry);
  if (!status.ok()) return status;
  if (chunk.size() != entry->length) return Status::Bug("chunk of another length");
  if (base::Crc32c(0, chunk.data(), chunk.size()) != entry->crc32c) {
    return Status::Corrupt("column chunk: checksum mismatch");
  }
  return Status::Ok();
}

Status Segment::VectorSize(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                           uint32_t vector, uint64_t* data_bytes) const {
  ChunkRef ref;
  uint32_t first_row;
  uint32_t rows;
  Status status = Ref(group, column, chunk, &ref);
  if (status.ok()) status = Vector(group, vector, &first_row, &rows);
  if (!status.ok()) return status;
  uint64_t cursor = 0;
  status = MeasureVector(ref, vector, rows, &cursor);
  if (status.ok()) *data_bytes = cursor;
  return status;
}

Status Segment::Decode(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                       uint32_t vector, uint64_t* values, uint8_t* nulls, uint8_t* data,
                       uint64_t data_bytes, bool* any_null, bool* uniform, uint32_t wanted) const {
  ChunkRef ref;
  uint32_t first_row;
  uint32_t rows;
  Status status = Ref(group, column, chunk, &ref);
  if (status.ok()) status = Vector(group, vector, &first_row, &rows);
  if (!status.ok()) return status;
  uint64_t cursor = 0;
  return DecodeVector(ref, vector, rows, values, nulls, data, data_bytes, &cursor, any_null, uniform, wanted);
}

Status Segment::Statistics(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                           std::vector<segment::VectorStatistics>* vectors) const {
  ChunkRef ref;
  Status status = Ref(group, column, chunk, &ref);
  if (!status.ok()) return status;
  return ReadChunkStatistics(ref, vectors);
}

Status Segment::ChunkStatistics(uint32_t group, int32_t column, NtsStatistics* out) const {
  const ChunkEntry* entry;
  Status status = Chunk(group, column, &entry);
  if (!status.ok()) return status;
  *out = {};
  out->rows = groups_[group].rows;
  out->nulls_known = 1;
  out->null_count = entry->null_count;
  // A column that has been dropped is all NULL.
  if (column >= 0 && dropped_[static_cast<size_t>(column)]) {
    out->null_count = out->rows;
    return Status::Ok();
  }
  out->has_range = entry->has_range;
  out->min = entry->min;
  out->max = entry->max;
  return Status::Ok();
}

Status Segment::VectorStatistics(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                                 NtsStatistics* vectors) const {
  NtsStatistics whole;
  Status status = ChunkStatistics(group, column, &whole);
  std::vector<segment::VectorStatistics> stored;
  if (status.ok()) status = Statistics(group, column, chunk, &stored);
  if (!status.ok()) return status;
  const Group& g = groups_[group];
  for (uint32_t v = 0; v < g.vectors; v++) {
    NtsStatistics& out = vectors[v];
    out = {};
    out.rows = segment::VectorStart(g.starts(), g.vectors, g.rows, v + 1) -
               segment::VectorStart(g.starts(), g.vectors, g.rows, v);
    if (!stored.empty()) {
      const segment::VectorStatistics& s = stored[v];
      out.null_count = s.null_count;
      out.nulls_known = 1;
      out.has_range = s.has_range;
      out.has_sum = s.has_sum;
      out.min = s.min;
      out.max = s.max;
      out.sum = s.sum;
      continue;
    }
    // What holds for all rows holds for these.
    out.null_count = std::min(whole.null_count, out.rows);
    out.nulls_known = whole.null_count == 0 || whole.null_count == g.rows || g.vectors == 1;
    out.has_range = whole.has_range;
    out.min = whole.min;
    out.max = whole.max;
  }
  return Status::Ok();
}

Status Segment::Distinct(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                         uint32_t most, uint64_t* values, uint8_t* data, uint64_t* data_bytes,
                         uint32_t* count) const {
  ChunkRef ref;
  Status status = Ref(group, column, chunk, &ref);
  if (!status.ok()) return status;
  return ReadDistinct(ref, most, values, data, data_bytes, count);
}

Status Segment::Members(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                        uint64_t* members, uint8_t* any_null) const {
  ChunkRef ref;
  Status status = Ref(group, column, chunk, &ref);
  if (!status.ok()) return status;
  return ReadMembers(ref, members, any_null);
}

uint64_t Segment::MemoryBytes() const {
  uint64_t bytes = sizeof(*this) + chunks_.capacity() * sizeof(ChunkEntry) + constants_.capacity() +
                   series_index_.capacity() + groups_.capacity() * sizeof(Group) +
                   last_rows_.capacity() * sizeof(uint32_t);
  // Each of those who share the set counts its part.
  if (dictionaries_ != nullptr) {
    bytes += dictionaries_->MemoryBytes() / static_cast<uint64_t>(dictionaries_.use_count());
  }
  for (const Group& group : groups_) bytes += group.vector_starts.capacity() * sizeof(uint32_t);
  CountLastCache();
  return bytes + cached_bytes_ + cache_of_.capacity() * sizeof(CachedChunks::iterator);
}

Status Segment::Series(std::vector<SeriesEntry>* series) const {
  series->clear();
  if (series_ <= 1) return Status::Ok();
  ByteReader in(series_index_.data(), series_index_.size());
  std::vector<uint64_t> rows, min, length;
  std::vector<uint8_t> nulls, timeless;
  if (!ReadSeriesList(&in, series_, &rows, &nulls) ||
      !ReadSeriesList(&in, series_, &min, &timeless) ||
      !ReadSeriesList(&in, series_, &length, &timeless)) {
    return Wrong("bad series index");
  }
  series->resize(series_);
  uint64_t next = 0;
  for (uint64_t s = 0; s < series_; s++) {
    if (rows[s] == 0 || rows[s] > rows_ - next) return Wrong("bad series index");
    SeriesEntry& entry = (*series)[s];
    entry.first_row = next;
    entry.rows = rows[s];
    entry.has_time = timeless[s] == 0;
    entry.min_time = static_cast<int64_t>(min[s]);
    entry.max_time = static_cast<int64_t>(min[s] + length[s]);
    next += rows[s];
  }
  return next == rows_ ? Status::Ok() : Wrong("bad series index");
}

Status Segment::LastRows(uint32_t first, uint32_t count, uint64_t* rows) const {
  if (first > series_ || count > series_ - first) return Status::Bug("no such series");
  if (last_rows_.empty()) {
    std::vector<SeriesEntry> series;
    Status status = Series(&series);
    if (!status.ok()) return status;
    std::vector<uint32_t> last;
    last.reserve(series_);
    for (const SeriesEntry& entry : series) last.push_back(static_cast<uint32_t>(entry.first_row + entry.rows - 1));
    if (series.empty()) last.push_back(static_cast<uint32_t>(rows_ - 1));  // there is one series
    last_rows_ = std::move(last);
  }
  std::copy_n(last_rows_.begin() + first, count, rows);
  return Status::Ok();
}

}  // namespace nodedb_ts::segment
