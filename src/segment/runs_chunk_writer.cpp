// Byte strings of a chunk that come in runs, as tags of rows in the order of series do: what is to be done is done once a
// run. Where codes or a constant take least, the chunk has the bytes that bytes_chunk_writer.cpp writes for the same values.
#include <algorithm>

#include "segment/chunk_writer.h"
#include "segment/chunk_writer_helpers.h"

namespace nodedb_ts::segment {
namespace {

// What no vector of values goes below: its codec, the lengths with their codec and size; and a frame or the plain bytes.
constexpr uint64_t kLeastVectorBytes = 5;
constexpr uint64_t kLeastFrameBytes = 12;

// Goes through runs vector by vector.
class RunCursor {
 public:
  explicit RunCursor(const ByteRuns& runs) : runs_(runs) {}

  // Calls visit(run, how many rows of it) for the next `rows` rows.
  template <typename Visit>
  void Next(size_t rows, Visit&& visit) {
    for (const size_t end = row_ + rows; row_ < end;) {
      const size_t take = std::min<size_t>(runs_.ends[run_], end) - row_;
      visit(run_, take);
      row_ += take;
      if (row_ == runs_.ends[run_]) run_++;
    }
  }

  // The same rows, each on its own.
  template <typename Value>
  void Spread(size_t rows, const std::vector<Value>& of_runs, Value* values, uint8_t* nulls) {
    Next(rows, [&](size_t run, size_t length) {
      values = std::fill_n(values, length, of_runs[run]);
      nulls = std::fill_n(nulls, length, runs_.nulls[run]);
    });
  }

 private:
  const ByteRuns& runs_;
  size_t run_ = 0;
  size_t row_ = 0;
};

}  // namespace

void ChunkWriter::WriteRunCodes(const ByteRuns& runs, std::span<const uint32_t> vector_rows, base::ByteWriter* out) {
  BeginVectors(out->size());
  RunCursor cursor(runs);
  for (const uint32_t rows : vector_rows) {
    RunCursor again = cursor;
    bool has_nulls = false;
    code_runs_.clear();
    cursor.Next(rows, [&](size_t run, size_t length) {
      has_nulls = has_nulls || runs.nulls[run] != 0;
      if (!code_runs_.empty() && code_runs_.back().value == codes_[run]) {
        code_runs_.back().length += static_cast<uint32_t>(length);
      } else {
        code_runs_.push_back({codes_[run], static_cast<uint32_t>(length)});
      }
    });
    uint8_t number;
    if (has_nulls) {
      uint64_t codes[kMaxVectorRows];
      uint8_t nulls[kMaxVectorRows];
      again.Spread(rows, codes_, codes, nulls);
      number = WriteWordVector(kCodeShape, codes, nulls, rows, out);
    } else {
      const size_t head = out->size();
      out->U8(kNoNulls << kNullModeShift);
      number = codec::EncodeIntegerRuns(code_runs_, kCodeShape.width, out);
      (*out->vector())[head] |= number;
    }
    EndVector(number, out->size());
  }
}

bool ChunkWriter::ValuesMayTakeLess(uint32_t fixed_width, const ByteRuns& runs, std::span<const uint32_t> vector_rows,
                                    uint64_t codes) {
  const auto less = [&](double values) {
    return static_cast<double>(codes) >= MostForCodes(values, runs.ends.back(), level_);
  };
  uint64_t least = 0;
  RunCursor every(runs);
  for (const uint32_t rows : vector_rows) {
    uint64_t raw = 0;
    every.Next(rows, [&](size_t run, size_t length) { raw += runs.values[run].size() * length; });
    least += kLeastVectorBytes + std::min(raw, kLeastFrameBytes);
  }
  if (!less(static_cast<double>(least))) return false;
  std::vector<uint8_t> sample;
  base::ByteWriter writer(&sample);
  RunCursor cursor(runs);
  size_t next = 0;
  ForSampleVectors(vector_rows, [&](size_t, size_t at, size_t rows) {
    std::string_view values[kMaxVectorRows];
    uint8_t nulls[kMaxVectorRows];
    cursor.Next(at - next, [](size_t, size_t) {});
    cursor.Spread(rows, runs.values, values, nulls);
    next = at + rows;
    WriteBytesVector(fixed_width, values, nulls, rows, &writer);
  });
  return less(static_cast<double>(sample.size()) * ShareOfSample(vector_rows));
}

bool ChunkWriter::WriteRuns(const ColumnShape& shape, const ByteRuns& runs, std::span<const uint32_t> vector_rows,
                            std::vector<uint8_t>* out, ChunkSummary* summary) {
  const size_t start = out->size();
  base::ByteWriter writer(out);
  *summary = {};
  for (size_t run = 0, begin = 0; run < runs.size(); begin = runs.ends[run++]) {
    if (runs.nulls[run]) summary->null_count += runs.ends[run] - begin;
  }
  if (summary->null_count == runs.ends.back()) return true;
  if (summary->null_count == 0 && runs.values[0].size() <= kMaxConstantBytes &&
      AllEqual(runs.values.data(), runs.size())) {
    summary->codec = codec::kConstant;
    writer.Bytes(runs.values[0].data(), runs.values[0].size());
    return true;
  }
  const uint32_t width = FixedWidth(shape);
  if (!bytes_dictionary_.Build(runs.values.data(), runs.nulls.data(), runs.size(), kMaxBytesEntries, &codes_)) return false;
  const uint64_t dictionary = DictionaryBytes(width);
  if (dictionary > kMaxDictionaryBytes) return false;
  WriteRunCodes(runs, vector_rows, &writer);
  if (ValuesMayTakeLess(width, runs, vector_rows, out->size() - start + dictionary)) {
    out->resize(start);
    return false;
  }
  summary->codec = codec::kDictionary;
  Parts parts;
  AppendDictionary(width, &parts, &writer);
  Finish(parts, &writer);
  return true;
}

}  // namespace nodedb_ts::segment
