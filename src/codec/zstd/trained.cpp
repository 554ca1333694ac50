#include "codec/zstd/trained.h"

#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <new>

#include "codec/zstd/zstd.h"

namespace nodedb_ts::codec {
namespace {

// false: an error that the bytes are to blame for. Throws std::bad_alloc.
bool Succeeded(size_t result) {
  if (ZSTD_isError(result) && ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  return !ZSTD_isError(result);
}

}  // namespace

std::unique_ptr<const TrainedDictionary> TrainedDictionary::Open(std::vector<uint8_t> content) {
  // Without an id of its own, frames would not tell that they are read with another one.
  if (ZSTD_getDictID_fromDict(content.data(), content.size()) == 0) return nullptr;
  // What is made of it below is NULL for wrong tables and without memory alike; these tell which.
  if (!Succeeded(ZDICT_getDictHeaderSize(content.data(), content.size()))) return nullptr;
  if (!CanInflateWith(content)) return nullptr;
  std::unique_ptr<TrainedDictionary> opened(new TrainedDictionary());
  opened->content_ = std::move(content);
  opened->decompressor_ = ZSTD_createDDict(opened->content_.data(), opened->content_.size());
  if (opened->decompressor_ == nullptr) throw std::bad_alloc();
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
  dictionary.resize(Succeeded(got) ? got : 0);
  return dictionary;
}

}  // namespace nodedb_ts::codec
