// dictionary_set.h - the trained dictionaries of a table's columns, as one byte string (FORMAT.md) that segments
// refer to by its id.
#ifndef NODEDB_TS_SEGMENT_DICTIONARY_SET_H
#define NODEDB_TS_SEGMENT_DICTIONARY_SET_H

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "codec/zstd/trained.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::segment {

// Never changes but for what is made when it is used; shared within one thread.
class DictionarySet {
 public:
  // The bytes are hostile: kCorrupt, kUnsupported.
  static base::Status Open(std::span<const uint8_t> bytes, std::shared_ptr<const DictionarySet>* set);

  uint32_t id() const { return id_; }
  // NULL: the column has none.
  const codec::TrainedDictionary* Find(uint32_t column) const;
  // Bytes that the column's takes in the set; 0: it has none.
  uint64_t StoredBytes(uint32_t column) const;
  // Calls f(column, dictionary), by column.
  template <typename F>
  void ForEach(F&& f) const {
    for (const auto& [column, member] : members_) f(column, *member.dictionary);
  }
  uint64_t MemoryBytes() const;

 private:
  struct Member {
    std::unique_ptr<const codec::TrainedDictionary> dictionary;
    uint64_t stored_bytes;
  };

  base::Status Parse(std::span<const uint8_t> bytes);

  uint32_t id_ = 0;
  std::map<uint32_t, Member> members_;  // by column
};

// contents: of the dictionaries, by column. kLimit: more than NTS_DICTIONARIES_BYTES.
base::Status WriteDictionarySet(uint32_t id, const std::map<uint32_t, std::span<const uint8_t>>& contents,
                                std::vector<uint8_t>* bytes);

}  // namespace nodedb_ts::segment

// The handle of core.h, which options hold.
struct NtsDictionaries {
  std::shared_ptr<const nodedb_ts::segment::DictionarySet> set;
};

#endif  // NODEDB_TS_SEGMENT_DICTIONARY_SET_H
