#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>
#include <vector>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/registry/registry.h"

namespace nodedb_ts::codec {
namespace {

using Words = std::vector<uint64_t>;

Words Canonical(const WordShape& shape, Words words) {
  for (uint64_t& v : words) {
    if (shape.kind == WordKind::kFloat4) v &= UINT32_MAX;
    if (shape.kind == WordKind::kInt) v = base::SignExtend(v, shape.width);
  }
  return words;
}

// Vectors that are hard for one codec or another.
std::vector<Words> Samples(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Words> samples;
  const auto add = [&](auto f) {
    Words words;
    for (size_t i = 0; i < n; i++) words.push_back(f(i));
    samples.push_back(words);
  };
  add([](size_t) { return 7; });
  add([](size_t i) { return i * 1000; });
  add([](size_t i) { return UINT64_MAX - i * 3; });
  add([](size_t i) { return i % 2 ? uint64_t{1} << 63 : (uint64_t{1} << 63) - 1; });
  add([](size_t i) { return i / 100; });
  add([&](size_t) { return random(); });
  for (unsigned width = 1; width < 64; width += 3) {
    add([&](size_t) { return random() >> (64 - width); });
  }
  add([&](size_t i) { return i == n / 2 ? random() : random() % 16; });
  add([](size_t i) { return i * 10 - (i > 300 ? 1'000'000'000'000 : 0); });
  add([](size_t i) { return std::bit_cast<uint64_t>(static_cast<double>(i) / 100); });
  add([](size_t i) { return std::bit_cast<uint64_t>(static_cast<double>(i) + 0.1); });
  add([](size_t i) { return uint64_t{std::bit_cast<uint32_t>(static_cast<float>(i) / 10)}; });
  add([](size_t i) { return i % 9 ? std::bit_cast<uint64_t>(1.5) : 0x7ff8000000000123; });
  add([](size_t i) { return i % 9 ? 0 : uint64_t{1} << 63; });  // 0.0 and -0.0
  add([](size_t i) { return 0x7ff0000000000000 | (i % 2) << 63; });
  return samples;
}

class WordCodecs : public testing::TestWithParam<size_t> {};

TEST_P(WordCodecs, EveryCodecRoundTrips) {
  const size_t n = GetParam();
  const WordShape shapes[] = {{WordKind::kInt, 1},    {WordKind::kInt, 2},
                              {WordKind::kInt, 4},    {WordKind::kInt, 8},
                              {WordKind::kFloat4, 4}, {WordKind::kFloat8, 8}};
  for (const WordShape& shape : shapes) {
    for (const Words& sample : Samples(n, n)) {
      const Words words = Canonical(shape, sample);
      for (int number = 0; number < 64; number++) {
        const WordCodec* codec = FindWordCodec(static_cast<uint8_t>(number));
        if (codec == nullptr) continue;
        if (number == kConstant && words != Words(n, words[0])) continue;
        const bool floats_only = number == kDecimal || number == kGorilla;
        if (floats_only && shape.kind == WordKind::kInt) continue;
        std::vector<uint8_t> bytes;
        base::ByteWriter out(&bytes);
        codec->encode(shape, words, &out);
        Words decoded(n, 0xABABABAB);
        ASSERT_TRUE(DecodeWords(shape, static_cast<uint8_t>(number),
                                base::ByteReader(bytes.data(), bytes.size()), decoded))
            << codec->name;
        ASSERT_EQ(words, decoded) << codec->name;
        // Every prefix is refused or gives some values, without reading past its end.
        for (size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 4) {
          const std::vector<uint8_t> part(bytes.begin(),
                                          bytes.begin() + static_cast<ptrdiff_t>(cut));
          EXPECT_FALSE(DecodeWords(shape, static_cast<uint8_t>(number),
                                   base::ByteReader(part.data(), part.size()), decoded));
        }
      }
      std::vector<uint8_t> bytes;
      base::ByteWriter out(&bytes);
      const uint8_t chosen = EncodeWords(shape, words, &out);
      EXPECT_LE(bytes.size(), n * shape.width + 24);
      Words decoded(n);
      ASSERT_TRUE(
          DecodeWords(shape, chosen, base::ByteReader(bytes.data(), bytes.size()), decoded));
      ASSERT_EQ(words, decoded) << CodecName(chosen);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Codec, WordCodecs, testing::Values(1, 2, 3, 8, 31, 100, 511, 1023, 1024));

std::pair<uint8_t, size_t> Choice(const WordShape& shape, const Words& words) {
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  const uint8_t number = EncodeWords(shape, words, &out);
  return {number, bytes.size()};
}

TEST(Choice, FitsTheData) {
  std::mt19937_64 random(1);
  Words regular, jump, runs, range, decimals, walk, faster, drift;
  double value = 20;
  uint64_t total = 0;
  uint64_t rate = 1'000'000;
  for (size_t i = 0; i < 1024; i++) {
    regular.push_back(1'700'000'000'000'000 + i * 10'000'000);
    jump.push_back(1'700'000'000'000'000 + i % 360 * 10'000'000);
    runs.push_back(i / 200 * 977);
    range.push_back(random() % 1000);
    decimals.push_back(std::bit_cast<uint64_t>(static_cast<double>(random() % 10000) / 100));
    value += static_cast<double>(random() % 1000) * 1e-9;
    walk.push_back(std::bit_cast<uint64_t>(value / 3));
    faster.push_back(i * i);
    drift.push_back(total += rate += random() % 9 - 4);
  }
  const WordShape integer{WordKind::kInt, 8};
  const WordShape float8{WordKind::kFloat8, 8};
  EXPECT_EQ(kDelta, Choice(integer, regular).first);
  EXPECT_LT(Choice(integer, regular).second, 24u);
  EXPECT_EQ(kDelta, Choice(integer, jump).first);
  EXPECT_LT(Choice(integer, jump).second, 48u);
  EXPECT_EQ(kDeltaOfDelta, Choice(integer, faster).first);
  EXPECT_LT(Choice(integer, faster).second, 10u);
  EXPECT_EQ(kDeltaOfDelta, Choice(integer, drift).first);
  EXPECT_LT(Choice(integer, drift).second, 1024u * 4 / 8 + 16);
  EXPECT_EQ(kRuns, Choice(integer, runs).first);
  EXPECT_EQ(kFrame, Choice(integer, range).first);
  EXPECT_EQ(kDecimal, Choice(float8, decimals).first);
  EXPECT_EQ(kGorilla, Choice(float8, walk).first);
  EXPECT_EQ(kConstant, Choice(float8, Words(1024, 5)).first);
}

// What a frame takes at best with the least value as base.
size_t LeastFrame(const Words& words) {
  int64_t min = INT64_MAX;
  for (const uint64_t v : words) min = std::min(min, static_cast<int64_t>(v));
  size_t least = SIZE_MAX;
  for (unsigned width = 0; width <= 64; width++) {
    size_t exceptions = 0;
    for (const uint64_t v : words) exceptions += width < 64 && (v - static_cast<uint64_t>(min)) >> width != 0;
    least = std::min(least, PackedBytes(words.size(), width) + exceptions * kExceptionBytes);
  }
  return least + base::VarintBytes(base::ZigZag(min)) + 2;
}

// Frames and differences that a sample says cannot pay are not planned: that must not cost more than a little.
TEST(Choice, SamplesMissLittle) {
  std::mt19937_64 random(3);
  size_t chosen = 0;
  size_t least = 0;
  int far = 0;
  for (int round = 0; round < 20000; round++) {
    Words words(std::vector<size_t>{64, 100, 300, 1024}[random() % 4]);
    const unsigned range = 1 + random() % 40;   // of independent values
    const unsigned step = random() % 40;        // of those that go on from the value before
    const unsigned walks = random() % 101;      // percent
    const unsigned jumps = random() % 3 == 0 ? random() % 20 : 0;
    uint64_t value = random() >> 24;
    for (uint64_t& v : words) {
      const uint64_t drift = random() % 100 < walks ? value : 0;
      value = drift + (random() >> (64 - (drift != 0 ? step + 1 : range)));
      v = value + (random() % 100 < jumps ? random() >> 20 : 0);
    }
    Words deltas;
    for (size_t i = 1; i < words.size(); i++) deltas.push_back(words[i] - words[i - 1]);
    const size_t delta = LeastFrame(deltas) + base::VarintBytes(base::ZigZag(static_cast<int64_t>(words[0])));
    const size_t frame = std::min(LeastFrame(words), words.size() * 8);
    const size_t size = Choice({WordKind::kInt, 8}, words).second;
    far += size > std::min(frame, delta + delta / 16) * 5 / 4 + 4 ? 1 : 0;
    chosen += size;
    least += std::min(frame, delta);
  }
  EXPECT_LE(far, 20);  // which have 11 without samples, for bases above the least value
  EXPECT_LE(static_cast<double>(chosen), static_cast<double>(least) * 1.01);
}

TEST(WordCodecs, RandomBytesAreSafe) {
  std::mt19937_64 random(2);
  const WordShape shapes[] = {{WordKind::kInt, 4}, {WordKind::kFloat4, 4}, {WordKind::kFloat8, 8}};
  for (int i = 0; i < 50000; i++) {
    std::vector<uint8_t> bytes(random() % 80);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random() % 3 ? random() % 9 : random());
    Words words(1 + random() % (i % 2 ? 8 : 1024));
    (void)!DecodeWords(shapes[i % 3], static_cast<uint8_t>(i % 10),
                       base::ByteReader(bytes.data(), bytes.size()), words);
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
