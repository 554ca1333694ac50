// mapping.h - integers as base + scale * smaller ones.
#ifndef NODEDB_TS_CODEC_SHARED_MAPPING_H
#define NODEDB_TS_CODEC_SHARED_MAPPING_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::codec {

struct Mapping {
  uint64_t base = 0;
  uint64_t scale = 1;
  bool used() const { return base != 0 || scale != 1; }
  uint64_t Down(uint64_t v) const { return (v - base) / scale; }
  uint64_t Up(uint64_t v) const { return base + scale * v; }

  void Write(base::ByteWriter* out) const {
    out->Zig(static_cast<int64_t>(base));
    out->Varint(scale);
  }
  [[nodiscard]] bool Read(base::ByteReader* in) {
    int64_t word;
    if (!in->ReadZigZag(&word) || !in->ReadVarint(&scale) || scale == 0) return false;
    base = static_cast<uint64_t>(word);
    return true;
  }
};

// min, max: of the words, as signed integers. nulls: words to leave out, or NULL.
inline Mapping ChooseMapping(uint64_t min, uint64_t max, const uint64_t* words,
                             const uint8_t* nulls, size_t rows) {
  Mapping mapping;
  if (max - min > INT64_MAX) return mapping;  // offsets must stay positive
  uint64_t divisor = 0;
  for (size_t i = 0; i < rows && divisor != 1; i++) {
    if (nulls != nullptr && nulls[i]) continue;
    const uint64_t offset = words[i] - min;
    if (divisor != 0 && offset % divisor == 0) continue;
    divisor = std::gcd(divisor, offset);
  }
  mapping.scale = std::max<uint64_t>(divisor, 1);
  const auto smallest = static_cast<int64_t>(min);
  if (mapping.scale > 1 || smallest < 0 || smallest >= 64) mapping.base = min;
  return mapping;
}

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_SHARED_MAPPING_H
