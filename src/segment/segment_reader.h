// segment_reader.h - a parsed segment footer, and decoding of chunks with its help.
//
// Holds no bytes of the segment but the footer's facts; chunks are passed in by
// whoever read them. Hostile bytes give kCorrupt. A handle belongs to one thread: it
// keeps what was parsed of the chunks read last (entropy tables).
#ifndef NODEDB_TS_SEGMENT_SEGMENT_READER_H
#define NODEDB_TS_SEGMENT_SEGMENT_READER_H

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "base/byte_reader.h"
#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/chunk_reader.h"
#include "segment/dictionary_set.h"
#include "segment/format.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {

struct ChunkEntry {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t min = 0;  // words; floats in PostgreSQL's order (NaN is greatest)
  uint64_t max = 0;
  uint32_t crc32c = 0;
  uint32_t null_count = 0;
  uint8_t codec = codec::kNone;
  bool has_range = false;
  // Of a constant chunk, which has no bytes of its own: where its value stands in the footer.
  uint32_t constant_at = 0;
  uint32_t constant_length = 0;
};

struct SeriesEntry {
  uint64_t first_row = 0;
  uint64_t rows = 0;
  bool has_time = false;
  int64_t min_time = 0;
  int64_t max_time = 0;
};

class Segment {
 public:
  // columns: the current row type, whose kinds must agree and whose alignment is used.
  static base::Status Open(std::span<const uint8_t> footer, uint64_t segment_length,
                           std::span<const NtsColumn> columns, std::unique_ptr<Segment>* segment);

  // Keeps the set, which must be the one that the footer names (kCorrupt).
  base::Status UseDictionaries(std::shared_ptr<const DictionarySet> set);
  // What was parsed of chunks stays while it takes no more bytes, also when another row group is read; what is beyond
  // goes at once. Without this call only that of the row group read last does.
  void KeepParsed(size_t bytes);
  void Info(NtsSegmentInfo* info) const;
  base::Status RowGroup(uint32_t group, NtsRowGroupInfo* info) const;
  base::Status Vector(uint32_t group, uint32_t vector, uint32_t* first_row, uint32_t* rows) const;
  // column: stored index or NTS_COLUMN_*. The entry lives as long as the segment.
  base::Status Chunk(uint32_t group, int32_t column, const ChunkEntry** entry) const;
  base::Status Verify(uint32_t group, int32_t column, std::span<const uint8_t> chunk) const;
  base::Status VectorSize(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                          uint32_t vector, uint64_t* data_bytes) const;
  base::Status Decode(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                      uint32_t vector, uint64_t* values, uint8_t* nulls, uint8_t* data,
                      uint64_t data_bytes, bool* any_null, bool* uniform = nullptr,
                      uint32_t wanted = UINT32_MAX) const;
  // The chunk as it was written, even when its column has been dropped since.
  base::Status StoredChunk(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                           ChunkRef* ref) const;
  // One entry for each vector; empty when the chunk keeps none (byte strings, one
  // vector, all NULL or constant: the chunk's entry says it all).
  base::Status Statistics(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                          std::vector<segment::VectorStatistics>* vectors) const;
  // What the footer says of a stored column's chunk.
  base::Status ChunkStatistics(uint32_t group, int32_t column, NtsStatistics* out) const;
  // Of each of the row group's vectors; those of a chunk that keeps none have no range.
  base::Status VectorStatistics(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                                NtsStatistics* vectors) const;
  // As ReadDistinct and ReadMembers of chunk_reader.h.
  base::Status Distinct(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                        uint32_t most, uint64_t* values, uint8_t* data, uint64_t* data_bytes,
                        uint32_t* count) const;
  base::Status Members(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                       uint64_t* members, uint8_t* any_null) const;
  // Of the heap, about, with what is kept of chunks.
  uint64_t MemoryBytes() const;
  // Empty when there is at most one series.
  base::Status Series(std::vector<SeriesEntry>* series) const;
  // As nts_segment_last_rows of core.h.
  base::Status LastRows(uint32_t first, uint32_t count, uint64_t* rows) const;

 private:
  struct Group {
    uint64_t first_row = 0;
    uint64_t first_byte = 0;
    uint32_t rows = 0;
    uint32_t vectors = 0;
    std::vector<uint32_t> vector_starts;  // empty: all full but the last
    const uint32_t* starts() const {
      return vector_starts.empty() ? nullptr : vector_starts.data();
    }
  };

  // What was parsed of a chunk.
  struct CachedChunk {
    uint32_t group = 0;
    size_t chunk = 0;  // in chunks_
    size_t bytes = 0;  // as counted before another one was asked for
    ChunkCache cache;
  };
  using CachedChunks = std::list<CachedChunk>;

  base::Status Parse(std::span<const uint8_t> footer, uint64_t segment_length,
                     std::span<const NtsColumn> columns);
  base::Status ParseSchema(base::ByteReader in, std::span<const NtsColumn> columns);
  base::Status ParseGroups(base::ByteReader in);
  base::Status ParseDictionaries(base::ByteReader in);
  base::Status ParseGroup(base::ByteReader* in, Group* group);
  base::Status ParseChunks(base::ByteReader in, uint64_t data_length);
  base::Status ParseChunk(base::ByteReader* in, const ColumnShape& shape, uint32_t rows,
                          const ChunkEntry* before, ChunkEntry* entry);
  base::Status ParseConstant(base::ByteReader* in, const ColumnShape& shape, ChunkEntry* entry);
  size_t StoredColumns() const { return shapes_.size(); }  // with hidden ones
  base::Status Ref(uint32_t group, int32_t column, std::span<const uint8_t> chunk,
                   ChunkRef* ref) const;
  ChunkCache* Cache(uint32_t group, size_t chunk) const;
  void CountLastCache() const;
  void DropCache(CachedChunks::iterator cached) const;

  uint8_t level_ = 0;
  bool has_row_ids_ = false;
  bool has_command_ids_ = false;
  bool has_last_rows_ = false;
  uint32_t column_count_ = 0;
  uint64_t rows_ = 0;
  uint64_t series_ = 0;
  int32_t time_column_ = -1;
  std::vector<uint16_t> series_columns_;
  std::vector<ColumnShape> shapes_;    // stored, then hidden columns
  std::vector<bool> dropped_;          // NONE in the current row type
  std::vector<uint8_t> aligns_;
  std::vector<Group> groups_;          // that of the last rows behind the others
  std::vector<ChunkEntry> chunks_;     // group-major
  std::vector<uint8_t> constants_;     // values of constant chunks
  std::vector<uint8_t> series_index_;  // undecoded
  uint32_t dictionaries_id_ = 0;       // 0: it refers to none
  std::shared_ptr<const DictionarySet> dictionaries_;

  size_t kept_bytes_ = 0;
  mutable CachedChunks cached_;                           // the one asked for last at the end
  mutable std::vector<CachedChunks::iterator> cache_of_;  // of each chunk, or cached_.end(); empty: none has one
  mutable size_t cached_bytes_ = 0;
  mutable std::vector<uint32_t> last_rows_;  // positions of the last rows; empty: not asked for yet
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_SEGMENT_READER_H
