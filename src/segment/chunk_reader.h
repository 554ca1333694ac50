// chunk_reader.h - decodes vectors of a chunk. The bytes are hostile: every function
// checks what it reads and reports kCorrupt.
#ifndef NODEDB_TS_SEGMENT_CHUNK_READER_H
#define NODEDB_TS_SEGMENT_CHUNK_READER_H

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/status.h"
#include "codec/fields/fields.h"
#include "codec/numeric/numeric.h"
#include "codec/shared/mapping.h"
#include "codec/zstd/trained.h"
#include "segment/format.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {

// What all vectors of a chunk share, parsed (FORMAT.md: model).
struct ChunkModel {
  codec::Mapping mapping;  // from stored integers to values
  std::vector<codec::EntropyDecoder> tables;
  std::vector<uint64_t> words;  // of a dictionary whose entries are packed
  codec::FieldsModel fields;    // of chunks of codec kBytesFields
  codec::NumericModel numeric;  // of chunks of codec kBytesNumeric

  size_t MemoryBytes() const {
    return sizeof(*this) + codec::MemoryBytes(tables) + words.capacity() * sizeof(uint64_t) + fields.memory_bytes() +
           numeric.memory_bytes();
  }
};

// The runs of equal values that a stepped chunk consists of (FORMAT.md: steps).
struct ChunkSteps {
  std::vector<uint32_t> ends;    // of each run: the row behind it
  std::vector<uint64_t> values;  // as stored; a NULL's is 0
  std::vector<uint8_t> nulls;

  size_t MemoryBytes() const {
    return ends.capacity() * sizeof(uint32_t) + values.capacity() * sizeof(uint64_t) + nulls.capacity();
  }
};

inline constexpr size_t kMaxCachedSteps = 16384;

// Keeps a chunk's model and runs, unless those are many, between reads of its vectors.
struct ChunkCache {
  bool parsed = false;
  ChunkModel model;
  ChunkSteps steps;  // without any: not parsed yet

  size_t MemoryBytes() const { return model.MemoryBytes() + steps.MemoryBytes(); }
};

// First row of a vector; of `vectors`, the row behind the last. starts: of each, or NULL: all are
// full but the last.
inline uint32_t VectorStart(const uint32_t* starts, uint32_t vectors, uint32_t rows,
                            uint32_t vector) {
  if (vector == vectors) return rows;
  return starts == nullptr ? vector * static_cast<uint32_t>(kMaxVectorRows) : starts[vector];
}

// A chunk in memory (borrowed).
struct ChunkRef {
  ColumnShape shape;
  uint8_t codec = codec::kNone;
  uint8_t align = 1;  // of decoded byte values
  uint32_t vectors = 0;
  uint32_t rows = 0;                        // of all vectors
  const uint32_t* vector_starts = nullptr;  // first row of each; NULL: all full but the last
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  ChunkCache* cache = nullptr;  // of this chunk; NULL: parse anew each time
  const codec::TrainedDictionary* trained = nullptr;  // of the column; NULL: none was handed in

  // vector: up to the number of vectors, which is where the rows end.
  uint32_t VectorStart(uint32_t vector) const {
    return segment::VectorStart(vector_starts, vectors, rows, vector);
  }
};

// Decodes a vector of words with its NULLs. False when the bytes are wrong.
[[nodiscard]] bool ReadWordVector(const codec::WordShape& shape, base::ByteReader in,
                                  size_t count, uint64_t* words, uint8_t* nulls, bool* any_null);

// Moves *cursor, an offset from an 8-aligned address, behind the room that the
// by-reference values of one vector need (nothing for words).
base::Status MeasureVector(const ChunkRef& chunk, uint32_t vector, uint32_t rows,
                           uint64_t* cursor);

// Decodes one vector: words or addresses in `data` (see core.h), which has data_bytes
// from its 8-aligned start; *cursor as above. Rows with equal values may share an
// address. *uniform, unless NULL: is every row the same word, or every row NULL? (false
// also where it was not looked at.) wanted: how many rows matter, from the first on: words of others may be anything,
// addresses are those of some row, and their bytes are not checked.
base::Status DecodeVector(const ChunkRef& chunk, uint32_t vector, uint32_t rows,
                          uint64_t* values, uint8_t* nulls, uint8_t* data, uint64_t data_bytes,
                          uint64_t* cursor, bool* any_null, bool* uniform = nullptr,
                          uint32_t wanted = UINT32_MAX);

// The bytes behind a decoded by-reference value.
inline std::string_view BytesAt(const ColumnShape& shape, uint64_t address) {
  const auto* p = reinterpret_cast<const char*>(static_cast<uintptr_t>(address));
  if (shape.kind == NTS_KIND_FIXED) return {p, shape.width};
  uint32_t head;
  std::memcpy(&head, p, sizeof(head));
  return {p + sizeof(head), (head >> 2) - sizeof(head)};
}

// Checks a dictionary as a whole: every entry in its place, none twice. OK for a chunk
// without one.
base::Status CheckDictionary(const ChunkRef& chunk);

// The distinct values that a chunk lists: its constant, or a dictionary's entries in the order of
// their codes. No NULL among them. *count = 0: it lists none, or more than `most`. values: NULL,
// then only *count and the room that is needed are set; else so many words or addresses in `data`,
// which has *data_bytes. An entry may be one that no row has.
base::Status ReadDistinct(const ChunkRef& chunk, uint32_t most, uint64_t* values, uint8_t* data,
                          uint64_t* data_bytes, uint32_t* count);

// For each vector of a chunk with a dictionary: bit c % 64 is set when some row has code c; whether
// some row is NULL.
base::Status ReadMembers(const ChunkRef& chunk, uint64_t* members, uint8_t* any_null);

// Per-vector statistics; empty when the chunk has none (then the footer says it all).
base::Status ReadChunkStatistics(const ChunkRef& chunk, std::vector<VectorStatistics>* vectors);

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_CHUNK_READER_H
