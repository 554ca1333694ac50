#include "segment/dictionary_trainer.h"

#include <algorithm>
#include <utility>

#include "segment/chunk_writer.h"

namespace nodedb_ts::segment {
namespace {

constexpr size_t kShareBytes = size_t{64} << 10;    // of one vector to judge by,
constexpr size_t kLearnBytes = size_t{32} << 10;    // and of one to learn from
constexpr size_t kSampleBytes = size_t{4} << 10;    // zstd wants at least some samples, however few vectors there are
constexpr size_t kMaxTestVectors = kMaxRowGroupRows / kMaxVectorRows;
constexpr size_t kMinBytes = size_t{32} << 10;      // to learn from, and to judge by
constexpr size_t kMaxDictionaryBytes = size_t{110} << 10;  // zstd's own default
constexpr size_t kMinDictionaryBytes = size_t{4} << 10;
constexpr size_t kDictionaryShare = 8;              // of what it was learned from
constexpr uint64_t kWorthPercent = 97;

}  // namespace

void DictionaryTrainer::Add(std::span<const NtsSlice> values) {
  const uint32_t number = vectors_++;
  if (number % 2 == 0) return TakeSamples(values);
  // Every other one of these is enough, when there are as many vectors as may be.
  if (test_vectors_.size() < kMaxTestVectors && (number % 4 == 1 || vectors_ <= kMaxTestVectors)) TakeTests(values);
}

void DictionaryTrainer::TakeSamples(std::span<const NtsSlice> values) {
  const size_t start = samples_.size();
  size_t sample = start;
  for (const NtsSlice& value : values) {
    const size_t taken = samples_.size() - start;
    if (taken == kLearnBytes) break;
    const size_t n = std::min(value.length, kLearnBytes - taken);
    if (n > 0) samples_.insert(samples_.end(), value.bytes, value.bytes + n);
    if (samples_.size() - sample < kSampleBytes) continue;
    sample_sizes_.push_back(samples_.size() - sample);
    sample = samples_.size();
  }
  if (samples_.size() > sample) sample_sizes_.push_back(samples_.size() - sample);
}

void DictionaryTrainer::TakeTests(std::span<const NtsSlice> values) {
  const size_t start = tests_.size();
  uint32_t taken = 0;
  for (const NtsSlice& value : values) {
    if (taken == kMaxVectorRows || value.length > kShareBytes - (tests_.size() - start)) break;
    if (value.length > 0) tests_.insert(tests_.end(), value.bytes, value.bytes + value.length);
    test_sizes_.push_back(value.length);
    taken++;
  }
  if (taken > 0) test_vectors_.push_back(taken);
}

uint64_t DictionaryTrainer::Measure(const codec::TrainedDictionary* trained, bool* used) const {
  std::vector<std::string_view> values;
  const char* at = reinterpret_cast<const char*>(tests_.data());
  for (const size_t size : test_sizes_) {
    values.emplace_back(at, size);
    at += size;
  }
  const std::vector<uint8_t> nulls(values.size(), 0);
  std::vector<uint8_t> bytes;
  ChunkWriter writer(1);
  writer.UseTrained(trained);
  const ChunkSummary summary = writer.WriteBytes(shape_, values.data(), nulls.data(), test_vectors_, &bytes);
  *used = summary.codec == codec::kBytesTrained;
  return bytes.size();
}

void DictionaryTrainer::Train(NtsTraining* training) {
  *training = {};
  training->sample_bytes = samples_.size();
  training->test_values = test_sizes_.size();
  training->test_bytes = tests_.size();
  trained_.reset();
  if (samples_.size() < kMinBytes || tests_.size() < kMinBytes) {
    training->result = NTS_TRAINING_TOO_FEW;
    return;
  }
  bool used = false;
  training->result = NTS_TRAINING_NO_GAIN;
  training->plain_bytes = training->trained_bytes = Measure(nullptr, &used);
  std::vector<uint8_t> content = codec::TrainDictionary(
      samples_, sample_sizes_,
      std::clamp(samples_.size() / kDictionaryShare, kMinDictionaryBytes, kMaxDictionaryBytes));
  training->dictionary_bytes = content.size();
  if (content.empty()) return;
  std::unique_ptr<const codec::TrainedDictionary> trained = codec::TrainedDictionary::Open(std::move(content));
  if (trained == nullptr) return;
  training->trained_bytes = Measure(trained.get(), &used);
  if (!used || training->trained_bytes * 100 > training->plain_bytes * kWorthPercent) return;
  training->result = NTS_TRAINING_DONE;
  trained_ = std::move(trained);
}

}  // namespace nodedb_ts::segment
