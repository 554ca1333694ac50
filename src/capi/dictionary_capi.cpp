// dictionary_capi.cpp - the part of core.h about trained dictionaries.
#include <memory>

#include "capi/capi.h"
#include "capi/capi_segment.h"
#include "nodedb_ts/core.h"
#include "segment/dictionary_set.h"
#include "segment/dictionary_trainer.h"

using nodedb_ts::base::Status;
using nodedb_ts::capi::Guard;
using nodedb_ts::segment::DictionarySet;
using nodedb_ts::segment::DictionaryTrainer;

struct NtsTrainer {
  DictionaryTrainer trainer;
};

extern "C" {

NtsDictionaries* nts_dictionaries_open(const uint8_t* bytes, size_t length, NtsStatus* status) noexcept {
  NtsDictionaries* opened = nullptr;
  Guard(status, [&] {
    auto handle = std::make_unique<NtsDictionaries>();
    Status result = DictionarySet::Open({bytes, length}, &handle->set);
    if (result.ok()) opened = handle.release();
    return result;
  });
  return opened;
}

void nts_dictionaries_close(NtsDictionaries* dictionaries) noexcept { delete dictionaries; }

uint32_t nts_dictionaries_id(const NtsDictionaries* dictionaries) noexcept { return dictionaries->set->id(); }

uint64_t nts_dictionaries_bytes(const NtsDictionaries* dictionaries, uint32_t column) noexcept {
  return dictionaries->set->StoredBytes(column);
}

uint64_t nts_dictionaries_memory(const NtsDictionaries* dictionaries) noexcept {
  return dictionaries->set->MemoryBytes();
}

int nts_segment_use_dictionaries(NtsSegment* segment, const NtsDictionaries* dictionaries,
                                 NtsStatus* status) noexcept {
  return Guard(status, [&] { return segment->segment->UseDictionaries(dictionaries->set); });
}

NtsTrainer* nts_trainer_new(const NtsColumn* column, NtsStatus* status) noexcept {
  NtsTrainer* made = nullptr;
  Guard(status, [&] {
    const nodedb_ts::segment::ColumnShape shape = nodedb_ts::segment::ShapeOf(*column);
    if (!nodedb_ts::segment::IsBytes(shape.kind) || !nodedb_ts::segment::ValidShape(shape)) {
      return Status::Bug("a column without byte strings");
    }
    made = new NtsTrainer{DictionaryTrainer(shape)};
    return Status::Ok();
  });
  return made;
}

void nts_trainer_free(NtsTrainer* trainer) noexcept { delete trainer; }

int nts_trainer_add(NtsTrainer* trainer, const NtsSlice* values, uint32_t count, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    trainer->trainer.Add({values, count});
    return Status::Ok();
  });
}

int nts_trainer_train(NtsTrainer* trainer, NtsTraining* training, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    trainer->trainer.Train(training);
    return Status::Ok();
  });
}

int nts_trainer_write(NtsTrainer* trainer, uint32_t id, uint32_t column, const NtsDictionaries* older,
                      const bool* keep, uint32_t keep_count, const uint8_t** bytes, size_t* length,
                      NtsStatus* status) noexcept {
  return Guard(status, [&] {
    if (!trainer->trainer.trained() || id == 0) return Status::Bug("nothing was trained");
    Status result = trainer->trainer.Write(id, column, older == nullptr ? nullptr : older->set.get(),
                                           [&](uint32_t other) { return other < keep_count && keep[other]; });
    if (!result.ok()) return result;
    *bytes = trainer->trainer.set().data();
    *length = trainer->trainer.set().size();
    return Status::Ok();
  });
}

}  // extern "C"
