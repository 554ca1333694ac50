// dictionary_trainer.h - learns a dictionary from some values of a column and judges it by others.
//
// Every other vector that it is given is to learn from, the ones between to judge by: what the chunk writer of level 1
// makes of them with the dictionary and without. Same values, same dictionary. Memory: about 8 MB of values, and what
// zstd takes to learn, some ten times what it learns from.
#ifndef NODEDB_TS_SEGMENT_DICTIONARY_TRAINER_H
#define NODEDB_TS_SEGMENT_DICTIONARY_TRAINER_H

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "nodedb_ts/core.h"
#include "segment/dictionary_set.h"
#include "segment/format.h"

namespace nodedb_ts::segment {

class DictionaryTrainer {
 public:
  // shape: of byte strings.
  explicit DictionaryTrainer(const ColumnShape& shape) : shape_(shape) {}

  // Values of one vector, none of them NULL.
  void Add(std::span<const NtsSlice> values);
  // As nts_trainer_train of core.h.
  void Train(NtsTraining* training);
  // Makes set() of the trained dictionary, and those of `older` (or NULL) for which keep(column).
  // kLimit: as WriteDictionarySet. REQUIRES: trained().
  template <typename Keep>
  base::Status Write(uint32_t id, uint32_t column, const DictionarySet* older, Keep&& keep) {
    std::map<uint32_t, std::span<const uint8_t>> contents;
    if (older != nullptr) {
      older->ForEach([&](uint32_t other, const codec::TrainedDictionary& dictionary) {
        if (keep(other)) contents[other] = dictionary.content();
      });
    }
    contents[column] = trained_->content();
    return WriteDictionarySet(id, contents, &set_);
  }
  const std::vector<uint8_t>& set() const { return set_; }
  bool trained() const { return trained_ != nullptr; }

 private:
  void TakeSamples(std::span<const NtsSlice> values);
  void TakeTests(std::span<const NtsSlice> values);
  // Bytes of a chunk of the test values; *used: it refers to the dictionary.
  uint64_t Measure(const codec::TrainedDictionary* trained, bool* used) const;

  ColumnShape shape_;
  uint32_t vectors_ = 0;
  std::vector<uint8_t> samples_;
  std::vector<size_t> sample_sizes_;
  std::vector<uint8_t> tests_;
  std::vector<size_t> test_sizes_;      // of each value
  std::vector<uint32_t> test_vectors_;  // values of each
  std::unique_ptr<const codec::TrainedDictionary> trained_;
  std::vector<uint8_t> set_;
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_DICTIONARY_TRAINER_H
