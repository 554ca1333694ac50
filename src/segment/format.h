// format.h - constants and small types of the segment and batch bytes (FORMAT.md).
#ifndef NODEDB_TS_SEGMENT_FORMAT_H
#define NODEDB_TS_SEGMENT_FORMAT_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/registry/registry.h"
#include "codec/zstd/zstd.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::segment {

inline constexpr uint32_t kFooterMagic = 0x4653544E;  // "NTSF"
inline constexpr uint16_t kFormatVersion = 3;
inline constexpr uint8_t kFlagRowIds = 1;
inline constexpr uint8_t kFlagCommandIds = 2;
inline constexpr uint8_t kFlagLastRows = 4;  // behind the row groups stands one of the last rows

// Footer sections. Numbers are stored: never reuse one. Readers skip unknown ones.
enum Section : uint8_t {
  kSectionSchema = 1,
  kSectionRowGroups = 2,
  kSectionChunks = 3,
  kSectionSeries = 4,
  kSectionDictionaries = 5,
};

inline constexpr size_t kMaxRowGroupRows = 65536;
inline constexpr uint64_t kMaxRowGroupBytes = uint64_t{32} << 20;  // raw, unless one row; 64 MB are allowed
inline constexpr size_t kMaxVectorRows = codec::kMaxVectorRows;
inline constexpr uint64_t kMaxVectorBytes = codec::kMaxVectorBytes;
inline constexpr uint32_t kMaxColumns = 1600;
inline constexpr uint32_t kMaxFixedWidth = 32767;
inline constexpr uint32_t kMaxSeriesColumns = 16;
inline constexpr size_t kMaxConstantBytes = 4096;
inline constexpr uint32_t kMaxPlainRows = 8;   // of the plain rows batch layout
inline constexpr uint32_t kMaxBatchRows = 65535;
// Copies of the last rows, which make one row group.
inline constexpr size_t kMaxLastRows = kMaxRowGroupRows;
inline constexpr size_t kLastRowsVectorRows = 256;  // one row is wanted as often as all
inline constexpr uint64_t kMaxLastRowsCells = uint64_t{1} << 20;  // rows times columns
inline constexpr uint64_t kMaxLastRowsBytes = kMaxVectorBytes;    // of byte strings

// A vector begins with one byte: codec number, and this in the two high bits.
enum NullMode : uint8_t { kNoNulls = 0, kAllNulls = 1, kNullBitmap = 2, kNullRuns = 3 };
inline constexpr uint8_t kVectorCodecMask = 0x3f;
inline constexpr unsigned kNullModeShift = 6;

// A chunk ends with one byte of these flags.
inline constexpr uint8_t kChunkOffsetWidthMask = 3;  // log2 of the bytes of an offset
inline constexpr uint8_t kChunkHasDictionary = 4;
inline constexpr uint8_t kChunkHasStatistics = 8;
inline constexpr uint8_t kChunkHasModel = 16;  // what the vectors of words share
inline constexpr uint8_t kChunkStepped = 64;   // runs of equal values instead of vectors
inline constexpr uint8_t kChunkHasShared = 32;  // what byte strings share; a dictionary is packed
// A model begins with one byte of these flags.
inline constexpr uint8_t kModelMapping = 1;
inline constexpr uint8_t kModelTables = 2;
inline constexpr uint8_t kModelFields = 4;  // alone: of byte strings stored as words
inline constexpr uint8_t kModelWords = 8;  // the entries of a dictionary of words

// A vector of tokens inflates at most that much, counting its chunk's model.
inline constexpr uint64_t kMaxTokensRatio = uint64_t{1} << 16;

// Set in the codec byte of a chunk's footer entry when min and max follow.
inline constexpr uint8_t kChunkEntryHasRange = 0x80;
// The codec byte of a constant chunk that has the value of the row group before.
inline constexpr uint8_t kChunkEntrySameConstant = 0x7f;

struct ColumnShape {
  uint8_t kind = NTS_KIND_NONE;
  uint32_t width = 0;
  bool operator==(const ColumnShape&) const = default;
};

inline constexpr ColumnShape kIdShape = {NTS_KIND_INT, 8};  // hidden columns
inline constexpr codec::WordShape kCodeShape = {codec::WordKind::kInt, 8};  // codes of dictionaries, and lengths

inline bool IsWord(uint8_t kind) {
  return kind == NTS_KIND_INT || kind == NTS_KIND_FLOAT4 || kind == NTS_KIND_FLOAT8;
}
inline bool IsBytes(uint8_t kind) { return kind == NTS_KIND_FIXED || kind == NTS_KIND_VAR; }

// Words as they are stored (RowSource), of which only the low bytes counted before. Of byte strings they are left alone.
inline void MakeCanonical(const ColumnShape& shape, std::span<uint64_t> words) {
  if (shape.kind == NTS_KIND_FLOAT4) {
    for (uint64_t& word : words) word &= UINT32_MAX;
  } else if (shape.kind == NTS_KIND_INT) {
    base::SignExtendAll(words, shape.width);
  }
}

// REQUIRES IsWord(shape.kind).
inline codec::WordShape WordShapeOf(const ColumnShape& shape) {
  if (shape.kind == NTS_KIND_FLOAT4) return {codec::WordKind::kFloat4, 4};
  if (shape.kind == NTS_KIND_FLOAT8) return {codec::WordKind::kFloat8, 8};
  return {codec::WordKind::kInt, static_cast<uint8_t>(shape.width)};
}

// The width that codecs take for byte strings: 0 means that lengths vary.
inline uint32_t FixedWidth(const ColumnShape& shape) {
  return shape.kind == NTS_KIND_FIXED ? shape.width : 0;
}

inline bool ValidShape(const ColumnShape& shape) {
  switch (shape.kind) {
    case NTS_KIND_NONE: return true;
    case NTS_KIND_INT:
      return shape.width == 1 || shape.width == 2 || shape.width == 4 || shape.width == 8;
    case NTS_KIND_FLOAT4: return shape.width == 4;
    case NTS_KIND_FLOAT8: return shape.width == 8;
    case NTS_KIND_FIXED: return shape.width >= 1 && shape.width <= kMaxFixedWidth;
    case NTS_KIND_VAR: return shape.width == 0;
    default: return false;
  }
}

// What a column says of itself, with the widths that its kind implies.
inline ColumnShape ShapeOf(const NtsColumn& column) {
  ColumnShape shape{column.kind, column.width};
  if (shape.kind == NTS_KIND_NONE || shape.kind == NTS_KIND_VAR) shape.width = 0;
  if (shape.kind == NTS_KIND_FLOAT4) shape.width = 4;
  if (shape.kind == NTS_KIND_FLOAT8) shape.width = 8;
  return shape;
}

// A dropped column agrees with everything.
inline bool ShapesAgree(const ColumnShape& stored, const ColumnShape& current) {
  return stored.kind == NTS_KIND_NONE || current.kind == NTS_KIND_NONE || stored == current;
}

// A batch starts with a byte of these flags.
inline constexpr uint8_t kBatchCommandIds = 1;
inline constexpr uint8_t kBatchNullBitmap = 2;  // plain rows only: at the payload's end

// Shapes in a batch, four bits each. Numbers are stored: never reuse one.
enum BatchShape : uint8_t {
  kBatchNone = 0,
  kBatchInt1 = 1,
  kBatchInt2 = 2,
  kBatchInt4 = 3,
  kBatchInt8 = 4,
  kBatchFloat4 = 5,
  kBatchFloat8 = 6,
  kBatchFixed = 7,  // its width follows the list of shapes
  kBatchVar = 8,
};

inline uint8_t BatchShapeOf(const NtsColumn& column) {
  switch (column.kind) {
    case NTS_KIND_INT:
      return column.width == 1   ? kBatchInt1
             : column.width == 2 ? kBatchInt2
             : column.width == 4 ? kBatchInt4
                                 : kBatchInt8;
    case NTS_KIND_FLOAT4: return kBatchFloat4;
    case NTS_KIND_FLOAT8: return kBatchFloat8;
    case NTS_KIND_FIXED: return kBatchFixed;
    case NTS_KIND_VAR: return kBatchVar;
    default: return kBatchNone;
  }
}

// Bytes of flags, column count, shapes and widths.
inline uint32_t BatchHeadBytes(const NtsSchema& schema) {
  const uint32_t n = schema.column_count;
  size_t bytes = 1 + base::VarintBytes(n) + (n + 1) / 2;
  for (uint32_t c = 0; c < n; c++) {
    if (schema.columns[c].kind == NTS_KIND_FIXED) bytes += base::VarintBytes(schema.columns[c].width);
  }
  return static_cast<uint32_t>(bytes);
}

// Alignment for decoded values; anything strange counts as 1.
inline uint8_t SaneAlign(uint8_t align) {
  return align == 2 || align == 4 || align == 8 ? align : uint8_t{1};
}

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_FORMAT_H
