// word_field.h - one column of words that the values of a chunk of byte strings were cut into.
#ifndef NODEDB_TS_CODEC_FIELDS_WORD_FIELD_H
#define NODEDB_TS_CODEC_FIELDS_WORD_FIELD_H

#include <cstdint>
#include <span>
#include <vector>

#include "codec/bitpack/bitpack.h"
#include "codec/registry/registry.h"
#include "codec/shared/mapping.h"
#include "codec/shared/word_chunk.h"

namespace nodedb_ts::codec {

// What a field's vectors share, parsed.
struct WordField {
  bool is_constant = false;
  uint64_t value = 0;  // of a constant one
  Mapping mapping;
  std::vector<EntropyDecoder> tables;

  // Both leave trailing bytes.
  [[nodiscard]] bool Read(const WordShape& shape, base::ByteReader* in);
  [[nodiscard]] bool Decode(const WordShape& shape, base::ByteReader* in,
                            std::span<uint64_t> out) const;
};

// Encodes a field of one chunk. Throws std::bad_alloc.
class WordFieldEncoder {
 public:
  // words: of all vectors, canonical for the shape, at least one; counts: of each vector.
  void Plan(const WordShape& shape, std::span<const uint64_t> words,
            std::span<const uint32_t> counts);
  // REQUIRES Plan for all that follow.
  size_t bytes() const { return model_.size() + vectors_.size(); }
  void WriteModel(base::ByteWriter* out) const { out->Bytes(model_.data(), model_.size()); }
  void EncodeVector(size_t vector, base::ByteWriter* out) const;

 private:
  std::vector<uint8_t> model_;
  std::vector<uint8_t> vectors_;
  std::vector<size_t> ends_;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_FIELDS_WORD_FIELD_H
