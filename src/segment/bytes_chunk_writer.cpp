// The byte strings of a chunk: which form takes least, and its bytes.
#include <algorithm>
#include <cstring>
#include <limits>

#include "segment/chunk_writer.h"
#include "segment/chunk_writer_helpers.h"

namespace nodedb_ts::segment {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr uint64_t kMinPackedBytes = 512;    // less is not worth a frame
constexpr uint64_t kMinTokensBytes = 2048;
constexpr uint64_t kMaxTokensBytes = uint64_t{16} << 20;  // learning takes a few times as much
constexpr double kWorthTokens = 1024;        // what others take
constexpr double kWorthTokensForCodes = 16384;
constexpr uint64_t kZstdDictionaryBytes = uint64_t{64} << 10;
constexpr double kWorthTrained = 0.97;
constexpr double kWorthTrainedForCodes = 0.9;
constexpr double kMinFsstBytes = 128 << 10;  // less is not worth learning symbols
constexpr double kFsstShare = 0.2;   // of the values; what frames make smaller, symbols do not
constexpr size_t kFsstPieceBytes = 512;
constexpr uint64_t kMaxFsstSampleBytes = uint64_t{1} << 20;  // of longer values frames take far less

// Bytes of the values of the sample vectors.
uint64_t SampleRawBytes(const std::string_view* values, const uint8_t* nulls,
                        std::span<const uint32_t> vector_rows) {
  uint64_t raw = 0;
  ForSampleVectors(vector_rows, [&](size_t, size_t at, size_t n) {
    for (size_t i = at; i < at + n; i++) raw += nulls[i] ? 0 : values[i].size();
  });
  return raw;
}

// Pieces of consecutive values from all over a chunk.
std::vector<uint8_t> SampleText(const std::string_view* values, const uint8_t* nulls, size_t rows) {
  std::vector<uint8_t> text;
  constexpr size_t kPieces = codec::kFsstSampleBytes / kFsstPieceBytes;
  for (size_t piece = 0; piece < kPieces; piece++) {
    const size_t end = rows * (piece + 1) / kPieces;
    size_t left = kFsstPieceBytes;
    for (size_t i = rows * piece / kPieces; i < end && left > 0; i++) {
      if (nulls[i]) continue;
      const size_t n = std::min(left, values[i].size());
      text.insert(text.end(), values[i].begin(), values[i].begin() + static_cast<ptrdiff_t>(n));
      left -= n;
    }
  }
  return text;
}

}  // namespace

uint8_t ChunkWriter::WriteBytesVector(uint32_t fixed_width, const std::string_view* values,
                                      const uint8_t* nulls, size_t count, base::ByteWriter* out) {
  const size_t null_count = CountNulls(nulls, count);
  const size_t head = WriteVectorHead(nulls, count, null_count, out);
  if (null_count == count) return codec::kNone;
  std::span<const std::string_view> dense(values, count);
  if (null_count > 0) {
    dense_.clear();
    for (size_t i = 0; i < count; i++) {
      if (!nulls[i]) dense_.push_back(values[i]);
    }
    dense = dense_;
  }
  const uint8_t number = bytes_encoder_.Encode(fixed_width, dense, out);
  (*out->vector())[head] |= number;
  return number;
}

uint64_t ChunkWriter::SampleBytes(uint32_t fixed_width, const std::string_view* values,
                                  const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                                  Sample* sample) {
  sample->Clear();
  base::ByteWriter writer(&sample->bytes);
  ForSampleVectors(vector_rows, [&](size_t v, size_t at, size_t n) {
    sample->Note(v, WriteBytesVector(fixed_width, values + at, nulls + at, n, &writer));
  });
  return sample->bytes.size();
}

uint64_t ChunkWriter::DictionaryBytes(uint32_t fixed_width) const {
  uint64_t bytes = 8;
  for (const std::string_view v : bytes_dictionary_.entries()) bytes += v.size() + (fixed_width == 0 ? 2 : 0);
  return bytes;
}

void ChunkWriter::AppendDictionary(uint32_t fixed_width, Parts* parts, base::ByteWriter* out) {
  const size_t start = out->size();
  codec::WriteDictionary(bytes_dictionary_.entries(), fixed_width, out);
  parts->has_dictionary = true;
  parts->dictionary_bytes = out->size() - start;
}

double ChunkWriter::TryBytesDictionary(uint32_t fixed_width, const std::string_view* values,
                                       const uint8_t* nulls,
                                       std::span<const uint32_t> vector_rows) {
  shared_.clear();
  const size_t rows = TotalRows(vector_rows);
  if (rows < 4) return kNever;
  // A sample misses the repetitions of sorted rows, so level 2 has a look at all.
  if (level_ < 2 && !SampleRepeats(&bytes_dictionary_, values, nulls, rows, &codes_)) {
    return kNever;
  }
  const size_t limit = std::min(kMaxBytesEntries, rows / 2);
  if ((level_ >= 2 || !SampleIsAll(rows)) &&
      !bytes_dictionary_.Build(values, nulls, rows, limit, &codes_)) {
    return kNever;
  }
  uint64_t dictionary = DictionaryBytes(fixed_width);
  if (dictionary > kMaxDictionaryBytes) return kNever;
  if (level_ >= 2 && dictionary >= kMinPackedBytes) {
    scratch_.clear();
    base::ByteWriter writer(&scratch_);
    codec::WriteFrontCoded(bytes_dictionary_.entries(), &writer);
    bytes_encoder_.Pack(scratch_, &shared_);
    // A plain one is read without a copy.
    if (shared_.size() < dictionary - dictionary / 4) {
      dictionary = shared_.size();
    } else {
      shared_.clear();
    }
  }
  const double codes = static_cast<double>(SampleCodes(nulls, vector_rows));
  return codes * ShareOfSample(vector_rows) + static_cast<double>(dictionary);
}

// Decodes what was encoded: the coder is too intricate to be trusted with the only copy.
bool ChunkWriter::TokensAreSound(std::span<const std::string_view> dense) const {
  codec::TokenModel model;
  if (!model.Open({shared_.data(), shared_.size()})) return false;
  std::vector<uint8_t> bytes;
  uint64_t lengths[kMaxVectorRows];
  size_t begin = 0;
  size_t next = 0;
  for (size_t v = 0; v < vector_values_.size(); v++) {
    const uint32_t n = vector_values_[v];
    base::ByteReader in(token_bytes_.data() + begin, token_ends_[v] - begin);
    begin = token_ends_[v];
    if (n == 0) continue;
    uint64_t total;
    uint64_t expected = 0;
    for (size_t i = 0; i < n; i++) expected += dense[next + i].size();
    if (!in.ReadVarint(&total) || total != expected || total > kMaxVectorBytes) return false;
    if (total / kMaxTokensRatio > in.remaining() + shared_.size()) return false;
    bytes.resize(total);
    if (!model.Decode(in, {lengths, n}, bytes.data(), total)) return false;
    const uint8_t* at = bytes.data();
    for (size_t i = 0; i < n; i++) {
      const std::string_view v_in = dense[next + i];
      if (lengths[i] != v_in.size()) return false;
      if (!v_in.empty() && std::memcmp(at, v_in.data(), v_in.size()) != 0) return false;
      at += lengths[i];
    }
    next += n;
  }
  return true;
}

double ChunkWriter::TryTokens(const std::string_view* values, const uint8_t* nulls,
                              std::span<const uint32_t> vector_rows) {
  std::vector<std::string_view> dense;
  GatherDense(values, nulls, vector_rows, &dense, &vector_values_);
  std::vector<uint64_t> totals;  // bytes of each vector
  uint64_t raw = 0;
  uint64_t bitmaps = 0;
  size_t next = 0;
  for (size_t v = 0; v < vector_rows.size(); v++) {
    const uint32_t present = vector_values_[v];
    totals.push_back(0);
    for (uint32_t i = 0; i < present; i++) totals[v] += dense[next++].size();
    if (totals[v] > kMaxVectorBytes) return kNever;
    if (present > 0 && present < vector_rows[v]) bitmaps += (vector_rows[v] + 7) / 8;
    raw += totals[v];
  }
  if (raw < kMinTokensBytes || raw > kMaxTokensBytes) return kNever;
  codec::TokenEncoder encoder;
  if (!encoder.Learn(dense, vector_values_)) return kNever;
  token_bytes_.clear();
  token_ends_.clear();
  base::ByteWriter writer(&token_bytes_);
  for (size_t v = 0; v < vector_values_.size(); v++) {
    if (vector_values_[v] > 0) {
      writer.Varint(totals[v]);
      encoder.Encode(v, &token_bytes_);
    }
    token_ends_.push_back(token_bytes_.size());
  }
  shared_ = encoder.shared();
  if (!TokensAreSound(dense)) return kNever;
  return static_cast<double>(token_bytes_.size() + shared_.size() + bitmaps);
}

double ChunkWriter::TryZstdDictionary(uint32_t fixed_width, const std::string_view* values,
                                      const uint8_t* nulls,
                                      std::span<const uint32_t> vector_rows, double share) {
  // Rows from all over the chunk.
  const size_t rows = TotalRows(vector_rows);
  uint64_t raw = 0;
  for (size_t i = 0; i < rows; i++) raw += nulls[i] ? 0 : values[i].size();
  const uint64_t want = std::min<uint64_t>(kZstdDictionaryBytes, raw / 16);
  if (want < kMinPackedBytes || vector_rows.size() < 4) return kNever;
  std::vector<uint8_t> content;
  const size_t step = std::max<size_t>(1, static_cast<size_t>(raw / want));
  for (size_t i = step / 2; i < rows && content.size() < want; i += step) {
    if (!nulls[i]) content.insert(content.end(), values[i].begin(), values[i].end());
  }
  if (content.size() > codec::kMaxZstdDictionary) content.resize(codec::kMaxZstdDictionary);
  shared_.clear();
  bytes_encoder_.Pack(content, &shared_);
  bytes_encoder_.UseDictionary(content);
  const uint64_t sample = SampleBytes(fixed_width, values, nulls, vector_rows, &values_sample_);
  return static_cast<double>(sample) * share + static_cast<double>(shared_.size());
}

double ChunkWriter::TryTrained(uint32_t fixed_width, const std::string_view* values,
                               const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                               double share) {
  if (trained_ == nullptr) return kNever;
  bytes_encoder_.UseTrained(trained_);
  const uint64_t sample = SampleBytes(fixed_width, values, nulls, vector_rows, &trained_sample_);
  bytes_encoder_.UseTrained(nullptr);
  return static_cast<double>(sample) * share;
}

// From here on vectors are written with the trained dictionary.
void ChunkWriter::TakeTrained() {
  shared_.clear();
  std::swap(values_sample_, trained_sample_);
  bytes_encoder_.UseTrained(trained_);
}

double ChunkWriter::TryFsst(uint32_t fixed_width, const std::string_view* values,
                            const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                            double other) {
  const double share = ShareOfSample(vector_rows);
  const uint64_t sample = SampleRawBytes(values, nulls, vector_rows);
  const double raw = static_cast<double>(sample) * share;
  if (sample > kMaxFsstSampleBytes || raw < kMinFsstBytes || other < raw * kFsstShare) return kNever;
  if (!symbols_.Learn(SampleText(values, nulls, TotalRows(vector_rows)))) return kNever;
  symbols_table_.clear();
  base::ByteWriter table(&symbols_table_);
  symbols_.WriteTable(&table);
  bytes_encoder_.UseSymbols(&symbols_);
  const uint64_t coded = SampleBytes(fixed_width, values, nulls, vector_rows, &symbols_sample_);
  bytes_encoder_.UseSymbols(nullptr);
  return static_cast<double>(coded) * share + static_cast<double>(symbols_table_.size());
}

// From here on vectors are written as codes of the symbols that TryFsst learned.
void ChunkWriter::TakeFsst() {
  shared_ = symbols_table_;
  std::swap(values_sample_, symbols_sample_);
  bytes_encoder_.UseSymbols(&symbols_);
}

ChunkWriter::BytesForm ChunkWriter::ChooseBytesForm(uint32_t fixed_width,
                                                    const std::string_view* values,
                                                    const uint8_t* nulls,
                                                    std::span<const uint32_t> vector_rows) {
  values_sample_.Clear();
  double best = TryBytesDictionary(fixed_width, values, nulls, vector_rows);
  BytesForm form = BytesForm::kDictionary;
  const double share = ShareOfSample(vector_rows);
  if (level_ < 2 && best == kNever) {
    const uint64_t raw = SampleRawBytes(values, nulls, vector_rows);
    // Nothing to choose; and a huge value is written where it shall stand at once.
    const bool small = static_cast<double>(raw) * share < kMinFsstBytes;
    if ((small && trained_ == nullptr) || raw > kMaxFsstSampleBytes) return BytesForm::kVectors;
  }
  const double plain =
      static_cast<double>(SampleBytes(fixed_width, values, nulls, vector_rows, &values_sample_)) * share;
  if (best >= MostForCodes(plain, TotalRows(vector_rows), level_)) {
    best = plain;
    form = BytesForm::kVectors;
  }
  if (level_ < 2 && form == BytesForm::kDictionary) return form;
  const double trained = TryTrained(fixed_width, values, nulls, vector_rows, share);
  if (trained < best * (form == BytesForm::kDictionary ? kWorthTrainedForCodes : kWorthTrained)) {
    best = trained;
    form = BytesForm::kTrained;
  }
  if (level_ < 2) {
    // Symbols decode two to five times as fast as frames.
    if (TryFsst(fixed_width, values, nulls, vector_rows, best) > best * 1.05) {
      if (form == BytesForm::kTrained) TakeTrained();
      return form;
    }
    TakeFsst();
    return BytesForm::kFsst;
  }
  std::vector<uint8_t> packed_dictionary = std::move(shared_);
  const bool codes = form == BytesForm::kDictionary;
  if (fixed_width == 0 && best >= (codes ? kWorthTokensForCodes : kWorthTokens)) {
    const double tokens = TryTokens(values, nulls, vector_rows);
    if (tokens < best * (codes ? 0.6 : 0.9)) return BytesForm::kTokens;
  }
  if (!codes) {
    const double dictionary = TryZstdDictionary(fixed_width, values, nulls, vector_rows, share);
    const bool shares = dictionary < best * 0.95;
    if (shares) best = dictionary;
    std::vector<uint8_t> content = std::move(shared_);
    if (TryFsst(fixed_width, values, nulls, vector_rows, best) < best) {
      bytes_encoder_.UseDictionary({});
      TakeFsst();
      return BytesForm::kFsst;
    }
    if (shares) {
      shared_ = std::move(content);
      return BytesForm::kZstdDictionary;
    }
    bytes_encoder_.UseDictionary({});
  }
  if (form == BytesForm::kTrained) {
    TakeTrained();
    return form;
  }
  shared_ = std::move(packed_dictionary);
  return form;
}

void ChunkWriter::WriteTokensVector(size_t vector, const uint8_t* nulls, size_t count,
                                    base::ByteWriter* out) {
  const size_t head = WriteVectorHead(nulls, count, CountNulls(nulls, count), out);
  if (vector_values_[vector] == 0) return;
  (*out->vector())[head] |= codec::kBytesTokens;
  const size_t begin = vector == 0 ? 0 : token_ends_[vector - 1];
  out->Bytes(token_bytes_.data() + begin, token_ends_[vector] - begin);
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
  const BytesForm form = ChooseBytesForm(width, values, nulls, vector_rows);
  Parts parts;
  Body body;
  if (form == BytesForm::kDictionary && level_ >= 2) {
    body = EncodeBody(kCodeShape, codes_.data(), nulls, vector_rows);
    writer.Bytes(body.bytes.data(), body.bytes.size());
    ends_ = body.ends;
    parts.stepped = body.stepped;
  } else {
    BeginVectors(out->size());
    size_t at = 0;
    for (size_t v = 0; v < vector_rows.size(); v++) {
      const uint32_t n = vector_rows[v];
      uint8_t number = codec::kBytesTokens;
      // Level 2 tries more forms, and its sample may be of another one.
      const Sample& sample = form == BytesForm::kDictionary ? codes_sample_ : values_sample_;
      if (level_ < 2 && sample.Copy(v, &writer, &number)) {
        // encoded already
      } else if (form == BytesForm::kDictionary) {
        number = WriteWordVector(kCodeShape, codes_.data() + at, nulls + at, n, &writer);
      } else if (form == BytesForm::kTokens) {
        WriteTokensVector(v, nulls + at, n, &writer);
      } else {
        number = WriteBytesVector(width, values + at, nulls + at, n, &writer);
      }
      EndVector(number, out->size());
      at += n;
    }
  }
  switch (form) {
    case BytesForm::kVectors: summary.codec = MostUsedCodec(); break;
    case BytesForm::kDictionary: summary.codec = codec::kDictionary; break;
    case BytesForm::kTokens: summary.codec = codec::kBytesTokens; break;
    case BytesForm::kZstdDictionary:
      summary.codec = codec::kBytesZstdDictionary;
      bytes_encoder_.UseDictionary({});
      break;
    case BytesForm::kFsst:
      summary.codec = codec::kBytesFsst;
      bytes_encoder_.UseSymbols(nullptr);
      break;
    case BytesForm::kTrained:
      summary.codec = codec::kBytesTrained;
      bytes_encoder_.UseTrained(nullptr);
      break;
  }
  if (form != BytesForm::kVectors && !shared_.empty()) {
    writer.Bytes(shared_.data(), shared_.size());
    parts.shared_bytes = shared_.size();
  } else if (form == BytesForm::kDictionary) {
    AppendDictionary(width, &parts, &writer);
  }
  const size_t model_at = out->size();
  WriteModel({}, body.tables, {}, &writer);
  parts.model_bytes = out->size() - model_at;
  Finish(parts, &writer);
  return summary;
}

}  // namespace nodedb_ts::segment
