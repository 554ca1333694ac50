// shared_strings.h - what all byte strings of a chunk share, parsed.
#ifndef NODEDB_TS_SEGMENT_SHARED_STRINGS_H
#define NODEDB_TS_SEGMENT_SHARED_STRINGS_H

#include <cstdint>
#include <vector>

#include "base/byte_reader.h"
#include "codec/fsst/fsst.h"
#include "codec/tokens/token_model.h"
#include "codec/zstd/zstd.h"

namespace nodedb_ts::segment {

// The shared part of a chunk with the codecs tokens, zstd dictionary and FSST, or its packed dictionary.
class SharedStrings {
 public:
  // False when the bytes are wrong. chunk_codec: of the footer's entry.
  [[nodiscard]] bool Open(uint8_t chunk_codec, uint32_t fixed_width, base::ByteReader stored);

  const codec::TokenModel& tokens() const { return tokens_; }
  const codec::ZstdDictionary& zstd_dictionary() const { return zstd_dictionary_; }
  const codec::FsstDecoder& symbols() const { return symbols_; }
  // As codec::WriteDictionary writes it.
  base::ByteReader dictionary() const { return {dictionary_.data(), dictionary_.size()}; }

 private:
  codec::TokenModel tokens_;
  codec::ZstdDictionary zstd_dictionary_;
  codec::FsstDecoder symbols_;
  std::vector<uint8_t> dictionary_;
};

// Parses, unless one of the last few calls of this thread was given the same bytes: vectors are read
// one at a time. Valid until the next call. NULL when the bytes are wrong.
const SharedStrings* FindSharedStrings(uint8_t chunk_codec, uint32_t fixed_width,
                                       base::ByteReader stored);

// The most that a packed dictionary may take.
inline constexpr uint64_t kMaxUnpackedDictionary = uint64_t{8} << 20;

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_SHARED_STRINGS_H
