// dictionary.h - distinct values of a chunk, stored plain so that one entry can be
// reached without decoding the others.
#ifndef NODEDB_TS_CODEC_DICTIONARY_DICTIONARY_H
#define NODEDB_TS_CODEC_DICTIONARY_DICTIONARY_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::codec {

// Numbers distinct values in order of their first appearance.
template <typename Value>
class DictionaryBuilder {
 public:
  // codes[i] is set for each value that is not NULL (0 for NULLs). False when more
  // than max_entries distinct values came up.
  bool Build(const Value* values, const uint8_t* nulls, size_t count, size_t max_entries,
             std::vector<uint64_t>* codes);
  const std::vector<Value>& entries() const { return entries_; }

 private:
  void Grow(size_t size);  // to so many slots, a power of two

  std::vector<Value> entries_;
  std::vector<uint32_t> slots_;  // entry + 1, or 0: free
};

extern template class DictionaryBuilder<uint64_t>;
extern template class DictionaryBuilder<std::string_view>;

void WriteDictionary(const std::vector<uint64_t>& entries, uint32_t width, base::ByteWriter* out);
// fixed_width 0: lengths vary, end offsets are stored.
void WriteDictionary(const std::vector<std::string_view>& entries, uint32_t fixed_width,
                     base::ByteWriter* out);

// The same, with what neighbours share left out; to be compressed. Entries in any order.
void WriteFrontCoded(const std::vector<std::string_view>& entries, base::ByteWriter* out);
// Turns that into what WriteDictionary writes. False when the bytes are wrong or the entries would
// take more than max_bytes.
[[nodiscard]] bool ReadFrontCoded(base::ByteReader in, uint32_t fixed_width, uint64_t max_bytes,
                                  std::vector<uint8_t>* out);

// A parsed dictionary; borrows its bytes.
class Dictionary {
 public:
  // width: bytes of every entry, 0 when lengths vary.
  [[nodiscard]] bool Open(base::ByteReader in, uint32_t width);
  uint64_t size() const { return size_; }
  uint64_t byte_count() const { return byte_count_; }  // of all entries
  // REQUIRES code < size(). False when the stored offsets are wrong.
  [[nodiscard]] bool Get(uint64_t code, const uint8_t** bytes, uint64_t* length) const;
  // Replaces codes by the words they stand for, zero-extended. False when a code is
  // not below size(). REQUIRES a width of 1, 2, 4 or 8.
  [[nodiscard]] bool Words(std::span<uint64_t> codes) const;

 private:
  uint32_t width_ = 0;
  uint8_t offset_width_ = 0;
  uint64_t size_ = 0;
  const uint8_t* offsets_ = nullptr;
  const uint8_t* bytes_ = nullptr;
  uint64_t byte_count_ = 0;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_DICTIONARY_DICTIONARY_H
