#include "memtable/account.h"

#include <new>

#include "base/large_memory.h"

#if defined(__GLIBC__) || defined(__linux__)
#include <malloc.h>
#elif defined(__APPLE__)
#include <malloc/malloc.h>
#endif

namespace nodedb_ts::memtable {

namespace {

// What the allocator set aside for a block: requests are rounded up, and small
// memtables consist of small blocks, so requested sizes would be off by a third.
uint64_t UsableSize(void* block, [[maybe_unused]] size_t requested) {
#if defined(__GLIBC__) || defined(__linux__)
  return malloc_usable_size(block);
#elif defined(__APPLE__)
  return malloc_size(block);
#else
#error "tell this file how to ask the allocator for the size of a block"
#endif
}

constexpr uint64_t kSlabBytes = base::kHugePageBytes;
// A slab must be little against the budget, and against the memtable it is made for.
constexpr uint64_t kSlabBudgetBytes = 16 * kSlabBytes;
constexpr uint64_t kSlabAccountBytes = kSlabBytes;
constexpr uint64_t kMinChunkBytes = 4096;

}  // namespace

// Stands at the beginning of its memory; the chunks follow.
struct alignas(64) Budget::Slab {
  struct FreeChunk {
    FreeChunk* next;
  };

  Slab* next;
  FreeChunk* free;
  uint64_t chunk_bytes;
  uint32_t chunks;
  uint32_t started;  // so many were ever handed out
  uint32_t used;

  bool full() const { return used == chunks; }
  void* Take() {
    ++used;
    if (free != nullptr) {
      FreeChunk* chunk = free;
      free = chunk->next;
      return chunk;
    }
    return reinterpret_cast<char*>(this + 1) + chunk_bytes * started++;
  }
  void Give(void* chunk) {
    --used;
    free = new (chunk) FreeChunk{free};
  }
  static Slab* Of(void* chunk) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(chunk) & ~uintptr_t{kSlabBytes - 1});
  }
};

bool Budget::MakeRoom(uint64_t size) {
  if (lifted_ > 0) return true;
  const uint64_t used_bytes = used();
  if (used_bytes <= limit_ && size <= limit_ - used_bytes) return true;
  if (cached_ == nullptr && unused_slabs_ == 0) return false;
  ReleaseCached();
  return used() <= limit_ && size <= limit_ - used();
}

void Budget::ReleaseCached() {
  for (Account* account = cached_; account != nullptr; account = account->next_) {
    account->owner_->ReleaseBuffers();
  }
  ReleaseSlabs();
}

bool Budget::AddSlab(uint64_t chunk_bytes) {
  if (!MakeRoom(kSlabBytes)) return false;
  void* memory = base::AllocateLarge(kSlabBytes);
  if (memory == nullptr) return false;
  const auto chunks = static_cast<uint32_t>((kSlabBytes - sizeof(Slab)) / chunk_bytes);
  slabs_ = new (memory) Slab{slabs_, nullptr, chunk_bytes, chunks, 0, 0};
  if (slabs_->next == nullptr) slabs_end_ = &slabs_->next;
  ++open_slabs_;
  ++unused_slabs_;
  bytes_[static_cast<size_t>(Pool::kCached)] += kSlabBytes;
  return true;
}

void* Budget::TakeChunk(uint64_t chunk_bytes) {
  Slab** link = &slabs_;
  uint32_t open = open_slabs_;  // still to come
  for (; open > 0; link = &(*link)->next) {
    if ((*link)->full()) continue;
    if ((*link)->chunk_bytes == chunk_bytes) break;
    --open;
  }
  if (open == 0) {
    if (!AddSlab(chunk_bytes)) return nullptr;
    link = &slabs_;
  }
  Slab* slab = *link;
  if (slab->used == 0) --unused_slabs_;
  void* chunk = slab->Take();
  if (!slab->full()) return chunk;
  --open_slabs_;
  if (slab->next == nullptr) return chunk;
  *link = slab->next;
  slab->next = nullptr;
  *slabs_end_ = slab;
  slabs_end_ = &slab->next;
  return chunk;
}

void Budget::GiveChunk(Slab* slab, void* chunk) {
  if (slab->full()) ++open_slabs_;
  slab->Give(chunk);
  if (slab->used == 0) ++unused_slabs_;
}

void Budget::ReleaseSlabs() {
  if (unused_slabs_ == 0) return;
  for (Slab** link = &slabs_; *link != nullptr;) {
    Slab* slab = *link;
    if (slab->used > 0) {
      link = &slab->next;
      continue;
    }
    *link = slab->next;
    base::FreeLarge(slab, kSlabBytes);
    --open_slabs_;
    bytes_[static_cast<size_t>(Pool::kCached)] -= kSlabBytes;
  }
  slabs_end_ = &slabs_;
  while (*slabs_end_ != nullptr) slabs_end_ = &(*slabs_end_)->next;
  unused_slabs_ = 0;
}

Account::Account(Budget* budget, CacheOwner* owner) : budget_(budget), owner_(owner) { Link(); }

Account::~Account() {
  if (pool_ == Pool::kCached) Unlink();
}

void* Account::Allocate(size_t size) {
  failure_ = Grow::kNoBudget;
  if (!budget_->MakeRoom(size)) return nullptr;
  void* block = ::operator new(size, std::nothrow);
  if (block == nullptr) {
    failure_ = Grow::kNoMemory;
    return nullptr;
  }
  const uint64_t usable = UsableSize(block, size);
  if (usable > size && !budget_->MakeRoom(usable)) {
    ::operator delete(block);
    return nullptr;
  }
  bytes_ += usable;
  budget_->bytes_[static_cast<size_t>(pool_)] += usable;
  return block;
}

void Account::Free(void* block) {
  if (block == nullptr) return;
  const uint64_t usable = UsableSize(block, 0);
  bytes_ -= usable;
  budget_->bytes_[static_cast<size_t>(pool_)] -= usable;
  ::operator delete(block);
}

void* Account::AllocateFromSlab(size_t size) {
  if (bytes_ < kSlabAccountBytes || budget_->limit() < kSlabBudgetBytes || size < kMinChunkBytes) {
    return nullptr;
  }
  const uint64_t chunk_bytes = (uint64_t{size} + 63) & ~uint64_t{63};
  if (chunk_bytes > kSlabBytes / 8) return nullptr;
  void* chunk = budget_->TakeChunk(chunk_bytes);
  if (chunk == nullptr) return nullptr;
  bytes_ += chunk_bytes;
  budget_->bytes_[static_cast<size_t>(Pool::kCached)] -= chunk_bytes;
  budget_->bytes_[static_cast<size_t>(pool_)] += chunk_bytes;
  return chunk;
}

void Account::FreeToSlab(void* chunk) {
  Budget::Slab* slab = Budget::Slab::Of(chunk);
  budget_->GiveChunk(slab, chunk);
  bytes_ -= slab->chunk_bytes;
  budget_->bytes_[static_cast<size_t>(pool_)] -= slab->chunk_bytes;
  budget_->bytes_[static_cast<size_t>(Pool::kCached)] += slab->chunk_bytes;
}

void Account::MoveTo(Pool pool) {
  if (pool == pool_) return;
  if (pool_ == Pool::kCached) Unlink();
  budget_->bytes_[static_cast<size_t>(pool_)] -= bytes_;
  pool_ = pool;
  budget_->bytes_[static_cast<size_t>(pool_)] += bytes_;
  if (pool_ == Pool::kCached) Link();
}

void Account::Link() {
  previous_ = nullptr;
  next_ = budget_->cached_;
  if (next_ != nullptr) next_->previous_ = this;
  budget_->cached_ = this;
}

void Account::Unlink() {
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    budget_->cached_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

}  // namespace nodedb_ts::memtable
