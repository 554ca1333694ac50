#include "codec/shared/word_chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

namespace nodedb_ts::codec {
namespace {

constexpr WordShape kInteger = {WordKind::kInt, 8};
constexpr WordShape kFloat8 = {WordKind::kFloat8, 8};

using Words = std::vector<uint64_t>;
using Bytes = std::vector<uint8_t>;

struct Encoded {
  Bytes tables;
  std::vector<Bytes> vectors;
  std::vector<uint8_t> codecs;
  size_t size = 0;
};

Encoded Encode(const WordShape& shape, const std::vector<Words>& vectors) {
  WordChunkEncoder encoder(shape);
  for (const Words& v : vectors) encoder.Add(v);
  encoder.Plan();
  Encoded encoded;
  base::ByteWriter tables(&encoded.tables);
  if (encoder.tables() > 0) encoder.WriteTables(&tables);
  encoded.size = encoded.tables.size();
  for (size_t v = 0; v < vectors.size(); v++) {
    encoded.vectors.emplace_back();
    base::ByteWriter out(&encoded.vectors.back());
    encoded.codecs.push_back(encoder.EncodeVector(v, &out));
    encoded.size += encoded.vectors.back().size();
  }
  return encoded;
}

std::vector<EntropyDecoder> Tables(const Encoded& encoded) {
  std::vector<EntropyDecoder> tables;
  base::ByteReader in(encoded.tables.data(), encoded.tables.size());
  if (!in.empty()) EXPECT_TRUE(ReadTables(&in, &tables));
  EXPECT_TRUE(in.empty());
  return tables;
}

// Bytes of all vectors and tables; every vector is decoded, the last one first.
size_t RoundTrip(const WordShape& shape, const std::vector<Words>& vectors) {
  const Encoded encoded = Encode(shape, vectors);
  const std::vector<EntropyDecoder> tables = Tables(encoded);
  for (size_t v = vectors.size(); v-- > 0;) {
    Words decoded(vectors[v].size(), 0xABAB);
    const Bytes& bytes = encoded.vectors[v];
    EXPECT_TRUE(DecodeWords(shape, encoded.codecs[v],
                            base::ByteReader(bytes.data(), bytes.size()), decoded, tables));
    EXPECT_EQ(vectors[v], decoded);
    for (const size_t wanted : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, decoded.size() / 2, decoded.size() - 1}) {
      if (wanted == 0 || wanted > decoded.size()) continue;
      Words some(vectors[v].size(), 0xABAB);
      EXPECT_TRUE(DecodeWords(shape, encoded.codecs[v], base::ByteReader(bytes.data(), bytes.size()), some, tables,
                              wanted));
      EXPECT_TRUE(std::equal(some.begin(), some.begin() + static_cast<ptrdiff_t>(wanted), decoded.begin()));
    }
  }
  return encoded.size;
}

std::vector<Words> Make(size_t vectors, size_t rows, const auto& f) {
  std::vector<Words> all(vectors);
  for (Words& v : all) {
    for (size_t i = 0; i < rows; i++) v.push_back(f());
  }
  return all;
}

TEST(WordChunk, RandomWalkTakesLittleMoreThanItsEntropy) {
  std::mt19937_64 random(1);
  uint64_t value = 50;
  // Steps -2..2 with 1/8, 1/8, 1/2, 1/8, 1/8: two bits each.
  constexpr int kSteps[] = {-2, -1, 0, 0, 0, 0, 1, 2};
  const auto walk = Make(64, 1024, [&] { return value += static_cast<uint64_t>(kSteps[random() % 8]); });
  EXPECT_LT(RoundTrip(kInteger, walk), 64 * (1024 * 2 / 8 + 20u));
}

// Floats that are no decimals: what differs from neighbours is coded, the bits below are raw. XOR takes
// 6.7 and 5.8 bytes a value of the first two.
TEST(WordChunk, FloatsOfFullPrecision) {
  std::mt19937_64 random(8);
  std::normal_distribution<double> normal;
  const auto bits = [](double v) { return std::bit_cast<uint64_t>(v); };
  const auto per_value = [&](const auto& f) {
    const std::vector<Words> vectors = Make(16, 1024, f);
    const Encoded encoded = Encode(kFloat8, vectors);
    EXPECT_EQ(kScaled, encoded.codecs[3]);
    return static_cast<double>(RoundTrip(kFloat8, vectors)) / (16 * 1024);
  };
  double level = 50;
  EXPECT_LT(per_value([&] { return bits(level += normal(random)); }), 6.4);
  double price = 1;
  EXPECT_LT(per_value([&] { return bits(price *= 1 + 1e-4 * normal(random)); }), 5.4);
  double angle = 0;
  EXPECT_LT(per_value([&] { return bits(std::sin(angle += 0.002)); }), 5.4);
  // Zeros in between, both signs.
  EXPECT_LT(per_value([&] { return random() % 3 == 0 ? 0 : bits(normal(random)); }), 7.0);
}

TEST(WordChunk, DifferentSeriesGetDifferentTables) {
  std::mt19937_64 random(2);
  std::vector<Words> vectors;
  for (int v = 0; v < 64; v++) {
    Words words;
    // Small values here, around a thousand there.
    for (int i = 0; i < 1024; i++) {
      words.push_back(v % 2 ? std::min({random() % 8, random() % 8, random() % 8})
                            : 1000 + std::min({random() % 64, random() % 64, random() % 64}));
    }
    vectors.push_back(std::move(words));
  }
  const Encoded encoded = Encode(kInteger, vectors);
  EXPECT_GT(Tables(encoded).size(), 1u);
  EXPECT_EQ(std::vector<uint8_t>(64, kEntropy), encoded.codecs);
  RoundTrip(kInteger, vectors);
}

TEST(WordChunk, KeepsCodecsThatStandAlone) {
  std::vector<Words> vectors = {Words(1024, 7), {}, {}};
  for (uint64_t i = 0; i < 1000; i++) {
    vectors[1].push_back(1'700'000'000'000'000 + i * 10'000'000);
    vectors[2].push_back(i / 300);
  }
  const Encoded encoded = Encode(kInteger, vectors);
  EXPECT_TRUE(encoded.tables.empty());
  EXPECT_EQ(kConstant, encoded.codecs[0]);
  EXPECT_EQ(kDelta, encoded.codecs[1]);
  EXPECT_EQ(kRuns, encoded.codecs[2]);
  RoundTrip(kInteger, vectors);
}

TEST(WordChunk, EverySizeAndExtremes) {
  std::mt19937_64 random(3);
  for (const size_t rows : {1, 2, 3, 15, 16, 17, 31, 64, 500, 1023, 1024}) {
    RoundTrip(kInteger, Make(5, rows, [&] { return random(); }));
    RoundTrip(kInteger, Make(5, rows, [&] { return random() % 9; }));
    RoundTrip(kInteger, Make(9, rows, [&] { return random() % 3 ? random() % 5 : random(); }));
    RoundTrip(kInteger, Make(3, rows, [&] { return random() % 2 ? uint64_t{1} << 63 : INT64_MAX; }));
    uint64_t speed = 0;
    uint64_t place = 0;
    RoundTrip(kInteger, Make(7, rows, [&] { return place += speed += random() % 7 - 3; }));
    RoundTrip(kFloat8, Make(5, rows, [&] { return random(); }));
    RoundTrip(kFloat8, Make(5, rows, [&] {
      return std::bit_cast<uint64_t>(static_cast<double>(random() % 5000) / 100);
    }));
    RoundTrip(kFloat8, Make(5, rows, [&] {
      return std::bit_cast<uint64_t>(std::sqrt(static_cast<double>(random() % 100)));
    }));
  }
}

TEST(WordChunk, SecondDifferences) {
  std::mt19937_64 random(4);
  uint64_t speed = 1000;
  uint64_t place = 0;
  const auto counter = Make(32, 1024, [&] { return place += speed += random() % 3 - 1; });
  EXPECT_LT(RoundTrip(kInteger, counter), 32 * (1024 * 1.62 / 8 + 24));
}

TEST(WordChunk, DamagedBytesAreSafe) {
  std::mt19937_64 random(5);
  for (const WordShape& shape : {kInteger, kFloat8}) {
    const std::vector<Words> vectors = Make(8, 700, [&] {
      const uint64_t k = random() % 3 ? random() % 10 : random() % 5000;
      return shape.kind == WordKind::kInt ? k : std::bit_cast<uint64_t>(static_cast<double>(k) / 8);
    });
    const Encoded sound = Encode(shape, vectors);
    ASSERT_FALSE(sound.tables.empty());
    for (int i = 0; i < 4000; i++) {
      Bytes tables = sound.tables;
      Bytes vector = sound.vectors[random() % 8];
      Bytes* bytes = i % 2 ? &tables : &vector;
      if (i % 5 == 0) bytes->resize(random() % bytes->size());
      for (uint64_t flips = 1 + random() % 3; flips > 0 && !bytes->empty(); flips--) {
        (*bytes)[random() % bytes->size()] ^= static_cast<uint8_t>(1u << random() % 8);
      }
      std::vector<EntropyDecoder> read;
      base::ByteReader in(tables.data(), tables.size());
      if (!ReadTables(&in, &read)) continue;
      const std::unique_ptr<uint8_t[]> exact(new uint8_t[vector.size()]);
      std::copy(vector.begin(), vector.end(), exact.get());
      Words decoded(i % 3 == 0 ? 1 + random() % 1024 : 700);
      const uint8_t number = shape.kind == WordKind::kInt ? uint8_t{kEntropy} : uint8_t{kScaled};
      (void)!DecodeWords(shape, number, base::ByteReader(exact.get(), vector.size()), decoded, read);
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
