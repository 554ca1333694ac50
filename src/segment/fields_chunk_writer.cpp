// Byte strings of level 2 as words.
#include <vector>

#include "codec/fields/fields.h"
#include "codec/numeric/numeric.h"
#include "segment/chunk_writer.h"
#include "segment/chunk_writer_helpers.h"

namespace nodedb_ts::segment {
namespace {

constexpr size_t kMinFieldsRows = 32;
constexpr size_t kFieldsGainShare = 16;  // words must save 1/16 of what byte strings take

}  // namespace

// Values of some type that is not text: what they are is guessed from their bytes.
struct ChunkWriter::FieldsForm {
  codec::NumericEncoder numeric;
  codec::FieldsEncoder fields;
  uint8_t codec = codec::kNone;  // kNone: they are neither

  size_t bytes() const {
    return codec == codec::kBytesNumeric ? numeric.bytes() : fields.bytes();
  }
  bool EncodeVector(size_t v, base::ByteWriter* out) const {
    if (codec == codec::kBytesNumeric) return numeric.EncodeVector(v, out);
    fields.EncodeVector(v, out);
    return true;
  }
  void WriteModel(base::ByteWriter* out) const {
    out->U8(kModelFields);
    if (codec == codec::kBytesNumeric) {
      numeric.WriteModel(out);
    } else {
      fields.WriteModel(out);
    }
  }
};

// False when there is nothing to gain.
bool ChunkWriter::PlanFields(const ColumnShape& shape, const std::string_view* values,
                             const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                             FieldsForm* form) {
  const size_t rows = TotalRows(vector_rows);
  if (rows < kMinFieldsRows || (AllEqual(nulls, rows) && (nulls[0] || AllEqual(values, rows)))) {
    return false;
  }
  std::vector<std::string_view> dense;
  std::vector<uint32_t> counts;
  GatherDense(values, nulls, vector_rows, &dense, &counts);
  if (shape.kind == NTS_KIND_VAR && form->numeric.Plan(dense, counts)) {
    form->codec = codec::kBytesNumeric;
  } else if (form->fields.Plan(dense, counts)) {
    form->codec = codec::kBytesFields;
  }
  return form->codec != codec::kNone;
}

void ChunkWriter::WriteFields(const FieldsForm& form, const ColumnShape& shape,
                              const std::string_view* values, const uint8_t* nulls,
                              std::span<const uint32_t> vector_rows, base::ByteWriter* out) {
  BeginVectors(out->size());
  size_t at = 0;
  for (size_t v = 0; v < vector_rows.size(); v++) {
    const size_t n = vector_rows[v];
    const size_t null_count = CountNulls(nulls + at, n);
    const size_t head = WriteVectorHead(nulls + at, n, null_count, out);
    uint8_t number = codec::kNone;
    if (null_count < n && form.EncodeVector(v, out)) {
      number = form.codec;
      (*out->vector())[head] |= number;
    } else if (null_count < n) {
      out->vector()->resize(head);
      number = WriteBytesVector(FixedWidth(shape), values + at, nulls + at, n, out);
    }
    EndVector(number, out->size());
    at += n;
  }
  Parts parts;
  const size_t model_at = out->size();
  form.WriteModel(out);
  parts.model_bytes = out->size() - model_at;
  Finish(parts, out);
}

ChunkSummary ChunkWriter::WriteBytes(const ColumnShape& shape, const std::string_view* values,
                                     const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                                     std::vector<uint8_t>* out) {
  const size_t start = out->size();
  ChunkSummary summary = WriteStrings(shape, values, nulls, vector_rows, out);
  if (level_ < 2) return summary;
  FieldsForm form;
  if (!PlanFields(shape, values, nulls, vector_rows, &form)) return summary;
  const size_t strings = out->size() - start;
  if (form.bytes() >= strings - strings / kFieldsGainShare) return summary;
  summary.codec = form.codec;
  out->resize(start);
  base::ByteWriter writer(out);
  WriteFields(form, shape, values, nulls, vector_rows, &writer);
  return summary;
}

}  // namespace nodedb_ts::segment
