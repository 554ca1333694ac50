#include "codec/runs/runs.h"

#include <algorithm>

#include "base/words.h"

namespace nodedb_ts::codec {
namespace {

// Where the run that begins at `begin` ends.
size_t RunEnd(std::span<const uint64_t> values, size_t begin) {
  constexpr size_t kBlock = 4;
  const uint64_t value = values[begin];
  size_t end = begin + 1;
  for (; end + kBlock <= values.size(); end += kBlock) {
    uint64_t differ = 0;
    for (size_t k = 0; k < kBlock; k++) differ |= values[end + k] ^ value;
    if (differ != 0) break;
  }
  while (end < values.size() && values[end] == value) end++;
  return end;
}

void EncodeRun(uint64_t value, uint64_t length, uint64_t before, base::ByteWriter* out) {
  out->Varint(length);
  out->Zig(static_cast<int64_t>(value - before));
}

void Encode(const WordShape&, std::span<const uint64_t> values, base::ByteWriter* out) {
  out->Varint(CountRuns(values));
  uint64_t before = 0;
  for (size_t i = 0; i < values.size();) {
    const size_t end = RunEnd(values, i);
    EncodeRun(values[i], end - i, before, out);
    before = values[i];
    i = end;
  }
}

bool Decode(const WordShape&, base::ByteReader* in, std::span<uint64_t> out) {
  uint64_t runs;
  if (!in->ReadVarint(&runs) || runs > out.size()) return false;
  uint64_t value = 0;
  size_t at = 0;
  for (uint64_t r = 0; r < runs; r++) {
    uint64_t length;
    int64_t delta;
    if (!in->ReadVarint(&length) || !in->ReadZigZag(&delta)) return false;
    if (length == 0 || length > out.size() - at) return false;
    value += static_cast<uint64_t>(delta);
    std::fill_n(out.begin() + static_cast<ptrdiff_t>(at), length, value);
    at += length;
  }
  return at == out.size();
}

}  // namespace

size_t CountRuns(std::span<const uint64_t> values) {
  return base::CountChanges(values.data(), values.size()) + 1;
}

void EncodeRuns(std::span<const WordRun> runs, base::ByteWriter* out) {
  out->Varint(runs.size());
  uint64_t before = 0;
  for (const WordRun& run : runs) {
    EncodeRun(run.value, run.length, before, out);
    before = run.value;
  }
}

const WordCodec kRunsCodec = {kRuns, "runs", Encode, Decode};

}  // namespace nodedb_ts::codec
