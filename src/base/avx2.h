// avx2.h - functions that are compiled for AVX2 (with FMA and LZCNT, as all its processors but a few have), and whether
// they may be called. Where NODEDB_TS_AVX2 is not defined, there are none.
#ifndef NODEDB_TS_BASE_AVX2_H
#define NODEDB_TS_BASE_AVX2_H

#if defined(__x86_64__) && defined(__GNUC__)
#define NODEDB_TS_AVX2 __attribute__((target("avx2,fma,lzcnt")))

namespace nodedb_ts::base {

bool HasAvx2();

}  // namespace nodedb_ts::base

#endif

#endif  // NODEDB_TS_BASE_AVX2_H
