// key_hash.h - hashes of series keys, built up value by value.
#ifndef NODEDB_TS_MEMTABLE_KEY_HASH_H
#define NODEDB_TS_MEMTABLE_KEY_HASH_H

#include <cstddef>
#include <cstdint>

#include "memtable/column_store.h"

namespace nodedb_ts::memtable {

// What stands for a NULL. A number may be equal to it: whoever finds equal hashes compares the keys.
inline constexpr uint64_t kNullHash = 0x6a09e667f3bcc909u;

inline uint64_t Mix(uint64_t state, uint64_t word) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = Wide{state ^ word} * 0x9e3779b97f4a7c15u;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t MixBytes(uint64_t state, const void* bytes, size_t length) {
  const uint8_t* at = static_cast<const uint8_t*>(bytes);
  state = Mix(state, 0xc2b2ae3d27d4eb4fu + length);
  for (; length >= 8; length -= 8, at += 8) state = Mix(state, LoadAs<uint64_t>(at));
  if (length >= 4) {
    const uint64_t tail = LoadAs<uint32_t>(at + length - 4);
    return Mix(state, LoadAs<uint32_t>(at) | tail << 32);
  }
  if (length > 0) {
    const uint64_t tail = at[0] | uint64_t{at[length / 2]} << 8 | uint64_t{at[length - 1]} << 16;
    return Mix(state, tail);
  }
  return state;
}

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_KEY_HASH_H
