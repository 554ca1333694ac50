// chunk_writer.h - the values of one column in one row group, as a chunk.
#ifndef NODEDB_TS_SEGMENT_CHUNK_WRITER_H
#define NODEDB_TS_SEGMENT_CHUNK_WRITER_H

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "codec/dictionary/dictionary.h"
#include "codec/fsst/fsst.h"
#include "codec/shared/word_chunk.h"
#include "codec/tokens/token_encoder.h"
#include "codec/zstd/trained.h"
#include "codec/zstd/zstd.h"
#include "segment/format.h"
#include "segment/row_source.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {

// What the footer says of a chunk beside its place.
struct ChunkSummary {
  uint8_t codec = codec::kNone;  // kNone: all NULL, no bytes
  uint64_t null_count = 0;
  bool has_range = false;        // words with a value that is not NULL
  uint64_t min = 0;              // words; floats in PostgreSQL's order (NaN is greatest)
  uint64_t max = 0;
};

// Appends one vector of words (INT, FLOAT4, FLOAT8) with its NULLs; returns the codec.
// count 1..1024; words must be canonical for the shape.
// bounds: of integers that are not NULL, if they are known.
uint8_t WriteWordVector(const codec::WordShape& shape, const uint64_t* words,
                        const uint8_t* nulls, size_t count, base::ByteWriter* out,
                        const base::WordBounds* bounds = nullptr);

// Keeps buffers between chunks; one thread.
class ChunkWriter {
 public:
  // zstd_level: of level 2, 0: a good default.
  explicit ChunkWriter(uint8_t level, int zstd_level = 0)
      : level_(level), bytes_encoder_(level, zstd_level) {}

  // Byte strings may refer to this dictionary from now on, which the reader has to know; NULL: to none. Borrowed.
  void UseTrained(const codec::TrainedDictionary* trained) { trained_ = trained; }

  // Both append the chunk to *out (nothing when all values are NULL).
  // vector_rows: rows of each vector, all 1..1024. words: are made canonical in place.
  ChunkSummary WriteWords(const ColumnShape& shape, uint64_t* words, const uint8_t* nulls,
                          std::span<const uint32_t> vector_rows, bool statistics,
                          std::vector<uint8_t>* out);
  ChunkSummary WriteBytes(const ColumnShape& shape, const std::string_view* values,
                          const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                          std::vector<uint8_t>* out);
  // As WriteBytes, of values that come in runs, unless another form than constants and codes may take less: then false, and
  // nothing is written. REQUIRES level 1.
  bool WriteRuns(const ColumnShape& shape, const ByteRuns& runs, std::span<const uint32_t> vector_rows,
                 std::vector<uint8_t>* out, ChunkSummary* summary);

 private:
  // Vectors that were encoded to judge a form: the first, middle and last one of a chunk.
  struct Sample {
    std::vector<uint8_t> bytes;
    uint32_t count = 0;
    uint32_t vectors[3];
    size_t ends[3];
    uint8_t codecs[3];

    void Clear() {
      bytes.clear();
      count = 0;
    }
    // Once for each, behind its bytes.
    void Note(size_t vector, uint8_t codec);
    // Appends the vector, which is not encoded anew then; false: it is none of these.
    bool Copy(size_t vector, base::ByteWriter* out, uint8_t* codec) const;
  };

  // The vectors of a chunk at level 2, and what they share.
  struct Body {
    std::vector<uint8_t> bytes;
    std::vector<uint64_t> ends;   // of each vector
    std::vector<uint8_t> tables;  // codec::ReadTables; empty: none
    uint8_t codec = codec::kNone;
    bool stepped = false;
    size_t size() const { return bytes.size() + ends.size() + tables.size(); }
  };

  bool BuildWordDictionary(const uint64_t* words, const uint8_t* nulls, size_t rows);
  void PackWordDictionary(const codec::WordShape& shape, std::vector<uint8_t>* packed);
  void WriteSmallWords(const codec::WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                       std::span<const uint32_t> vector_rows,
                       std::span<const VectorStatistics> statistics, ChunkSummary* summary,
                       base::ByteWriter* out);
  // Encodes words for size: as runs over the whole chunk, or as vectors.
  Body EncodeBody(const codec::WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                  std::span<const uint32_t> vector_rows);
  bool EncodeRuns(const codec::WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                  std::span<const uint32_t> vector_rows, Body* body);
  bool ChooseWordDictionary(const codec::WordShape& shape, const uint64_t* words,
                            const uint8_t* nulls, std::span<const uint32_t> vector_rows);
  bool CodesAreWide(const uint64_t* words, std::span<const uint32_t> vector_rows, uint64_t direct,
                    size_t sampled);
  // What takes least for byte strings, by measured size.
  enum class BytesForm : uint8_t { kVectors, kDictionary, kTokens, kZstdDictionary, kFsst, kTrained };
  BytesForm ChooseBytesForm(uint32_t fixed_width, const std::string_view* values,
                            const uint8_t* nulls, std::span<const uint32_t> vector_rows);
  // Size with a dictionary, or infinity when there is none to take; codes and entries are kept.
  double TryBytesDictionary(uint32_t fixed_width, const std::string_view* values,
                            const uint8_t* nulls, std::span<const uint32_t> vector_rows);
  // Size with a token model, or infinity; the vectors are kept.
  double TryTokens(const std::string_view* values, const uint8_t* nulls,
                   std::span<const uint32_t> vector_rows);
  bool TokensAreSound(std::span<const std::string_view> dense) const;
  // Size of the sample vectors with a zstd dictionary, and of that dictionary, which is in use then.
  double TryZstdDictionary(uint32_t fixed_width, const std::string_view* values,
                           const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                           double share);
  // Size with the trained dictionary, or infinity; the sample vectors are kept.
  double TryTrained(uint32_t fixed_width, const std::string_view* values, const uint8_t* nulls,
                    std::span<const uint32_t> vector_rows, double share);
  void TakeTrained();
  // Size with a table of symbols, or infinity; the table and the sample vectors are kept. other: size
  // with frames or plain.
  double TryFsst(uint32_t fixed_width, const std::string_view* values, const uint8_t* nulls,
                 std::span<const uint32_t> vector_rows, double other);
  void TakeFsst();
  // The sample vectors as they are written now.
  uint64_t SampleBytes(uint32_t fixed_width, const std::string_view* values, const uint8_t* nulls,
                       std::span<const uint32_t> vector_rows, Sample* sample);
  void WriteTokensVector(size_t vector, const uint8_t* nulls, size_t count, base::ByteWriter* out);
  uint64_t SampleCodes(const uint8_t* nulls, std::span<const uint32_t> vector_rows);
  uint8_t WriteBytesVector(uint32_t fixed_width, const std::string_view* values,
                           const uint8_t* nulls, size_t count, base::ByteWriter* out);
  // As WriteBytes, for byte strings of which nothing is known.
  ChunkSummary WriteStrings(const ColumnShape& shape, const std::string_view* values,
                            const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                            std::vector<uint8_t>* out);
  struct FieldsForm;  // level 2: byte strings as words
  static bool PlanFields(const ColumnShape& shape, const std::string_view* values,
                         const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                         FieldsForm* form);
  void WriteFields(const FieldsForm& form, const ColumnShape& shape,
                   const std::string_view* values, const uint8_t* nulls,
                   std::span<const uint32_t> vector_rows, base::ByteWriter* out);
  void BeginVectors(size_t start);
  void EndVector(uint8_t codec, size_t size);
  uint8_t MostUsedCodec() const;
  // What was appended to a chunk behind its vectors, in this order.
  struct Parts {
    size_t shared_bytes = 0;      // 0: none
    bool has_dictionary = false;
    size_t dictionary_bytes = 0;
    size_t statistics_bytes = 0;  // 0: none
    size_t model_bytes = 0;       // 0: none
    bool stepped = false;
  };
  // What the entries of bytes_dictionary_ take.
  uint64_t DictionaryBytes(uint32_t fixed_width) const;
  void AppendDictionary(uint32_t fixed_width, Parts* parts, base::ByteWriter* out);
  // Vectors of codes_, one for each run.
  void WriteRunCodes(const ByteRuns& runs, std::span<const uint32_t> vector_rows, base::ByteWriter* out);
  // Would the values take about as much or less, by sample vectors? codes: bytes with a dictionary.
  bool ValuesMayTakeLess(uint32_t fixed_width, const ByteRuns& runs, std::span<const uint32_t> vector_rows, uint64_t codes);
  // Appends offsets and flags.
  void Finish(const Parts& parts, base::ByteWriter* out);

  uint8_t level_;
  codec::BytesEncoder bytes_encoder_;
  codec::DictionaryBuilder<uint64_t> word_dictionary_;
  codec::DictionaryBuilder<std::string_view> bytes_dictionary_;
  std::vector<uint64_t> codes_;
  std::vector<codec::WordRun> code_runs_;  // of one vector
  Sample values_sample_;  // of the values as they are
  Sample codes_sample_;   // of codes_
  Sample symbols_sample_;  // of the values as codes of symbols
  Sample trained_sample_;  // of the values with the trained dictionary
  const codec::TrainedDictionary* trained_ = nullptr;
  codec::FsstEncoder symbols_;
  std::vector<uint8_t> symbols_table_;
  std::vector<uint8_t> scratch_;
  std::vector<std::string_view> dense_;  // of one vector: those that are not NULL
  std::vector<uint8_t> shared_;       // packed dictionary, token model, zstd dictionary or symbols
  std::vector<uint8_t> token_bytes_;  // vectors coded with the model, one after the other
  std::vector<size_t> token_ends_;
  std::vector<uint32_t> vector_values_;  // that are not NULL
  size_t start_ = 0;
  std::vector<uint64_t> ends_;
  std::array<uint32_t, 64> codec_uses_ = {};
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_CHUNK_WRITER_H
