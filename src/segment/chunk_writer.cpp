#include "segment/chunk_writer.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {
namespace {

using codec::WordKind;
using codec::WordShape;

constexpr WordShape kCodeShape = {WordKind::kInt, 8};
constexpr size_t kMaxWordEntries = 8192;
constexpr size_t kMaxBytesEntries = 65536;
constexpr uint64_t kMaxDictionaryBytes = kMaxVectorBytes;
constexpr size_t kSampleVectors = 3;
constexpr size_t kSampleRows = 512;

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

// The byte that a vector starts with and, when needed, the bitmap of its NULLs.
// Returns where the byte is, for the codec to be filled in.
size_t WriteVectorHead(const uint8_t* nulls, size_t count, size_t null_count,
                       base::ByteWriter* out) {
  const size_t at = out->size();
  if (null_count == 0) {
    out->U8(kNoNulls << kNullModeShift);
  } else if (null_count == count) {
    out->U8(kAllNulls << kNullModeShift);
  } else {
    out->U8(kNullBitmap << kNullModeShift);
    uint8_t* bitmap = out->Extend((count + 7) / 8);
    for (size_t i = 0; i < count; i++) {
      bitmap[i / 8] = static_cast<uint8_t>(bitmap[i / 8] | nulls[i] << (i % 8));
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

void ChunkWriter::Finish(bool has_dictionary, size_t dictionary_bytes, size_t statistics_bytes,
                         base::ByteWriter* out) {
  uint8_t flags = 0;
  if (ends_.size() > 1) {
    const uint64_t largest = ends_[ends_.size() - 2];
    flags = largest < 256 ? 0 : largest < 65536 ? 1 : largest <= UINT32_MAX ? 2 : 3;
    const size_t width = size_t{1} << flags;
    uint8_t* offsets = out->Extend((ends_.size() - 1) * width);
    for (size_t v = 0; v + 1 < ends_.size(); v++) {
      base::StoreLeWidth(offsets + v * width, ends_[v], width);
    }
  }
  if (has_dictionary) {
    flags |= kChunkHasDictionary;
    out->U32(static_cast<uint32_t>(dictionary_bytes));
  }
  if (statistics_bytes > 0) {
    flags |= kChunkHasStatistics;
    out->U32(static_cast<uint32_t>(statistics_bytes));
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
  const bool dictionary = ChooseWordDictionary(word_shape, words, nulls, vector_rows);
  std::vector<VectorStatistics> all;
  BeginVectors(out->size());
  size_t at = 0;
  for (const uint32_t n : vector_rows) {
    const VectorStatistics s = ComputeStatistics(word_shape, words + at, nulls + at, n);
    MergeRange(word_shape, s, &summary.has_range, &summary.min, &summary.max);
    all.push_back(s);
    const uint8_t number =
        dictionary ? WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer)
                   : WriteWordVector(word_shape, words + at, nulls + at, n, &writer);
    EndVector(number, out->size());
    at += n;
  }
  summary.codec = dictionary ? uint8_t{codec::kDictionary} : MostUsedCodec();
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(word_dictionary_.entries(), shape.width, &writer);
  const size_t statistics_at = out->size();
  if (statistics && vector_rows.size() > 1) WriteStatistics(word_shape, all, &writer);
  Finish(dictionary, statistics_at - dictionary_at, out->size() - statistics_at, &writer);
  return summary;
}

ChunkSummary ChunkWriter::WriteBytes(const ColumnShape& shape, const std::string_view* values,
                                     const uint8_t* nulls, std::span<const uint32_t> vector_rows,
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
  BeginVectors(out->size());
  size_t at = 0;
  for (const uint32_t n : vector_rows) {
    const uint8_t number =
        dictionary ? WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer)
                   : WriteBytesVector(width, values + at, nulls + at, n, &writer);
    EndVector(number, out->size());
    at += n;
  }
  summary.codec = dictionary ? uint8_t{codec::kDictionary} : MostUsedCodec();
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(bytes_dictionary_.entries(), width, &writer);
  Finish(dictionary, out->size() - dictionary_at, 0, &writer);
  return summary;
}

}  // namespace nodedb_ts::segment
