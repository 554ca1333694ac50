// bitpack.h - fixed-width bit packing, the primitive under most codecs, and the
// "frame": a base, packed offsets from it, and a few exceptions that do not fit.
#ifndef NODEDB_TS_CODEC_BITPACK_BITPACK_H
#define NODEDB_TS_CODEC_BITPACK_BITPACK_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/words.h"

namespace nodedb_ts::codec {

inline constexpr size_t kMaxVectorRows = 1024;

inline size_t PackedBytes(size_t count, unsigned width) { return (count * width + 7) / 8; }

// Writes PackedBytes(count, width) bytes: value i in bits [i*width, (i+1)*width),
// counted from the low bit of byte 0. Values must fit in width (0..64) bits.
void PackBits(const uint64_t* values, size_t count, unsigned width, uint8_t* out);

// out[i] = base + packed value i (modulo 2^64). REQUIRES PackedBytes bytes at `in`.
void UnpackBits(const uint8_t* in, size_t count, unsigned width, uint64_t base, uint64_t* out);

// How a frame of some values would be written, and its bytes (estimated from above
// by a few bytes when there are exceptions).
struct FramePlan {
  uint64_t base = 0;
  unsigned width = 0;
  size_t exceptions = 0;
  size_t bytes = 0;
};

// REQUIRES 1 <= values.size() <= kMaxVectorRows.
// bounds: of the values, if they are known.
FramePlan PlanFrame(std::span<const uint64_t> values, const base::WordBounds* bounds = nullptr);

// What an exception is taken to cost: its gap and value as varints, typically.
inline constexpr size_t kExceptionBytes = 8;
void WriteFrame(std::span<const uint64_t> values, const FramePlan& plan, base::ByteWriter* out);
// Reads out.size() (<= kMaxVectorRows) values; false when the bytes are not a frame.
[[nodiscard]] bool ReadFrame(base::ByteReader* in, std::span<uint64_t> out);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_BITPACK_BITPACK_H
