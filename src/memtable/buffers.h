// buffers.h - arrays that grow in chunks and charge an Account.
//
// A budget that is a hard limit cannot afford vectors that double: the array of
// chunks starts tiny, doubles its chunks up to a fixed size, and never moves an
// element. Position i lies in
//
//   chunk 0: [0, B)   1: [B, 2B)   2: [2B, 4B)  ...  until 2^k B = C, then C each
#ifndef NODEDB_TS_MEMTABLE_BUFFERS_H
#define NODEDB_TS_MEMTABLE_BUFFERS_H

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "memtable/account.h"

namespace nodedb_ts::memtable {

struct ChunkPlace {
  uint32_t chunk;
  uint32_t offset;    // within the chunk
  uint32_t capacity;  // of the chunk
};

struct ChunkGeometry {
  uint8_t lead_shift = 3;  // B = 2^lead_shift elements in the first chunk
  uint8_t full_shift = 10; // C = 2^full_shift elements in a full chunk

  // Chunks from about first_bytes to at most full_bytes (but one element at least).
  static ChunkGeometry For(uint64_t element_bytes, uint64_t first_bytes, uint64_t full_bytes) {
    ChunkGeometry geometry;
    geometry.lead_shift = Shift(first_bytes / element_bytes);
    geometry.full_shift = Shift(full_bytes / element_bytes);
    if (geometry.lead_shift > geometry.full_shift) geometry.lead_shift = geometry.full_shift;
    return geometry;
  }

  uint32_t full() const { return uint32_t{1} << full_shift; }
  // Number of the chunk that holds position `full() * k`, less k.
  uint32_t lead_chunks() const { return uint32_t{full_shift} - lead_shift; }

  ChunkPlace Locate(uint32_t position) const {
    const uint32_t high = position >> full_shift;
    if (high != 0) {
      return {lead_chunks() + high, position & (full() - 1), full()};
    }
    const uint32_t step = position >> lead_shift;
    if (step == 0) return {0, position, uint32_t{1} << lead_shift};
    const uint32_t chunk = static_cast<uint32_t>(std::bit_width(step));
    const uint32_t capacity = uint32_t{1} << (lead_shift + chunk - 1);
    return {chunk, position - capacity, capacity};
  }

 private:
  static uint8_t Shift(uint64_t elements) {
    if (elements < 2) return 0;
    const int shift = static_cast<int>(std::bit_width(elements)) - 1;
    return static_cast<uint8_t>(shift > 20 ? 20 : shift);
  }
};

// A small growable array, for tables of chunks.
template <typename T>
class PodVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit PodVector(Account* account) : account_(account) {}
  ~PodVector() { Release(); }
  PodVector(const PodVector&) = delete;
  PodVector& operator=(const PodVector&) = delete;

  // Room for one more element; false: the account refused, nothing changed.
  bool Reserve() { return size_ < capacity_ || Grow(); }
  // REQUIRES: Reserve() said yes.
  void push_back(const T& value) { data_[size_++] = value; }
  void insert(uint32_t at, const T& value) {
    std::memmove(data_ + at + 1, data_ + at, (size_ - at) * sizeof(T));
    data_[at] = value;
    ++size_;
  }
  void truncate(uint32_t size) { size_ = size; }
  void Release() {
    account_->Free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  T& operator[](uint32_t at) { return data_[at]; }
  const T& operator[](uint32_t at) const { return data_[at]; }
  T& back() { return data_[size_ - 1]; }
  uint32_t size() const { return size_; }

 private:
  bool Grow() {
    // The first allocation fills the allocator's smallest block.
    const uint32_t wanted = capacity_ == 0 ? uint32_t{sizeof(T) > 12 ? 1 : 24 / sizeof(T)}
                                           : capacity_ * 2;
    T* grown = static_cast<T*>(account_->Allocate(wanted * sizeof(T)));
    if (grown == nullptr) return false;
    if (size_ > 0) std::memcpy(grown, data_, size_ * sizeof(T));
    account_->Free(data_);
    data_ = grown;
    capacity_ = wanted;
    return true;
  }

  Account* account_;
  T* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

template <typename T>
class ChunkedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  ChunkedArray(Account* account, ChunkGeometry geometry)
      : account_(account), geometry_(geometry), chunks_(account) {}
  ~ChunkedArray() { Release(); }

  bool Reserve() { return size_ < capacity_ || Grow(); }
  void push_back(const T& value) { *At(size_++) = value; }
  void truncate(uint32_t size) { size_ = size; }
  void clear() { size_ = 0; }
  void Release() {
    for (uint32_t i = 0; i < chunks_.size(); ++i) account_->Free(chunks_[i]);
    chunks_.Release();
    size_ = capacity_ = 0;
  }

  T& operator[](uint32_t at) { return *At(at); }
  const T& operator[](uint32_t at) const { return *At(at); }
  T& back() { return *At(size_ - 1); }
  const T& back() const { return *At(size_ - 1); }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  T* At(uint32_t position) const {
    const ChunkPlace place = geometry_.Locate(position);
    return chunks_[place.chunk] + place.offset;
  }
  bool Grow() {
    const uint32_t room = geometry_.Locate(capacity_).capacity;
    if (!chunks_.Reserve()) return false;
    T* chunk = static_cast<T*>(account_->Allocate(room * sizeof(T)));
    if (chunk == nullptr) return false;
    chunks_.push_back(chunk);
    capacity_ += room;
    return true;
  }

  Account* account_;
  ChunkGeometry geometry_;
  PodVector<T*> chunks_;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_BUFFERS_H
