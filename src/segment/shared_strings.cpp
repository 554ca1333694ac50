#include "segment/shared_strings.h"

#include <cstring>
#include <memory>

#include "codec/dictionary/dictionary.h"
#include "codec/registry/registry.h"

namespace nodedb_ts::segment {
namespace {

struct Entry {
  uint8_t codec = codec::kNone;
  uint32_t fixed_width = 0;
  uint64_t used = 0;
  std::vector<uint8_t> stored;
  SharedStrings parsed;
};

constexpr size_t kEntries = 4;

}  // namespace

bool SharedStrings::Open(uint8_t chunk_codec, uint32_t fixed_width, base::ByteReader stored) {
  switch (chunk_codec) {
    case codec::kBytesTokens: return tokens_.Open(stored);
    case codec::kBytesZstdDictionary: return zstd_dictionary_.Open(stored);
    case codec::kBytesFsst: return symbols_.Open(stored);
    case codec::kDictionary: {
      std::vector<uint8_t> entries;
      return codec::Unpack(stored, kMaxUnpackedDictionary, &entries) &&
             codec::ReadFrontCoded({entries.data(), entries.size()}, fixed_width,
                                   kMaxUnpackedDictionary, &dictionary_);
    }
    default: return false;
  }
}

const SharedStrings* FindSharedStrings(uint8_t chunk_codec, uint32_t fixed_width,
                                       base::ByteReader stored) {
  thread_local std::unique_ptr<Entry> entries[kEntries];
  thread_local uint64_t clock = 0;
  std::unique_ptr<Entry>* oldest = &entries[0];
  for (std::unique_ptr<Entry>& entry : entries) {
    if (entry == nullptr) {
      oldest = &entry;
      break;
    }
    // Bytes are compared: comparing takes microseconds, parsing milliseconds, and an address may
    // be used again.
    if (entry->codec == chunk_codec && entry->fixed_width == fixed_width &&
        entry->stored.size() == stored.remaining() &&
        std::memcmp(entry->stored.data(), stored.at(), stored.remaining()) == 0) {
      entry->used = ++clock;
      return &entry->parsed;
    }
    if (entry->used < (*oldest)->used) oldest = &entry;
  }
  oldest->reset();
  auto fresh = std::make_unique<Entry>();
  if (stored.empty() || !fresh->parsed.Open(chunk_codec, fixed_width, stored)) return nullptr;
  fresh->codec = chunk_codec;
  fresh->fixed_width = fixed_width;
  fresh->used = ++clock;
  fresh->stored.assign(stored.at(), stored.at() + stored.remaining());
  *oldest = std::move(fresh);
  return &(*oldest)->parsed;
}

}  // namespace nodedb_ts::segment
