// series_map.h - the series of one memtable: from key values to a dense number.
//
// Keys are stored once, row-wise. Look-up guesses first: a series is usually
// followed by the one that followed it last time. Otherwise the key is hashed once
// and looked up by linear hashing: the table grows by one bucket per new series,
// so there is neither a rehash nor a doubled table beside the old one.
#ifndef NODEDB_TS_MEMTABLE_SERIES_MAP_H
#define NODEDB_TS_MEMTABLE_SERIES_MAP_H

#include <cstdint>

#include "memtable/arena.h"
#include "memtable/column_store.h"

namespace nodedb_ts::memtable {

inline constexpr uint32_t kNoSeries = UINT32_MAX;
inline constexpr uint32_t kEvictedRow = UINT32_MAX;
inline constexpr uint32_t kNoVariant = UINT32_MAX;

struct Series {
  uint32_t hash;
  uint32_t next;       // in its bucket, or kNoSeries
  uint32_t follower;   // the series of the row after this one's newest row
  uint32_t last_row;   // newest row; kEvictedRow: evicted, no row joins any more
  uint32_t rows;
  uint32_t key_bytes;  // raw bytes of the variable-length part of the key
  uint32_t variant;    // of the newest row
  uint32_t var_bytes;  // raw bytes of the newest row's VAR columns; with an image only
  const uint8_t* image;  // of the newest row (NtsRowBlock), as the arena stores values; or nullptr
};

class SeriesMap {
 public:
  SeriesMap(Account* account, const StoreLayout* keys, uint32_t full_bytes)
      : keys_(account, keys),
        series_(account, ChunkGeometry::For(sizeof(Series), 96, full_bytes)),
        heads_(account, ChunkGeometry::For(sizeof(uint32_t), 32, full_bytes)) {}

  // The series of a row, or kNoSeries; then *hash is set for Commit.
  uint32_t Find(const NtsValue* values, uint32_t* hash);

  // Stores the key of a new series, number size(); false: the account refused.
  // It counts only once committed.
  bool Prepare(const NtsValue* values, Arena* arena, uint32_t* key_bytes);
  void AbandonPrepared() { keys_.ClearNulls(size()); }
  // The series that followed the newest row's series last time; nullptr: there is no guess.
  Series* Guess(uint32_t* series) {
    if (last_ == kNoSeries) return nullptr;
    *series = last_entry_->follower;
    return *series < size() ? &series_[*series] : nullptr;
  }

  // A row was added to a series found, or to the one prepared. same_image: that of the row before.
  void AddRow(Series* entry, uint32_t series, uint32_t row, uint32_t variant, bool same_image = false) {
    if (!same_image) entry->image = nullptr;
    entry->last_row = row;
    entry->variant = variant;
    ++entry->rows;
    if (last_ != series) {
      if (last_ != kNoSeries) last_entry_->follower = series;
      last_ = series;
      last_entry_ = entry;
    }
  }
  // Undoes AddRow of the newest row of a series that had `last_row` of `variant` before. If there still is an
  // image, it is that of the row before, too.
  void TakeBack(uint32_t series, uint32_t last_row, uint32_t variant) {
    series_[series].last_row = last_row;
    series_[series].variant = variant;
    --series_[series].rows;
  }
  void CommitPrepared(uint32_t hash, uint32_t key_bytes);

  void Evict(uint32_t series);

  uint32_t size() const { return series_.size(); }
  uint32_t active() const { return active_; }
  const Series& operator[](uint32_t series) const { return series_[series]; }
  Series& entry(uint32_t series) { return series_[series]; }
  const ColumnStore& keys() const { return keys_; }

  // Undoes the newest series, down to `size`.
  void Truncate(uint32_t size);
  void Clear();
  void Release();

 private:
  bool Matches(uint32_t series, const NtsValue* values) const;
  uint32_t HashOf(const NtsValue* values) const;
  uint32_t Bucket(uint32_t hash) const;
  void Link(uint32_t series);
  void Unlink(uint32_t series);
  void SplitNext();

  ColumnStore keys_;
  ChunkedArray<Series> series_;
  ChunkedArray<uint32_t> heads_;  // first series of each bucket
  uint32_t round_ = 0;            // 2^round_ buckets existed when this round began
  uint32_t active_ = 0;
  uint32_t last_ = kNoSeries;
  Series* last_entry_ = nullptr;  // of last_
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_SERIES_MAP_H
