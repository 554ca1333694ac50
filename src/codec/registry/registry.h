// registry.h - the codecs by number, and the choice among them.
//
// A *word codec* encodes one vector of 1..1024 words (INT sign-extended, FLOAT4
// bits zero-extended, FLOAT8 bits), none of them NULL; a *bytes codec* one vector of
// 1..1024 byte strings. Encoders choose by computed or measured size. Decoders take
// hostile bytes: false means corrupt; nothing is ever read or written out of bounds.
#ifndef NODEDB_TS_CODEC_REGISTRY_REGISTRY_H
#define NODEDB_TS_CODEC_REGISTRY_REGISTRY_H

#include <cstdint>
#include <span>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/words.h"
#include "codec/entropy/entropy.h"

namespace nodedb_ts::codec {

// Numbers are stored on disk: never reuse one. 0 stands for "no values".
enum Number : uint8_t {
  kNone = 0,
  kPlain = 1,       // words of the column's width
  kConstant = 2,    // one word
  kFrame = 3,       // frame of reference + bit packing with exceptions
  kDelta = 4,       // differences, as a frame
  kDictionary = 5,  // chunk level only: vectors hold codes
  kGorilla = 6,     // XOR with the value before
  kDecimal = 7,     // floats as integers over a power of ten
  kRuns = 8,        // (length, value) pairs
  kEntropy = 9,     // integers or their differences by a table of the chunk
  kScaled = 10,     // floats near decimals as integers, which may use the chunk's tables
  kDeltaOfDelta = 11,  // differences of differences, as a frame
  kBytesPlain = 32, // lengths and bytes
  kBytesZstd = 33,  // lengths and one zstd frame
  kBytesTokens = 34,          // coded with the chunk's token model
  kBytesZstdDictionary = 35,  // as 33, with the chunk's bytes to refer to
  kBytesFields = 36,   // values of one length, cut into words
  kBytesNumeric = 37,  // PostgreSQL's numeric as scaled integers
  kBytesFsst = 38,     // codes of the chunk's symbols
  kBytesTrained = 39,  // as 33, with the column's trained dictionary to refer to
};

enum class WordKind : uint8_t { kInt, kFloat4, kFloat8 };

struct WordShape {
  WordKind kind = WordKind::kInt;
  uint8_t width = 8;  // bytes of a value: 1, 2, 4, 8
};

// So many equal words, one after the other.
struct WordRun {
  uint64_t value = 0;
  uint32_t length = 0;
};

// The tables that the vectors of a chunk share; none for vectors that stand alone.
using EntropyTables = std::span<const EntropyDecoder>;

// A codec of vectors that stand alone.
struct WordCodec {
  uint8_t number;
  const char* name;
  // Appends the vector.
  void (*encode)(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out);
  // Reads exactly out.size() values; trailing bytes are left in `in`.
  bool (*decode)(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out);
};

// NULL when the number is no such codec of this version.
const WordCodec* FindWordCodec(uint8_t number);
// A name for EXPLAIN and tests; "unknown" for numbers of later versions.
const char* CodecName(uint8_t number);

// Writes the vector with the smallest codec and returns its number. The words must
// be canonical for the shape (sign- or zero-extended). Integers are planned exactly;
// floats are measured. bounds: of integers, if they are known.
uint8_t EncodeWords(const WordShape& shape, std::span<const uint64_t> values,
                    base::ByteWriter* out, const base::WordBounds* bounds = nullptr);
// As EncodeWords, for integers of any width (dictionary codes, lengths, statistics).
uint8_t EncodeIntegers(std::span<const uint64_t> values, uint8_t width, base::ByteWriter* out,
                       const base::WordBounds* bounds = nullptr);

// The same bytes, of values that are given as runs, of which neighbours differ.
uint8_t EncodeIntegerRuns(std::span<const WordRun> runs, uint8_t width, base::ByteWriter* out);

// Decodes and checks that all bytes were used and every word is canonical. wanted: how many words matter, from the
// first on (at least 1): others may be left as they were, and what is behind these need not be checked.
[[nodiscard]] bool DecodeWords(const WordShape& shape, uint8_t number, base::ByteReader in,
                               std::span<uint64_t> out, EntropyTables tables = {}, size_t wanted = SIZE_MAX);
// Integers inside another vector: any codec of integers; trailing bytes are left in `in`.
[[nodiscard]] bool DecodeIntegers(uint8_t number, base::ByteReader* in, std::span<uint64_t> out,
                                  EntropyTables tables);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_REGISTRY_REGISTRY_H
