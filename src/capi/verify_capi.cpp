// verify_capi.cpp - the part of core.h that checks whole segments.
#include <cstdio>
#include <memory>

#include "capi/capi.h"
#include "capi/capi_segment.h"
#include "nodedb_ts/core.h"
#include "segment/segment_verifier.h"

using nodedb_ts::base::Status;
using nodedb_ts::capi::Guard;
using nodedb_ts::segment::Problem;
using nodedb_ts::segment::SegmentVerifier;

struct NtsVerifier {
  std::unique_ptr<SegmentVerifier> verifier;
};

extern "C" {

NtsVerifier* nts_verifier_new(const NtsSegment* segment, const NtsSegmentFacts* facts,
                              NtsStatus* status) noexcept {
  NtsVerifier* made = nullptr;
  Guard(status, [&] {
    auto handle = std::make_unique<NtsVerifier>();
    handle->verifier = std::make_unique<SegmentVerifier>(*segment->segment, *facts);
    made = handle.release();
    return Status::Ok();
  });
  return made;
}

void nts_verifier_free(NtsVerifier* verifier) noexcept { delete verifier; }

int nts_verifier_next(NtsVerifier* verifier, NtsVerifyStep* step, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    SegmentVerifier& v = *verifier->verifier;
    Problem problem;
    *step = {};
    bool found = v.TakeProblem(&problem);
    // The end of the segment brings up the last problems.
    if (!found && v.NextChunk(&step->group, &step->column)) step->kind = NTS_VERIFY_CHUNK;
    if (!found && step->kind == NTS_VERIFY_END) found = v.TakeProblem(&problem);
    if (!found) return Status::Ok();
    step->kind = NTS_VERIFY_PROBLEM;
    step->problem = problem.kind;
    step->group = problem.group;
    step->column = problem.column;
    std::snprintf(step->text, sizeof(step->text), "%s", problem.text.c_str());
    return Status::Ok();
  });
}

int nts_verifier_chunk(NtsVerifier* verifier, const uint8_t* chunk, size_t length, bool* sound,
                       NtsStatus* status) noexcept {
  return Guard(status, [&] { return verifier->verifier->CheckChunk({chunk, length}, sound); });
}

}  // extern "C"
