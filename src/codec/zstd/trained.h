// trained.h - a zstd dictionary that was trained on values of a column. It stands outside of the chunks whose
// frames refer to it.
#ifndef NODEDB_TS_CODEC_ZSTD_TRAINED_H
#define NODEDB_TS_CODEC_ZSTD_TRAINED_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace nodedb_ts::codec {

// One thread: compressors are made when they are asked for.
class TrainedDictionary {
 public:
  // NULL when the bytes are no trained dictionary. Throws std::bad_alloc.
  static std::unique_ptr<const TrainedDictionary> Open(std::vector<uint8_t> content);
  ~TrainedDictionary();
  TrainedDictionary(const TrainedDictionary&) = delete;
  TrainedDictionary& operator=(const TrainedDictionary&) = delete;

  const ZSTD_DDict_s* decompressor() const { return decompressor_; }
  // zstd_level: 1..22.
  const ZSTD_CDict_s* Compressor(int zstd_level) const;
  std::span<const uint8_t> content() const { return content_; }
  size_t MemoryBytes() const;

 private:
  TrainedDictionary() = default;

  std::vector<uint8_t> content_;
  ZSTD_DDict_s* decompressor_ = nullptr;
  mutable std::map<int, ZSTD_CDict_s*> compressors_;  // by level
};

// Learns from samples that stand one after the other; empty when zstd finds nothing to learn.
std::vector<uint8_t> TrainDictionary(std::span<const uint8_t> samples, std::span<const size_t> sizes,
                                     size_t max_bytes);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_ZSTD_TRAINED_H
