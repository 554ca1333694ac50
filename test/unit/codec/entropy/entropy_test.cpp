#include "codec/entropy/entropy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/bits.h"

namespace nodedb_ts::codec {
namespace {

using Words = std::vector<uint64_t>;
using Bytes = std::vector<uint8_t>;

constexpr size_t kRows = 1024;

uint64_t Normal(std::mt19937_64& random, double deviation) {
  return base::ZigZag(std::llround(std::normal_distribution<double>(0, deviation)(random)));
}

// A distribution by number, from all zeros to noise.
constexpr int kDistributions = 16;
uint64_t Draw(int distribution, std::mt19937_64& random) {
  switch (distribution) {
    case 0: return 0;
    case 1: return 123'456'789'012'345;
    case 2: return random() % 2;
    case 3: return random() % 100 == 0;
    case 4: return Normal(random, 1.1);
    case 5: return Normal(random, 20);
    case 6: return Normal(random, 1e4);
    case 7: return Normal(random, 1e12);
    case 8: return random() % 256;
    case 9: return random() % 257;
    case 10: return std::geometric_distribution<uint64_t>(0.05)(random);
    case 11: return random();
    case 12: return random() >> (random() % 64);
    case 13: return random() % 40 ? random() % 3 : random();
    case 14: return random() % 30 * 1000;  // tokens far from each other
    default: return random() % 5 ? 255 : 256;
  }
}

Words DrawMany(int distribution, size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Words words(n);
  for (uint64_t& v : words) v = Draw(distribution, random);
  return words;
}

EntropyHistogram HistogramOf(std::span<const uint64_t> values) {
  EntropyHistogram histogram;
  histogram.Add(values);
  return histogram;
}

Bytes TableOf(const EntropyEncoder& encoder) {
  Bytes bytes;
  base::ByteWriter out(&bytes);
  encoder.Write(&out);
  return bytes;
}

// Encodes and decodes from a buffer of just these bytes; returns their number.
size_t RoundTrip(const EntropyEncoder& encoder, const EntropyDecoder& decoder,
                 std::span<const uint64_t> values) {
  Bytes bytes;
  base::ByteWriter out(&bytes);
  EXPECT_TRUE(encoder.Encode(values, &out));
  EXPECT_LE(std::max(bytes.size(), encoder.EstimateBytes(values)) -
                std::min(bytes.size(), encoder.EstimateBytes(values)),
            2 + values.size() / 128 + bytes.size() / 50);
  bytes.shrink_to_fit();
  Words decoded(values.size(), 0xABABABAB);
  base::ByteReader in(bytes.data(), bytes.size());
  EXPECT_TRUE(decoder.Decode(&in, decoded));
  EXPECT_TRUE(in.empty());
  EXPECT_TRUE(std::ranges::equal(values, decoded));
  // The same with other bytes behind, which are left.
  const size_t size = bytes.size();
  bytes.insert(bytes.end(), 20'000, 0xFF);
  in = base::ByteReader(bytes.data(), bytes.size());
  std::ranges::fill(decoded, 1);
  EXPECT_TRUE(decoder.Decode(&in, decoded));
  EXPECT_EQ(20'000u, in.remaining());
  EXPECT_TRUE(std::ranges::equal(values, decoded));
  return size;
}

struct Coder {
  EntropyEncoder encoder;
  EntropyDecoder decoder;
  size_t table_bytes = 0;
};

void Make(const EntropyHistogram& histogram, Coder* coder) {
  ASSERT_TRUE(coder->encoder.Build(histogram));
  Bytes table = TableOf(coder->encoder);
  ASSERT_EQ(table.size(), coder->encoder.TableBytes());
  coder->table_bytes = table.size();
  table.push_back(0x55);
  base::ByteReader in(table.data(), table.size());
  ASSERT_TRUE(coder->decoder.Read(&in));
  EXPECT_EQ(1u, in.remaining());
}

TEST(Entropy, RoundTripsOfAllSizes) {
  for (int d = 0; d < kDistributions; d++) {
    const Words words = DrawMany(d, 64 * kRows, static_cast<uint64_t>(d));
    Coder coder;
    Make(HistogramOf(words), &coder);
    for (size_t n = 1, at = 0; n <= kRows; n += n < 80 ? 1 : 59, at += n) {
      RoundTrip(coder.encoder, coder.decoder, {words.data() + at, n});
      ASSERT_FALSE(HasFailure()) << d << " " << n;
    }
    RoundTrip(coder.encoder, coder.decoder, {words.data(), kRows});
    ASSERT_FALSE(HasFailure()) << d;
  }
}

// What DecodeSums and DecodeFirst say of the first `wanted` values, against a loop over all of them.
void CheckPrefix(const Coder& coder, std::span<const uint64_t> values, size_t wanted, uint64_t before) {
  Bytes bytes;
  base::ByteWriter out(&bytes);
  ASSERT_TRUE(coder.encoder.Encode(values, &out));
  Words decoded(values.size());
  base::ByteReader in(bytes.data(), bytes.size());
  ASSERT_TRUE(coder.decoder.DecodeSums(&in, decoded, wanted, before));
  EXPECT_TRUE(in.empty());
  for (size_t i = 0; i < std::min(wanted, values.size()); i++) {
    before += static_cast<uint64_t>(base::UnZigZag(values[i]));
    ASSERT_EQ(before, decoded[i]) << i;
  }
  in = base::ByteReader(bytes.data(), bytes.size());
  ASSERT_TRUE(coder.decoder.DecodeFirst(&in, decoded, wanted));
  EXPECT_TRUE(in.empty());
  EXPECT_TRUE(std::equal(values.begin(), values.begin() + static_cast<ptrdiff_t>(std::min(wanted, values.size())),
                         decoded.begin()));
}

TEST(Entropy, SumsAndFirstValues) {
  std::mt19937_64 random(8);
  for (int d = 0; d < kDistributions; d++) {
    const Words words = DrawMany(d, 64 * kRows, static_cast<uint64_t>(d));
    Coder coder;
    Make(HistogramOf(words), &coder);
    for (size_t n = 1, at = 0; n <= kRows; n += n < 80 ? 1 : 59, at += n) {
      for (const size_t wanted : {size_t{1}, n / 2 + 1, n, 1 + random() % n, n + 7}) {
        CheckPrefix(coder, {words.data() + at, n}, wanted, random());
        ASSERT_FALSE(HasFailure()) << d << " " << n << " " << wanted;
      }
    }
  }
}

TEST(Entropy, TablesOfFewValues) {
  for (int d = 0; d < kDistributions; d++) {
    for (size_t n = 1; n < 300; n += 1 + n / 8) {
      const Words words = DrawMany(d, n, n);
      Coder coder;
      Make(HistogramOf(words), &coder);
      RoundTrip(coder.encoder, coder.decoder, words);
      ASSERT_FALSE(HasFailure()) << d << " " << n;
    }
  }
}

TEST(Entropy, Extremes) {
  Words words = {0, UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, (uint64_t{1} << 63) - 1};
  for (unsigned bit = 0; bit < 64; bit++) {
    for (const int around : {-1, 0, 1}) words.push_back((uint64_t{1} << bit) + static_cast<uint64_t>(around));
    words.push_back(UINT64_MAX >> bit);
    words.push_back(UINT64_MAX << bit);
  }
  Coder coder;
  Make(HistogramOf(words), &coder);
  RoundTrip(coder.encoder, coder.decoder, words);
  for (const uint64_t v : words) RoundTrip(coder.encoder, coder.decoder, {&v, 1});
  // Each of them in a table of its own.
  for (const uint64_t v : words) {
    const Words same(100, v);
    Coder one;
    Make(HistogramOf(same), &one);
    RoundTrip(one.encoder, one.decoder, same);
    RoundTrip(one.encoder, one.decoder, {&v, 1});
  }
}

TEST(Entropy, EqualSmallValuesTakeNoBytes) {
  const Words words(kRows, 9);
  Coder coder;
  Make(HistogramOf(words), &coder);
  EXPECT_EQ(0u, RoundTrip(coder.encoder, coder.decoder, words));
  EXPECT_LE(coder.table_bytes, 4u);
}

TEST(Entropy, NothingToBuildFrom) {
  EntropyEncoder encoder;
  EXPECT_FALSE(encoder.Build(EntropyHistogram()));
  EXPECT_EQ(0, EntropyHistogram().Bits());
}

TEST(Entropy, HistogramsAdd) {
  EntropyHistogram all;
  EntropyHistogram sum;
  for (int d = 0; d < kDistributions; d++) {
    const Words words = DrawMany(d, 777, 1);
    all.Add(words);
    sum.Add(HistogramOf(words));
  }
  EXPECT_EQ(777u * kDistributions, sum.count());
  EXPECT_EQ(all.count(), sum.count());
  EXPECT_EQ(all.bins(), sum.bins());
  EntropyEncoder a;
  EntropyEncoder b;
  ASSERT_TRUE(a.Build(all) && b.Build(sum));
  EXPECT_EQ(TableOf(a), TableOf(b));
}

TEST(Entropy, ValuesWithoutTokenAreRefused) {
  Words words(kRows, 3);
  words[5] = 7;
  words[9] = 1000;
  Coder coder;
  Make(HistogramOf(words), &coder);
  size_t refused = 0;
  for (uint64_t v = 0; v < 100'000; v++) {
    Bytes bytes = {1, 2};
    base::ByteWriter out(&bytes);
    words[700] = v;
    const bool encoded = coder.encoder.Encode(words, &out);
    ASSERT_EQ(encoded, coder.encoder.EstimateBytes(words) != SIZE_MAX);
    if (!encoded) {
      ASSERT_EQ(2u, bytes.size());
      refused++;
      continue;
    }
    Words decoded(kRows);
    base::ByteReader in(bytes.data() + 2, bytes.size() - 2);
    ASSERT_TRUE(coder.decoder.Decode(&in, decoded));
    ASSERT_EQ(words, decoded) << v;
  }
  EXPECT_LT(refused, 100'000u);
  EXPECT_GT(refused, 90'000u);
}

// ---- bytes that are stored ----------------------------------------------------------------------

std::string Hex(const Bytes& bytes) {
  std::string hex;
  for (const uint8_t b : bytes) {
    hex += "0123456789abcdef"[b >> 4];
    hex += "0123456789abcdef"[b & 15];
  }
  return hex;
}

// Files keep these; a reader written from README.md alone reads them. A change is a change of the format.
TEST(Entropy, BytesStayAsTheyAre) {
  const auto check = [](const Words& words, const char* table, const char* vector) {
    EntropyEncoder encoder;
    ASSERT_TRUE(encoder.Build(HistogramOf(words)));
    EXPECT_EQ(table, Hex(TableOf(encoder)));
    Bytes bytes;
    base::ByteWriter out(&bytes);
    ASSERT_TRUE(encoder.Encode(words, &out));
    EXPECT_EQ(vector, Hex(bytes));
  };
  Words small(40);
  for (size_t i = 0; i < small.size(); i++) small[i] = i % 5 * (i % 3);
  check(small, "33aca204", "505ab1e3609856ec3818a6011b");
  Words large(20);
  for (size_t i = 0; i < large.size(); i++) large[i] = i * i * i * 1000;
  check(large, "04bcbd68144425",
        "90b2d4f648a872f31f3dd0e3a5007a2474e0a5d83b01408ffa3120a1e33c11809722180660ef84f93701003ddabd02"
        "d48fe1a3a2");
}

// ---- sizes --------------------------------------------------------------------------------------

// Bits of a value of these in a chunk of 64 vectors, table included.
double BitsOf(const Words& words, size_t* table_bytes = nullptr) {
  Coder coder;
  const EntropyHistogram histogram = HistogramOf(words);
  Make(histogram, &coder);
  size_t bytes = coder.table_bytes;
  size_t estimate = bytes;
  for (size_t at = 0; at < words.size(); at += kRows) {
    bytes += RoundTrip(coder.encoder, coder.decoder, {words.data() + at, kRows});
    estimate += coder.encoder.EstimateBytes({words.data() + at, kRows});
  }
  EXPECT_NEAR(static_cast<double>(estimate), static_cast<double>(bytes),
              0.02 * static_cast<double>(bytes));
  // Each vector has its states and the rest of a byte beyond what the histogram says.
  const double expected = (histogram.Bits() + histogram.TableBits()) / 8;
  const double vectors = static_cast<double>(words.size()) / kRows;
  EXPECT_NEAR(static_cast<double>(bytes), expected + 3 * vectors,
              0.02 * expected + 3 * vectors);
  if (table_bytes != nullptr) *table_bytes = coder.table_bytes;
  return static_cast<double>(bytes) * 8 / static_cast<double>(words.size());
}

// Order-0 entropy of the values as they are.
double OrderZero(const Words& words) {
  std::map<uint64_t, size_t> counts;
  for (const uint64_t v : words) counts[v]++;
  double bits = 0;
  for (const auto& [v, c] : counts) {
    bits += static_cast<double>(c) * std::log2(static_cast<double>(words.size()) / static_cast<double>(c));
  }
  return bits / static_cast<double>(words.size());
}

TEST(Entropy, SizeIsNearTheEntropy) {
  for (const double deviation : {0.7, 1.1, 2.0, 5.0, 20.0, 40.0}) {
    std::mt19937_64 random(1);
    Words words(64 * kRows);
    for (uint64_t& v : words) v = Normal(random, deviation);
    EXPECT_LE(BitsOf(words), OrderZero(words) * 1.025) << deviation;
  }
  for (const double p : {0.9, 0.5, 0.2, 0.05}) {
    std::mt19937_64 random(2);
    Words words(64 * kRows);
    std::geometric_distribution<uint64_t> draw(p);
    for (uint64_t& v : words) v = draw(random);
    // Two bytes of each vector: its states and the rest of its last byte.
    EXPECT_LE(BitsOf(words), OrderZero(words) * 1.03 + 16.0 / kRows) << p;
  }
}

TEST(Entropy, SizeOfLargeValuesIsNearTheEntropy) {
  // Differential entropy of the distribution: the values themselves hardly repeat.
  for (const double deviation : {300.0, 1e4, 1e7, 1e15}) {
    std::mt19937_64 random(3);
    Words words(64 * kRows);
    for (uint64_t& v : words) v = Normal(random, deviation);
    const double bits = std::log2(deviation * std::sqrt(2 * 3.14159265358979 * 2.71828182845905));
    EXPECT_LE(BitsOf(words), bits * 1.01) << deviation;
  }
  EXPECT_LE(BitsOf(DrawMany(11, 64 * kRows, 1)), 64 * 1.002);
}

TEST(Entropy, TablesAreSmall) {
  size_t bytes;
  std::mt19937_64 random(4);
  Words words(64 * kRows);
  for (uint64_t& v : words) v = std::min<uint64_t>(Normal(random, 3), 19);
  BitsOf(words, &bytes);
  EXPECT_LE(bytes, 20u);
  for (uint64_t& v : words) v = std::min<uint64_t>(Normal(random, 25), 99);
  BitsOf(words, &bytes);
  EXPECT_LE(bytes, 75u);
}

// ---- hostile bytes ------------------------------------------------------------------------------

TEST(Entropy, TruncatedBytesAreRefused) {
  for (int d = 0; d < kDistributions; d++) {
    const Words words = DrawMany(d, kRows, 5);
    EntropyEncoder encoder;
    ASSERT_TRUE(encoder.Build(HistogramOf(words)));
    const Bytes table = TableOf(encoder);
    for (size_t cut = 0; cut < table.size(); cut++) {
      const Bytes part(table.begin(), table.begin() + static_cast<ptrdiff_t>(cut));
      base::ByteReader in(part.data(), part.size());
      EntropyDecoder decoder;
      ASSERT_FALSE(decoder.Read(&in)) << d << " " << cut;
    }
    EntropyDecoder decoder;
    base::ByteReader in(table.data(), table.size());
    ASSERT_TRUE(decoder.Read(&in));
    Bytes bytes;
    base::ByteWriter out(&bytes);
    ASSERT_TRUE(encoder.Encode(words, &out));
    // The bits that are left may mean fewer bits than those that were cut.
    size_t accepted = 0;
    for (size_t cut = 0; cut < bytes.size(); cut++) {
      const Bytes part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut));
      Words decoded(kRows);
      base::ByteReader at(part.data(), part.size());
      accepted += decoder.Decode(&at, decoded);
    }
    EXPECT_LE(accepted, bytes.size() / 4) << d;
  }
}

TEST(Entropy, DamagedBytesDoNoHarm) {
  std::mt19937_64 random(6);
  size_t tables = 0;
  for (int round = 0; round < 4000; round++) {
    const Words words = DrawMany(round % kDistributions, 1 + random() % kRows, random());
    EntropyEncoder encoder;
    ASSERT_TRUE(encoder.Build(HistogramOf(words)));
    Bytes table = TableOf(encoder);
    Bytes bytes;
    base::ByteWriter out(&bytes);
    ASSERT_TRUE(encoder.Encode(words, &out));
    for (Bytes* b : {&table, &bytes}) {
      for (uint64_t flips = random() % 4; flips > 0 && !b->empty(); flips--) {
        (*b)[random() % b->size()] ^= static_cast<uint8_t>(1u << random() % 8);
      }
      if (random() % 4 == 0) b->resize(random() % (b->size() + 1));
      b->shrink_to_fit();
    }
    EntropyDecoder decoder;
    base::ByteReader in(table.data(), table.size());
    if (!decoder.Read(&in)) continue;
    tables++;
    Words decoded(1 + random() % kRows);
    base::ByteReader at(bytes.data(), bytes.size());
    (void)!decoder.Decode(&at, decoded);
    at = base::ByteReader(bytes.data(), bytes.size());
    (void)!decoder.DecodeSums(&at, decoded, 1 + random() % decoded.size(), random());
  }
  EXPECT_GT(tables, 1000u);
}

TEST(Entropy, RandomBytesDoNoHarm) {
  std::mt19937_64 random(7);
  size_t tables = 0;
  for (int round = 0; round < 20'000; round++) {
    Bytes table(random() % 60);
    for (uint8_t& b : table) b = static_cast<uint8_t>(random() & random());
    EntropyDecoder decoder;
    base::ByteReader in(table.data(), table.size());
    if (!decoder.Read(&in)) continue;
    tables++;
    Bytes bytes(random() % 2 ? random() % 20 : random() % 10'000);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random() | (round % 2 ? 0xFF : 0));
    Words decoded(random() % 2 ? kRows : 1 + random() % kRows);
    base::ByteReader at(bytes.data(), bytes.size());
    (void)!decoder.Decode(&at, decoded);
    at = base::ByteReader(bytes.data(), bytes.size());
    (void)!decoder.DecodeSums(&at, decoded, 1 + random() % decoded.size(), random());
  }
  EXPECT_GT(tables, 1000u);
}

TEST(Entropy, CountsRoundTrip) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 3000; round++) {
    EntropyCounts counts;
    counts.log = static_cast<uint8_t>(random() % (kEntropyMaxLog + 1));
    counts.split = {static_cast<uint8_t>(3 + random() % 6), static_cast<uint8_t>(random() % 4)};
    counts.streams = static_cast<uint8_t>(1u << random() % 3);
    uint32_t left = 1u << counts.log;
    const size_t end = (size_t{1} << counts.split.split) +
                       (size_t{64u - counts.split.split} << counts.split.mantissa);
    size_t token = 0;
    while (left > 0 && counts.size < kEntropyMaxTokens) {
      token += random() % 3 ? 0 : random() % (random() % 3 ? 5 : 200);
      uint32_t n = 1 + static_cast<uint32_t>(random() % std::min<uint64_t>(left, 1 + random() % 64));
      if (counts.size + 1 == kEntropyMaxTokens || random() % 50 == 0) n = left;
      if (token >= end) break;
      counts.token[counts.size] = static_cast<uint16_t>(token++);
      counts.count[counts.size++] = static_cast<uint16_t>(n);
      left -= n;
    }
    if (left > 0) {
      if (counts.size == 0) continue;
      counts.count[counts.size - 1] = static_cast<uint16_t>(counts.count[counts.size - 1] + left);
    }
    Bytes bytes;
    base::ByteWriter out(&bytes);
    counts.Write(&out);
    EntropyCounts read;
    base::ByteReader in(bytes.data(), bytes.size());
    ASSERT_TRUE(read.Read(&in)) << round;
    EXPECT_TRUE(in.empty());
    ASSERT_EQ(counts.size, read.size);
    EXPECT_EQ(counts.log, read.log);
    EXPECT_EQ(counts.streams, read.streams);
    EXPECT_EQ(counts.split.split, read.split.split);
    EXPECT_EQ(counts.split.mantissa, read.split.mantissa);
    for (uint32_t i = 0; i < counts.size; i++) {
      ASSERT_EQ(counts.token[i], read.token[i]);
      ASSERT_EQ(counts.count[i], read.count[i]);
    }
  }
}

TEST(Entropy, BinsEstimateWhatValuesDo) {
  std::mt19937_64 random(77);
  for (const size_t rows : {1, 20, 40, 500, 1024}) {
    std::vector<uint64_t> values;
    for (size_t i = 0; i < rows; i++) values.push_back(random() % 3 ? random() % 20 : random() % 100000);
    EntropyHistogram histogram;
    histogram.Add(values);
    std::vector<EntropyBin> bins;
    histogram.FilledBins(&bins);
    EntropyHistogram again;
    again.Add(bins);
    EXPECT_EQ(histogram.bins(), again.bins());
    EXPECT_EQ(rows, again.count());
    EntropyEncoder encoder;
    ASSERT_TRUE(encoder.Build(histogram));
    std::vector<uint8_t> bytes;
    base::ByteWriter out(&bytes);
    ASSERT_TRUE(encoder.Encode(values, &out));
    EXPECT_NEAR(static_cast<double>(bytes.size()), static_cast<double>(encoder.EstimateBytes(bins, rows)), 8);
    const EntropyBin missing[] = {{static_cast<uint16_t>(kEntropyBins - 1), 1}};
    EXPECT_EQ(SIZE_MAX, encoder.EstimateBytes(missing, 1));
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
