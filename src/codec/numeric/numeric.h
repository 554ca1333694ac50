// numeric.h - PostgreSQL's numeric values as scaled integers.
//
// A value is k / 10^scale, where scale is the number of digits that it shows behind the point.
#ifndef NODEDB_TS_CODEC_NUMERIC_NUMERIC_H
#define NODEDB_TS_CODEC_NUMERIC_NUMERIC_H

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "codec/fields/word_field.h"

namespace nodedb_ts::codec {

// A finite numeric whose scaled integer fits into 64 bits.
struct ScaledNumeric {
  int64_t k = 0;
  uint16_t scale = 0;  // 0..16383
};

inline constexpr size_t kMaxScaledNumericBytes = 16;  // a long head and six digits to base 10 000

// The bytes behind the length word, in the machine's order as PostgreSQL has them; returns their
// number, at most kMaxScaledNumericBytes. REQUIRES scale <= 16383.
size_t WriteNumeric(const ScaledNumeric& number, uint8_t* out);
// The same of +-magnitude / 10^scale; at most kMaxWideNumericBytes. REQUIRES also magnitude < 2^117.
__extension__ typedef unsigned __int128 WideMagnitude;
inline constexpr size_t kMaxWideNumericBytes = 24;
size_t WriteWideNumeric(WideMagnitude magnitude, bool negative, uint16_t scale, uint8_t* out);
// Value and scale of bytes that PostgreSQL made; false if the integer does not fit, NaN, infinities.
[[nodiscard]] bool ParseNumeric(std::string_view bytes, ScaledNumeric* number);
// False for all that WriteNumeric would not give back byte by byte: NaN, infinities, larger
// integers, digits that are not normalized, and what is no numeric.
[[nodiscard]] bool ReadNumeric(std::string_view bytes, ScaledNumeric* number);

// What the vectors of a chunk share, parsed.
struct NumericModel {
  bool is_common = false;     // integers have the chunk's scale
  uint16_t common_scale = 0;
  WordField integers;
  WordField scales;

  [[nodiscard]] bool Read(base::ByteReader* in);
  // Bytes of the heap.
  size_t memory_bytes() const { return MemoryBytes(integers.tables) + MemoryBytes(scales.tables); }
};

// A vector of 1..1024 values, of which some are kept as bytes. Borrows the bytes.
class NumericVector {
 public:
  // Fills lengths[0..n) of those kept as bytes; 0 for the others.
  [[nodiscard]] bool Open(base::ByteReader in, std::span<uint64_t> lengths);
  uint64_t kept_bytes() const { return kept_bytes_; }
  size_t numbers() const { return numbers_; }

  // REQUIRES Open. is_kept(i) tells of value i whether it stands in kept().
  bool is_kept(size_t i) const { return kept_flags_[i] != 0; }
  const uint8_t* kept() const { return kept_; }  // one after the other
  // numbers() of them: those that are not kept, in order.
  [[nodiscard]] bool Decode(const NumericModel& model, ScaledNumeric* numbers) const;

 private:
  base::ByteReader rest_;
  const uint8_t* kept_ = nullptr;
  uint64_t kept_bytes_ = 0;
  size_t numbers_ = 0;
  uint8_t kept_flags_[kMaxVectorRows];
};

// Encodes the values of one chunk. Throws std::bad_alloc.
class NumericEncoder {
 public:
  // values: of all vectors, none NULL; counts: of each vector (0: it has no values). False when
  // too few of them are numerics.
  [[nodiscard]] bool Plan(std::span<const std::string_view> values,
                          std::span<const uint32_t> counts);
  // REQUIRES Plan for all that follow.
  size_t bytes() const;  // of vectors and model
  void WriteModel(base::ByteWriter* out) const;
  // False, and nothing appended: the vector is better kept as byte strings.
  [[nodiscard]] bool EncodeVector(size_t vector, base::ByteWriter* out) const;

 private:
  struct Columns {
    bool is_common = false;
    uint16_t common_scale = 0;
    WordFieldEncoder integers;
    WordFieldEncoder scales;
    size_t bytes() const { return integers.bytes() + scales.bytes(); }
  };

  bool Parse(std::span<const std::string_view> values, std::span<const uint32_t> counts);
  // False when an integer does not fit at that scale.
  bool PlanCommon(uint16_t scale, Columns* columns) const;

  std::vector<ScaledNumeric> numbers_;
  std::vector<uint32_t> number_counts_;  // of each vector
  std::vector<uint8_t> kept_;            // of each vector: the part before the columns
  std::vector<size_t> kept_ends_;
  std::vector<bool> is_bytes_;           // vectors that are kept as byte strings
  size_t bytes_vectors_bytes_ = 0;       // and their raw bytes
  Columns columns_;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_NUMERIC_NUMERIC_H
