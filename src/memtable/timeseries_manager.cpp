#include "memtable/timeseries_manager.h"

#include <algorithm>
#include <bit>
#include <string>

namespace nodedb_ts::memtable {

namespace {

constexpr uint64_t kMinBudget = 1024;
constexpr uint64_t kMaxKeepBytes = 16 * 1024;
constexpr uint64_t kMaxChunkBytes = 64 * 1024;
constexpr uint64_t kMinChunkBytes = 64;

uint64_t FlushBytes(const NtsManagerOptions& options) {
  const double bytes =
      static_cast<double>(options.memory_budget_bytes) * options.active_fraction;
  return std::min(static_cast<uint64_t>(bytes), options.memory_budget_bytes);
}

}  // namespace

base::Status TimeseriesManager::CheckOptions(const NtsManagerOptions& options) {
  if (options.memory_budget_bytes < kMinBudget || options.memory_budget_bytes > INT64_MAX) {
    return base::Status::Limit("the memory budget must be at least 1024 bytes");
  }
  if (!(options.active_fraction > 0 && options.active_fraction <= 1)) {
    return base::Status::Limit("the active fraction must be above 0 and at most 1");
  }
  if (options.max_series < 1) {
    return base::Status::Limit("the maximum of series must be at least 1");
  }
  return base::Status::Ok();
}

TimeseriesManager::TimeseriesManager(const NtsManagerOptions& options)
    : options_(options),
      budget_(options.memory_budget_bytes),
      flush_bytes_(FlushBytes(options)) {}

TimeseriesManager::~TimeseriesManager() {
  while (parts_ != nullptr) Free(parts_);
}

base::Status TimeseriesManager::Configure(const NtsManagerOptions& options) {
  const base::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  options_ = options;
  budget_.set_limit(options.memory_budget_bytes);
  flush_bytes_ = FlushBytes(options);
  return status;
}

uint64_t TimeseriesManager::KeepBytes() const {
  return std::min<uint64_t>(kMaxKeepBytes, flush_bytes_ / 8);
}

// Chunks are the granularity of growth, so a small budget gets small ones.
uint32_t TimeseriesManager::FullChunkBytes() const {
  const uint64_t wanted = std::bit_floor(options_.memory_budget_bytes / 16);
  return static_cast<uint32_t>(std::clamp(wanted, kMinChunkBytes, kMaxChunkBytes));
}

NtsCounters TimeseriesManager::Counters() const {
  NtsCounters counters = {};
  counters.flushes = flushes_;
  counters.ingested = ingested_;
  counters.rejected = rejected_;
  counters.evictions = evictions_;
  counters.active_bytes = budget_.bytes(Pool::kActive);
  counters.frozen_bytes = budget_.bytes(Pool::kQueued) + budget_.bytes(Pool::kFrozen);
  for (const Part* part = parts_; part != nullptr; part = part->next_) {
    if (!part->queued_.empty() || !part->frozen_.empty() || part->staged_.frozen()) counters.has_frozen = 1;
    if (!part->staged_.frozen()) counters.active_rows += part->staged_.rows();
    const Memtable* active = part->active_.get();
    if (active == nullptr || active->rows() == 0) continue;
    counters.active_series += active->active_series();
    counters.active_rows += active->rows() - active->evicted_rows();
    if (active->evicted_rows() == 0) continue;
    // Evicted series share chunks with active ones: bytes are told apart by rows.
    const double share = static_cast<double>(active->evicted_rows()) / active->rows();
    const uint64_t bytes = static_cast<uint64_t>(share * static_cast<double>(active->bytes()));
    counters.active_bytes -= bytes;
    counters.frozen_bytes += bytes;
    counters.has_frozen = 1;
  }
  return counters;
}

Part* TimeseriesManager::Largest(const Part& appended) const {
  Part* largest = nullptr;
  uint64_t most = 0;
  for (Part* part = parts_; part != nullptr; part = part->next_) {
    const bool counts_shared = part == &appended && part->active_ != nullptr;
    const uint64_t bytes = part->bytes() + (counts_shared ? part->active_->shared_bytes() : 0);
    if (bytes <= most) continue;
    most = bytes;
    largest = part;
  }
  return largest;
}

base::Status TimeseriesManager::NewPart(const NtsSchema& schema, Part** part) {
  const base::Status status = CheckSchema(schema);
  if (!status.ok()) return status;
  Part* made = new Part(this, schema);
  made->next_ = parts_;
  if (parts_ != nullptr) parts_->previous_ = made;
  parts_ = made;
  *part = made;
  return status;
}

void TimeseriesManager::Free(Part* part) {
  if (part == nullptr) return;
  if (part->previous_ != nullptr) {
    part->previous_->next_ = part->next_;
  } else {
    parts_ = part->next_;
  }
  if (part->next_ != nullptr) part->next_->previous_ = part->previous_;
  delete part;
}

base::Status TimeseriesManager::Flush(Part* part, const NtsFlushOptions& options,
                                      SegmentSink* sink) {
  base::Status status = part->FlushBegin(options);
  NtsOutput output = {};
  while (status.ok()) {
    status = part->FlushNext(&output);
    if (!status.ok() || output.kind == NTS_OUTPUT_END) break;
    status = sink->Write(output);
  }
  part->FlushEnd(status.ok());
  return status;
}

base::Status TimeseriesManager::IngestWithFlush(Part* part, const NtsValue* values,
                                                uint64_t row_id, uint32_t command_id,
                                                const NtsFlushOptions& options,
                                                SegmentSink* sink) {
  NtsIngest result = NTS_INGEST_OK;
  base::Status status = part->Append(values, row_id, command_id, &result);
  if (status.ok() && result == NTS_INGEST_REJECTED) {
    status = Flush(part, options, sink);
    if (!status.ok()) return status;
    status = part->Append(values, row_id, command_id, &result);
    if (status.ok() && result == NTS_INGEST_REJECTED) {
      return base::Status::Limit("a row does not fit into the memory budget of " +
                                 std::to_string(options_.memory_budget_bytes) + " bytes");
    }
  }
  if (!status.ok() || result != NTS_INGEST_FLUSH_NEEDED) return status;
  return Flush(part, options, sink);
}

}  // namespace nodedb_ts::memtable
