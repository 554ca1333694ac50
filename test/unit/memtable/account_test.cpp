#include "memtable/account.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace nodedb_ts {
namespace {

using memtable::Account;
using memtable::Budget;
using memtable::Pool;

struct NoBuffers : memtable::CacheOwner {
  void ReleaseBuffers() override {}
};

constexpr uint64_t kSlab = 2 << 20;
constexpr size_t kChunk = 40 << 10;

// An account large enough to get slabs.
struct Holder {
  explicit Holder(Budget* budget) : account(budget, &owner) {
    account.MoveTo(Pool::kActive);
    base = account.Allocate(kSlab);
  }
  ~Holder() { account.Free(base); }
  NoBuffers owner;
  Account account;
  void* base;
};

TEST(Account, SmallAccountsAndBudgetsGetNoSlabs) {
  NoBuffers owner;
  Budget wide(uint64_t{64} << 20);
  Account small(&wide, &owner);
  EXPECT_EQ(nullptr, small.AllocateFromSlab(kChunk));
  Budget narrow(uint64_t{16} << 20);
  Holder holder(&narrow);
  EXPECT_EQ(nullptr, holder.account.AllocateFromSlab(kChunk));
  EXPECT_EQ(0u, narrow.bytes(Pool::kCached));
}

TEST(Account, SlabsAreChargedAndGivenBack) {
  Budget budget(uint64_t{64} << 20);
  Holder holder(&budget);
  const uint64_t before = budget.used();
  std::vector<void*> chunks;
  for (int i = 0; i < 200; ++i) {
    chunks.push_back(holder.account.AllocateFromSlab(kChunk));
    ASSERT_NE(nullptr, chunks.back());
    std::memset(chunks.back(), i, kChunk);
    EXPECT_EQ(0u, (budget.used() - before) % kSlab);
  }
  const uint64_t used = budget.used();
  EXPECT_EQ(before + 200 * kChunk, budget.bytes(Pool::kActive));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(static_cast<uint8_t>(i), static_cast<uint8_t*>(chunks[i])[kChunk - 1]);
  }
  // Another size takes slabs of its own.
  void* other = holder.account.AllocateFromSlab(kChunk / 2);
  EXPECT_EQ(used + kSlab, budget.used());
  // What was freed is kept and handed out again.
  for (void* chunk : chunks) holder.account.FreeToSlab(chunk);
  EXPECT_EQ(used + kSlab, budget.used());
  for (void*& chunk : chunks) chunk = holder.account.AllocateFromSlab(kChunk);
  EXPECT_EQ(used + kSlab, budget.used());
  // Slabs in use stay.
  for (size_t i = 1; i < chunks.size(); ++i) holder.account.FreeToSlab(chunks[i]);
  budget.ReleaseSlabs();
  EXPECT_EQ(before + 2 * kSlab, budget.used());
  holder.account.FreeToSlab(chunks[0]);
  holder.account.FreeToSlab(other);
  budget.ReleaseSlabs();
  EXPECT_EQ(before, budget.used());
}

TEST(Account, UnusedSlabsGiveWay) {
  Budget budget(uint64_t{64} << 20);
  Holder holder(&budget);
  std::vector<void*> chunks;
  while (void* chunk = holder.account.AllocateFromSlab(kChunk)) chunks.push_back(chunk);
  EXPECT_LE(budget.used(), budget.limit());
  EXPECT_GT(budget.used(), budget.limit() - kSlab);
  EXPECT_EQ(nullptr, holder.account.Allocate(kSlab));
  for (void* chunk : chunks) holder.account.FreeToSlab(chunk);
  EXPECT_GT(budget.used(), budget.limit() - kSlab);
  void* block = holder.account.Allocate(uint64_t{60} << 20);
  EXPECT_NE(nullptr, block);
  holder.account.Free(block);
}

}  // namespace
}  // namespace nodedb_ts
