#include "codec/bitpack/bitpack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/bits.h"
#include "base/words.h"

namespace nodedb_ts::codec {
namespace {

using base::BitWidth;
using base::LoadLe;

// Eight values of W bits are W whole bytes, so every offset and shift below is a
// constant. Reads up to 8 bytes past the group.
template <unsigned W>
inline void UnpackGroup(const uint8_t* in, uint64_t base, uint64_t* out) {
  static_assert(W >= 1 && W <= 64);
  constexpr uint64_t kMask = ~uint64_t{0} >> (64 - W);
#pragma GCC unroll 8
  for (unsigned j = 0; j < 8; j++) {
    const unsigned bit = j * W;
    const unsigned shift = bit % 8;
    uint64_t v = LoadLe<uint64_t>(in + bit / 8) >> shift;
    if (shift + W > 64) v |= static_cast<uint64_t>(in[bit / 8 + 8]) << (64 - shift);
    out[j] = base + (v & kMask);
  }
}

template <unsigned W>
void UnpackWidth(const uint8_t* in, size_t count, uint64_t base, uint64_t* out) {
  const uint8_t* end = in + PackedBytes(count, W);
  while (count >= 8 && static_cast<size_t>(end - in) >= W + 8) {
    UnpackGroup<W>(in, base, out);
    in += W;
    out += 8;
    count -= 8;
  }
  while (count > 0) {  // the last groups go through a buffer with room to over-read
    uint8_t group[64 + 16] = {};
    uint64_t values[8];
    const size_t n = std::min<size_t>(count, 8);
    const size_t bytes = PackedBytes(n, W);
    std::memcpy(group, in, bytes);
    UnpackGroup<W>(group, base, values);
    std::memcpy(out, values, n * sizeof(uint64_t));
    in += bytes;
    out += n;
    count -= n;
  }
}

template <>
void UnpackWidth<0>(const uint8_t*, size_t count, uint64_t base, uint64_t* out) {
  std::fill_n(out, count, base);
}

using UnpackFunction = void (*)(const uint8_t*, size_t, uint64_t, uint64_t*);

template <size_t... W>
constexpr std::array<UnpackFunction, sizeof...(W)> MakeUnpackTable(std::index_sequence<W...>) {
  return {UnpackWidth<static_cast<unsigned>(W)>...};
}

constexpr auto kUnpack = MakeUnpackTable(std::make_index_sequence<65>());

// The same the other way: W bytes of the group, in whole words.
template <unsigned W>
inline void PackGroup(const uint64_t* values, uint8_t* out) {
  uint64_t words[(W + 7) / 8] = {};
#pragma GCC unroll 8
  for (unsigned j = 0; j < 8; j++) {
    const unsigned bit = j * W;
    const unsigned shift = bit % 64;
    words[bit / 64] |= values[j] << shift;
    if (shift + W > 64) words[bit / 64 + 1] |= values[j] >> (64 - shift);
  }
  for (size_t i = 0; i < std::size(words); i++) base::StoreLe<uint64_t>(out + i * 8, words[i]);
}

template <unsigned W>
void PackWidth(const uint64_t* values, size_t count, uint8_t* out) {
  constexpr size_t kGroupBytes = (W + 7) / 8 * 8;
  const uint8_t* const end = out + PackedBytes(count, W);
  while (count >= 8 && static_cast<size_t>(end - out) >= kGroupBytes) {
    PackGroup<W>(values, out);
    values += 8;
    out += W;
    count -= 8;
  }
  while (count > 0) {  // the last groups are written with bytes of zeros behind them
    uint64_t group[8] = {};
    uint8_t bytes[kGroupBytes];
    const size_t n = std::min<size_t>(count, 8);
    std::memcpy(group, values, n * sizeof(uint64_t));
    PackGroup<W>(group, bytes);
    std::memcpy(out, bytes, PackedBytes(n, W));
    values += n;
    out += PackedBytes(n, W);
    count -= n;
  }
}

template <>
void PackWidth<0>(const uint64_t*, size_t, uint8_t*) {}

using PackFunction = void (*)(const uint64_t*, size_t, uint8_t*);

template <size_t... W>
constexpr std::array<PackFunction, sizeof...(W)> MakePackTable(std::index_sequence<W...>) {
  return {PackWidth<static_cast<unsigned>(W)>...};
}

constexpr auto kPack = MakePackTable(std::make_index_sequence<65>());

// The width that makes packed bits plus exceptions smallest, for this base. REQUIRES 8 values: of fewer, other widths than
// the widest offset's may take as few bytes without exceptions.
FramePlan PlanWithBase(std::span<const uint64_t> values, uint64_t base) {
  uint32_t of_width[65];
  base::CountWidths(values.data(), values.size(), base, of_width);
  FramePlan best;
  best.base = base;
  best.bytes = SIZE_MAX;
  size_t exceptions = 0;
  unsigned widest = 64;
  while (widest > 0 && of_width[widest] == 0) widest--;
  for (unsigned width = widest + 1; width-- > 0 && exceptions * kExceptionBytes < best.bytes;) {
    const size_t bytes = PackedBytes(values.size(), width) + exceptions * kExceptionBytes;
    if (bytes < best.bytes) {
      best.width = width;
      best.exceptions = exceptions;
      best.bytes = bytes;
    }
    exceptions += of_width[width];
  }
  return best;
}

// The least and the greatest of a few values, sorted from the outside in.
template <size_t kKept>
struct Extremes {
  std::array<int64_t, kKept> low;
  std::array<int64_t, kKept> high;

  Extremes() {
    low.fill(INT64_MAX);
    high.fill(INT64_MIN);
  }
  // Most values are neither.
  void Add(int64_t v) {
    if (v < low.back()) {
      size_t i = kKept - 1;
      for (; i > 0 && low[i - 1] > v; i--) low[i] = low[i - 1];
      low[i] = v;
    }
    if (v > high.back()) {
      size_t i = kKept - 1;
      for (; i > 0 && high[i - 1] < v; i--) high[i] = high[i - 1];
      high[i] = v;
    }
  }
};

// A base just below the bulk of the values, from a sample, when the extremes
// seem to be outliers; otherwise the minimum. *exceptions_pay: false where none would, says the sample.
uint64_t BulkBase(std::span<const uint64_t> values, int64_t min, int64_t max, bool* exceptions_pay) {
  constexpr size_t kSample = 48;
  std::array<int64_t, kSample> sample;
  const uint64_t full = static_cast<uint64_t>(max) - static_cast<uint64_t>(min);
  const size_t step = std::max<size_t>(1, values.size() / kSample);
  size_t n = 0;
  // Not at equal distances: outliers between series come at equal distances, too.
  for (; n < kSample && n * step < values.size(); n++) {
    const uint32_t mixed = static_cast<uint32_t>(n) * 2654435761u >> 16;
    sample[n] = static_cast<int64_t>(values[n * step + mixed % step]);
  }
  // Enough of them this far apart: then what is looked for below comes out the same, at a higher price.
  const uint64_t apart = uint64_t{1} << (BitWidth(full) - 3);
  const uint64_t below_middle = full / 2 - apart / 2;
  // An exception takes as much as kExceptionBits bits of the width save: one in eight, as `upper` counts them, more than
  // all but the widths below 2^kFar do; those have `far` exceptions.
  constexpr unsigned kExceptionBits = 8 * kExceptionBytes;
  constexpr unsigned kFar = kExceptionBits / 8 + 1;
  const unsigned width = BitWidth(full);
  size_t lower = 0;
  size_t upper = 0;
  size_t widest = 0;
  size_t far = 0;
  for (size_t i = 0; i < n; i++) {
    const uint64_t offset = static_cast<uint64_t>(sample[i]) - static_cast<uint64_t>(min);
    lower += offset <= below_middle ? 1 : 0;
    upper += offset >= below_middle + apart ? 1 : 0;
    widest += offset >> (width - 1);
    far += offset >> (width < kFar ? 0 : width - kFar) != 0 ? 1 : 0;
  }
  if (lower > n / 8 && upper > n / 8) {
    *exceptions_pay = widest < 3 || far * kExceptionBits <= n * width;
    return static_cast<uint64_t>(min);
  }
  Extremes<kSample / 8 + 1> extremes;
  for (size_t i = 0; i < n; i++) extremes.Add(sample[i]);
  // A sample may by chance have many of few outliers: more of it is left out where that saves much.
  for (const auto& [trim, saved_bits] : {std::pair(n / 16, 3u), std::pair(n / 8, 8u)}) {
    const int64_t low = extremes.low[trim];
    const uint64_t spread = static_cast<uint64_t>(extremes.high[trim]) - static_cast<uint64_t>(low);
    if (BitWidth(full) < BitWidth(spread) + saved_bits) continue;
    const uint64_t below = static_cast<uint64_t>(low) - static_cast<uint64_t>(min);
    return static_cast<uint64_t>(low) - std::min(below, spread / 4);
  }
  return static_cast<uint64_t>(min);
}

}  // namespace

void PackBits(const uint64_t* values, size_t count, unsigned width, uint8_t* out) {
  kPack[width](values, count, out);
}

void UnpackBits(const uint8_t* in, size_t count, unsigned width, uint64_t base, uint64_t* out) {
  kUnpack[width](in, count, base, out);
}

FramePlan PlanFrame(std::span<const uint64_t> values, const base::WordBounds* bounds) {
  const auto [min, max] = bounds != nullptr ? *bounds : base::SignedBounds(values.data(), values.size());
  FramePlan plan;
  plan.base = static_cast<uint64_t>(min);
  plan.width = BitWidth(static_cast<uint64_t>(max) - static_cast<uint64_t>(min));
  plan.bytes = PackedBytes(values.size(), plan.width);
  if (plan.width >= 3 && values.size() >= 32) {
    bool exceptions_pay = true;
    const uint64_t base = BulkBase(values, min, max, &exceptions_pay);
    if (base != plan.base || (plan.width >= 8 && exceptions_pay)) {
      const FramePlan patched = PlanWithBase(values, base);
      if (patched.bytes < plan.bytes) plan = patched;
    }
  }
  plan.bytes += base::VarintBytes(base::ZigZag(static_cast<int64_t>(plan.base))) + 2;
  return plan;
}

void WriteFrame(std::span<const uint64_t> values, const FramePlan& plan, base::ByteWriter* out) {
  out->Zig(static_cast<int64_t>(plan.base));
  out->U8(static_cast<uint8_t>(plan.width));
  const size_t n = values.size();
  uint64_t offsets[kMaxVectorRows];
  uint16_t exceptions[kMaxVectorRows];
  size_t exception_count = 0;
  offsets[0] = 0;  // n >= 1, but the compiler cannot know
  base::SubtractBase(values.data(), n, plan.base, offsets);
  if (plan.exceptions > 0) {
    constexpr size_t kBlock = 8;  // most of which have none
    for (size_t begin = 0; begin < n; begin += kBlock) {
      const size_t end = std::min(begin + kBlock, n);
      uint64_t any = 0;
      for (size_t i = begin; i < end; i++) any |= offsets[i];
      if (any >> plan.width == 0) continue;
      for (size_t i = begin; i < end; i++) {
        if (offsets[i] >> plan.width == 0) continue;
        exceptions[exception_count++] = static_cast<uint16_t>(i);
        offsets[i] = 0;
      }
    }
  }
  out->Varint(exception_count);
  PackBits(offsets, n, plan.width, out->Extend(PackedBytes(n, plan.width)));
  size_t next = 0;
  for (size_t e = 0; e < exception_count; e++) {
    const size_t i = exceptions[e];
    out->Varint(i - next);
    out->Zig(static_cast<int64_t>(values[i] - plan.base));
    next = i + 1;
  }
}

bool ReadFrame(base::ByteReader* in, std::span<uint64_t> out) {
  int64_t base;
  uint8_t width;
  uint64_t exceptions;
  const uint8_t* packed;
  if (!in->ReadZigZag(&base) || !in->ReadU8(&width) || width > 64) return false;
  if (!in->ReadVarint(&exceptions) || exceptions > out.size()) return false;
  if (!in->ReadBytes(PackedBytes(out.size(), width), &packed)) return false;
  UnpackBits(packed, out.size(), width, static_cast<uint64_t>(base), out.data());
  uint64_t next = 0;
  for (uint64_t e = 0; e < exceptions; e++) {
    uint64_t gap;
    int64_t offset;
    if (!in->ReadVarint(&gap) || !in->ReadZigZag(&offset)) return false;
    if (next >= out.size() || gap >= out.size() - next) return false;
    out[next + gap] = static_cast<uint64_t>(base) + static_cast<uint64_t>(offset);
    next += gap + 1;
  }
  return true;
}

}  // namespace nodedb_ts::codec
