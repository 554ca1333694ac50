#include "segment/chunk_writer.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "codec/fields/fields.h"
#include "codec/numeric/numeric.h"
#include "codec/shared/mapping.h"

namespace nodedb_ts::segment {
namespace {

using codec::ChooseMapping;
using codec::Mapping;
using codec::WordKind;
using codec::WordShape;

constexpr WordShape kCodeShape = {WordKind::kInt, 8};
constexpr size_t kMaxWordEntries = 8192;
constexpr size_t kMaxBytesEntries = 65536;
constexpr uint64_t kMaxDictionaryBytes = kMaxVectorBytes;
constexpr size_t kSampleVectors = 3;
constexpr size_t kSampleRows = 512;
constexpr size_t kMinFieldsRows = 32;
constexpr size_t kFieldsGainShare = 16;  // words must save 1/16 of what byte strings take
constexpr size_t kRunsPerVector = 2;  // up to these runs a chunk may be stepped

void MakeCanonical(const ColumnShape& shape, uint64_t* words, size_t count) {
  if (shape.kind == NTS_KIND_FLOAT4) {
    for (size_t i = 0; i < count; i++) words[i] &= UINT32_MAX;
  } else if (shape.kind == NTS_KIND_INT) {
    base::SignExtendAll({words, count}, shape.width);
  }
}

size_t CountNulls(const uint8_t* nulls, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += nulls[i];
  return n;
}

// Runs of values and of NULLs, which alternate; the first one, of values, may be empty.
size_t NullRuns(const uint8_t* nulls, size_t count) {
  size_t runs = 1 + nulls[0];
  for (size_t i = 1; i < count; i++) runs += nulls[i] ^ nulls[i - 1];
  return runs;
}

void WriteNullRuns(const uint8_t* nulls, size_t count, size_t runs, base::ByteWriter* out) {
  out->Varint(runs);
  uint8_t in_nulls = 0;
  for (size_t i = 0; runs > 0; runs--) {
    const size_t start = i;
    while (i < count && nulls[i] == in_nulls) i++;
    out->Varint(i - start);
    in_nulls ^= 1;
  }
}

// The byte that a vector starts with and, when needed, where its NULLs are.
// Returns where the byte is, for the codec to be filled in.
size_t WriteVectorHead(const uint8_t* nulls, size_t count, size_t null_count,
                       base::ByteWriter* out) {
  const size_t at = out->size();
  if (null_count == 0) {
    out->U8(kNoNulls << kNullModeShift);
  } else if (null_count == count) {
    out->U8(kAllNulls << kNullModeShift);
  } else {
    const size_t runs = NullRuns(nulls, count);
    // A short run takes one byte, a long one two.
    const bool as_runs = 1 + runs + runs / 2 < (count + 7) / 8;
    out->U8(static_cast<uint8_t>((as_runs ? kNullRuns : kNullBitmap) << kNullModeShift));
    if (as_runs) {
      WriteNullRuns(nulls, count, runs, out);
    } else {
      uint8_t* bitmap = out->Extend((count + 7) / 8);
      for (size_t i = 0; i < count; i++) {
        bitmap[i / 8] = static_cast<uint8_t>(bitmap[i / 8] | nulls[i] << (i % 8));
      }
    }
  }
  return at;
}

template <typename Value>
bool AllEqual(const Value* values, size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (values[i] != values[0]) return false;
  }
  return true;
}

size_t TotalRows(std::span<const uint32_t> vector_rows) {
  size_t rows = 0;
  for (const uint32_t n : vector_rows) rows += n;
  return rows;
}

// Calls f(first row, rows) for the first, middle and last vector.
template <typename F>
void ForSampleVectors(std::span<const uint32_t> vector_rows, F&& f) {
  const size_t n = vector_rows.size();
  size_t first_row = 0;
  for (size_t v = 0; v < n; v++) {
    if (n <= kSampleVectors || v == 0 || v == n / 2 || v == n - 1) f(first_row, vector_rows[v]);
    first_row += vector_rows[v];
  }
}

// Few enough distinct values in a strided sample that a dictionary may pay?
template <typename Value>
bool SampleRepeats(codec::DictionaryBuilder<Value>* builder, const Value* values,
                   const uint8_t* nulls, size_t rows, std::vector<uint64_t>* codes) {
  if (rows <= kSampleRows) {
    const size_t present = rows - CountNulls(nulls, rows);
    return builder->Build(values, nulls, rows, std::max<size_t>(1, present / 2), codes);
  }
  std::vector<Value> sample;
  const size_t step = rows / kSampleRows;
  for (size_t i = 0; i < rows; i += step) {
    if (!nulls[i]) sample.push_back(values[i]);
  }
  const std::vector<uint8_t> none(sample.size(), 0);
  return builder->Build(sample.data(), none.data(), sample.size(),
                        std::max<size_t>(1, sample.size() / 2), codes);
}

}  // namespace

uint8_t WriteWordVector(const WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                        size_t count, base::ByteWriter* out) {
  const size_t null_count = CountNulls(nulls, count);
  const size_t head = WriteVectorHead(nulls, count, null_count, out);
  if (null_count == count) return codec::kNone;
  uint8_t number;
  if (null_count == 0) {
    number = codec::EncodeWords(shape, {words, count}, out);
  } else {
    uint64_t dense[kMaxVectorRows];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
      dense[n] = words[i];
      n += nulls[i] ^ 1;
    }
    number = codec::EncodeWords(shape, {dense, n}, out);
  }
  (*out->vector())[head] |= number;
  return number;
}

uint8_t ChunkWriter::WriteBytesVector(uint32_t fixed_width, const std::string_view* values,
                                      const uint8_t* nulls, size_t count, base::ByteWriter* out) {
  const size_t null_count = CountNulls(nulls, count);
  const size_t head = WriteVectorHead(nulls, count, null_count, out);
  if (null_count == count) return codec::kNone;
  std::string_view dense[kMaxVectorRows];
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (!nulls[i]) dense[n++] = values[i];
  }
  const uint8_t number = bytes_encoder_.Encode(fixed_width, {dense, n}, out);
  (*out->vector())[head] |= number;
  return number;
}

void ChunkWriter::BeginVectors(size_t start) {
  start_ = start;
  ends_.clear();
  codec_uses_.fill(0);
}

void ChunkWriter::EndVector(uint8_t codec, size_t size) {
  ends_.push_back(size - start_);
  codec_uses_[codec]++;
}

uint8_t ChunkWriter::MostUsedCodec() const {
  size_t best = codec::kPlain;
  for (size_t c = 1; c < codec_uses_.size(); c++) {
    // A constant chunk has no vectors, so that number must not stand for a mixture.
    if (c != codec::kConstant && codec_uses_[c] > codec_uses_[best]) best = c;
  }
  return static_cast<uint8_t>(best);
}

void ChunkWriter::Finish(const Parts& parts, base::ByteWriter* out) {
  uint8_t flags = 0;
  if (parts.stepped) {
    flags = kChunkStepped;
  } else if (ends_.size() > 1) {
    const uint64_t largest = ends_[ends_.size() - 2];
    flags = largest < 256 ? 0 : largest < 65536 ? 1 : largest <= UINT32_MAX ? 2 : 3;
    const size_t width = size_t{1} << flags;
    uint8_t* offsets = out->Extend((ends_.size() - 1) * width);
    for (size_t v = 0; v + 1 < ends_.size(); v++) {
      base::StoreLeWidth(offsets + v * width, ends_[v], width);
    }
  }
  if (parts.has_dictionary) {
    flags |= kChunkHasDictionary;
    out->U32(static_cast<uint32_t>(parts.dictionary_bytes));
  }
  if (parts.statistics_bytes > 0) {
    flags |= kChunkHasStatistics;
    out->U32(static_cast<uint32_t>(parts.statistics_bytes));
  }
  if (parts.model_bytes > 0) {
    flags |= kChunkHasModel;
    out->U32(static_cast<uint32_t>(parts.model_bytes));
  }
  out->U8(flags);
}

// Bytes of the codes of the sample vectors.
uint64_t ChunkWriter::SampleCodes(const uint8_t* nulls, std::span<const uint32_t> vector_rows) {
  scratch_.clear();
  base::ByteWriter writer(&scratch_);
  ForSampleVectors(vector_rows, [&](size_t at, size_t n) {
    WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer);
  });
  return scratch_.size();
}

bool ChunkWriter::ChooseWordDictionary(const WordShape& shape, const uint64_t* words,
                                       const uint8_t* nulls,
                                       std::span<const uint32_t> vector_rows) {
  const size_t rows = TotalRows(vector_rows);
  if (rows < 32 || shape.width < 2) return false;
  if (!SampleRepeats(&word_dictionary_, words, nulls, rows, &codes_)) return false;
  scratch_.clear();
  base::ByteWriter writer(&scratch_);
  size_t sampled = 0;
  ForSampleVectors(vector_rows, [&](size_t at, size_t n) {
    WriteWordVector(shape, words + at, nulls + at, n, &writer);
    sampled += n;
  });
  const uint64_t direct = scratch_.size();
  if (direct * 2 < sampled) return false;  // less than 4 bits a value: good enough
  if (!word_dictionary_.Build(words, nulls, rows, kMaxWordEntries, &codes_)) return false;
  const double share = static_cast<double>(rows) / static_cast<double>(sampled);
  const double with = static_cast<double>(SampleCodes(nulls, vector_rows)) * share +
                      static_cast<double>(word_dictionary_.entries().size() * shape.width + 8);
  return with < static_cast<double>(direct) * share * 0.9;
}

bool ChunkWriter::ChooseBytesDictionary(uint32_t fixed_width, const std::string_view* values,
                                        const uint8_t* nulls,
                                        std::span<const uint32_t> vector_rows) {
  const size_t rows = TotalRows(vector_rows);
  if (rows < 4) return false;
  if (!SampleRepeats(&bytes_dictionary_, values, nulls, rows, &codes_)) return false;
  const size_t limit = std::min(kMaxBytesEntries, rows / 2);
  if (!bytes_dictionary_.Build(values, nulls, rows, limit, &codes_)) return false;
  uint64_t dictionary = 8;
  for (const std::string_view v : bytes_dictionary_.entries()) {
    dictionary += v.size() + (fixed_width == 0 ? 2 : 0);
  }
  if (dictionary > kMaxDictionaryBytes) return false;
  const uint64_t codes = SampleCodes(nulls, vector_rows);
  scratch_.clear();
  base::ByteWriter writer(&scratch_);
  size_t sampled = 0;
  ForSampleVectors(vector_rows, [&](size_t at, size_t n) {
    WriteBytesVector(fixed_width, values + at, nulls + at, n, &writer);
    sampled += n;
  });
  const double share = static_cast<double>(rows) / static_cast<double>(sampled);
  // Codes decode far faster than strings and serve as group keys: ties go to them.
  return static_cast<double>(codes) * share + static_cast<double>(dictionary) <
         static_cast<double>(scratch_.size()) * share * 1.1;
}

ChunkSummary ChunkWriter::WriteWords(const ColumnShape& shape, uint64_t* words,
                                     const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                                     bool statistics, std::vector<uint8_t>* out) {
  ChunkSummary summary;
  const size_t rows = TotalRows(vector_rows);
  summary.null_count = CountNulls(nulls, rows);
  if (summary.null_count == rows) return summary;
  MakeCanonical(shape, words, rows);
  const WordShape word_shape = WordShapeOf(shape);
  base::ByteWriter writer(out);
  if (summary.null_count == 0 && AllEqual(words, rows)) {
    summary.codec = codec::kConstant;
    summary.has_range = true;
    summary.min = summary.max = words[0];
    writer.Width(words[0], shape.width);
    return summary;
  }
  std::vector<VectorStatistics> all;
  size_t at = 0;
  for (const uint32_t n : vector_rows) {
    const VectorStatistics s = ComputeStatistics(word_shape, words + at, nulls + at, n);
    MergeRange(word_shape, s, &summary.has_range, &summary.min, &summary.max);
    all.push_back(s);
    at += n;
  }
  if (!statistics || vector_rows.size() == 1) all.clear();
  if (level_ >= 2) {
    WriteSmallWords(word_shape, words, nulls, vector_rows, all, &summary, &writer);
    return summary;
  }
  const bool dictionary = ChooseWordDictionary(word_shape, words, nulls, vector_rows);
  BeginVectors(out->size());
  at = 0;
  for (const uint32_t n : vector_rows) {
    const uint8_t number =
        dictionary ? WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer)
                   : WriteWordVector(word_shape, words + at, nulls + at, n, &writer);
    EndVector(number, out->size());
    at += n;
  }
  summary.codec = dictionary ? uint8_t{codec::kDictionary} : MostUsedCodec();
  Parts parts;
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(word_dictionary_.entries(), shape.width, &writer);
  const size_t statistics_at = out->size();
  if (!all.empty()) WriteStatistics(word_shape, all, &writer);
  parts.has_dictionary = dictionary;
  parts.dictionary_bytes = statistics_at - dictionary_at;
  parts.statistics_bytes = out->size() - statistics_at;
  Finish(parts, &writer);
  return summary;
}

// ---- level 2 ---------------------------------------------------------------

namespace {

// Statistics of the mapped integers.
std::vector<VectorStatistics> MapStatistics(const Mapping& mapping,
                                            std::span<const VectorStatistics> statistics,
                                            std::span<const uint32_t> vector_rows) {
  std::vector<VectorStatistics> mapped(statistics.begin(), statistics.end());
  for (size_t v = 0; v < mapped.size() && mapping.used(); v++) {
    VectorStatistics& s = mapped[v];
    if (!s.has_range) continue;
    __extension__ typedef __int128 Int128;
    const auto base = static_cast<int64_t>(mapping.base);
    const Int128 offsets = Int128{s.sum} - Int128{base} * (vector_rows[v] - s.null_count);
    s.min = mapping.Down(s.min);
    s.max = mapping.Down(s.max);
    s.sum = static_cast<int64_t>(offsets / static_cast<Int128>(mapping.scale));
  }
  return mapped;
}

}  // namespace

bool ChunkWriter::EncodeRuns(const WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                             std::span<const uint32_t> vector_rows, Body* body) {
  const size_t rows = TotalRows(vector_rows);
  std::vector<uint64_t> lengths;
  std::vector<uint64_t> values;
  std::vector<uint8_t> missing;
  for (size_t i = 0; i < rows;) {
    if (lengths.size() == vector_rows.size() * kRunsPerVector) return false;
    size_t end = i + 1;
    while (end < rows && nulls[end] == nulls[i] && (nulls[i] || words[end] == words[i])) end++;
    lengths.push_back(end - i);
    values.push_back(nulls[i] ? 0 : words[i]);
    missing.push_back(nulls[i]);
    i = end;
  }
  const std::vector<uint8_t> none(lengths.size(), 0);
  base::ByteWriter out(&body->bytes);
  out.Varint(lengths.size());
  WriteWordList(kCodeShape, lengths, none, &out);
  WriteWordList(shape, values, missing, &out);
  body->stepped = true;
  body->codec = codec::kRuns;
  return true;
}

ChunkWriter::Body ChunkWriter::EncodeBody(const WordShape& shape, const uint64_t* words,
                                          const uint8_t* nulls,
                                          std::span<const uint32_t> vector_rows) {
  Body runs;
  const bool stepped = EncodeRuns(shape, words, nulls, vector_rows, &runs);
  codec::WordChunkEncoder encoder(shape);
  uint64_t dense[kMaxVectorRows];
  size_t at = 0;
  for (const uint32_t rows : vector_rows) {
    size_t n = 0;
    for (size_t i = at; i < at + rows; i++) {
      if (!nulls[i]) dense[n++] = words[i];
    }
    if (n > 0) encoder.Add({dense, n});
    at += rows;
  }
  encoder.Plan();
  Body body;
  base::ByteWriter out(&body.bytes);
  BeginVectors(0);
  at = 0;
  size_t next = 0;  // of the vectors with values
  for (const uint32_t rows : vector_rows) {
    const size_t null_count = CountNulls(nulls + at, rows);
    const size_t head = WriteVectorHead(nulls + at, rows, null_count, &out);
    uint8_t number = codec::kNone;
    if (null_count < rows) {
      number = encoder.EncodeVector(next++, &out);
      body.bytes[head] |= number;
    }
    EndVector(number, body.bytes.size());
    at += rows;
  }
  body.codec = MostUsedCodec();
  body.ends = ends_;
  base::ByteWriter tables(&body.tables);
  if (encoder.tables() > 0) encoder.WriteTables(&tables);
  return stepped && runs.size() <= body.size() ? runs : body;
}

void ChunkWriter::WriteSmallWords(const WordShape& shape, const uint64_t* words,
                                  const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                                  std::span<const VectorStatistics> statistics,
                                  ChunkSummary* summary, base::ByteWriter* out) {
  const size_t rows = TotalRows(vector_rows);
  Mapping mapping;
  WordShape body_shape = shape;
  std::vector<uint64_t> mapped;
  const uint64_t* body_words = words;
  if (shape.kind == WordKind::kInt) {
    mapping = ChooseMapping(summary->min, summary->max, words, nulls, rows);
    if (mapping.used()) {
      mapped.resize(rows);
      for (size_t i = 0; i < rows; i++) mapped[i] = nulls[i] ? 0 : mapping.Down(words[i]);
      body_words = mapped.data();
      body_shape = kCodeShape;
    }
  }
  Body body = EncodeBody(body_shape, body_words, nulls, vector_rows);
  bool dictionary = false;
  // Codes of few values far apart. Entries in order keep what lies in the order of values.
  if (!body.stepped && rows >= 32 && shape.width >= 2 &&
      SampleRepeats(&word_dictionary_, words, nulls, rows, &codes_) &&
      word_dictionary_.Build(words, nulls, rows, kMaxWordEntries, &codes_) &&
      word_dictionary_.entries().size() * shape.width < body.size()) {
    word_dictionary_.Sort(&codes_);
    Body codes = EncodeBody(kCodeShape, codes_.data(), nulls, vector_rows);
    const size_t bytes = codes.size() + word_dictionary_.entries().size() * shape.width + 6;
    if (bytes < body.size()) {
      body = std::move(codes);
      mapping = Mapping();
      dictionary = true;
    }
  }
  summary->codec = dictionary ? uint8_t{codec::kDictionary} : body.codec;
  out->Bytes(body.bytes.data(), body.bytes.size());
  ends_ = body.ends;
  Parts parts;
  parts.has_dictionary = dictionary;
  parts.stepped = body.stepped;
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(word_dictionary_.entries(), shape.width, out);
  const size_t statistics_at = out->size();
  if (!statistics.empty()) {
    WriteStatistics(shape, MapStatistics(mapping, statistics, vector_rows), out);
  }
  const size_t model_at = out->size();
  if (mapping.used() || !body.tables.empty()) {
    out->U8(static_cast<uint8_t>((mapping.used() ? kModelMapping : 0) |
                                 (body.tables.empty() ? 0 : kModelTables)));
    if (mapping.used()) {
      out->Zig(static_cast<int64_t>(mapping.base));
      out->Varint(mapping.scale);
    }
    out->Bytes(body.tables.data(), body.tables.size());
  }
  parts.dictionary_bytes = statistics_at - dictionary_at;
  parts.statistics_bytes = model_at - statistics_at;
  parts.model_bytes = out->size() - model_at;
  Finish(parts, out);
}

// ---- byte strings ------------------------------------------------------------

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
  size_t at = 0;
  for (const uint32_t n : vector_rows) {
    const size_t before = dense.size();
    for (size_t i = at; i < at + n; i++) {
      if (!nulls[i]) dense.push_back(values[i]);
    }
    counts.push_back(static_cast<uint32_t>(dense.size() - before));
    at += n;
  }
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

ChunkSummary ChunkWriter::WriteStrings(const ColumnShape& shape, const std::string_view* values,
                                       const uint8_t* nulls,
                                       std::span<const uint32_t> vector_rows,
                                       std::vector<uint8_t>* out) {
  ChunkSummary summary;
  const size_t rows = TotalRows(vector_rows);
  summary.null_count = CountNulls(nulls, rows);
  if (summary.null_count == rows) return summary;
  const uint32_t width = FixedWidth(shape);
  base::ByteWriter writer(out);
  if (summary.null_count == 0 && values[0].size() <= kMaxConstantBytes &&
      AllEqual(values, rows)) {
    summary.codec = codec::kConstant;
    writer.Bytes(values[0].data(), values[0].size());
    return summary;
  }
  const bool dictionary = ChooseBytesDictionary(width, values, nulls, vector_rows);
  Parts parts;
  Body body;
  if (dictionary && level_ >= 2) {
    body = EncodeBody(kCodeShape, codes_.data(), nulls, vector_rows);
    writer.Bytes(body.bytes.data(), body.bytes.size());
    ends_ = body.ends;
    parts.stepped = body.stepped;
  } else {
    BeginVectors(out->size());
    size_t at = 0;
    for (const uint32_t n : vector_rows) {
      const uint8_t number =
          dictionary ? WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer)
                     : WriteBytesVector(width, values + at, nulls + at, n, &writer);
      EndVector(number, out->size());
      at += n;
    }
  }
  summary.codec = dictionary ? uint8_t{codec::kDictionary} : MostUsedCodec();
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(bytes_dictionary_.entries(), width, &writer);
  const size_t model_at = out->size();
  if (!body.tables.empty()) {
    writer.U8(kModelTables);
    writer.Bytes(body.tables.data(), body.tables.size());
  }
  parts.has_dictionary = dictionary;
  parts.dictionary_bytes = model_at - dictionary_at;
  parts.model_bytes = out->size() - model_at;
  Finish(parts, &writer);
  return summary;
}

}  // namespace nodedb_ts::segment
