// account.h - who holds how many bytes, and whether more may be taken.
//
// Every buffer of a memtable is allocated through its Account, which charges what
// the allocator really handed out. A Budget is shared by all memtables of a
// manager and is a hard limit: an allocation that would exceed it is refused
// before it is made. Empty memtables keep small buffers for reuse; the budget
// takes those back first.
//
// The chunks of a large memtable are cut out of slabs, which lie in huge pages and are
// kept while a bulk load goes on: see base/large_memory.h. A slab is charged as a whole,
// what no chunk uses of it as cached.
#ifndef NODEDB_TS_MEMTABLE_ACCOUNT_H
#define NODEDB_TS_MEMTABLE_ACCOUNT_H

#include <cstddef>
#include <cstdint>

namespace nodedb_ts::memtable {

// What a growing operation came to. kNoBudget and kNoMemory leave the data as it was.
enum class Grow : uint8_t { kOk, kNoBudget, kNoMemory };

// Where a memtable's bytes are counted.
enum class Pool : uint8_t {
  kCached = 0,  // no rows: buffers kept for reuse, given back under pressure
  kActive = 1,  // takes rows
  kQueued = 2,  // full of rows, waits for the next flush
  kFrozen = 3,  // being flushed, or its flush failed
};
inline constexpr size_t kPools = 4;

class Account;

class Budget {
 public:
  explicit Budget(uint64_t limit) : limit_(limit) {}
  ~Budget() { ReleaseSlabs(); }
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  uint64_t limit() const { return limit_; }
  void set_limit(uint64_t limit) { limit_ = limit; }
  uint64_t bytes(Pool pool) const { return bytes_[static_cast<size_t>(pool)]; }
  uint64_t used() const { return bytes_[0] + bytes_[1] + bytes_[2] + bytes_[3]; }

  // True when `size` more bytes are allowed, if need be after releasing caches.
  bool MakeRoom(uint64_t size);
  void ReleaseCached();
  // Gives slabs back that no chunk uses.
  void ReleaseSlabs();

  // While one lives, the limit is not enforced: for moving rows that are held
  // already, which must not fail half way.
  class Lift {
   public:
    explicit Lift(Budget* budget) : budget_(budget) { ++budget_->lifted_; }
    ~Lift() { --budget_->lifted_; }
    Lift(const Lift&) = delete;
    Lift& operator=(const Lift&) = delete;

   private:
    Budget* budget_;
  };

 private:
  friend class Account;
  struct Slab;

  // A chunk of a slab, charged as cached; nullptr: no room for a slab.
  void* TakeChunk(uint64_t chunk_bytes);
  void GiveChunk(Slab* slab, void* chunk);
  bool AddSlab(uint64_t chunk_bytes);

  uint64_t limit_;
  uint64_t bytes_[kPools] = {};
  uint32_t lifted_ = 0;
  Account* cached_ = nullptr;  // list of the accounts in Pool::kCached
  Slab* slabs_ = nullptr;      // those that became full behind the others
  Slab** slabs_end_ = &slabs_;
  uint32_t open_slabs_ = 0;    // with room
  uint32_t unused_slabs_ = 0;
};

// Gives back the buffers of an empty memtable.
class CacheOwner {
 public:
  virtual void ReleaseBuffers() = 0;

 protected:
  ~CacheOwner() = default;
};

class Account {
 public:
  Account(Budget* budget, CacheOwner* owner);
  ~Account();  // REQUIRES: everything was freed
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  // nullptr when refused; failure() then says why. Aligned for any scalar.
  void* Allocate(size_t size);
  void Free(void* bytes);
  // A chunk out of a slab; nullptr: take it from Allocate.
  void* AllocateFromSlab(size_t size);
  void FreeToSlab(void* chunk);

  Grow failure() const { return failure_; }
  uint64_t bytes() const { return bytes_; }
  Pool pool() const { return pool_; }
  void MoveTo(Pool pool);

 private:
  friend class Budget;
  void Link();
  void Unlink();

  Budget* budget_;
  CacheOwner* owner_;
  Account* previous_ = nullptr;
  Account* next_ = nullptr;
  uint64_t bytes_ = 0;
  Pool pool_ = Pool::kCached;
  Grow failure_ = Grow::kOk;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_ACCOUNT_H
