// arena.h - the bytes of values of variable length, in chunks that never move.
//
// A stored value is its length, then its bytes:
//
//   length < 255:  [length:1] [bytes]        else:  [255:1] [length:4] [bytes]
#ifndef NODEDB_TS_MEMTABLE_ARENA_H
#define NODEDB_TS_MEMTABLE_ARENA_H

#include <cstdint>
#include <cstring>
#include <string_view>

#include "memtable/buffers.h"

namespace nodedb_ts::memtable {

class Arena {
 public:
  // What was stored up to some moment.
  struct Mark {
    uint32_t chunks = 0;
    uint8_t* next = nullptr;
    uint8_t* end = nullptr;
  };

  Arena(Account* account, uint32_t full_bytes)
      : account_(account), chunks_(account), full_bytes_(full_bytes) {}
  ~Arena() { Release(); }

  // Copies a value; nullptr when the account refused.
  const uint8_t* Store(const void* bytes, uint32_t length) {
    const uint32_t header = length < kLong ? 1 : 5;
    const uint64_t size = uint64_t{length} + header;
    uint8_t* at = mark_.next;
    if (size > static_cast<uint64_t>(mark_.end - at)) [[unlikely]] {
      at = NewChunk(size);
      if (at == nullptr) return nullptr;
    } else {
      mark_.next = at + size;
    }
    if (header == 1) {
      at[0] = static_cast<uint8_t>(length);
    } else {
      at[0] = kLong;
      std::memcpy(at + 1, &length, sizeof(length));
    }
    if (length > 0) std::memcpy(at + header, bytes, length);
    return at;
  }

  static std::string_view View(const uint8_t* stored) {
    if (stored[0] != kLong) return {reinterpret_cast<const char*>(stored + 1), stored[0]};
    uint32_t length;
    std::memcpy(&length, stored + 1, sizeof(length));
    return {reinterpret_cast<const char*>(stored + 5), length};
  }

  const Mark& mark() const { return mark_; }
  // Forgets what was stored since `mark` and frees the chunks made since.
  void Rewind(const Mark& mark);
  // Forgets everything; keeps the largest chunk that is not larger than a full one.
  void Clear();
  void Release();

 private:
  static constexpr uint8_t kLong = 255;
  static constexpr uint32_t kFirstBytes = 56;

  struct Chunk {
    uint8_t* bytes;
    uint64_t size;
  };

  uint8_t* NewChunk(uint64_t size);

  Account* account_;
  PodVector<Chunk> chunks_;
  Mark mark_;
  uint32_t full_bytes_;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_ARENA_H
