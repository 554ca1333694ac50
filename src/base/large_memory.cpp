#include "base/large_memory.h"

#include <sys/mman.h>

#include <cstdint>

namespace nodedb_ts::base {
namespace {

// Whole huge pages: the system has none for a shorter tail.
size_t Rounded(size_t bytes) { return (bytes + kHugePageBytes - 1) & ~(kHugePageBytes - 1); }

}  // namespace

void* AllocateLarge(size_t bytes) noexcept {
  if (bytes == 0 || bytes > SIZE_MAX - 2 * kHugePageBytes) return nullptr;
  const size_t size = Rounded(bytes);
  // The part in front of the first boundary and the rest behind go back at once.
  const size_t mapped = size + kHugePageBytes;
  void* map = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(map);
  const size_t front =
      (kHugePageBytes - reinterpret_cast<uintptr_t>(begin) % kHugePageBytes) % kHugePageBytes;
  if (front > 0) munmap(begin, front);
  if (front < kHugePageBytes) munmap(begin + front + size, kHugePageBytes - front);
#ifdef MADV_HUGEPAGE
  (void)madvise(begin + front, size, MADV_HUGEPAGE);
#endif
  return begin + front;
}

void FreeLarge(void* block, size_t bytes) noexcept {
  if (block != nullptr) munmap(block, Rounded(bytes));
}

}  // namespace nodedb_ts::base
