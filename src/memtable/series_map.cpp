#include "memtable/series_map.h"

#include "memtable/key_hash.h"

namespace nodedb_ts::memtable {

namespace {

uint64_t CellWord(const Slot& slot, uint64_t word) {
  switch (slot.cell) {
    case CellKind::kWord1:
      return static_cast<uint8_t>(word);
    case CellKind::kWord2:
      return static_cast<uint16_t>(word);
    case CellKind::kWord4:
      return static_cast<uint32_t>(word);
    default:
      return word;
  }
}

uint64_t RawWord(const Slot& slot, const uint8_t* cell) {
  return CellWord(slot, LoadWord(slot, cell));
}

}  // namespace

uint32_t SeriesMap::HashOf(const NtsValue* values) const {
  uint64_t state = 0x51ed270b8f3c9d17u;
  for (const Slot& slot : keys_.layout().slots) {
    const NtsValue& value = values[slot.column];
    if (value.is_null) {
      state = Mix(state, kNullHash);
    } else if (slot.cell == CellKind::kVar) {
      state = MixBytes(state, BytesOf(value), value.length);
    } else if (slot.cell == CellKind::kFixed) {
      state = MixBytes(state, BytesOf(value), slot.width);
    } else {
      state = Mix(state, CellWord(slot, value.word));
    }
  }
  state = Mix(state, 0x2545f4914f6cdd1du);
  return static_cast<uint32_t>(state >> 32);
}

bool SeriesMap::Matches(uint32_t series, const NtsValue* values) const {
  const RowPlace place = keys_.At(series);
  const uint32_t count = static_cast<uint32_t>(keys_.layout().slots.size());
  for (uint32_t i = 0; i < count; ++i) {
    const Slot& slot = keys_.layout().slots[i];
    const NtsValue& value = values[slot.column];
    const uint8_t* cell = keys_.Cell(place, i);
    if (slot.cell == CellKind::kVar) {
      const uint8_t* stored = LoadVar(cell);
      if (stored == nullptr || value.is_null) {
        if ((stored == nullptr) != (value.is_null != 0)) return false;
      } else if (!EqualVar(stored, value)) {
        return false;
      }
      continue;
    }
    const bool is_null = ColumnStore::IsNull(place, i);
    if (is_null || value.is_null) {
      if (is_null != (value.is_null != 0)) return false;
    } else if (slot.cell == CellKind::kFixed) {
      if (!EqualBytes(cell, BytesOf(value), slot.width)) return false;
    } else if (RawWord(slot, cell) != CellWord(slot, value.word)) {
      return false;
    }
  }
  return true;
}

uint32_t SeriesMap::Find(const NtsValue* values, uint32_t* hash) {
  if (last_ != kNoSeries) {
    const uint32_t guess = last_entry_->follower;
    if (guess < size() && series_[guess].last_row != kEvictedRow && Matches(guess, values)) {
      return guess;
    }
    if (guess != last_ && last_entry_->last_row != kEvictedRow && Matches(last_, values)) {
      return last_;
    }
  }
  *hash = HashOf(values);
  if (heads_.empty()) return kNoSeries;
  for (uint32_t series = heads_[Bucket(*hash)]; series != kNoSeries;
       series = series_[series].next) {
    if (series_[series].hash == *hash && Matches(series, values)) return series;
  }
  return kNoSeries;
}

bool SeriesMap::Prepare(const NtsValue* values, Arena* arena, uint32_t* key_bytes) {
  const uint32_t row = size();
  if (!series_.Reserve() || !heads_.Reserve() || !keys_.Reserve(row)) return false;
  RowPlace place = keys_.At(row);
  const uint32_t count = static_cast<uint32_t>(keys_.layout().slots.size());
  *key_bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Slot& slot = keys_.layout().slots[i];
    const NtsValue& value = values[slot.column];
    uint8_t* cell = keys_.Cell(place, i);
    if (slot.cell == CellKind::kVar) {
      const uint8_t* stored = nullptr;
      if (!value.is_null) {
        stored = arena->Store(BytesOf(value), value.length);
        if (stored == nullptr) return false;
        *key_bytes += value.length;
      }
      std::memcpy(cell, &stored, sizeof(stored));
    } else if (value.is_null) {
      std::memset(cell, 0, slot.width);
      if (!keys_.SetNull(row, &place, i)) return false;
    } else if (slot.cell == CellKind::kFixed) {
      std::memcpy(cell, BytesOf(value), slot.width);
    } else {
      std::memcpy(cell, &value.word, slot.width);
    }
  }
  return true;
}

// ---- linear hashing ----------------------------------------------------

uint32_t SeriesMap::Bucket(uint32_t hash) const {
  const uint32_t wide = hash & ((uint32_t{2} << round_) - 1);
  return wide < heads_.size() ? wide : hash & ((uint32_t{1} << round_) - 1);
}

void SeriesMap::Link(uint32_t series) {
  uint32_t& head = heads_[Bucket(series_[series].hash)];
  series_[series].next = head;
  head = series;
}

void SeriesMap::Unlink(uint32_t series) {
  uint32_t* link = &heads_[Bucket(series_[series].hash)];
  while (*link != series) link = &series_[*link].next;
  *link = series_[series].next;
}

// Adds one bucket and moves to it what belongs there from the one it splits.
void SeriesMap::SplitNext() {
  if (heads_.empty()) {
    heads_.push_back(kNoSeries);
    round_ = 0;
    return;
  }
  const uint32_t base = uint32_t{1} << round_;
  uint32_t moved = heads_[heads_.size() - base];
  heads_[heads_.size() - base] = kNoSeries;
  heads_.push_back(kNoSeries);
  while (moved != kNoSeries) {
    const uint32_t next = series_[moved].next;
    Link(moved);
    moved = next;
  }
  if (heads_.size() == base * 2) ++round_;
}

void SeriesMap::CommitPrepared(uint32_t hash, uint32_t key_bytes) {
  const uint32_t series = size();
  series_.push_back({hash, kNoSeries, series, 0, 0, key_bytes, kNoVariant, 0, nullptr});
  // Evicted series leave the table but not the numbering: buckets need not follow.
  if (heads_.size() <= active_) SplitNext();
  Link(series);
  ++active_;
}

void SeriesMap::Evict(uint32_t series) {
  Unlink(series);
  series_[series].last_row = kEvictedRow;
  series_[series].image = nullptr;
  --active_;
}

void SeriesMap::Truncate(uint32_t size) {
  for (uint32_t series = this->size(); series > size; --series) {
    if (series_[series - 1].last_row != kEvictedRow) {
      Unlink(series - 1);
      --active_;
    }
    keys_.ClearNulls(series - 1);
  }
  series_.truncate(size);
  last_ = kNoSeries;
}

void SeriesMap::Clear() {
  keys_.Clear();
  series_.clear();
  heads_.clear();
  round_ = 0;
  active_ = 0;
  last_ = kNoSeries;
}

void SeriesMap::Release() {
  Clear();
  keys_.Release();
  series_.Release();
  heads_.Release();
}

}  // namespace nodedb_ts::memtable
