#include "memtable/arena.h"

namespace nodedb_ts::memtable {

// A value of half a full chunk or more gets a chunk of its own, and the open one
// stays open: a few large values must not waste the rest of a chunk each.
uint8_t* Arena::NewChunk(uint64_t size) {
  if (!chunks_.Reserve()) return nullptr;
  uint64_t room = kFirstBytes;
  for (uint32_t i = chunks_.size(); i > 0; --i) {
    if (chunks_[i - 1].size <= full_bytes_) {
      room = chunks_[i - 1].size * 2;
      break;
    }
  }
  if (room > full_bytes_) room = full_bytes_;
  while (room < size && room < full_bytes_) room *= 2;
  if (room > full_bytes_) room = full_bytes_;
  const bool own = size * 2 > room && size * 2 > full_bytes_;
  if (own) room = size;
  if (room < size) room = size;
  uint8_t* bytes = static_cast<uint8_t*>(account_->Allocate(room));
  if (bytes == nullptr) return nullptr;
  chunks_.push_back({bytes, room});
  mark_.chunks = chunks_.size();
  if (!own) {
    mark_.next = bytes + size;
    mark_.end = bytes + room;
  }
  return bytes;
}

void Arena::Rewind(const Mark& mark) {
  for (uint32_t i = mark.chunks; i < chunks_.size(); ++i) account_->Free(chunks_[i].bytes);
  chunks_.truncate(mark.chunks);
  mark_ = mark;
}

void Arena::Clear() {
  Chunk kept = {nullptr, 0};
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].size <= full_bytes_ && chunks_[i].size > kept.size) kept = chunks_[i];
  }
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].bytes != kept.bytes) account_->Free(chunks_[i].bytes);
  }
  chunks_.truncate(0);
  mark_ = Mark();
  if (kept.bytes != nullptr) {
    chunks_.push_back(kept);
    mark_ = {1, kept.bytes, kept.bytes + kept.size};
  }
}

void Arena::Release() {
  for (uint32_t i = 0; i < chunks_.size(); ++i) account_->Free(chunks_[i].bytes);
  chunks_.Release();
  mark_ = Mark();
}

}  // namespace nodedb_ts::memtable
