// memtable_capi.cpp - the manager and flush sections of nodedb_ts/core.h.
#include <memory>

#include "capi/capi.h"
#include "memtable/timeseries_manager.h"

using nodedb_ts::base::Status;
using nodedb_ts::capi::Guard;
using nodedb_ts::memtable::Part;
using nodedb_ts::memtable::TimeseriesManager;

namespace {

// The handles are the objects themselves under names that C knows.
TimeseriesManager* Unwrap(NtsManager* manager) {
  return reinterpret_cast<TimeseriesManager*>(manager);
}
const TimeseriesManager* Unwrap(const NtsManager* manager) {
  return reinterpret_cast<const TimeseriesManager*>(manager);
}
Part* Unwrap(NtsPart* part) { return reinterpret_cast<Part*>(part); }
const Part* Unwrap(const NtsPart* part) { return reinterpret_cast<const Part*>(part); }

}  // namespace

extern "C" {

NtsManager* nts_manager_new(const NtsManagerOptions* options, NtsStatus* status) noexcept {
  TimeseriesManager* manager = nullptr;
  Guard(status, [&]() -> Status {
    const Status checked = TimeseriesManager::CheckOptions(*options);
    if (checked.ok()) manager = new TimeseriesManager(*options);
    return checked;
  });
  return reinterpret_cast<NtsManager*>(manager);
}

void nts_manager_free(NtsManager* manager) noexcept { delete Unwrap(manager); }

int nts_manager_configure(NtsManager* manager, const NtsManagerOptions* options,
                          NtsStatus* status) noexcept {
  return Guard(status, [&] { return Unwrap(manager)->Configure(*options); });
}

void nts_manager_counters(const NtsManager* manager, NtsCounters* counters) noexcept {
  *counters = Unwrap(manager)->Counters();
}

NtsPart* nts_manager_largest(NtsManager* manager, const NtsPart* appended) noexcept {
  return reinterpret_cast<NtsPart*>(Unwrap(manager)->Largest(*Unwrap(appended)));
}

NtsPart* nts_part_new(NtsManager* manager, const NtsSchema* schema, NtsStatus* status) noexcept {
  Part* part = nullptr;
  Guard(status, [&] { return Unwrap(manager)->NewPart(*schema, &part); });
  return reinterpret_cast<NtsPart*>(part);
}

void nts_part_free(NtsPart* part) noexcept {
  if (part != nullptr) Unwrap(part)->manager()->Free(Unwrap(part));
}

void nts_part_reset(NtsPart* part) noexcept { Unwrap(part)->Reset(); }

void nts_part_set_owner(NtsPart* part, void* owner) noexcept { Unwrap(part)->set_owner(owner); }

void* nts_part_owner(const NtsPart* part) noexcept { return Unwrap(part)->owner(); }

uint64_t nts_part_rows(const NtsPart* part) noexcept { return Unwrap(part)->rows(); }

uint64_t nts_part_bytes(const NtsPart* part) noexcept { return Unwrap(part)->bytes(); }

int nts_part_set_series(NtsPart* part, const uint16_t* columns, uint32_t count,
                        NtsStatus* status) noexcept {
  return Guard(status, [&] { return Unwrap(part)->SetSeries({columns, count}); });
}

bool nts_part_has_series(const NtsPart* part) noexcept { return Unwrap(part)->has_series(); }

int nts_part_append(NtsPart* part, const NtsValue* values, uint64_t row_id, uint32_t command_id,
                    int* result, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    NtsIngest ingest = NTS_INGEST_OK;
    Status appended = Unwrap(part)->Append(values, row_id, command_id, &ingest);
    if (appended.ok()) *result = ingest;
    return appended;
  });
}

int nts_part_append_block(NtsPart* part, const NtsRowBlock* block, uint32_t command_id,
                          uint32_t* appended, int* result, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    NtsIngest ingest = NTS_INGEST_OK;
    *appended = Unwrap(part)->AppendBlock(*block, command_id, &ingest);
    *result = ingest;
    return Status::Ok();
  });
}

uint64_t nts_part_row_bytes(const NtsPart* part, const NtsValue* values) noexcept {
  return Unwrap(part)->RowBytes(values);
}

int nts_part_merge(NtsPart* into, NtsPart* from, NtsStatus* status) noexcept {
  return Guard(status, [&] { return Unwrap(into)->Merge(Unwrap(from)); });
}

int nts_part_fetch(NtsPart* part, uint64_t row_id, NtsValue* values, uint32_t* command_id,
                   bool* found, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    *found = Unwrap(part)->Fetch(row_id, values, command_id);
    return Status::Ok();
  });
}

int nts_flush_begin(NtsPart* part, const NtsFlushOptions* options, NtsStatus* status) noexcept {
  return Guard(status, [&] { return Unwrap(part)->FlushBegin(*options); });
}

int nts_flush_begin_columns(NtsPart* part, const NtsColumnBlock* blocks, uint32_t block_count, uint32_t command_id,
                            const NtsFlushOptions* options, NtsStatus* status) noexcept {
  return Guard(status,
               [&] { return Unwrap(part)->FlushBeginColumns({blocks, block_count}, command_id, *options); });
}

int nts_flush_next(NtsPart* part, NtsOutput* output, NtsStatus* status) noexcept {
  return Guard(status, [&] { return Unwrap(part)->FlushNext(output); });
}

void nts_flush_end(NtsPart* part, bool success) noexcept { Unwrap(part)->FlushEnd(success); }

}  // extern "C"
