// chunk_writer_helpers.h - what the writers of words and of byte strings have in common. Only for
// chunk_writer.cpp and bytes_chunk_writer.cpp.
#ifndef NODEDB_TS_SEGMENT_CHUNK_WRITER_HELPERS_H
#define NODEDB_TS_SEGMENT_CHUNK_WRITER_HELPERS_H

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "base/byte_writer.h"
#include "base/words.h"
#include "codec/dictionary/dictionary.h"
#include "codec/shared/mapping.h"
#include "segment/format.h"

namespace nodedb_ts::segment {

inline constexpr size_t kSampleRows = 512;
inline constexpr size_t kSampleVectors = 3;
// Of a dictionary of byte strings.
inline constexpr size_t kMaxBytesEntries = 65536;
inline constexpr uint64_t kMaxDictionaryBytes = kMaxVectorBytes;

// The bytes of codes from which on byte strings that take `values` are stored as they are. Codes decode far faster and
// serve as group keys: they may take a tenth more, and at level 1 a bit a row beside that.
inline double MostForCodes(double values, size_t rows, uint8_t level) {
  return values * 1.1 + (level < 2 ? static_cast<double>(rows) / 8 : 0);
}

inline size_t CountNulls(const uint8_t* nulls, size_t count) {
  return base::CountFlags(nulls, count);
}

// Runs of values and of NULLs, which alternate; the first one, of values, may be empty.
inline size_t NullRuns(const uint8_t* nulls, size_t count) {
  size_t runs = 1 + nulls[0];
  for (size_t i = 1; i < count; i++) runs += nulls[i] ^ nulls[i - 1];
  return runs;
}

inline void WriteNullRuns(const uint8_t* nulls, size_t count, size_t runs, base::ByteWriter* out) {
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
inline size_t WriteVectorHead(const uint8_t* nulls, size_t count, size_t null_count,
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
template <>
inline bool AllEqual(const std::string_view* values, size_t count) {
  for (size_t i = 1; i < count; i++) {
    // Rows of a series share their values' bytes.
    const std::string_view before = values[i - 1];
    if (values[i].data() == before.data() && values[i].size() == before.size()) continue;
    if (values[i] != before) return false;
  }
  return true;
}

inline size_t TotalRows(std::span<const uint32_t> vector_rows) {
  size_t rows = 0;
  for (const uint32_t n : vector_rows) rows += n;
  return rows;
}

// Calls f(vector, first row, rows) for the first, middle and last vector.
template <typename F>
inline void ForSampleVectors(std::span<const uint32_t> vector_rows, F&& f) {
  const size_t n = vector_rows.size();
  size_t first_row = 0;
  for (size_t v = 0; v < n; v++) {
    if (n <= kSampleVectors || v == 0 || v == n / 2 || v == n - 1) f(v, first_row, vector_rows[v]);
    first_row += vector_rows[v];
  }
}

// Rows for each row of the sample vectors.
inline double ShareOfSample(std::span<const uint32_t> vector_rows) {
  size_t sampled = 0;
  ForSampleVectors(vector_rows, [&](size_t, size_t, size_t n) { sampled += n; });
  return static_cast<double>(TotalRows(vector_rows)) / static_cast<double>(sampled);
}

// The values that are not NULL, and how many there are in each vector.
template <typename Value>
void GatherDense(const Value* values, const uint8_t* nulls, std::span<const uint32_t> vector_rows,
                 std::vector<Value>* dense, std::vector<uint32_t>* counts) {
  dense->clear();
  counts->clear();
  size_t at = 0;
  for (const uint32_t n : vector_rows) {
    const size_t before = dense->size();
    for (size_t i = at; i < at + n; i++) {
      if (!nulls[i]) dense->push_back(values[i]);
    }
    counts->push_back(static_cast<uint32_t>(dense->size() - before));
    at += n;
  }
}

// Every step-th value, unless it is NULL.
template <typename Value>
std::vector<Value> StridedSample(const Value* values, const uint8_t* nulls, size_t rows,
                                 size_t step) {
  std::vector<Value> sample;
  for (size_t i = 0; i < rows; i += step) {
    if (!nulls[i]) sample.push_back(values[i]);
  }
  return sample;
}

// So few rows are their own sample: what SampleRepeats leaves in the builder is their dictionary.
inline bool SampleIsAll(size_t rows) { return rows <= kSampleRows; }

// A few bits that differ for most values that differ.
inline uint64_t Fingerprint(uint64_t value) { return value * 0x9E3779B97F4A7C15; }
inline uint64_t Fingerprint(std::string_view value) {
  uint64_t word = value.size();
  if (value.size() >= 8) {
    word = word * 31 + base::LoadLe<uint64_t>(reinterpret_cast<const uint8_t*>(value.data()));
    word = word * 31 + base::LoadLe<uint64_t>(reinterpret_cast<const uint8_t*>(value.data()) + value.size() - 8);
  } else {
    for (const char c : value) word = word << 8 | static_cast<uint8_t>(c);
  }
  return Fingerprint(word);
}

// True only if there are more distinct values than that: some of a few rows, seen without a table of them.
template <typename Value>
bool HasMoreThan(size_t distinct, const Value* values, const uint8_t* nulls, size_t rows) {
  constexpr unsigned kBits = 12;
  uint64_t seen[(size_t{1} << kBits) / 64] = {};
  size_t found = 0;
  for (size_t i = 0; i < rows && found <= distinct; i++) {
    if (nulls[i]) continue;
    const uint64_t bit = Fingerprint(values[i]) >> (64 - kBits);
    uint64_t& word = seen[bit / 64];
    found += ~word >> bit % 64 & 1;
    word |= uint64_t{1} << bit % 64;
  }
  return found > distinct;
}

// Few enough distinct values in a strided sample that a dictionary may pay?
template <typename Value>
bool SampleRepeats(codec::DictionaryBuilder<Value>* builder, const Value* values,
                   const uint8_t* nulls, size_t rows, std::vector<uint64_t>* codes) {
  if (SampleIsAll(rows)) {
    const size_t most = std::max<size_t>(1, (rows - CountNulls(nulls, rows)) / 2);
    return !HasMoreThan(most, values, nulls, rows) && builder->Build(values, nulls, rows, most, codes);
  }
  const std::vector<Value> sample = StridedSample(values, nulls, rows, rows / kSampleRows);
  const std::vector<uint8_t> none(sample.size(), 0);
  return builder->Build(sample.data(), none.data(), sample.size(),
                        std::max<size_t>(1, sample.size() / 2), codes);
}

// What the vectors share; nothing when they share nothing. entries: of a dictionary of words.
inline void WriteModel(const codec::Mapping& mapping, const std::vector<uint8_t>& tables,
                       const std::vector<uint8_t>& entries, base::ByteWriter* out) {
  const int flags = (mapping.used() ? kModelMapping : 0) | (tables.empty() ? 0 : kModelTables) |
                    (entries.empty() ? 0 : kModelWords);
  if (flags == 0) return;
  out->U8(static_cast<uint8_t>(flags));
  if (mapping.used()) mapping.Write(out);
  out->Bytes(tables.data(), tables.size());
  out->Bytes(entries.data(), entries.size());
}

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_CHUNK_WRITER_HELPERS_H
