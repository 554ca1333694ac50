#include "segment/chunk_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "base/bits.h"
#include "base/words.h"
#include "codec/delta/delta.h"
#include "codec/dictionary/dictionary.h"
#include "codec/shared/word_chunk.h"
#include "segment/shared_strings.h"

namespace nodedb_ts::segment {
namespace {

using base::Status;

// Up to this many entries, every value that a vector uses is laid out once.
constexpr size_t kSharedEntries = 1024;

Status Wrong(const char* what) {
  return Status::Corrupt(std::string("column chunk: ") + what);
}

// The parts of a chunk that has vectors.
struct Parts {
  base::ByteReader vectors;
  base::ByteReader dictionary;
  base::ByteReader statistics;
  base::ByteReader shared;  // of byte strings
  base::ByteReader model;
  bool has_dictionary = false;
  bool stepped = false;
  const uint8_t* offsets = nullptr;
  size_t offset_width = 1;
};

// Chunks whose vectors mean nothing alone.
bool NeedsShared(uint8_t chunk_codec) {
  return chunk_codec == codec::kDictionary || chunk_codec == codec::kBytesTokens ||
         chunk_codec == codec::kBytesZstdDictionary || chunk_codec == codec::kBytesFsst;
}

bool OpenParts(const ChunkRef& chunk, Parts* parts) {
  base::ByteReader in(chunk.bytes, chunk.length);
  const uint8_t* tail;
  uint32_t statistics_bytes = 0;
  uint32_t dictionary_bytes = 0;
  uint32_t model_bytes = 0;
  uint32_t shared_bytes = 0;
  if (chunk.vectors == 0 || !in.TakeTail(1, &tail)) return false;
  const uint8_t flags = *tail;
  if (flags & ~(kChunkOffsetWidthMask | kChunkHasDictionary | kChunkHasStatistics |
                kChunkHasModel | kChunkHasShared | kChunkStepped)) {
    return false;
  }
  const bool has_shared = flags & kChunkHasShared;
  const bool has_dictionary = flags & kChunkHasDictionary;
  if (has_shared && !IsBytes(chunk.shape.kind)) return false;
  if (has_dictionary && (has_shared || chunk.codec != codec::kDictionary)) return false;
  // A packed dictionary is a shared part; of words it stands in the model.
  const bool packed_words = chunk.codec == codec::kDictionary && IsWord(chunk.shape.kind);
  if (!packed_words && (has_dictionary || has_shared) != NeedsShared(chunk.codec)) return false;
  if (flags & kChunkHasModel) {
    if (!in.TakeTail(4, &tail)) return false;
    model_bytes = base::LoadLe<uint32_t>(tail);
  }
  if (flags & kChunkHasStatistics) {
    if (!in.TakeTail(4, &tail)) return false;
    statistics_bytes = base::LoadLe<uint32_t>(tail);
  }
  if (flags & kChunkHasDictionary) {
    if (!in.TakeTail(4, &tail)) return false;
    dictionary_bytes = base::LoadLe<uint32_t>(tail);
  }
  if (has_shared) {
    if (!in.TakeTail(4, &tail)) return false;
    shared_bytes = base::LoadLe<uint32_t>(tail);
  }
  parts->has_dictionary = has_dictionary;
  parts->offset_width = size_t{1} << (flags & kChunkOffsetWidthMask);
  parts->stepped = flags & kChunkStepped;
  const uint64_t offsets = parts->stepped ? 0 : chunk.vectors - 1;
  if (!in.TakeTail(offsets * parts->offset_width, &parts->offsets)) return false;
  if (!in.TakeTail(model_bytes, &tail)) return false;
  parts->model = base::ByteReader(tail, model_bytes);
  if (!in.TakeTail(statistics_bytes, &tail)) return false;
  parts->statistics = base::ByteReader(tail, statistics_bytes);
  if (!in.TakeTail(dictionary_bytes, &tail)) return false;
  parts->dictionary = base::ByteReader(tail, dictionary_bytes);
  if (!in.TakeTail(shared_bytes, &tail)) return false;
  parts->shared = base::ByteReader(tail, shared_bytes);
  parts->vectors = in;
  return true;
}

// Borrows what FindSharedStrings keeps when the dictionary is packed.
bool OpenDictionary(const ChunkRef& chunk, const Parts& parts, uint32_t width,
                    codec::Dictionary* dictionary) {
  if (parts.shared.empty()) return dictionary->Open(parts.dictionary, width);
  const SharedStrings* shared = FindSharedStrings(chunk.codec, width, parts.shared);
  return shared != nullptr && dictionary->Open(shared->dictionary(), width);
}

bool FindVector(const ChunkRef& chunk, const Parts& parts, uint32_t vector,
                base::ByteReader* out) {
  const auto offset = [&](uint32_t v) {
    return base::LoadLeWidth(parts.offsets + v * parts.offset_width, parts.offset_width);
  };
  const uint64_t begin = vector == 0 ? 0 : offset(vector - 1);
  const uint64_t end =
      vector + 1 == chunk.vectors ? parts.vectors.remaining() : offset(vector);
  if (begin > end || end > parts.vectors.remaining()) return false;
  *out = base::ByteReader(parts.vectors.at() + begin, end - begin);
  return true;
}

// Byte strings that are stored as words, which needs a model.
bool StoresFields(uint8_t number) {
  return number == codec::kBytesFields || number == codec::kBytesNumeric;
}

// Which shape the integers of the vectors have.
codec::WordShape StoredShape(const ChunkRef& chunk, const ChunkModel& model) {
  return model.mapping.used() ? kCodeShape : WordShapeOf(chunk.shape);
}

// The entries of a packed dictionary: ascending, so none stands twice.
bool ReadModelWords(const ChunkRef& chunk, const codec::WordShape& shape, base::ByteReader* in,
                    std::vector<uint64_t>* words) {
  uint64_t entries;
  std::vector<uint8_t> nulls;
  // No more entries than rows: what a few bytes can claim is bounded.
  if (!in->ReadVarint(&entries) || entries == 0 || entries > chunk.rows) return false;
  if (entries > kMaxRowGroupRows) return false;
  if (!ReadWordList(shape, in, entries, words, &nulls)) return false;
  for (size_t i = 0; i < words->size(); i++) {
    if (nulls[i]) return false;
    if (i > 0 && OrderOf(shape, (*words)[i]) <= OrderOf(shape, (*words)[i - 1])) return false;
  }
  return true;
}

bool ParseModel(const ChunkRef& chunk, const Parts& parts, ChunkModel* model) {
  *model = {};
  uint8_t flags;
  base::ByteReader in = parts.model;
  if (!in.ReadU8(&flags) || flags == 0 || flags >= 2 * kModelWords) return false;
  if (((flags & kModelFields) != 0) != StoresFields(chunk.codec)) return false;
  if (flags & kModelFields) {
    if (flags != kModelFields || !IsBytes(chunk.shape.kind)) return false;
    return (chunk.codec == codec::kBytesFields
                ? model->fields.Read(FixedWidth(chunk.shape), &in)
                : chunk.shape.kind == NTS_KIND_VAR && model->numeric.Read(&in)) &&
           in.empty();
  }
  if ((flags & kModelMapping) && !model->mapping.Read(&in)) return false;
  if ((flags & kModelTables) && !codec::ReadTables(&in, &model->tables)) return false;
  if (flags & kModelWords) {
    if (chunk.codec != codec::kDictionary || parts.has_dictionary) return false;
    if (!IsWord(chunk.shape.kind)) return false;
    if (!ReadModelWords(chunk, StoredShape(chunk, *model), &in, &model->words)) return false;
  }
  const bool may_map = chunk.shape.kind == NTS_KIND_INT && !parts.has_dictionary;
  return in.empty() && (may_map || !model->mapping.used());
}

// The model of a chunk, from its cache when it has one. `own` takes it otherwise. NULL
// when the bytes are wrong.
const ChunkModel* FindModel(const ChunkRef& chunk, const Parts& parts, std::optional<ChunkModel>* own) {
  static const ChunkModel none;
  if (parts.model.empty()) return StoresFields(chunk.codec) ? nullptr : &none;
  if (chunk.cache == nullptr) return ParseModel(chunk, parts, &own->emplace()) ? &**own : nullptr;
  if (!chunk.cache->parsed) {
    if (!ParseModel(chunk, parts, &chunk.cache->model)) return nullptr;
    chunk.cache->parsed = true;
  }
  return &chunk.cache->model;
}

// From stored integers to values of the column; false when one is not canonical.
bool MapUp(const ChunkRef& chunk, const ChunkModel& model, std::span<uint64_t> words) {
  if (!model.mapping.used()) return true;
  for (uint64_t& v : words) v = model.mapping.Up(v);
  uint64_t wrong = 0;
  if (chunk.shape.width < 8) {
    for (const uint64_t v : words) wrong |= v ^ base::SignExtend(v, chunk.shape.width);
  }
  return wrong == 0;
}

// One flag for each bit; returns the number of ones.
size_t ExpandBitmap(const uint8_t* bitmap, size_t count, uint8_t* nulls) {
  size_t ones = 0;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    // Bit j of the byte, alone in byte j of the word; then made 0 or 1.
    const uint64_t spread = (bitmap[i / 8] * uint64_t{0x0101010101010101}) & 0x8040201008040201;
    base::StoreLe<uint64_t>(nulls + i, ((spread + 0x7f7f7f7f7f7f7f7f) >> 7) & 0x0101010101010101);
    ones += static_cast<size_t>(std::popcount(bitmap[i / 8]));
  }
  for (; i < count; i++) {
    nulls[i] = (bitmap[i / 8] >> (i % 8)) & 1;
    ones += nulls[i];
  }
  return ones;
}

// Runs of values and of NULLs, which alternate. Returns the number of NULLs; 0 also when
// the bytes are wrong.
size_t ReadNullRuns(base::ByteReader* in, size_t count, uint8_t* nulls) {
  uint64_t runs;
  if (!in->ReadVarint(&runs) || runs < 2 || runs > count + 1) return 0;
  size_t at = 0;
  size_t missing = 0;
  for (uint64_t r = 0; r < runs; r++) {
    uint64_t length;
    if (!in->ReadVarint(&length) || length > count - at || (length == 0 && r > 0)) return 0;
    std::memset(nulls + at, r % 2 == 1, length);
    if (r % 2 == 1) missing += length;
    at += length;
  }
  return at == count ? missing : 0;
}

// Reads a vector's first byte and NULLs; *present is the number of values.
bool ReadVectorHead(base::ByteReader* in, size_t count, uint8_t* nulls, uint8_t* number,
                    size_t* present) {
  uint8_t head;
  if (!in->ReadU8(&head)) return false;
  *number = head & kVectorCodecMask;
  switch (head >> kNullModeShift) {
    case kNoNulls:
      std::memset(nulls, 0, count);
      *present = count;
      return true;
    case kAllNulls:
      std::memset(nulls, 1, count);
      *present = 0;
      return in->empty();
    case kNullBitmap: {
      const uint8_t* bitmap;
      if (!in->ReadBytes((count + 7) / 8, &bitmap)) return false;
      const size_t missing = ExpandBitmap(bitmap, count, nulls);
      *present = count - missing;
      return missing > 0 && missing < count;
    }
    default: {
      const size_t missing = ReadNullRuns(in, count, nulls);
      *present = count - missing;
      return missing > 0 && missing < count;
    }
  }
}

// Moves `present` leading values to the rows that are not NULL, in place. REQUIRES
// some NULL.
void Spread(const uint8_t* nulls, size_t count, size_t present, uint64_t* values) {
  // Without branches: NULLs come unpredictably. present < count, so what a NULL reads
  // is inside the vector.
  for (size_t i = count; i-- > 0;) {
    present -= nulls[i] ^ 1;
    values[i] = values[present] & (uint64_t{nulls[i]} - 1);
  }
}

// Lays out by-reference values one after the other.
class Layout {
 public:
  Layout(const ChunkRef& chunk, uint64_t cursor)
      : align_(SaneAlign(chunk.align)),
        head_(chunk.shape.kind == NTS_KIND_VAR ? 4 : 0),
        cursor_(cursor) {}

  // Offset of the next value's first byte (its length word for VAR).
  uint64_t Place(uint64_t length) {
    const uint64_t at = base::AlignUp(cursor_, align_);
    cursor_ = at + head_ + length;
    return at;
  }
  uint64_t head() const { return head_; }
  uint64_t cursor() const { return cursor_; }
  void WriteHead(uint8_t* at, uint64_t length) const {
    if (head_ == 0) return;
    const uint32_t word = static_cast<uint32_t>(length + 4) << 2;
    std::memcpy(at, &word, sizeof(word));
  }

 private:
  uint64_t align_;
  uint64_t head_;
  uint64_t cursor_;
};

uint64_t Address(const uint8_t* p) { return reinterpret_cast<uintptr_t>(p); }

// Where decoded bytes go; data is NULL while only measuring.
struct Room {
  uint8_t* data;
  uint64_t data_bytes;
  uint64_t* cursor;
};

Status PutShared(const ChunkRef& chunk, std::string_view value, const Room& room,
                 uint64_t* address) {
  Layout layout(chunk, *room.cursor);
  const uint64_t at = layout.Place(value.size());
  *room.cursor = layout.cursor();
  if (room.data == nullptr) return Status::Ok();
  if (layout.cursor() > room.data_bytes) return Status::Bug("room for decoded values is short");
  layout.WriteHead(room.data + at, value.size());
  if (!value.empty()) std::memcpy(room.data + at + layout.head(), value.data(), value.size());
  *address = Address(room.data + at);
  return Status::Ok();
}

// Values of a vector whose lengths are known, one after the other in `from`, which may be the end
// of the room: then what is still to be moved always lies behind what is written.
void PlaceValues(const ChunkRef& chunk, const uint8_t* from, const uint64_t* lengths,
                 const uint8_t* nulls, uint32_t rows, const Room& room, uint64_t* values) {
  Layout layout(chunk, *room.cursor);
  size_t next = 0;
  for (uint32_t r = 0; r < rows; r++) {
    if (nulls[r]) {
      values[r] = 0;
      continue;
    }
    const uint64_t length = lengths[next++];
    uint8_t* at = room.data + layout.Place(length);
    layout.WriteHead(at, length);
    if (length > 0 && from != at + layout.head()) {
      std::memmove(at + layout.head(), from, length);
    }
    from += length;
    values[r] = Address(at);
  }
  *room.cursor = layout.cursor();
}

// Byte strings coded with a token model: lengths come with the bytes, so the room is what they take
// at most.
Status TokensOfVector(const ChunkRef& chunk, const Parts& parts, base::ByteReader in,
                      const uint8_t* nulls, uint32_t rows, size_t present, const Room& room,
                      uint64_t* values) {
  uint64_t total;
  if (!in.ReadVarint(&total) || total > kMaxVectorBytes) return Wrong("bad bytes vector");
  if (total / kMaxTokensRatio > in.remaining() + parts.shared.remaining()) {
    return Wrong("bad bytes vector");
  }
  const uint64_t start = *room.cursor;
  const Layout layout(chunk, start);
  const uint64_t end = base::AlignUp(start, SaneAlign(chunk.align)) + total +
                       present * (layout.head() + SaneAlign(chunk.align) - 1);
  if (room.data == nullptr) {
    *room.cursor = end;
    return Status::Ok();
  }
  if (end > room.data_bytes) return Status::Bug("room for decoded values is short");
  const SharedStrings* shared =
      FindSharedStrings(chunk.codec, FixedWidth(chunk.shape), parts.shared);
  if (shared == nullptr) return Wrong("bad shared part");
  uint64_t lengths[kMaxVectorRows];
  uint8_t* tail = room.data + end - total;
  if (!shared->tokens().Decode(in, {lengths, present}, tail, total)) return Wrong("bad tokens");
  if (chunk.shape.kind == NTS_KIND_FIXED) {
    for (size_t i = 0; i < present; i++) {
      if (lengths[i] != chunk.shape.width) return Wrong("value of another width");
    }
  }
  PlaceValues(chunk, tail, lengths, nulls, rows, room, values);
  return Status::Ok();
}

// Byte strings of a vector without a dictionary.
Status BytesOfVector(const ChunkRef& chunk, const Parts& parts, base::ByteReader in,
                     uint8_t number, const uint8_t* nulls, uint32_t rows, size_t present,
                     const Room& room, uint64_t* values) {
  const bool needs_shared = number != codec::kDictionary && NeedsShared(number);
  if (needs_shared && number != chunk.codec) {
    return Wrong("vector without its shared part");
  }
  if (number == codec::kBytesTokens) {
    return TokensOfVector(chunk, parts, in, nulls, rows, present, room, values);
  }
  codec::SharedBytes shared_bytes;
  if (needs_shared) {
    const SharedStrings* shared =
        FindSharedStrings(chunk.codec, FixedWidth(chunk.shape), parts.shared);
    if (shared == nullptr) return Wrong("bad shared part");
    shared_bytes = {&shared->zstd_dictionary(), &shared->symbols(), nullptr};
  }
  if (number == codec::kBytesTrained) {
    if (chunk.trained == nullptr) return Wrong("its trained dictionary is missing");
    shared_bytes.trained = chunk.trained;
  }
  uint64_t lengths[kMaxVectorRows];
  codec::BytesVector vector;
  if (!codec::OpenBytes(FixedWidth(chunk.shape), number, in, shared_bytes, {lengths, present},
                        &vector)) {
    return Wrong("bad bytes vector");
  }
  Layout measure(chunk, *room.cursor);
  for (size_t i = 0; i < present; i++) measure.Place(lengths[i]);
  const uint64_t end = measure.cursor();
  if (room.data == nullptr) {
    *room.cursor = end;
    return Status::Ok();
  }
  if (end > room.data_bytes) return Status::Bug("room for decoded values is short");
  const uint8_t* from = vector.stored;
  if (vector.compressed) {
    uint8_t* tail = room.data + end - vector.total;
    if (!codec::CopyBytes(vector, tail)) return Wrong("bad compressed bytes");
    from = tail;
  }
  PlaceValues(chunk, from, lengths, nulls, rows, room, values);
  return Status::Ok();
}

// Turns codes in values[0..present) into addresses, each used entry laid out once
// (or once for each run when the dictionary is large).
Status BytesOfDictionary(const ChunkRef& chunk, const Parts& parts, size_t present,
                         const Room& room, uint64_t* values) {
  codec::Dictionary dictionary;
  if (!OpenDictionary(chunk, parts, FixedWidth(chunk.shape), &dictionary)) {
    return Wrong("bad dictionary");
  }
  const bool shared = dictionary.size() <= kSharedEntries;
  uint64_t addresses[kSharedEntries];
  bool placed[kSharedEntries];
  if (shared) std::fill_n(placed, dictionary.size(), false);
  uint64_t before = UINT64_MAX;
  uint64_t address = 0;
  const uint64_t start = *room.cursor;
  for (size_t i = 0; i < present; i++) {
    const uint64_t code = values[i];
    if (code >= dictionary.size()) return Wrong("code beyond the dictionary");
    if (shared && placed[code]) {
      values[i] = addresses[code];
      continue;
    }
    if (code != before) {
      const uint8_t* bytes;
      uint64_t length;
      if (!dictionary.Get(code, &bytes, &length)) return Wrong("bad dictionary offsets");
      if (length > kMaxVectorBytes) return Wrong("dictionary entry too long");
      const std::string_view value(reinterpret_cast<const char*>(bytes), length);
      Status status = PutShared(chunk, value, room, &address);
      if (!status.ok()) return status;
      if (*room.cursor - start > 4 * kMaxVectorBytes) return Wrong("vector too large");
      before = code;
    }
    if (shared) {
      placed[code] = true;
      addresses[code] = address;
    }
    values[i] = address;
  }
  return Status::Ok();
}

Status WordsOfDictionary(const ChunkRef& chunk, const Parts& parts, const ChunkModel& model,
                         size_t present, uint64_t* values) {
  if (!parts.has_dictionary) {
    for (size_t i = 0; i < present; i++) {
      if (values[i] >= model.words.size()) return Wrong("code beyond the dictionary");
      values[i] = model.words[values[i]];
    }
    return Status::Ok();
  }
  codec::Dictionary dictionary;
  if (!OpenDictionary(chunk, parts, chunk.shape.width, &dictionary)) return Wrong("bad dictionary");
  const std::span<uint64_t> words(values, present);
  if (!dictionary.Words(words)) return Wrong("code beyond the dictionary");
  if (chunk.shape.kind == NTS_KIND_INT) base::SignExtendAll(words, chunk.shape.width);
  return Status::Ok();
}

// Byte strings of one length out of their words.
Status FieldsOfVector(const ChunkRef& chunk, const codec::FieldsModel& model, base::ByteReader in,
                      const uint8_t* nulls, uint32_t rows, const Room& room, uint64_t* values) {
  Layout layout(chunk, *room.cursor);
  uint8_t* at[kMaxVectorRows];
  size_t n = 0;
  for (uint32_t r = 0; r < rows; r++) {
    values[r] = 0;
    if (nulls[r]) continue;
    const uint64_t place = layout.Place(model.length);
    if (room.data == nullptr) continue;
    if (layout.cursor() > room.data_bytes) return Status::Bug("room for decoded values is short");
    at[n] = room.data + place;
    layout.WriteHead(at[n], model.length);
    values[r] = Address(at[n]);
    at[n++] += layout.head();
  }
  *room.cursor = layout.cursor();
  if (room.data != nullptr && !model.Decode(in, n, at)) return Wrong("bad fields");
  return Status::Ok();
}

// Numerics out of their integers. Their lengths come with them: the room is what they take at
// most.
Status NumericsOfVector(const ChunkRef& chunk, const codec::NumericModel& model,
                        base::ByteReader in, const uint8_t* nulls, uint32_t rows, size_t present,
                        const Room& room, uint64_t* values) {
  uint64_t lengths[kMaxVectorRows];
  codec::NumericVector vector;
  if (!vector.Open(in, {lengths, present})) return Wrong("bad numerics");
  Layout layout(chunk, *room.cursor);
  if (room.data == nullptr) {
    for (size_t i = 0; i < present; i++) {
      layout.Place(vector.is_kept(i) ? lengths[i] : codec::kMaxScaledNumericBytes);
    }
    *room.cursor = layout.cursor();
    return Status::Ok();
  }
  codec::ScaledNumeric numbers[kMaxVectorRows];
  if (!vector.Decode(model, numbers)) return Wrong("bad numerics");
  const uint8_t* kept = vector.kept();
  const codec::ScaledNumeric* number = numbers;
  size_t next = 0;
  for (uint32_t r = 0; r < rows; r++) {
    values[r] = 0;
    if (nulls[r]) continue;
    uint8_t bytes[codec::kMaxScaledNumericBytes];
    std::string_view value;
    if (vector.is_kept(next)) {
      value = {reinterpret_cast<const char*>(kept), lengths[next]};
      kept += lengths[next];
    } else {
      value = {reinterpret_cast<const char*>(bytes), codec::WriteNumeric(*number++, bytes)};
    }
    next++;
    Status status = PutShared(chunk, value, room, &values[r]);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status ConstantVector(const ChunkRef& chunk, uint32_t rows, const Room& room, uint64_t* values,
                      uint8_t* nulls) {
  const uint32_t width = chunk.shape.width;
  uint64_t word = 0;
  std::memset(nulls, 0, rows);
  if (IsWord(chunk.shape.kind)) {
    if (chunk.length != width) return Wrong("constant of another width");
    word = base::LoadLeWidth(chunk.bytes, width);
    if (chunk.shape.kind == NTS_KIND_INT) word = base::SignExtend(word, width);
  } else {
    if (chunk.shape.kind == NTS_KIND_FIXED && chunk.length != width) {
      return Wrong("constant of another width");
    }
    if (chunk.length > kMaxConstantBytes) return Wrong("constant too long");
    const std::string_view value(reinterpret_cast<const char*>(chunk.bytes), chunk.length);
    Status status = PutShared(chunk, value, room, &word);
    if (!status.ok()) return status;
  }
  std::fill_n(values, rows, word);
  return Status::Ok();
}

bool ParseSteps(const ChunkRef& chunk, const codec::WordShape& shape, base::ByteReader in,
                ChunkSteps* steps) {
  uint64_t runs;
  std::vector<uint64_t> lengths;
  std::vector<uint8_t> no_nulls;
  if (!in.ReadVarint(&runs) || runs == 0 || runs > chunk.rows) return false;
  if (!ReadWordList(kCodeShape, &in, runs, &lengths, &no_nulls)) return false;
  if (!ReadWordList(shape, &in, runs, &steps->values, &steps->nulls) || !in.empty()) return false;
  std::vector<uint32_t> ends(runs);
  uint64_t end = 0;
  for (uint64_t r = 0; r < runs; r++) {
    if (lengths[r] == 0 || lengths[r] > chunk.rows - end) return false;
    end += lengths[r];
    ends[r] = static_cast<uint32_t>(end);
  }
  steps->ends = std::move(ends);
  return end == chunk.rows;
}

// The runs of a chunk, from its cache when it has one. `own` takes them otherwise. NULL when the bytes are wrong.
const ChunkSteps* FindSteps(const ChunkRef& chunk, const Parts& parts, const codec::WordShape& shape,
                            ChunkSteps* own) {
  if (chunk.cache == nullptr) return ParseSteps(chunk, shape, parts.vectors, own) ? own : nullptr;
  if (!chunk.cache->steps.ends.empty()) return &chunk.cache->steps;
  if (!ParseSteps(chunk, shape, parts.vectors, own)) return nullptr;
  if (own->ends.size() > kMaxCachedSteps) return own;
  chunk.cache->steps = std::move(*own);
  return &chunk.cache->steps;
}

// The runs of one vector.
struct VectorSteps {
  size_t runs;
  size_t present;                   // runs that are not NULL
  uint32_t lengths[kMaxVectorRows];
  uint8_t nulls[kMaxVectorRows];
  uint64_t values[kMaxVectorRows];  // as stored, of the runs that are not NULL: values[0..present)
};

// false: the vector goes beyond the runs.
bool CutSteps(const ChunkSteps& steps, uint32_t first_row, uint32_t rows, VectorSteps* out) {
  size_t r = static_cast<size_t>(std::upper_bound(steps.ends.begin(), steps.ends.end(), first_row) -
                                 steps.ends.begin());
  const uint32_t end = first_row + rows;
  if (end > steps.ends.back()) return false;
  out->runs = 0;
  out->present = 0;
  for (uint32_t at = first_row; at < end; r++) {
    const uint32_t until = std::min(steps.ends[r], end);
    out->lengths[out->runs] = until - at;
    out->nulls[out->runs++] = steps.nulls[r];
    if (!steps.nulls[r]) out->values[out->present++] = steps.values[r];
    at = until;
  }
  return true;
}

struct OpenedVector {
  base::ByteReader in;  // what follows the NULLs
  uint8_t number = codec::kNone;
  size_t present = 0;   // values that are not NULL
  size_t decoded = 0;   // stored words that are there, from the first on
  bool mapped = false;  // they are values of the column
};

// Times at equal distances are made at once, instead of one pass for each of what makes them. False: they are none.
bool FillRegular(const ChunkRef& chunk, const ChunkModel& model, uint64_t* values, OpenedVector* head) {
  uint64_t first;
  uint64_t delta;
  if (head->number != codec::kDelta || chunk.codec == codec::kDictionary ||
      chunk.shape.kind != NTS_KIND_INT || chunk.shape.width != 8 ||
      !codec::ReadEqualDeltas(head->in, head->present, &first, &delta)) {
    return false;
  }
  head->mapped = true;
  base::FillProgression(model.mapping.Up(first), model.mapping.scale * delta, head->decoded, values);
  return true;
}

// Reads a vector's NULLs and, of words and of dictionaries, stored words: values[0..decoded), at least those of the
// first `wanted` rows. REQUIRES a chunk that is not stepped.
Status OpenVector(const ChunkRef& chunk, const Parts& parts, const ChunkModel& model,
                  uint32_t vector, uint32_t rows, uint32_t wanted, uint64_t* values, uint8_t* nulls,
                  OpenedVector* head) {
  const bool words = IsWord(chunk.shape.kind);
  const bool dictionary = chunk.codec == codec::kDictionary;
  const codec::WordShape shape = dictionary ? kCodeShape : StoredShape(chunk, model);
  if (!FindVector(chunk, parts, vector, &head->in)) return Wrong("bad offsets");
  if (!ReadVectorHead(&head->in, rows, nulls, &head->number, &head->present)) {
    return Wrong("bad vector header");
  }
  head->decoded = head->present;
  if (wanted < rows) {
    const size_t missing = head->present == rows ? 0 : base::CountFlags(nulls, wanted);
    head->decoded = std::min(std::max<size_t>(wanted - missing, 1), head->present);
  }
  if (FillRegular(chunk, model, values, head)) return Status::Ok();
  if (head->present > 0 && (words || dictionary) &&
      !codec::DecodeWords(shape, head->number, head->in, {values, head->present}, model.tables, head->decoded)) {
    return Wrong(dictionary ? "bad codes" : "bad vector");
  }
  return Status::Ok();
}

// The runs of a vector of a stepped chunk.
Status OpenSteps(const ChunkRef& chunk, const Parts& parts, const ChunkModel& model, uint32_t vector,
                 uint32_t rows, VectorSteps* out) {
  const bool dictionary = chunk.codec == codec::kDictionary;
  if (!IsWord(chunk.shape.kind) && !dictionary) return Wrong("runs of byte strings");
  ChunkSteps own;
  const ChunkSteps* steps =
      FindSteps(chunk, parts, dictionary ? kCodeShape : StoredShape(chunk, model), &own);
  if (steps == nullptr || !CutSteps(*steps, chunk.VectorStart(vector), rows, out)) {
    return Wrong("bad runs");
  }
  return Status::Ok();
}

// The entries of a dictionary of byte strings, laid out one after the other.
Status EntriesOfDictionary(const ChunkRef& chunk, const codec::Dictionary& dictionary,
                           const Room& room, uint64_t* values) {
  for (uint64_t code = 0; code < dictionary.size(); code++) {
    const uint8_t* bytes;
    uint64_t length;
    uint64_t address = 0;
    if (!dictionary.Get(code, &bytes, &length)) return Wrong("bad dictionary offsets");
    if (length > kMaxVectorBytes) return Wrong("dictionary entry too long");
    Status status = PutShared(chunk, {reinterpret_cast<const char*>(bytes), length}, room, &address);
    if (!status.ok()) return status;
    if (room.data == nullptr && *room.cursor > 4 * kMaxVectorBytes) return Wrong("dictionary too large");
    if (room.data != nullptr) values[code] = address;
  }
  return Status::Ok();
}

// From what words and dictionaries store to values of the column, in place.
Status ValuesOfStored(const ChunkRef& chunk, const Parts& parts, const ChunkModel& model,
                      size_t present, const Room& room, uint64_t* values) {
  const bool words = IsWord(chunk.shape.kind);
  if (chunk.codec == codec::kDictionary) {
    Status status = words ? WordsOfDictionary(chunk, parts, model, present, values)
                          : BytesOfDictionary(chunk, parts, present, room, values);
    if (!status.ok()) return status;
  }
  if (words && !MapUp(chunk, model, {values, present})) return Wrong("bad vector");
  return Status::Ok();
}

Status VectorOfSteps(const ChunkRef& chunk, const Parts& parts, const ChunkModel& model,
                     uint32_t vector, uint32_t rows, const Room& room, uint64_t* values,
                     uint8_t* nulls, bool* any_null, bool* uniform) {
  VectorSteps steps;
  Status status = OpenSteps(chunk, parts, model, vector, rows, &steps);
  if (!status.ok()) return status;
  if (steps.present > 0) {
    status = ValuesOfStored(chunk, parts, model, steps.present, room, steps.values);
    if (!status.ok()) return status;
  }
  *any_null = steps.present < steps.runs;
  *uniform = steps.runs == 1;
  if (room.data == nullptr) return Status::Ok();
  const uint64_t* value = steps.values;
  for (size_t r = 0; r < steps.runs; r++) {
    const bool null = steps.nulls[r];
    values = std::fill_n(values, steps.lengths[r], null ? 0 : *value++);
    nulls = std::fill_n(nulls, steps.lengths[r], null);
  }
  return Status::Ok();
}

// Decodes or, for byte strings without room.data, only measures. wanted: as for DecodeVector.
Status VisitVector(const ChunkRef& chunk, uint32_t vector, uint32_t rows, uint32_t wanted, const Room& room,
                   uint64_t* values, uint8_t* nulls, bool* any_null, bool* uniform) {
  if (vector >= chunk.vectors || rows == 0 || rows > kMaxVectorRows) {
    return Status::Bug("no such vector");
  }
  *any_null = false;
  *uniform = true;
  if (chunk.shape.kind == NTS_KIND_NONE || chunk.codec == codec::kNone) {
    std::fill_n(values, rows, 0);
    std::memset(nulls, 1, rows);
    *any_null = true;
    return Status::Ok();
  }
  if (chunk.codec == codec::kConstant) return ConstantVector(chunk, rows, room, values, nulls);
  Parts parts;
  OpenedVector head;
  std::optional<ChunkModel> own;
  const ChunkModel* model;
  if (!OpenParts(chunk, &parts)) return Wrong("bad offsets");
  if ((model = FindModel(chunk, parts, &own)) == nullptr) return Wrong("bad model");
  if (parts.stepped) {
    return VectorOfSteps(chunk, parts, *model, vector, rows, room, values, nulls, any_null, uniform);
  }
  const bool stored = IsWord(chunk.shape.kind) || chunk.codec == codec::kDictionary;
  Status status = OpenVector(chunk, parts, *model, vector, rows, wanted, values, nulls, &head);
  if (!status.ok()) return status;
  const size_t present = head.present;
  *any_null = present < rows;
  *uniform = present == 0 || (present == rows && stored && head.number == codec::kConstant);
  if (present > 0 && stored) {
    // codes of a constant may lie one by one in a large dictionary: one value tells
    const size_t distinct = *uniform ? 1 : head.decoded;
    if (!head.mapped) status = ValuesOfStored(chunk, parts, *model, distinct, room, values);
    if (!status.ok()) return status;
    // words that are not wanted may be any, addresses must be some
    if (*uniform || !IsWord(chunk.shape.kind)) std::fill(values + distinct, values + present, values[0]);
  } else if (present > 0 && StoresFields(head.number)) {
    if (head.number != chunk.codec) return Wrong("vector without its model");
    return head.number == codec::kBytesFields
               ? FieldsOfVector(chunk, model->fields, head.in, nulls, rows, room, values)
               : NumericsOfVector(chunk, model->numeric, head.in, nulls, rows, present, room, values);
  } else if (present > 0) {
    return BytesOfVector(chunk, parts, head.in, head.number, nulls, rows, present, room, values);
  }
  if (*any_null) Spread(nulls, rows, present, values);
  return Status::Ok();
}

}  // namespace

bool ReadWordVector(const codec::WordShape& shape, base::ByteReader in, size_t count,
                    uint64_t* words, uint8_t* nulls, bool* any_null) {
  uint8_t number;
  size_t present;
  if (!ReadVectorHead(&in, count, nulls, &number, &present)) return false;
  if (present > 0 && !codec::DecodeWords(shape, number, in, {words, present})) return false;
  *any_null = present < count;
  if (*any_null) Spread(nulls, count, present, words);
  return true;
}

Status MeasureVector(const ChunkRef& chunk, uint32_t vector, uint32_t rows, uint64_t* cursor) {
  if (!IsBytes(chunk.shape.kind)) return Status::Ok();
  uint64_t values[kMaxVectorRows];
  uint8_t nulls[kMaxVectorRows];
  bool any_null;
  bool uniform;
  const Room room{nullptr, 0, cursor};
  return VisitVector(chunk, vector, rows, rows, room, values, nulls, &any_null, &uniform);
}

Status DecodeVector(const ChunkRef& chunk, uint32_t vector, uint32_t rows, uint64_t* values,
                    uint8_t* nulls, uint8_t* data, uint64_t data_bytes, uint64_t* cursor,
                    bool* any_null, bool* uniform, uint32_t wanted) {
  static uint8_t no_room[8];  // data may be NULL when no byte is needed
  const Room room{data != nullptr ? data : no_room, data != nullptr ? data_bytes : 0, cursor};
  bool unasked;
  return VisitVector(chunk, vector, rows, std::min(rows, wanted), room, values, nulls, any_null,
                     uniform != nullptr ? uniform : &unasked);
}

Status CheckDictionary(const ChunkRef& chunk) {
  if (chunk.codec != codec::kDictionary) return Status::Ok();
  Parts parts;
  codec::Dictionary dictionary;
  const bool words = IsWord(chunk.shape.kind);
  if (!OpenParts(chunk, &parts)) return Wrong("bad offsets");
  if (!parts.has_dictionary && words) {  // a model with entries is checked whenever it is read
    std::optional<ChunkModel> own;
    const ChunkModel* model = FindModel(chunk, parts, &own);
    return model != nullptr && !model->words.empty() ? Status::Ok() : Wrong("no dictionary");
  }
  const uint32_t width = words ? chunk.shape.width : FixedWidth(chunk.shape);
  if (!OpenDictionary(chunk, parts, width, &dictionary)) return Wrong("bad dictionary");
  // Entries take bytes, so a short dictionary cannot claim many; of empty strings
  // only one may be there.
  std::unordered_set<std::string_view> seen;
  uint64_t total = 0;
  for (uint64_t code = 0; code < dictionary.size(); code++) {
    const uint8_t* bytes;
    uint64_t length;
    if (!dictionary.Get(code, &bytes, &length)) return Wrong("bad dictionary offsets");
    if (!seen.insert({reinterpret_cast<const char*>(bytes), length}).second) {
      return Wrong("a dictionary entry stands twice");
    }
    total += length;
  }
  return total == dictionary.byte_count() ? Status::Ok() : Wrong("dictionary bytes left over");
}

Status ReadDistinct(const ChunkRef& chunk, uint32_t most, uint64_t* values, uint8_t* data,
                    uint64_t* data_bytes, uint32_t* count) {
  static uint8_t no_room[8];
  uint64_t cursor = 0;
  const bool has_room = values != nullptr && data != nullptr;
  const Room room{values == nullptr ? nullptr : has_room ? data : no_room, has_room ? *data_bytes : 0, &cursor};
  *count = 0;
  if (chunk.shape.kind == NTS_KIND_NONE || most == 0) return Status::Ok();
  if (chunk.codec == codec::kConstant) {
    uint64_t one;
    uint8_t null;
    Status status = ConstantVector(chunk, 1, room, values == nullptr ? &one : values, &null);
    *count = 1;
    *data_bytes = cursor;
    return status;
  }
  if (chunk.codec != codec::kDictionary) return Status::Ok();
  const bool words = IsWord(chunk.shape.kind);
  Parts parts;
  std::optional<ChunkModel> own;
  const ChunkModel* model;
  uint64_t entries;
  codec::Dictionary dictionary;
  if (!OpenParts(chunk, &parts)) return Wrong("bad offsets");
  if ((model = FindModel(chunk, parts, &own)) == nullptr) return Wrong("bad model");
  if (words && !parts.has_dictionary) {
    entries = model->words.size();
  } else {
    if (!OpenDictionary(chunk, parts, words ? chunk.shape.width : FixedWidth(chunk.shape), &dictionary)) {
      return Wrong("bad dictionary");
    }
    entries = dictionary.size();
  }
  if (entries > most) return Status::Ok();
  *count = static_cast<uint32_t>(entries);
  Status status = Status::Ok();
  if (!words) {
    status = EntriesOfDictionary(chunk, dictionary, room, values);
  } else if (values != nullptr) {
    for (uint64_t code = 0; code < entries; code++) values[code] = code;
    status = WordsOfDictionary(chunk, parts, *model, entries, values);
    if (status.ok() && !MapUp(chunk, *model, {values, entries})) return Wrong("bad dictionary");
  }
  *data_bytes = cursor;
  return status;
}

Status ReadMembers(const ChunkRef& chunk, uint64_t* members, uint8_t* any_null) {
  if (chunk.codec != codec::kDictionary) return Status::Bug("chunk without a dictionary");
  Parts parts;
  std::optional<ChunkModel> own;
  const ChunkModel* model;
  if (!OpenParts(chunk, &parts)) return Wrong("bad offsets");
  if ((model = FindModel(chunk, parts, &own)) == nullptr) return Wrong("bad model");
  for (uint32_t v = 0; v < chunk.vectors; v++) {
    const uint32_t rows = chunk.VectorStart(v + 1) - chunk.VectorStart(v);
    if (rows == 0 || rows > kMaxVectorRows) return Status::Bug("no such vector");
    members[v] = 0;
    if (parts.stepped) {
      VectorSteps steps;
      Status status = OpenSteps(chunk, parts, *model, v, rows, &steps);
      if (!status.ok()) return status;
      for (size_t i = 0; i < steps.present; i++) members[v] |= uint64_t{1} << (steps.values[i] % 64);
      any_null[v] = steps.present < steps.runs;
      continue;
    }
    uint64_t codes[kMaxVectorRows];
    uint8_t nulls[kMaxVectorRows];
    OpenedVector head;
    Status status = OpenVector(chunk, parts, *model, v, rows, rows, codes, nulls, &head);
    if (!status.ok()) return status;
    for (size_t i = 0; i < head.present; i++) members[v] |= uint64_t{1} << (codes[i] % 64);
    any_null[v] = head.present < rows;
  }
  return Status::Ok();
}

Status ReadChunkStatistics(const ChunkRef& chunk, std::vector<VectorStatistics>* vectors) {
  vectors->clear();
  if (!IsWord(chunk.shape.kind) || chunk.codec == codec::kNone ||
      chunk.codec == codec::kConstant) {
    return Status::Ok();
  }
  Parts parts;
  if (!OpenParts(chunk, &parts)) return Wrong("bad offsets");
  if (parts.statistics.empty()) return Status::Ok();
  // Every vector takes a byte, and an offset each: the list is bounded by the chunk.
  vectors->resize(chunk.vectors);
  std::optional<ChunkModel> own;
  const ChunkModel* model = FindModel(chunk, parts, &own);
  if (model == nullptr ||
      !ReadStatistics(StoredShape(chunk, *model), parts.statistics, vectors)) {
    vectors->clear();
    return Wrong("bad statistics");
  }
  for (uint32_t v = 0; v < chunk.vectors && model->mapping.used(); v++) {
    VectorStatistics& s = (*vectors)[v];
    if (!s.has_range) continue;
    const uint64_t rows = chunk.VectorStart(v + 1) - chunk.VectorStart(v) - s.null_count;
    s.min = model->mapping.Up(s.min);
    s.max = model->mapping.Up(s.max);
    if (!s.has_sum) continue;
    s.sum = static_cast<int64_t>(model->mapping.base * rows +
                                 model->mapping.scale * static_cast<uint64_t>(s.sum));
  }
  return Status::Ok();
}

}  // namespace nodedb_ts::segment
