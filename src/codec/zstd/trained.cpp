#include "codec/zstd/trained.h"

#include <zdict.h>
#include <zstd.h>

#include <new>

namespace nodedb_ts::codec {

std::unique_ptr<const TrainedDictionary> TrainedDictionary::Open(std::vector<uint8_t> content) {
  // Without an id of its own, frames would not tell that they are read with another one.
  if (ZSTD_getDictID_fromDict(content.data(), content.size()) == 0) return nullptr;
  std::unique_ptr<TrainedDictionary> opened(new TrainedDictionary());
  opened->content_ = std::move(content);
  opened->decompressor_ = ZSTD_createDDict(opened->content_.data(), opened->content_.size());
  if (opened->decompressor_ == nullptr) return nullptr;  // its tables are wrong
  return opened;
}

TrainedDictionary::~TrainedDictionary() {
  ZSTD_freeDDict(decompressor_);
  for (const auto& [level, compressor] : compressors_) ZSTD_freeCDict(compressor);
}

const ZSTD_CDict_s* TrainedDictionary::Compressor(int zstd_level) const {
  ZSTD_CDict*& compressor = compressors_[zstd_level];
  if (compressor == nullptr) compressor = ZSTD_createCDict(content_.data(), content_.size(), zstd_level);
  if (compressor == nullptr) throw std::bad_alloc();
  return compressor;
}

size_t TrainedDictionary::MemoryBytes() const {
  size_t bytes = sizeof(*this) + content_.capacity() + ZSTD_sizeof_DDict(decompressor_);
  for (const auto& [level, compressor] : compressors_) bytes += ZSTD_sizeof_CDict(compressor);
  return bytes;
}

std::vector<uint8_t> TrainDictionary(std::span<const uint8_t> samples, std::span<const size_t> sizes,
                                     size_t max_bytes) {
  std::vector<uint8_t> dictionary(max_bytes);
  const size_t got = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), samples.data(),
                                           sizes.data(), static_cast<unsigned>(sizes.size()));
  dictionary.resize(ZDICT_isError(got) ? 0 : got);
  return dictionary;
}

}  // namespace nodedb_ts::codec
