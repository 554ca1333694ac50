// large_memory.h - memory in huge pages, for what is large and short-lived.
//
// Fresh memory costs a page fault for each page, which takes longer than filling the
// page. Where the system has huge pages on request, these blocks ask for them.
#ifndef NODEDB_TS_BASE_LARGE_MEMORY_H
#define NODEDB_TS_BASE_LARGE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace nodedb_ts::base {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// A block that begins at a multiple of kHugePageBytes; nullptr: out of memory.
void* AllocateLarge(size_t bytes) noexcept;
// REQUIRES: the bytes that were asked for.
void FreeLarge(void* block, size_t bytes) noexcept;

// Large arrays from AllocateLarge, others from operator new. What a vector is resized by stays unset: setting it
// would be one more pass.
template <typename T>
class LargeAllocator {
 public:
  using value_type = T;

  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}

  T* allocate(size_t count) {
    if (count > SIZE_MAX / sizeof(T)) throw std::bad_alloc();
    const size_t bytes = count * sizeof(T);
    if (bytes < kHugePageBytes) return static_cast<T*>(::operator new(bytes));
    void* block = AllocateLarge(bytes);
    if (block == nullptr) throw std::bad_alloc();
    return static_cast<T*>(block);
  }
  void deallocate(T* block, size_t count) noexcept {
    const size_t bytes = count * sizeof(T);
    if (bytes < kHugePageBytes) {
      ::operator delete(block);
    } else {
      FreeLarge(block, bytes);
    }
  }

  template <typename U>
  void construct(U* element) {
    ::new (static_cast<void*>(element)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* element, Arguments&&... arguments) {
    ::new (static_cast<void*>(element)) U(std::forward<Arguments>(arguments)...);
  }

  bool operator==(const LargeAllocator&) const { return true; }
};

template <typename T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_LARGE_MEMORY_H
