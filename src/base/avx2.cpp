#include "base/avx2.h"

#ifdef NODEDB_TS_AVX2

#include <cpuid.h>

namespace nodedb_ts::base {
namespace {

// clang's __builtin_cpu_supports does not know it.
bool HasLzcnt() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & bit_LZCNT) != 0;
}

}  // namespace

bool HasAvx2() {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasLzcnt();
  return has_avx2;
}

}  // namespace nodedb_ts::base

#endif
