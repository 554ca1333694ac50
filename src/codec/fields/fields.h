// fields.h - byte strings of one length, cut into words that are encoded column by column.
#ifndef NODEDB_TS_CODEC_FIELDS_FIELDS_H
#define NODEDB_TS_CODEC_FIELDS_FIELDS_H

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "codec/fields/word_field.h"

namespace nodedb_ts::codec {

inline constexpr size_t kMaxFieldsBytes = 64;  // of a value; longer ones are left to zstd

// Where the words of a field stand in a value.
struct FieldPlace {
  uint8_t width = 1;  // 1..8
  bool big_endian = false;
  bool is_float = false;  // of 4 or 8 bytes, little-endian

  // Little-endian integers of 1, 2, 4 and 8 bytes are signed, others not.
  bool IsSigned() const { return !big_endian && (width & (width - 1)) == 0; }
  WordShape Shape() const;
  uint64_t Load(const uint8_t* p) const;
  void Store(uint8_t* p, uint64_t word) const;
};

// What the vectors of a chunk share, parsed.
struct FieldsModel {
  struct Field {
    FieldPlace place;
    WordField words;
  };
  uint32_t length = 0;  // of every value
  std::vector<Field> fields;  // from the first byte to the last

  // fixed_width: of the column, 0 when lengths vary. Trailing bytes are left.
  [[nodiscard]] bool Read(uint32_t fixed_width, base::ByteReader* in);
  // at[i]: where value i of n (1..1024) goes.
  [[nodiscard]] bool Decode(base::ByteReader in, size_t n, uint8_t* const* at) const;
  // Bytes of the heap.
  size_t memory_bytes() const {
    size_t bytes = fields.capacity() * sizeof(Field);
    for (const Field& field : fields) bytes += MemoryBytes(field.words.tables);
    return bytes;
  }
};

// Encodes the values of one chunk. Throws std::bad_alloc.
class FieldsEncoder {
 public:
  // values: of all vectors, none NULL; counts: of each vector (0: it has no values). False when
  // they have not one length, it is too long, or there is nothing to gain.
  [[nodiscard]] bool Plan(std::span<const std::string_view> values,
                          std::span<const uint32_t> counts);
  // REQUIRES Plan for all that follow.
  size_t bytes() const;  // of vectors and model
  void WriteModel(base::ByteWriter* out) const;
  void EncodeVector(size_t vector, base::ByteWriter* out) const;

 private:
  struct Field {
    FieldPlace place;
    WordFieldEncoder words;
  };

  uint32_t length_ = 0;
  std::vector<Field> fields_;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_FIELDS_FIELDS_H
