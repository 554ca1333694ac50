// Input: u8 kind, u8 codec, u16 rows, the chunk. Vectors have 1 024 rows but the last.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "codec/zstd/trained.h"
#include "fuzz/fuzz.h"
#include "fuzz/values.h"
#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"

namespace nodedb_ts::fuzz {
namespace {

using segment::ChunkRef;
using segment::ColumnShape;

constexpr ColumnShape kColumns[] = {
    {NTS_KIND_INT, 8},   {NTS_KIND_INT, 4},   {NTS_KIND_INT, 2}, {NTS_KIND_INT, 1},   {NTS_KIND_FLOAT8, 8},
    {NTS_KIND_FLOAT4, 4}, {NTS_KIND_FIXED, 6}, {NTS_KIND_VAR, 0}, {NTS_KIND_FIXED, 16},
};
constexpr size_t kColumnCount = sizeof(kColumns) / sizeof(kColumns[0]);
constexpr size_t kMostRows = 5000;

std::vector<std::string> Texts(size_t count) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; i++) {
    texts.push_back("device/" + std::to_string(i * 7919 % 100000) + "/temperature/" + std::to_string(i * 31 % 89));
  }
  return texts;
}

// What chunks of codec 39 refer to.
const codec::TrainedDictionary* Trained() {
  static const std::unique_ptr<const codec::TrainedDictionary> trained = [] {
    Bytes samples;
    std::vector<size_t> sizes;
    for (const std::string& text : Texts(2000)) {
      samples.insert(samples.end(), text.begin(), text.end());
      sizes.push_back(text.size());
    }
    return codec::TrainedDictionary::Open(codec::TrainDictionary(samples, sizes, 4096));
  }();
  Require(trained != nullptr, "a dictionary is trained");
  return trained.get();
}

// Decodes a vector and touches all of its bytes; returns their sum.
uint64_t Decode(const ChunkRef& chunk, uint32_t vector, uint32_t rows, bool* ok) {
  std::vector<uint64_t> values(rows);
  std::vector<uint8_t> nulls(rows);
  uint64_t size = 0;
  bool any_null;
  *ok = segment::MeasureVector(chunk, vector, rows, &size).ok();
  if (!*ok) return 0;
  std::unique_ptr<uint64_t[]> data(new uint64_t[(size + 7) / 8]);
  uint64_t cursor = 0;
  *ok = segment::DecodeVector(chunk, vector, rows, values.data(), nulls.data(),
                              size == 0 ? nullptr : reinterpret_cast<uint8_t*>(data.get()), size, &cursor, &any_null)
            .ok();
  if (!*ok) return 0;
  Require(cursor <= size, "a vector takes no more room than was measured");
  uint64_t sum = 0;
  for (uint32_t r = 0; r < rows; r++) {
    Require(nulls[r] <= 1 && (nulls[r] == 0 || any_null), "NULLs are flags");
    if (segment::IsWord(chunk.shape.kind) || nulls[r]) {
      sum = sum * 31 + values[r] + nulls[r];
    } else {
      for (const char c : segment::BytesAt(chunk.shape, values[r])) sum = sum * 31 + static_cast<uint8_t>(c);
    }
  }
  return sum;
}

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint8_t column;
  uint8_t number;
  uint16_t rows;
  if (!in.ReadU8(&column) || !in.ReadU8(&number) || !in.ReadU16(&rows)) return;
  ChunkRef chunk;
  chunk.shape = kColumns[column % kColumnCount];
  chunk.codec = number & 63;
  chunk.align = static_cast<uint8_t>(1u << (column >> 4) % 4);
  chunk.rows = 1 + rows % static_cast<uint32_t>(kMostRows);
  chunk.vectors = (chunk.rows + 1023) / 1024;
  const Bytes copy(in.at(), in.at() + in.remaining());  // where a sanitizer sees its end
  chunk.bytes = copy.data();
  chunk.length = copy.size();
  chunk.trained = Trained();
  std::vector<segment::VectorStatistics> statistics;
  (void)segment::ReadChunkStatistics(chunk, &statistics).ok();
  (void)segment::CheckDictionary(chunk).ok();
  segment::ChunkCache cache;
  ChunkRef cached = chunk;
  cached.cache = &cache;
  for (uint32_t v = 0; v < chunk.vectors; v++) {
    const uint32_t n = chunk.VectorStart(v + 1) - chunk.VectorStart(v);
    bool ok;
    bool again;
    const uint64_t sum = Decode(chunk, v, n, &ok);
    Require(Decode(cached, v, n, &again) == sum && ok == again, "a cached model changes nothing");
  }
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (size_t c = 0; c < kColumnCount; c++) {
    for (int pattern = 0; pattern < kPatterns; pattern++) {
      for (const uint8_t level : {1, 2}) {
        for (const size_t rows : {20, 1500}) {
          std::vector<uint64_t> words = Values(segment::IsWord(kColumns[c].kind) ? segment::WordShapeOf(kColumns[c]) : kShapes[0],
                                               pattern, rows);
          std::vector<uint8_t> nulls(rows);
          for (size_t i = 0; i < rows && pattern % 2; i++) nulls[i] = i % 7 == 3;
          std::vector<uint32_t> vectors;
          for (size_t at = 0; at < rows; at += 1024) vectors.push_back(static_cast<uint32_t>(std::min<size_t>(1024, rows - at)));
          Bytes chunk;
          segment::ChunkWriter writer(level);
          segment::ChunkSummary summary;
          if (segment::IsWord(kColumns[c].kind)) {
            summary = writer.WriteWords(kColumns[c], words.data(), nulls.data(), vectors, true, &chunk);
          } else {
            std::vector<std::string> texts;
            for (const uint64_t w : words) {
              texts.push_back("value " + std::to_string(w % 100000));
              if (kColumns[c].kind == NTS_KIND_FIXED) texts.back().resize(kColumns[c].width);
            }
            const std::vector<std::string_view> views(texts.begin(), texts.end());
            summary = writer.WriteBytes(kColumns[c], views.data(), nulls.data(), vectors, &chunk);
          }
          Bytes seed;
          base::ByteWriter out(&seed);
          out.U8(static_cast<uint8_t>(c));
          out.U8(summary.codec);
          out.U16(static_cast<uint16_t>(rows - 1));
          out.Bytes(chunk.data(), chunk.size());
          seeds.push_back(std::move(seed));
        }
      }
    }
  }
  // As codes of symbols, which takes more values.
  const std::vector<std::string> texts = Texts(kMostRows);
  std::vector<uint8_t> nulls(kMostRows);
  for (size_t i = 0; i < kMostRows; i++) nulls[i] = i % 11 == 5;
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  segment::ChunkWriter writer(1);
  const auto add = [&](std::vector<uint32_t> vectors) {
    size_t rows = 0;
    for (const uint32_t n : vectors) rows += n;
    Bytes chunk;
    const segment::ChunkSummary summary = writer.WriteBytes(kColumns[7], views.data(), nulls.data(), vectors, &chunk);
    Bytes seed;
    base::ByteWriter out(&seed);
    out.U8(7);
    out.U8(summary.codec);
    out.U16(static_cast<uint16_t>(rows - 1));
    out.Bytes(chunk.data(), chunk.size());
    seeds.push_back(std::move(seed));
    return summary.codec;
  };
  add({1024, 1024, 1024, 1024, kMostRows - 4096});
  writer.UseTrained(Trained());
  Require(add({1024, 76}) == codec::kBytesTrained, "the seed refers to the dictionary");
  return seeds;
}

}  // namespace

const Target kChunks = {"chunks", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kChunks)
