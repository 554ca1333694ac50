// Input: u8 shape and level, u8 how values repeat, u8 NULLs, values. Chunks of any words must read back.
#include <algorithm>

#include "fuzz/fuzz.h"
#include "fuzz/values.h"
#include "segment/chunk_writer.h"
#include "segment/read_back.h"

namespace nodedb_ts::fuzz {
namespace {

constexpr size_t kMostRows = 2500;

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint8_t head;
  uint8_t repeat;
  uint8_t nulls_every;
  if (!in.ReadU8(&head) || !in.ReadU8(&repeat) || !in.ReadU8(&nulls_every)) return;
  const codec::WordShape shape = kShapes[head % kShapeCount];
  const uint8_t level = head & 0x40 ? 1 : 2;
  std::vector<uint64_t> words;
  for (uint64_t word; in.ReadWidth(shape.width, &word);) {
    for (size_t i = 0; i <= repeat % 64u; i++) words.push_back(word);
  }
  if (words.empty()) return;
  // Few bytes make many values: they are gone through again, shifted.
  const size_t n = words.size();
  const size_t rows = std::min(kMostRows, n * (1 + (repeat >> 6)));
  for (size_t i = n; i < rows; i++) words.push_back(words[i - n] + (head >> 7));
  words.resize(rows);
  std::vector<uint8_t> nulls(rows);
  for (size_t i = 0; i < rows && nulls_every > 0; i++) nulls[i] = i % nulls_every == 0;
  const uint8_t kind = shape.kind == codec::WordKind::kInt      ? NTS_KIND_INT
                       : shape.kind == codec::WordKind::kFloat8 ? NTS_KIND_FLOAT8
                                                                : NTS_KIND_FLOAT4;
  const segment::ColumnShape column{kind, shape.width};
  std::vector<uint32_t> vectors;
  for (size_t at = 0; at < rows; at += 1024) vectors.push_back(static_cast<uint32_t>(std::min<size_t>(1024, rows - at)));
  Bytes chunk;
  segment::ChunkWriter writer(level);
  const segment::ChunkSummary summary =
      writer.WriteWords(column, words.data(), nulls.data(), vectors, true, &chunk);
  segment::ReadBack read_back;
  Require(read_back.CheckWords(column, summary, chunk, vectors, words.data(), nulls.data()).ok(),
          "a chunk holds what was written");
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (size_t s = 0; s < kShapeCount; s++) {
    for (int pattern = 0; pattern < kPatterns; pattern++) {
      Bytes seed;
      base::ByteWriter out(&seed);
      out.U8(static_cast<uint8_t>(s + (pattern == 4 ? 0x80 : 0)));
      out.U8(static_cast<uint8_t>(pattern * 40));
      out.U8(static_cast<uint8_t>(pattern % 3 * 5));
      for (const uint64_t w : Values(kShapes[s], pattern, 100)) out.Width(w, kShapes[s].width);
      seeds.push_back(std::move(seed));
    }
  }
  return seeds;
}

}  // namespace

const Target kEncoders = {"encoders", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kEncoders)
