// word_chunk.h - level 2's words: all vectors of a chunk are planned together, so that
// they share entropy tables and the chunk needs few of them.
#ifndef NODEDB_TS_CODEC_SHARED_WORD_CHUNK_H
#define NODEDB_TS_CODEC_SHARED_WORD_CHUNK_H

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "codec/entropy/entropy.h"
#include "codec/registry/registry.h"
#include "codec/scaled/scaled.h"

namespace nodedb_ts::codec {

inline constexpr size_t kMaxTables = 32;  // of a chunk

// Encodes the vectors of one chunk: Add each, Plan, then EncodeVector in any order.
// Throws std::bad_alloc.
class WordChunkEncoder {
 public:
  explicit WordChunkEncoder(const WordShape& shape) : shape_(shape) {}

  // 1..1024 words, none of them NULL, canonical for the shape.
  void Add(std::span<const uint64_t> values);
  void Plan();
  // The tables that vectors use; nothing may be written when there is none.
  size_t tables() const { return tables_.size(); }
  void WriteTables(base::ByteWriter* out) const;
  // Appends a vector and returns its codec.
  uint8_t EncodeVector(size_t vector, base::ByteWriter* out) const;

 private:
  // What the table codes: the integers minus a base, or their zigzagged first or second
  // differences.
  enum Transform : uint8_t { kValues = 0, kDeltas = 1, kSecondDeltas = 2 };

  struct Vector {
    std::vector<uint64_t> values;
    ScaledVector scaled;
    bool is_scaled = false;
    bool has_integers = false;      // the values themselves, or those of `scaled`
    uint8_t alone_codec = kNone;    // the smallest codec that needs no table ...
    std::vector<uint8_t> alone;     // ... and its bytes
    size_t scaled_head_bytes = 0;   // of the alternative with a table
    Transform transform = kValues;
    uint64_t base = 0;
    std::vector<uint64_t> residuals;
    std::vector<EntropyBin> bins;   // of the residuals
    std::vector<uint8_t> coded;     // the residuals by the table
    double own_bits = 0;            // of the residuals by a table of their own
    int table = -1;                 // -1: `alone` is used

    std::span<const uint64_t> integers() const {
      return is_scaled ? std::span<const uint64_t>(scaled.integers) : values;
    }
  };

  friend bool DecodeEntropyVector(base::ByteReader* in, std::span<uint64_t> out, EntropyTables tables,
                                  size_t wanted);

  void PlanAlone(Vector* v) const;
  void ChooseBases();
  static void Residuals(std::span<const uint64_t> integers, Transform transform, uint64_t base,
                        std::vector<uint64_t>* residuals);
  bool ChooseTransform(Vector* v) const;
  void ChooseTables(const std::vector<size_t>& candidates);
  void DropUnusedTables();

  WordShape shape_;
  std::vector<Vector> vectors_;
  std::vector<std::unique_ptr<EntropyEncoder>> tables_;  // some kilobytes each
};

// A vector of integers by one of the chunk's tables (codec kEntropy). With wanted, which is at least 1 and less than
// there are, nothing else is in `in`, and values behind the first `wanted` may be left as they were.
[[nodiscard]] bool DecodeEntropyVector(base::ByteReader* in, std::span<uint64_t> out, EntropyTables tables,
                                       size_t wanted = SIZE_MAX);

// The tables of a chunk as WriteTables wrote them; false when the bytes are wrong.
[[nodiscard]] bool ReadTables(base::ByteReader* in, std::vector<EntropyDecoder>* tables);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_SHARED_WORD_CHUNK_H
