#include "segment/batch_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/bits.h"
#include "base/byte_reader.h"
#include "segment/chunk_reader.h"
#include "segment/format.h"
#include "segment/plain_float.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteReader;
using base::Status;

Status Wrong(const char* what) { return Status::Corrupt(std::string("batch: ") + what); }

// The head of a payload, checked against the current row type.
struct Head {
  uint8_t flags = 0;
  uint32_t column_count = 0;
  const uint8_t* shapes = nullptr;  // four bits each
  ByteReader widths;                // of the FIXED columns, in order
};

// Steps through the stored columns' shapes.
class ShapeCursor {
 public:
  explicit ShapeCursor(const Head& head) : head_(head), widths_(head.widths) {}

  bool Next(ColumnShape* shape) {
    const uint32_t c = next_++;
    uint64_t width = 0;
    *shape = {};
    switch (head_.shapes[c / 2] >> (c % 2 * 4) & 15) {
      case kBatchNone: return true;
      case kBatchInt1: *shape = {NTS_KIND_INT, 1}; return true;
      case kBatchInt2: *shape = {NTS_KIND_INT, 2}; return true;
      case kBatchInt4: *shape = {NTS_KIND_INT, 4}; return true;
      case kBatchInt8: *shape = {NTS_KIND_INT, 8}; return true;
      case kBatchFloat4: *shape = {NTS_KIND_FLOAT4, 4}; return true;
      case kBatchFloat8: *shape = {NTS_KIND_FLOAT8, 8}; return true;
      case kBatchVar: *shape = {NTS_KIND_VAR, 0}; return true;
      case kBatchFixed:
        if (!widths_.ReadVarint(&width) || width == 0 || width > kMaxFixedWidth) return false;
        *shape = {NTS_KIND_FIXED, static_cast<uint32_t>(width)};
        return true;
      default: return false;
    }
  }
  const ByteReader& widths() const { return widths_; }

 private:
  const Head& head_;
  ByteReader widths_;
  uint32_t next_ = 0;
};

// Leaves `in` behind the head, unless that is known as right.
Status ReadHead(std::span<const NtsColumn> columns, bool checked, ByteReader* in, Head* head) {
  uint64_t count;
  if (!in->ReadU8(&head->flags) || head->flags > (kBatchCommandIds | kBatchNullBitmap)) {
    return Wrong("bad flags");
  }
  if (!in->ReadVarint(&count) || count > kMaxColumns) return Wrong("bad column count");
  if (count > columns.size()) return Wrong("more columns than the table has");
  head->column_count = static_cast<uint32_t>(count);
  if (!in->ReadBytes((count + 1) / 2, &head->shapes)) return Wrong("bad column kinds");
  head->widths = *in;
  if (checked) return Status::Ok();
  ShapeCursor cursor(*head);
  for (uint32_t c = 0; c < count; c++) {
    ColumnShape shape;
    if (!cursor.Next(&shape)) return Wrong("bad column kinds");
    if (!ShapesAgree(shape, ShapeOf(columns[c]))) {
      return Wrong("a column's type is not the table's");
    }
  }
  *in = cursor.widths();
  return Status::Ok();
}

bool ReadPlainWord(const ColumnShape& shape, ByteReader* in, uint64_t* word) {
  if (shape.kind == NTS_KIND_FLOAT8) {
    uint64_t code;
    if (!in->ReadVarint(&code)) return false;
    return code == kPlainRawFloat ? in->ReadWidth(8, word) : PlainFloatBits(code, word);
  }
  if (shape.kind != NTS_KIND_INT) return in->ReadWidth(shape.width, word);
  if (shape.width == 1) {
    uint8_t byte;
    if (!in->ReadU8(&byte)) return false;
    *word = base::SignExtend(byte, 1);
    return true;
  }
  int64_t v;
  if (!in->ReadZigZag(&v)) return false;
  *word = static_cast<uint64_t>(v);
  return *word == base::SignExtend(*word, shape.width);
}

// Reads one by-reference value into target behind *cursor.
Status ReadPlainBytes(const ColumnShape& shape, uint8_t align, ByteReader* in, bool keep,
                      const BatchTarget& target, uint64_t* cursor, uint64_t* word) {
  uint64_t length = shape.width;
  const uint8_t* bytes;
  if (shape.kind == NTS_KIND_VAR && !in->ReadVarint(&length)) return Wrong("bad length");
  if (length > codec::kMaxValueBytes || !in->ReadBytes(length, &bytes)) return Wrong("bad length");
  if (!keep) return Status::Ok();
  const uint64_t head = shape.kind == NTS_KIND_VAR ? 4 : 0;
  const uint64_t at = base::AlignUp(*cursor, SaneAlign(align));
  *cursor = at + head + length;
  if (target.data == nullptr || *cursor > target.data_bytes) {
    return Status::Bug("room for decoded values is short");
  }
  uint8_t* out = target.data + at;
  if (head > 0) {
    const uint32_t size_word = static_cast<uint32_t>(length + 4) << 2;
    std::memcpy(out, &size_word, sizeof(size_word));
  }
  if (length > 0) std::memcpy(out + head, bytes, length);
  *word = reinterpret_cast<uintptr_t>(out);
  return Status::Ok();
}

Status DecodePlain(std::span<const NtsColumn> columns, const Head& head, ByteReader in,
                   uint32_t rows, const BatchTarget& target, uint64_t* cursor) {
  if (rows > kMaxPlainRows) return Wrong("too many rows");
  const uint8_t* bitmap = nullptr;
  if (head.flags & kBatchNullBitmap) {
    if (!in.TakeTail((rows * head.column_count + 7) / 8, &bitmap)) return Wrong("bad NULLs");
  }
  if (head.flags & kBatchCommandIds) {
    for (uint32_t r = 0; r < rows; r++) {
      uint64_t id;
      if (!in.ReadVarint(&id) || id > UINT32_MAX) return Wrong("bad command id");
      if (target.command_ids != nullptr) target.command_ids[r] = static_cast<uint32_t>(id);
    }
  }
  ShapeCursor shapes(head);
  for (uint32_t c = 0; c < head.column_count; c++) {
    ColumnShape shape;
    if (!shapes.Next(&shape)) return Wrong("bad column kinds");
    const bool keep = columns[c].kind != NTS_KIND_NONE;
    for (uint32_t r = 0; r < rows; r++) {
      const size_t bit = size_t{c} * rows + r;
      bool null = shape.kind == NTS_KIND_NONE;
      null = null || (bitmap != nullptr && (bitmap[bit / 8] >> (bit % 8) & 1));
      uint64_t word = 0;
      if (!null && IsWord(shape.kind)) {
        if (!ReadPlainWord(shape, &in, &word)) return Wrong("bad value");
      } else if (!null) {
        Status status = ReadPlainBytes(shape, columns[c].align, &in, keep, target, cursor, &word);
        if (!status.ok()) return status;
      }
      target.values[c][target.first + r] = keep ? word : 0;
      target.nulls[c][target.first + r] = null || !keep;
    }
  }
  return in.empty() ? Status::Ok() : Wrong("bytes left over");
}

Status ReadChunkRef(const ColumnShape& shape, uint8_t align, uint32_t rows, ByteReader* in,
                    ChunkRef* chunk) {
  uint8_t number;
  uint64_t length = 0;
  ByteReader bytes;
  if (!in->ReadU8(&number)) return Wrong("bad chunk");
  if (number != codec::kNone && (!in->ReadVarint(&length) || !in->ReadSpan(length, &bytes))) {
    return Wrong("bad chunk");
  }
  chunk->shape = shape;
  chunk->codec = number;
  chunk->align = align;
  chunk->vectors = static_cast<uint32_t>((rows + kMaxVectorRows - 1) / kMaxVectorRows);
  chunk->bytes = bytes.at();
  chunk->length = bytes.remaining();
  return Status::Ok();
}

// Measures (target NULL) or decodes all vectors of a chunk.
Status VisitChunk(const ChunkRef& chunk, uint32_t rows, uint64_t* values, uint8_t* nulls,
                  const BatchTarget* target, uint64_t* cursor) {
  for (uint32_t v = 0; v < chunk.vectors; v++) {
    const auto first = static_cast<uint32_t>(v * kMaxVectorRows);
    const uint32_t n = std::min<uint32_t>(rows - first, kMaxVectorRows);
    bool any_null;
    Status status =
        target == nullptr
            ? MeasureVector(chunk, v, n, cursor)
            : DecodeVector(chunk, v, n, values + first, nulls + first, target->data,
                           target->data_bytes, cursor, &any_null);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status VisitCommandIds(uint32_t rows, ByteReader* in, const BatchTarget* target) {
  ChunkRef chunk;
  Status status = ReadChunkRef(kIdShape, 8, rows, in, &chunk);
  if (!status.ok() || target == nullptr || target->command_ids == nullptr) return status;
  uint64_t words[kMaxVectorRows];
  uint8_t nulls[kMaxVectorRows];
  for (uint32_t v = 0; v < chunk.vectors; v++) {
    const auto first = static_cast<uint32_t>(v * kMaxVectorRows);
    const uint32_t n = std::min<uint32_t>(rows - first, kMaxVectorRows);
    uint64_t cursor = 0;
    bool any_null;
    status = DecodeVector(chunk, v, n, words, nulls, nullptr, 0, &cursor, &any_null);
    if (!status.ok()) return status;
    if (any_null) return Wrong("bad command id");
    for (uint32_t r = 0; r < n; r++) {
      if (words[r] > UINT32_MAX) return Wrong("bad command id");
      target->command_ids[first + r] = static_cast<uint32_t>(words[r]);
    }
  }
  return Status::Ok();
}

Status VisitColumns(std::span<const NtsColumn> columns, const Head& head, ByteReader in,
                    uint32_t rows, const BatchTarget* target, uint64_t* cursor) {
  if (head.flags & kBatchNullBitmap) return Wrong("bad flags");
  if (head.flags & kBatchCommandIds) {
    Status status = VisitCommandIds(rows, &in, target);
    if (!status.ok()) return status;
  }
  ShapeCursor shapes(head);
  for (uint32_t c = 0; c < head.column_count; c++) {
    ColumnShape shape;
    ChunkRef chunk;
    if (!shapes.Next(&shape)) return Wrong("bad column kinds");
    Status status = ReadChunkRef(shape, columns[c].align, rows, &in, &chunk);
    if (!status.ok()) return status;
    if (columns[c].kind == NTS_KIND_NONE) chunk.shape = {};  // dropped since
    uint64_t* values = target == nullptr ? nullptr : target->values[c] + target->first;
    uint8_t* nulls = target == nullptr ? nullptr : target->nulls[c] + target->first;
    status = VisitChunk(chunk, rows, values, nulls, target, cursor);
    if (!status.ok()) return status;
  }
  return in.empty() ? Status::Ok() : Wrong("bytes left over");
}

Status OpenBatch(std::span<const NtsColumn> columns, const NtsBatchBytes& batch, ByteReader* in, Head* head) {
  if (batch.rows == 0 || batch.rows > kMaxBatchRows) return Wrong("bad row count");
  *in = ByteReader(batch.body, batch.body_length);
  if (batch.head_length == 0) return ReadHead(columns, false, in, head);
  ByteReader apart(batch.head, batch.head_length);
  Status status = ReadHead(columns, batch.head_checked, &apart, head);
  if (!status.ok()) return status;
  return batch.head_checked || apart.empty() ? Status::Ok() : Wrong("bad head");
}

// What values of plain rows take at most: looking at each of them would cost as much as decoding them.
uint64_t PlainRoom(const Head& head, size_t body_length, uint32_t rows) {
  constexpr uint64_t kLengthWord = 4;
  constexpr uint64_t kMaxPadding = 7;
  return body_length + uint64_t{rows} * head.column_count * (kLengthWord + kMaxPadding);
}

}  // namespace

Status ReadBatchInfo(std::span<const NtsColumn> columns, const NtsBatchBytes& batch, NtsBatchInfo* info) {
  Head head;
  ByteReader in;
  uint64_t cursor = 0;
  Status status = OpenBatch(columns, batch, &in, &head);
  if (status.ok() && batch.layout == static_cast<uint8_t>(BatchLayout::kPlainRows)) {
    if (batch.rows > kMaxPlainRows) return Wrong("too many rows");
    cursor = PlainRoom(head, batch.body_length, batch.rows);
  } else if (status.ok() && batch.layout == static_cast<uint8_t>(BatchLayout::kColumns)) {
    status = VisitColumns(columns, head, in, batch.rows, nullptr, &cursor);
  } else if (status.ok()) {
    return Wrong("unknown layout");
  }
  if (!status.ok()) return status;
  info->column_count = head.column_count;
  info->has_command_ids = (head.flags & kBatchCommandIds) != 0;
  info->data_bytes = cursor;
  return Status::Ok();
}

Status DecodeBatch(std::span<const NtsColumn> columns, const NtsBatchBytes& batch, const BatchTarget& target) {
  Head head;
  ByteReader in;
  uint64_t cursor = 0;
  Status status = OpenBatch(columns, batch, &in, &head);
  if (!status.ok()) return status;
  switch (batch.layout) {
    case static_cast<uint8_t>(BatchLayout::kPlainRows):
      return DecodePlain(columns, head, in, batch.rows, target, &cursor);
    case static_cast<uint8_t>(BatchLayout::kColumns):
      return VisitColumns(columns, head, in, batch.rows, &target, &cursor);
    default:
      return Wrong("unknown layout");
  }
}

}  // namespace nodedb_ts::segment
