#include "segment/chunk_writer.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "base/words.h"
#include "codec/shared/mapping.h"
#include "segment/chunk_writer_helpers.h"

namespace nodedb_ts::segment {
namespace {

using codec::ChooseMapping;
using codec::Mapping;
using codec::WordKind;
using codec::WordShape;

constexpr size_t kMaxWordEntries = 8192;
constexpr size_t kWordSampleRows = 4096;  // at level 2
constexpr size_t kRunsPerVector = 2;  // up to these runs a chunk may be stepped

}  // namespace

uint8_t WriteWordVector(const WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                        size_t count, base::ByteWriter* out, const base::WordBounds* bounds) {
  const size_t null_count = CountNulls(nulls, count);
  const size_t head = WriteVectorHead(nulls, count, null_count, out);
  if (null_count == count) return codec::kNone;
  uint8_t number;
  if (null_count == 0) {
    number = codec::EncodeWords(shape, {words, count}, out, bounds);
  } else {
    uint64_t dense[kMaxVectorRows];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
      dense[n] = words[i];
      n += nulls[i] ^ 1;
    }
    number = codec::EncodeWords(shape, {dense, n}, out, bounds);
  }
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
  if (parts.shared_bytes > 0) {
    flags |= kChunkHasShared;
    out->U32(static_cast<uint32_t>(parts.shared_bytes));
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

void ChunkWriter::Sample::Note(size_t vector, uint8_t codec) {
  vectors[count] = static_cast<uint32_t>(vector);
  ends[count] = bytes.size();
  codecs[count++] = codec;
}

bool ChunkWriter::Sample::Copy(size_t vector, base::ByteWriter* out, uint8_t* codec) const {
  for (uint32_t i = 0; i < count; i++) {
    if (vectors[i] != vector) continue;
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    out->Bytes(bytes.data() + begin, ends[i] - begin);
    *codec = codecs[i];
    return true;
  }
  return false;
}

// Bytes of the codes of the sample vectors.
uint64_t ChunkWriter::SampleCodes(const uint8_t* nulls, std::span<const uint32_t> vector_rows) {
  codes_sample_.Clear();
  base::ByteWriter writer(&codes_sample_.bytes);
  ForSampleVectors(vector_rows, [&](size_t v, size_t at, size_t n) {
    codes_sample_.Note(v, WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer));
  });
  return codes_sample_.bytes.size();
}

// Would codes take about what the values do? Judged by the codes of a strided sample, which are
// no wider than those of all rows: numbering all of them costs more than encoding them. Rows with
// runs are not judged so, since the sample has none.
bool ChunkWriter::CodesAreWide(const uint64_t* words, std::span<const uint32_t> vector_rows,
                               uint64_t direct, size_t sampled) {
  const size_t n = vector_rows[0];
  if (base::CountChanges(words, n) * 4 <= n) return false;
  scratch_.clear();
  base::ByteWriter writer(&scratch_);
  const size_t count = std::min(codes_.size(), kMaxVectorRows);
  codec::EncodeWords(kCodeShape, {codes_.data(), count}, &writer);
  return static_cast<double>(scratch_.size()) * static_cast<double>(sampled) >=
         static_cast<double>(direct) * 0.9 * static_cast<double>(count);
}

bool ChunkWriter::ChooseWordDictionary(const WordShape& shape, const uint64_t* words,
                                       const uint8_t* nulls,
                                       std::span<const uint32_t> vector_rows) {
  const size_t rows = TotalRows(vector_rows);
  values_sample_.Clear();
  if (rows < 32 || shape.width < 2) return false;
  if (!SampleRepeats(&word_dictionary_, words, nulls, rows, &codes_)) return false;
  base::ByteWriter writer(&values_sample_.bytes);
  size_t sampled = 0;
  ForSampleVectors(vector_rows, [&](size_t v, size_t at, size_t n) {
    values_sample_.Note(v, WriteWordVector(shape, words + at, nulls + at, n, &writer));
    sampled += n;
  });
  const uint64_t direct = values_sample_.bytes.size();
  if (direct * 2 < sampled) return false;  // less than 4 bits a value: good enough
  if (!SampleIsAll(rows) && CodesAreWide(words, vector_rows, direct, sampled)) return false;
  if (!SampleIsAll(rows) &&
      !word_dictionary_.Build(words, nulls, rows, kMaxWordEntries, &codes_)) {
    return false;
  }
  const double share = static_cast<double>(rows) / static_cast<double>(sampled);
  const double with = static_cast<double>(SampleCodes(nulls, vector_rows)) * share +
                      static_cast<double>(word_dictionary_.entries().size() * shape.width + 8);
  return with < static_cast<double>(direct) * share * 0.9;
}

ChunkSummary ChunkWriter::WriteWords(const ColumnShape& shape, uint64_t* words,
                                     const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                                     bool statistics, std::vector<uint8_t>* out) {
  ChunkSummary summary;
  const size_t rows = TotalRows(vector_rows);
  summary.null_count = CountNulls(nulls, rows);
  if (summary.null_count == rows) return summary;
  MakeCanonical(shape, {words, rows});
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
  all.reserve(vector_rows.size());
  const auto note_statistics = [&](size_t at, size_t n) {
    all.push_back(ComputeStatistics(word_shape, words + at, nulls + at, n));
    MergeRange(word_shape, all.back(), &summary.has_range, &summary.min, &summary.max);
  };
  const bool with_statistics = statistics && vector_rows.size() > 1;
  size_t at = 0;
  if (level_ >= 2) {
    for (const uint32_t n : vector_rows) {
      note_statistics(at, n);
      at += n;
    }
    if (!with_statistics) all.clear();
    WriteSmallWords(word_shape, words, nulls, vector_rows, all, &summary, &writer);
    return summary;
  }
  const bool dictionary = ChooseWordDictionary(word_shape, words, nulls, vector_rows);
  BeginVectors(out->size());
  const Sample& sample = dictionary ? codes_sample_ : values_sample_;
  for (size_t v = 0; v < vector_rows.size(); v++) {
    const uint32_t n = vector_rows[v];
    uint8_t number;
    // Here, so that the vector is fetched once.
    note_statistics(at, n);
    if (!sample.Copy(v, &writer, &number)) {
      const base::WordBounds bounds = {static_cast<int64_t>(all[v].min), static_cast<int64_t>(all[v].max)};
      number = dictionary ? WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer)
                          : WriteWordVector(word_shape, words + at, nulls + at, n, &writer, &bounds);
    }
    EndVector(number, out->size());
    at += n;
  }
  summary.codec = dictionary ? uint8_t{codec::kDictionary} : MostUsedCodec();
  Parts parts;
  const size_t dictionary_at = out->size();
  if (dictionary) codec::WriteDictionary(word_dictionary_.entries(), shape.width, &writer);
  const size_t statistics_at = out->size();
  if (with_statistics) WriteStatistics(word_shape, all, &writer);
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
  std::vector<uint64_t> dense;
  std::vector<uint32_t> counts;
  GatherDense(words, nulls, vector_rows, &dense, &counts);
  size_t at = 0;
  for (const uint32_t n : counts) {
    if (n > 0) encoder.Add(std::span<const uint64_t>(dense).subspan(at, n));
    at += n;
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

// Numbers the distinct values when enough of them come more than once.
bool ChunkWriter::BuildWordDictionary(const uint64_t* words, const uint8_t* nulls, size_t rows) {
  const size_t step = std::max<size_t>(1, rows / kWordSampleRows);
  const std::vector<uint64_t> sample = StridedSample(words, nulls, rows, step);
  const std::vector<uint8_t> none(sample.size(), 0);
  // A few repeats in a sample mean many in all rows.
  const size_t most = sample.size() * (step > 2 ? 31 : 16) / 32;
  return most > 0 &&
         word_dictionary_.Build(sample.data(), none.data(), sample.size(), most, &codes_) &&
         word_dictionary_.Build(words, nulls, rows, rows / 2, &codes_);
}

// The entries in the order of values, which their codes keep then.
void ChunkWriter::PackWordDictionary(const WordShape& shape, std::vector<uint8_t>* packed) {
  std::vector<std::pair<uint64_t, uint32_t>> order;
  for (const uint64_t v : word_dictionary_.entries()) {
    order.emplace_back(OrderOf(shape, v), static_cast<uint32_t>(order.size()));
  }
  std::sort(order.begin(), order.end());
  std::vector<uint64_t> rank(order.size());
  std::vector<uint64_t> sorted;
  for (const auto& [key, entry] : order) {
    rank[entry] = sorted.size();
    sorted.push_back(word_dictionary_.entries()[entry]);
  }
  for (uint64_t& code : codes_) code = rank[code];
  base::ByteWriter out(packed);
  out.Varint(sorted.size());
  WriteWordList(shape, sorted, std::vector<uint8_t>(sorted.size(), 0), &out);
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
  std::vector<uint8_t> entries;
  bool dictionary = false;
  // Where the integers are dense, codes are no smaller.
  const auto dense = [&](size_t count) {
    const uint64_t range = (summary->max - summary->min) / mapping.scale;
    return shape.kind == WordKind::kInt && range < count + count / 4;
  };
  if (!body.stepped && rows >= 32 && shape.width >= 2 &&
      BuildWordDictionary(body_words, nulls, rows) &&
      !dense(word_dictionary_.entries().size())) {
    PackWordDictionary(body_shape, &entries);
    if (entries.size() < body.size()) {
      Body codes = EncodeBody(kCodeShape, codes_.data(), nulls, vector_rows);
      if (codes.size() + entries.size() < body.size()) {
        body = std::move(codes);
        dictionary = true;
      }
    }
  }
  if (!dictionary) entries.clear();
  summary->codec = dictionary ? uint8_t{codec::kDictionary} : body.codec;
  out->Bytes(body.bytes.data(), body.bytes.size());
  ends_ = body.ends;
  Parts parts;
  parts.stepped = body.stepped;
  const size_t statistics_at = out->size();
  if (!statistics.empty()) {
    WriteStatistics(shape, MapStatistics(mapping, statistics, vector_rows), out);
  }
  const size_t model_at = out->size();
  WriteModel(mapping, body.tables, entries, out);
  parts.statistics_bytes = model_at - statistics_at;
  parts.model_bytes = out->size() - model_at;
  Finish(parts, out);
}

}  // namespace nodedb_ts::segment
