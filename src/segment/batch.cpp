#include "segment/batch.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "base/byte_writer.h"
#include "segment/chunk_writer.h"
#include "segment/format.h"
#include "segment/plain_float.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteWriter;
using base::Status;

constexpr size_t kUsualBatchRows = 256;

// Both layouts begin alike; returns where the flags byte is.
void WriteHead(const NtsSchema& schema, bool with_command_ids, ByteWriter* out) {
  out->U8(with_command_ids ? kBatchCommandIds : 0);
  const uint32_t n = schema.column_count;
  out->Varint(n);
  bool fixed = false;
  uint8_t* shapes = out->Extend((n + 1) / 2);
  for (uint32_t c = 0; c < n; c++) {
    const uint8_t shape = BatchShapeOf(schema.columns[c]);
    shapes[c / 2] = static_cast<uint8_t>(shapes[c / 2] | shape << (c % 2 * 4));
    fixed = fixed || shape == kBatchFixed;
  }
  if (!fixed) return;
  for (uint32_t c = 0; c < n; c++) {
    if (schema.columns[c].kind == NTS_KIND_FIXED) out->Varint(schema.columns[c].width);
  }
}

void WritePlainWord(const NtsColumn& column, uint64_t word, ByteWriter* out) {
  switch (column.kind) {
    case NTS_KIND_FLOAT4: return out->U32(static_cast<uint32_t>(word));
    case NTS_KIND_FLOAT8: {
      const uint64_t code = PlainFloatCode(word);
      out->Varint(code);
      if (code == kPlainRawFloat) out->U64(word);
      return;
    }
    default:
      if (column.width == 1) return out->U8(static_cast<uint8_t>(word));
      return out->Zig(static_cast<int64_t>(base::SignExtend(word, column.width)));
  }
}

void SetNull(size_t bit, std::vector<uint8_t>* bitmap_owner, size_t bitmap_at) {
  (*bitmap_owner)[bitmap_at + bit / 8] |= static_cast<uint8_t>(1u << (bit % 8));
}

// Encodes all of rows (1..8), column by column; false once max_bytes are exceeded.
// The NULLs go behind the values, where they need no room unless there are some;
// until the end they are collected on the stack.
bool EncodePlain(const NtsSchema& schema, const RowSource& source,
                 std::span<const uint32_t> rows, bool with_command_ids, size_t max_bytes,
                 std::vector<uint8_t>* payload) {
  const size_t n = rows.size();
  payload->clear();
  ByteWriter out(payload);
  WriteHead(schema, with_command_ids, &out);
  uint8_t null_rows[kMaxColumns];  // of each column: bit r is row r
  bool any_null = false;
  if (with_command_ids) {
    uint32_t ids[kMaxPlainRows];
    source.GatherCommandIds(rows, ids);
    for (size_t r = 0; r < n; r++) out.Varint(ids[r]);
  }
  for (uint32_t c = 0; c < schema.column_count; c++) {
    const NtsColumn& column = schema.columns[c];
    uint8_t nulls[kMaxPlainRows];
    null_rows[c] = 0;
    if (IsWord(column.kind)) {
      uint64_t words[kMaxPlainRows];
      source.GatherWords(c, rows, words, nulls);
      for (size_t r = 0; r < n; r++) {
        if (nulls[r]) null_rows[c] |= static_cast<uint8_t>(1u << r);
        else WritePlainWord(column, words[r], &out);
      }
    } else if (IsBytes(column.kind)) {
      std::string_view views[kMaxPlainRows];
      source.GatherBytes(c, rows, views, nulls);
      for (size_t r = 0; r < n; r++) {
        if (nulls[r]) {
          null_rows[c] |= static_cast<uint8_t>(1u << r);
          continue;
        }
        if (views[r].size() > max_bytes) return false;
        if (column.kind == NTS_KIND_VAR) out.Varint(views[r].size());
        out.Bytes(views[r].data(), views[r].size());
      }
    }
    any_null = any_null || null_rows[c] != 0;
    if (payload->size() > max_bytes) return false;
  }
  if (any_null) {
    (*payload)[0] |= kBatchNullBitmap;
    const size_t bitmap_at = payload->size();
    out.Extend((n * schema.column_count + 7) / 8);
    for (uint32_t c = 0; c < schema.column_count; c++) {
      for (size_t r = 0; r < n; r++) {
        if (null_rows[c] >> r & 1) SetNull(c * n + r, payload, bitmap_at);
      }
    }
  }
  return payload->size() <= max_bytes;
}

// Tries all rows first, then fewer; 0 when not even one fits.
size_t EncodePlainPrefix(const NtsSchema& schema, const RowSource& source,
                         std::span<const uint32_t> rows, bool with_command_ids,
                         size_t max_bytes, std::vector<uint8_t>* payload) {
  for (size_t n = std::min<size_t>(rows.size(), kMaxPlainRows); n > 0; n--) {
    if (EncodePlain(schema, source, rows.first(n), with_command_ids, max_bytes, payload)) {
      return n;
    }
  }
  payload->clear();
  return 0;
}

// Encodes batches in the columns layout; keeps buffers between attempts.
class ColumnsEncoder {
 public:
  ColumnsEncoder(const NtsSchema& schema, const RowSource& source, bool with_command_ids)
      : schema_(schema), source_(source), with_command_ids_(with_command_ids), chunks_(1) {}

  // False when more than max_bytes are needed.
  bool Encode(std::span<const uint32_t> rows, size_t max_bytes, std::vector<uint8_t>* payload);

 private:
  void AddChunk(const ChunkSummary& summary, ByteWriter* out);

  const NtsSchema& schema_;
  const RowSource& source_;
  bool with_command_ids_;
  ChunkWriter chunks_;
  std::vector<uint64_t> words_;
  std::vector<uint8_t> nulls_;
  std::vector<std::string_view> views_;
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> vector_rows_;
  std::vector<uint8_t> chunk_;
};

void ColumnsEncoder::AddChunk(const ChunkSummary& summary, ByteWriter* out) {
  out->U8(summary.codec);
  if (summary.codec != codec::kNone) {
    out->Varint(chunk_.size());
    out->Bytes(chunk_.data(), chunk_.size());
  }
  chunk_.clear();
}

bool ColumnsEncoder::Encode(std::span<const uint32_t> rows, size_t max_bytes,
                            std::vector<uint8_t>* payload) {
  const size_t n = rows.size();
  payload->clear();
  ByteWriter out(payload);
  WriteHead(schema_, with_command_ids_, &out);
  vector_rows_.clear();
  for (size_t at = 0; at < n; at += kMaxVectorRows) {
    vector_rows_.push_back(static_cast<uint32_t>(std::min(kMaxVectorRows, n - at)));
  }
  words_.resize(n);
  nulls_.assign(n, 0);
  chunk_.clear();
  if (with_command_ids_) {
    ids_.resize(n);
    source_.GatherCommandIds(rows, ids_.data());
    std::copy(ids_.begin(), ids_.end(), words_.begin());
    AddChunk(chunks_.WriteWords(kIdShape, words_.data(), nulls_.data(), vector_rows_, false,
                                &chunk_),
             &out);
  }
  for (uint32_t c = 0; c < schema_.column_count; c++) {
    const ColumnShape shape = ShapeOf(schema_.columns[c]);
    ChunkSummary summary;
    if (IsWord(shape.kind)) {
      source_.GatherWords(c, rows, words_.data(), nulls_.data());
      summary = chunks_.WriteWords(shape, words_.data(), nulls_.data(), vector_rows_, false,
                                   &chunk_);
    } else if (IsBytes(shape.kind)) {
      views_.resize(n);
      source_.GatherBytes(c, rows, views_.data(), nulls_.data());
      // A page cannot hold what compresses to less than 1/256 anyway, so that vectors
      // stay far below their limit.
      uint64_t raw = 0;
      for (const std::string_view v : views_) raw += v.size();
      if (raw > std::min<uint64_t>(uint64_t{256} * max_bytes, kMaxVectorBytes)) return false;
      summary = chunks_.WriteBytes(shape, views_.data(), nulls_.data(), vector_rows_, &chunk_);
    }
    AddChunk(summary, &out);
    if (payload->size() > max_bytes) return false;
  }
  return true;
}

// The largest number of rows whose columns layout fits, up to a tenth of the space:
// interpolates between what fitted and what did not.
size_t EncodeColumnsPrefix(const NtsSchema& schema, const RowSource& source,
                           std::span<const uint32_t> rows, bool with_command_ids,
                           size_t max_bytes, size_t expected, std::vector<uint8_t>* payload) {
  constexpr int kMaxAttempts = 12;
  ColumnsEncoder encoder(schema, source, with_command_ids);
  std::vector<uint8_t> attempt;
  attempt.swap(*payload);  // its capacity: mostly the first attempt is the last
  size_t fits = 0;                                                    // encoded in *payload
  const size_t most = std::min<size_t>(rows.size(), kMaxBatchRows);
  size_t fails = most + 1;                                            // does not fit
  size_t next = std::min<size_t>(fails - 1, expected);
  size_t fit_bytes = 0;
  for (int i = 0; i < kMaxAttempts && fits + 1 < fails; i++) {
    next = std::clamp(next, fits + 1, fails - 1);
    if (encoder.Encode(rows.first(next), max_bytes, &attempt)) {
      fits = next;
      fit_bytes = attempt.size();
      payload->swap(attempt);
      if (fit_bytes >= max_bytes - max_bytes / 16) break;
      const double more = static_cast<double>(max_bytes) / static_cast<double>(fit_bytes);
      const double guess = static_cast<double>(fits) * std::min(more * 0.97, 16.0);
      next = static_cast<size_t>(std::max(guess, static_cast<double>(fits + 1)));
      // Nothing failed yet: take all. Otherwise halve, since interpolation creeps.
      if (next >= fails) next = fails > most ? most : fits + (fails - fits) / 2;
    } else {
      fails = next;
      // What was expected mostly is a little too much only.
      next = fits == 0 && i == 0 ? fails - fails / 8 : fits + (fails - fits) / 2;
    }
  }
  return fits;
}

}  // namespace

Status EncodeBatch(const NtsSchema& schema, const RowSource& source,
                   std::span<const uint32_t> rows, bool with_command_ids, size_t max_bytes,
                   size_t expected_rows, std::vector<uint8_t>* payload, BatchLayout* layout,
                   size_t* encoded_rows) {
  if (schema.column_count > kMaxColumns) return Status::Limit("too many columns");
  *layout = BatchLayout::kPlainRows;
  *encoded_rows = 0;
  payload->clear();
  if (rows.empty()) return Status::Ok();
  if (rows.size() > kMaxPlainRows) {
    if (expected_rows <= kMaxPlainRows) expected_rows = kUsualBatchRows;
    *encoded_rows = EncodeColumnsPrefix(schema, source, rows, with_command_ids, max_bytes,
                                        expected_rows, payload);
    *layout = BatchLayout::kColumns;
    if (*encoded_rows > kMaxPlainRows) return Status::Ok();
  }
  // So few rows are smaller as they are.
  std::vector<uint8_t> plain;
  std::vector<uint8_t>* into = *encoded_rows == 0 ? payload : &plain;
  const size_t fits =
      EncodePlainPrefix(schema, source, rows, with_command_ids, max_bytes, into);
  if (*encoded_rows > 0 && fits < *encoded_rows) return Status::Ok();
  if (into != payload) payload->swap(plain);
  *layout = BatchLayout::kPlainRows;
  *encoded_rows = fits;
  return Status::Ok();
}

std::vector<uint8_t> BatchHead(const NtsSchema& schema) {
  std::vector<uint8_t> head;
  ByteWriter out(&head);
  WriteHead(schema, false, &out);
  return head;
}

}  // namespace nodedb_ts::segment
