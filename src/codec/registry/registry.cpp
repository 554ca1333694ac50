#include "codec/registry/registry.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "base/bits.h"
#include "base/words.h"
#include "codec/bitpack/bitpack.h"
#include "codec/constant/constant.h"
#include "codec/decimal/decimal.h"
#include "codec/delta/delta.h"
#include "codec/frame/frame.h"
#include "codec/gorilla/gorilla.h"
#include "codec/plain/plain.h"
#include "codec/runs/runs.h"
#include "codec/scaled/scaled.h"
#include "codec/shared/word_chunk.h"

namespace nodedb_ts::codec {
namespace {

constexpr const WordCodec* kWordCodecs[] = {
    nullptr,        &kPlainCodec, &kConstantCodec, &kFrameCodec, &kDeltaCodec,
    nullptr,        &kGorillaCodec, &kDecimalCodec, &kRunsCodec,  nullptr,
    nullptr,        &kDeltaOfDeltaCodec,
};

// Encodes them as runs; returns the bytes that these take.
size_t AppendRuns(const WordShape& shape, std::span<const uint64_t> values, base::ByteWriter* out) {
  const size_t start = out->size();
  kRunsCodec.encode(shape, values, out);
  return out->size() - start;
}

// Frames, also of the differences, take a bit for each value at least, or eight bytes for each value that is not the
// commonest one. Neighbouring runs differ, so that is every second run at least.
size_t LeastFrameBytes(size_t values, size_t runs) {
  constexpr size_t kHeadBytes = 3;
  return std::min((values - 1) / 8, runs / 2 * kExceptionBytes) + kHeadBytes;
}

// Are integers worth a try as runs?
bool MayBeRuns(size_t values, size_t runs) { return runs * 4 <= values; }

// Prefix sums cost time: differences have to pay for them.
bool DeltaPays(size_t delta_bytes, size_t bytes) { return delta_bytes + delta_bytes / 16 < bytes; }

// May a frame of the differences pay where the values take `bytes`? All of them but the exceptions lie within 2^width
// then, and so do those of a sample, but for two more. Where not, planning the frame would cost many times as much.
bool DeltaMayPay(std::span<const uint64_t> values, size_t bytes) {
  constexpr size_t kSample = 16;
  constexpr size_t kSpare = 2;
  constexpr size_t kNearByChance = 4;
  const size_t count = values.size() - 1;
  if (count < 2 * kSample) return true;
  std::array<int64_t, kSample> sample;
  const size_t step = count / kSample;
  for (size_t i = 0; i < kSample; i++) {
    // Not at equal distances: where rows of many series alternate, their differences are periodic.
    const uint32_t mixed = static_cast<uint32_t>(i) * 2654435761u >> 16;
    const size_t at = i * step + mixed % step;
    sample[i] = static_cast<int64_t>(values[at + 1] - values[at]);
  }
  std::sort(sample.begin(), sample.end());
  const size_t most_bits = bytes * 8 * 16 / 17;
  if (most_bits / count >= 64) return true;
  size_t judged = 0;
  for (size_t width = most_bits / count + 1; width-- > 0;) {
    // What a narrower frame saves pays for exceptions. Only the widest frame with as many is judged.
    const size_t left_out = (most_bits - width * count) * kSample / (count * 8 * kExceptionBytes) + kSpare;
    if (left_out == judged) continue;
    judged = left_out;
    if (left_out > kSample - kNearByChance) return true;
    for (size_t low = 0; low <= left_out; low++) {
      const size_t high = low + kSample - 1 - left_out;
      if ((static_cast<uint64_t>(sample[high]) - static_cast<uint64_t>(sample[low])) >> width == 0) return true;
    }
  }
  return false;
}

// Differences of integers as a frame, with what stands in front of it.
struct DeltaPlan {
  size_t count;
  uint64_t deltas[kMaxVectorRows];
  FramePlan frame;
  size_t head_bytes;  // of the first values of all levels
};

// Plans the differences behind `heads_before` bytes, if they pay where all takes *best_bytes without them.
bool PlanDeltas(std::span<const uint64_t> values, size_t heads_before, size_t* best_bytes, DeltaPlan* plan) {
  if (!DeltaMayPay(values, *best_bytes - heads_before)) return false;
  plan->count = values.size() - 1;
  base::Differences(values.data(), values.size(), plan->deltas);
  plan->frame = PlanFrame({plan->deltas, plan->count});
  plan->head_bytes = heads_before + base::VarintBytes(base::ZigZag(static_cast<int64_t>(values[0])));
  const size_t bytes = plan->head_bytes + plan->frame.bytes;
  if (!DeltaPays(bytes, *best_bytes)) return false;
  *best_bytes = bytes;
  return true;
}

void WriteDelta(uint64_t first, const DeltaPlan& plan, base::ByteWriter* out) {
  out->Zig(static_cast<int64_t>(first));
  WriteFrame({plan.deltas, plan.count}, plan.frame, out);
}

bool Canonical(const WordShape& shape, std::span<const uint64_t> words) {
  uint64_t wrong = 0;
  if (shape.kind == WordKind::kFloat4) {
    for (const uint64_t v : words) wrong |= v >> 32;
  } else if (shape.kind == WordKind::kInt) {
    switch (shape.width) {
      case 1: for (const uint64_t v : words) wrong |= v ^ base::SignExtend(v, 1); break;
      case 2: for (const uint64_t v : words) wrong |= v ^ base::SignExtend(v, 2); break;
      case 4: for (const uint64_t v : words) wrong |= v ^ base::SignExtend(v, 4); break;
      default: break;
    }
  }
  return wrong == 0;
}

uint8_t EncodeFloats(const WordShape& shape, std::span<const uint64_t> values, size_t runs,
                     base::ByteWriter* out) {
  const size_t start = out->size();
  const size_t plain_bytes = values.size() * shape.width;
  size_t best_bytes = plain_bytes;
  uint8_t best = kPlain;
  if (runs * 8 <= values.size()) {
    const size_t bytes = AppendRuns(shape, values, out);
    out->vector()->resize(start);
    if (bytes < best_bytes) {
      best_bytes = bytes;
      best = kRuns;
    }
  }
  if (EncodeDecimal(shape, values, out)) {
    const size_t bytes = out->size() - start;
    if (bytes < best_bytes) {
      if (bytes * 2 < plain_bytes && best == kPlain) return kDecimal;
      best_bytes = bytes;
      best = kDecimal;
    }
  }
  const size_t after_decimal = out->size();
  if (EncodeGorilla(shape, values, best_bytes, out) &&
      out->size() - after_decimal < best_bytes) {
    out->vector()->erase(out->vector()->begin() + static_cast<ptrdiff_t>(start),
                         out->vector()->begin() + static_cast<ptrdiff_t>(after_decimal));
    return kGorilla;
  }
  out->vector()->resize(best == kDecimal ? after_decimal : start);
  if (best != kDecimal) kWordCodecs[best]->encode(shape, values, out);
  return best;
}

}  // namespace

const WordCodec* FindWordCodec(uint8_t number) {
  return number < std::size(kWordCodecs) ? kWordCodecs[number] : nullptr;
}

const char* CodecName(uint8_t number) {
  const WordCodec* codec = FindWordCodec(number);
  if (codec != nullptr) return codec->name;
  switch (number) {
    case kNone: return "none";
    case kDictionary: return "dictionary";
    case kEntropy: return "entropy";
    case kScaled: return "scaled";
    case kBytesPlain: return "bytes";
    case kBytesZstd: return "zstd";
    case kBytesTokens: return "tokens";
    case kBytesZstdDictionary: return "zstd dictionary";
    case kBytesFields: return "fields";
    case kBytesNumeric: return "numeric";
    case kBytesFsst: return "fsst";
    case kBytesTrained: return "zstd trained";
    default: return "unknown";
  }
}

uint8_t EncodeIntegers(std::span<const uint64_t> values, uint8_t width, base::ByteWriter* out,
                       const base::WordBounds* bounds) {
  const WordShape shape{WordKind::kInt, width};
  const size_t runs = CountRuns(values);
  if (runs == 1) {
    kConstantCodec.encode(shape, values, out);
    return kConstant;
  }
  const size_t start = out->size();
  size_t runs_bytes = SIZE_MAX;
  if (MayBeRuns(values.size(), runs)) {
    runs_bytes = AppendRuns(shape, values, out);
    if (runs_bytes <= LeastFrameBytes(values.size(), runs)) return kRuns;
  }
  const FramePlan frame = PlanFrame(values, bounds);
  size_t best_bytes = std::min<size_t>(frame.bytes, values.size() * width);
  uint8_t best = frame.bytes <= best_bytes ? kFrame : kPlain;
  DeltaPlan first;
  DeltaPlan second;
  if (PlanDeltas(values, 0, &best_bytes, &first)) {
    best = kDelta;
    // Of regular times all differences are equal: then nothing is left.
    if (first.count > 1 && first.frame.width > 0 &&
        PlanDeltas({first.deltas, first.count}, first.head_bytes, &best_bytes, &second)) {
      best = kDeltaOfDelta;
    }
  }
  if (runs_bytes < best_bytes) return kRuns;
  out->vector()->resize(start);
  switch (best) {
    case kFrame: WriteFrame(values, frame, out); break;
    case kDelta: WriteDelta(values[0], first, out); break;
    case kDeltaOfDelta:
      out->Zig(static_cast<int64_t>(values[0]));
      WriteDelta(first.deltas[0], second, out);
      break;
    default: kWordCodecs[best]->encode(shape, values, out); break;
  }
  return best;
}

uint8_t EncodeIntegerRuns(std::span<const WordRun> runs, uint8_t width, base::ByteWriter* out) {
  size_t count = 0;
  for (const WordRun& run : runs) count += run.length;
  if (runs.size() > 1 && MayBeRuns(count, runs.size())) {
    const size_t start = out->size();
    EncodeRuns(runs, out);
    if (out->size() - start <= LeastFrameBytes(count, runs.size())) return kRuns;
    out->vector()->resize(start);
  }
  uint64_t values[kMaxVectorRows];
  uint64_t* end = values;
  for (const WordRun& run : runs) end = std::fill_n(end, run.length, run.value);
  return EncodeIntegers({values, count}, width, out);
}

uint8_t EncodeWords(const WordShape& shape, std::span<const uint64_t> values,
                    base::ByteWriter* out, const base::WordBounds* bounds) {
  if (shape.kind == WordKind::kInt) return EncodeIntegers(values, shape.width, out, bounds);
  const size_t runs = CountRuns(values);
  if (runs == 1) {
    kConstantCodec.encode(shape, values, out);
    return kConstant;
  }
  return EncodeFloats(shape, values, runs, out);
}

bool DecodeIntegers(uint8_t number, base::ByteReader* in, std::span<uint64_t> out,
                    EntropyTables tables) {
  if (number == kEntropy) return DecodeEntropyVector(in, out, tables);
  const WordCodec* codec = FindWordCodec(number);
  if (codec == nullptr || number == kDecimal || number == kGorilla) return false;
  return codec->decode({WordKind::kInt, 8}, in, out);
}

bool DecodeWords(const WordShape& shape, uint8_t number, base::ByteReader in,
                 std::span<uint64_t> out, EntropyTables tables, size_t wanted) {
  if (out.empty() || out.size() > kMaxVectorRows) return false;
  bool decoded;
  if (number == kScaled) {
    decoded = DecodeScaled(shape, &in, out, tables);
  } else if (number == kEntropy) {
    decoded = shape.kind == WordKind::kInt && DecodeEntropyVector(&in, out, tables, wanted);
  } else {
    const WordCodec* codec = FindWordCodec(number);
    decoded = codec != nullptr && codec->decode(shape, &in, out);
  }
  if (!decoded || !in.empty()) return false;
  // Plain words cannot be anything else.
  return number == kPlain || Canonical(shape, out.first(std::min(wanted, out.size())));
}

}  // namespace nodedb_ts::codec
