// capi.h - shared by the files that implement nodedb_ts/core.h: the only
// try/catch in the tree.
#ifndef NODEDB_TS_CAPI_CAPI_H
#define NODEDB_TS_CAPI_CAPI_H

#include <cstdio>
#include <exception>
#include <new>

#include "base/status.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::capi {

inline int Fail(NtsStatus* out, base::Code code, const char* message) noexcept {
  if (out != nullptr) {
    out->code = static_cast<int32_t>(code);
    std::snprintf(out->message, sizeof(out->message), "%s", message);
  }
  return static_cast<int>(code);
}

// Runs `body` (returning base::Status) and turns its status or any exception into
// a code: std::bad_alloc means out of memory, everything else is a bug.
template <typename Body>
int Guard(NtsStatus* out, Body&& body) noexcept {
  try {
    const base::Status status = body();
    if (status.ok()) return NTS_OK;
    return Fail(out, status.code(), status.message().c_str());
  } catch (const std::bad_alloc&) {
    return Fail(out, base::Code::kMemory, "out of memory");
  } catch (const std::exception& e) {
    return Fail(out, base::Code::kBug, e.what());
  } catch (...) {
    return Fail(out, base::Code::kBug, "unknown exception in the core");
  }
}

}  // namespace nodedb_ts::capi

#endif  // NODEDB_TS_CAPI_CAPI_H
