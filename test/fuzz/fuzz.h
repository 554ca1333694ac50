// fuzz.h - functions that are given hostile bytes: by libFuzzer (`make fuzz`), and mutated seeds by the unit tests.
//
// A target reads as much as there is to read and aborts where a promise is broken: what decodes must encode
// again to the same values, whatever else the bytes are, nothing may crash. Out-of-bounds accesses are for the
// sanitizers to find.
#ifndef NODEDB_TS_TEST_FUZZ_FUZZ_H
#define NODEDB_TS_TEST_FUZZ_FUZZ_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::fuzz {

using Bytes = std::vector<uint8_t>;

struct Target {
  const char* name;
  void (*run)(std::span<const uint8_t> input);
  std::vector<Bytes> (*seeds)();  // valid inputs
};

extern const Target kWords;       // vectors of words by every codec, with tables
extern const Target kEntropy;     // entropy tables and vectors
extern const Target kScaled;      // floats through every scaled form
extern const Target kDictionary;  // dictionaries of chunks
extern const Target kFsst;        // tables of symbols and their codes
extern const Target kChunks;      // column chunks of every kind
extern const Target kEncoders;    // chunks of any words, written and read back
extern const Target kFooters;     // segment footers
extern const Target kTrained;     // sets of trained dictionaries

inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

}  // namespace nodedb_ts::fuzz

// Behind a target's definition: makes it the one of this program when libFuzzer is linked.
#ifdef NODEDB_TS_LIBFUZZER
#define NODEDB_TS_FUZZ_TARGET(target)                                                      \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);                 \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {                \
    nodedb_ts::fuzz::target.run({data, size});                                             \
    return 0;                                                                              \
  }
#else
#define NODEDB_TS_FUZZ_TARGET(target)
#endif

#endif  // NODEDB_TS_TEST_FUZZ_FUZZ_H
