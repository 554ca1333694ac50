#include "memtable/account.h"

#include <new>

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

}  // namespace

bool Budget::MakeRoom(uint64_t size) {
  if (lifted_ > 0) return true;
  const uint64_t used_bytes = used();
  if (used_bytes <= limit_ && size <= limit_ - used_bytes) return true;
  if (cached_ == nullptr) return false;
  ReleaseCached();
  return used() <= limit_ && size <= limit_ - used();
}

void Budget::ReleaseCached() {
  for (Account* account = cached_; account != nullptr; account = account->next_) {
    account->owner_->ReleaseBuffers();
  }
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
