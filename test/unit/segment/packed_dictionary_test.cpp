// Level 2's dictionaries of words: entries packed in the chunk's model.
#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"
#include "segment/read_back.h"
#include "segment/statistics.h"

namespace nodedb_ts::segment {
namespace {

using Words = std::vector<uint64_t>;
using Bytes = std::vector<uint8_t>;

constexpr ColumnShape kInt8 = {NTS_KIND_INT, 8};
constexpr ColumnShape kInt4 = {NTS_KIND_INT, 4};
constexpr ColumnShape kFloat8 = {NTS_KIND_FLOAT8, 8};
constexpr ColumnShape kFloat4 = {NTS_KIND_FLOAT4, 4};

uint64_t Bits(double v) { return std::bit_cast<uint64_t>(v); }

struct Chunk {
  ColumnShape shape;
  std::vector<uint32_t> vectors;
  Words words;
  std::vector<uint8_t> nulls;
  Bytes bytes;
  ChunkSummary summary;

  ChunkRef Ref(const Bytes& from) const {
    ChunkRef ref;
    ref.shape = shape;
    ref.codec = summary.codec;
    ref.vectors = static_cast<uint32_t>(vectors.size());
    ref.rows = static_cast<uint32_t>(words.size());
    ref.bytes = from.data();
    ref.length = from.size();
    return ref;
  }
};

Chunk Write(const ColumnShape& shape, const Words& words, unsigned nulls_every = 0) {
  Chunk chunk{shape, {}, words, std::vector<uint8_t>(words.size()), {}, {}};
  for (size_t i = 0; i < words.size() && nulls_every > 0; i++) chunk.nulls[i] = i % nulls_every == 0;
  for (size_t at = 0; at < words.size(); at += kMaxVectorRows) {
    chunk.vectors.push_back(static_cast<uint32_t>(std::min(kMaxVectorRows, words.size() - at)));
  }
  ChunkWriter writer(2);
  chunk.summary = writer.WriteWords(shape, chunk.words.data(), chunk.nulls.data(), chunk.vectors, true, &chunk.bytes);
  ReadBack read_back;
  EXPECT_TRUE(read_back.CheckWords(shape, chunk.summary, chunk.bytes, chunk.vectors, chunk.words.data(),
                                   chunk.nulls.data()).ok());
  EXPECT_TRUE(CheckDictionary(chunk.Ref(chunk.bytes)).ok());
  return chunk;
}

// Rows draw from some values far apart, in any order.
Words Draw(size_t rows, const Words& from, uint64_t seed) {
  std::mt19937_64 random(seed);
  Words words;
  for (size_t i = 0; i < rows; i++) words.push_back(from[random() % from.size()]);
  return words;
}

TEST(PackedDictionary, LongDecimalsThatRepeat) {
  std::mt19937_64 random(1);
  Words places;
  for (int i = 0; i < 3000; i++) {
    places.push_back(Bits(-74.0 - static_cast<double>(random() % 5'000'000'000'000) / 1e13));
  }
  const size_t rows = 32768;
  const Chunk chunk = Write(kFloat8, Draw(rows, places, 2));
  EXPECT_EQ(codec::kDictionary, chunk.summary.codec);
  // Twelve bits for which of the 3000, and less than five bytes for each of those.
  EXPECT_LT(chunk.bytes.size(), rows * 12 / 8 + 3000 * 5 + 2000);
}

TEST(PackedDictionary, EveryShapeAndOrder) {
  const Words ints = {static_cast<uint64_t>(-5'000'000'000), 0, 1, 7'000'000'000'000, INT64_MAX, uint64_t{1} << 63,
                      123'456'789'012'345};
  EXPECT_EQ(codec::kDictionary, Write(kInt8, Draw(5000, ints, 3)).summary.codec);
  EXPECT_EQ(codec::kDictionary, Write(kInt8, Draw(5000, ints, 4), 3).summary.codec);
  const Words small = {static_cast<uint64_t>(-2'000'000'000), 5, 1'000'000'007, static_cast<uint64_t>(-17)};
  EXPECT_EQ(codec::kDictionary, Write(kInt4, Draw(2500, small, 5)).summary.codec);
  const Words doubles = {Bits(-0.0), Bits(0.0), Bits(-1e300), 0x7ff8000000000000, 0xfff8000000000123, Bits(3.14),
                         0x7ff0000000000000};
  EXPECT_EQ(codec::kDictionary, Write(kFloat8, Draw(3000, doubles, 6)).summary.codec);
  const Words floats = {0x80000000, 0, 0x7fc00000, 0xffc00123, std::bit_cast<uint32_t>(-1.7f), 0x7f800000};
  EXPECT_EQ(codec::kDictionary, Write(kFloat4, Draw(3000, floats, 7), 2).summary.codec);
}

TEST(PackedDictionary, DenseIntegersNeedNone) {
  Words dense;
  for (uint64_t v = 0; v < 100; v++) dense.push_back(1000 + v * 7);
  EXPECT_NE(codec::kDictionary, Write(kInt8, Draw(20000, dense, 8)).summary.codec);
}

TEST(PackedDictionary, OrderOfWords) {
  const codec::WordShape int4{codec::WordKind::kInt, 4};
  const codec::WordShape float8{codec::WordKind::kFloat8, 8};
  const codec::WordShape float4{codec::WordKind::kFloat4, 4};
  EXPECT_LT(OrderOf(int4, static_cast<uint64_t>(-1)), OrderOf(int4, 0));
  EXPECT_LT(OrderOf(float8, Bits(-2.0)), OrderOf(float8, Bits(-1.0)));
  EXPECT_LT(OrderOf(float8, Bits(-0.0)), OrderOf(float8, Bits(0.0)));
  EXPECT_LT(OrderOf(float8, Bits(1.0)), OrderOf(float8, Bits(2.0)));
  EXPECT_LT(OrderOf(float4, 0xBF800000), OrderOf(float4, 0x80000000));
  EXPECT_LT(OrderOf(float4, 0x80000000), OrderOf(float4, 0x3F800000));
}

TEST(PackedDictionary, DamagedBytesAreSafe) {
  std::mt19937_64 random(9);
  Words values;
  for (int i = 0; i < 50; i++) values.push_back(random());
  const Chunk chunk = Write(kInt8, Draw(2500, values, 10));
  ASSERT_EQ(codec::kDictionary, chunk.summary.codec);
  int refused = 0;
  for (int i = 0; i < 5000; i++) {
    Bytes bytes = chunk.bytes;
    if (i % 4 == 0) bytes.resize(random() % bytes.size());
    for (uint64_t flips = 1 + random() % 3; flips > 0 && !bytes.empty(); flips--) {
      const size_t back = random() % std::min<size_t>(bytes.size(), i % 2 ? 500 : bytes.size());
      bytes[bytes.size() - 1 - back] ^= static_cast<uint8_t>(1u << random() % 8);
    }
    const ChunkRef ref = chunk.Ref(bytes);
    (void)CheckDictionary(ref).ok();
    for (uint32_t v = 0; v < ref.vectors; v++) {
      uint64_t decoded[kMaxVectorRows];
      uint8_t nulls[kMaxVectorRows];
      uint64_t cursor = 0;
      bool any_null;
      refused += !DecodeVector(ref, v, chunk.vectors[v], decoded, nulls, nullptr, 0, &cursor, &any_null).ok();
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace nodedb_ts::segment
