// merge_capi.cpp - the part of core.h that merges sorted segments.
#include <memory>

#include "capi/capi.h"
#include "capi/capi_segment.h"
#include "compact/segment_merge.h"
#include "nodedb_ts/core.h"

using nodedb_ts::base::Status;
using nodedb_ts::capi::Guard;
using nodedb_ts::compact::SegmentMerge;

struct NtsMerge {
  std::unique_ptr<SegmentMerge> merge;
};

extern "C" {

NtsMerge* nts_merge_new(const NtsSchema* schema, const NtsMergeOptions* options,
                        const NtsValue* defaults, NtsStatus* status) noexcept {
  NtsMerge* made = nullptr;
  Guard(status, [&] {
    auto handle = std::make_unique<NtsMerge>();
    Status result = SegmentMerge::Make(*schema, *options, defaults, &handle->merge);
    if (result.ok()) made = handle.release();
    return result;
  });
  return made;
}

void nts_merge_free(NtsMerge* merge) noexcept { delete merge; }

int nts_merge_add(NtsMerge* merge, const NtsSegment* segment, NtsStatus* status) noexcept {
  return Guard(status, [&] { return merge->merge->Add(*segment->segment); });
}

int nts_merge_next(NtsMerge* merge, NtsMergeStep* step, NtsStatus* status) noexcept {
  return Guard(status, [&] { return merge->merge->Next(step); });
}

uint64_t nts_merge_input_bytes(const NtsSegment* segment) noexcept {
  return nodedb_ts::compact::MergeInput::MemoryBytes(*segment->segment);
}

}  // extern "C"
