#include "codec/fsst/fsst.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "codec/registry/registry.h"
#include "codec/zstd/zstd.h"

namespace nodedb_ts::codec {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes ToBytes(const std::string& text) { return Bytes(text.begin(), text.end()); }

// Exactly `most` bytes of room for the text, and 8 more for the encoder to read.
bool EncodeText(const FsstEncoder& encoder, const Bytes& text, size_t most, Bytes* codes) {
  Bytes padded = text;
  padded.resize(text.size() + 8, 0x5a);
  return encoder.Encode(padded.data(), text.size(), most, codes);
}

// Memory of exactly that size, so that a sanitizer sees what lies behind.
bool DecodeExactly(const FsstDecoder& decoder, const Bytes& codes, size_t size, Bytes* text) {
  const std::unique_ptr<uint8_t[]> in(new uint8_t[codes.size()]);
  std::copy(codes.begin(), codes.end(), in.get());
  const std::unique_ptr<uint8_t[]> out(new uint8_t[size]);
  if (!decoder.Decode({in.get(), codes.size()}, out.get(), size)) return false;
  text->assign(out.get(), out.get() + size);
  return true;
}

Bytes Table(const FsstEncoder& encoder) {
  Bytes table;
  base::ByteWriter out(&table);
  encoder.WriteTable(&out);
  return table;
}

// Share of the text that its codes take.
double RoundTrip(const Bytes& sample, const Bytes& text) {
  FsstEncoder encoder;
  EXPECT_TRUE(encoder.Learn(sample));
  const Bytes table = Table(encoder);
  FsstDecoder decoder;
  EXPECT_TRUE(decoder.Open({table.data(), table.size()}));
  Bytes codes = {7};  // appends
  EXPECT_TRUE(EncodeText(encoder, text, 2 * text.size() + 2, &codes));
  EXPECT_EQ(7, codes[0]);
  codes.erase(codes.begin());
  Bytes back;
  EXPECT_TRUE(DecodeExactly(decoder, codes, text.size(), &back));
  EXPECT_EQ(text, back);
  EXPECT_FALSE(DecodeExactly(decoder, codes, text.size() + 1, &back));
  if (!text.empty()) EXPECT_FALSE(DecodeExactly(decoder, codes, text.size() - 1, &back));
  return static_cast<double>(codes.size()) / static_cast<double>(std::max<size_t>(1, text.size()));
}

Bytes Random(size_t size, unsigned letters, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(letters == 256 ? random() : 'a' + random() % letters);
  return bytes;
}

Bytes Addresses(size_t count) {
  std::mt19937_64 random(count);
  std::string text;
  for (size_t i = 0; i < count; i++) {
    text += "https://www.example.com/items/" + std::to_string(random() % 100000) + "?page=" + std::to_string(random() % 9);
  }
  return ToBytes(text);
}

TEST(Fsst, RoundTrips) {
  EXPECT_LT(RoundTrip(Addresses(300), Addresses(2000)), 0.3);
  EXPECT_LT(RoundTrip(Random(10000, 16, 1), Random(20000, 16, 2)), 0.6);
  EXPECT_LE(RoundTrip(Random(16384, 256, 1), Random(20000, 256, 2)), 2.0);
  // Nothing of the sample in the text: all escapes.
  EXPECT_EQ(2.0, RoundTrip(ToBytes("aaaaaaaaaaaaaaaaaaaaaaaaa"), ToBytes("Nothing of it here")));
  EXPECT_LT(RoundTrip(ToBytes(std::string(1000, 'a')), ToBytes(std::string(8000, 'a'))), 0.13);
  for (size_t n = 0; n < 200; n++) {
    RoundTrip(ToBytes("a"), Random(n, 2, n));
    const Bytes text = Addresses(10);
    RoundTrip(text, Bytes(text.begin(), text.begin() + static_cast<ptrdiff_t>(n)));
  }
}

// Zero bytes are bytes like others: the padding behind a short symbol must not count as any.
TEST(Fsst, ZeroBytes) {
  Bytes text;
  for (int i = 0; i < 3000; i++) {
    text.push_back(static_cast<uint8_t>(i % 3));
    text.insert(text.end(), static_cast<size_t>(i % 5), 0);
  }
  EXPECT_LT(RoundTrip(text, text), 0.4);
  for (size_t n = 0; n < 50; n++) RoundTrip(text, Bytes(text.end() - static_cast<ptrdiff_t>(n), text.end()));
}

TEST(Fsst, LearnsTheSameFromTheSame) {
  const Bytes text = Addresses(200);
  FsstEncoder a, b;
  EXPECT_FALSE(a.Learn({}));
  ASSERT_TRUE(a.Learn(Random(5000, 30, 3)));
  ASSERT_TRUE(a.Learn(text));
  ASSERT_TRUE(b.Learn(text));
  EXPECT_EQ(Table(a), Table(b));
  EXPECT_LE(a.size(), kMaxFsstSymbols);
}

TEST(Fsst, EncoderKeepsToItsRoom) {
  FsstEncoder encoder;
  ASSERT_TRUE(encoder.Learn(Addresses(100)));
  const Bytes text = Random(1000, 256, 9);
  for (size_t most = 0; most < 50; most++) {
    Bytes codes = {1, 2};
    EXPECT_FALSE(EncodeText(encoder, text, most, &codes));
    EXPECT_EQ(Bytes({1, 2}), codes);
  }
}

TEST(Fsst, WrongTablesAreRefused) {
  FsstDecoder decoder;
  const auto opens = [&](const Bytes& bytes) { return decoder.Open({bytes.data(), bytes.size()}); };
  EXPECT_FALSE(opens({}));
  EXPECT_FALSE(opens({1, 0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(opens({0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(opens({1, 0, 0, 0, 0, 0, 0, 0, 'a'}));
  EXPECT_FALSE(opens({1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(opens({1, 0, 0, 0, 0, 0, 0, 0, 'a', 'b'}));
  Bytes many(8 + 256 * 2, 'a');
  std::fill_n(many.begin(), 8, 0);
  many[0] = 255;
  many[1] = 1;
  many.resize(8 + 255 + 2);
  EXPECT_FALSE(opens(many));  // 256 symbols
  many[1] = 0;
  many.resize(8 + 255);
  EXPECT_TRUE(opens(many));
}

TEST(Fsst, WrongCodesAreRefused) {
  for (const size_t symbols : {3, 127, 128, 129, 254, 255}) {
    Bytes table(8 + symbols, 'x');
    std::fill_n(table.begin(), 8, 0);
    table[0] = static_cast<uint8_t>(symbols);
    FsstDecoder decoder;
    ASSERT_TRUE(decoder.Open({table.data(), table.size()}));
    Bytes text;
    // Far from the end, where eight codes are taken at a time, and near it.
    for (const size_t at : {0, 3, 499}) {
      for (unsigned code = 0; code < 256; code++) {
        Bytes codes(500, static_cast<uint8_t>(symbols - 1));
        codes[at] = static_cast<uint8_t>(code);
        // Of an escape and its byte comes one byte.
        const size_t size = code == kFsstEscape ? 499 : 500;
        EXPECT_EQ(code < symbols || (code == kFsstEscape && at < 499), DecodeExactly(decoder, codes, size, &text))
            << symbols << " " << at << " " << code;
      }
    }
  }
}

// As vectors have them: behind their lengths, only where they are less than the bytes.
TEST(Fsst, VectorsOfByteStrings) {
  std::mt19937_64 random(4);
  std::vector<std::string> values;
  for (int i = 0; i < 1000; i++) {
    values.push_back(i % 50 == 0 ? "" : "10.0." + std::to_string(random() % 256) + "." + std::to_string(random() % 256));
  }
  const std::vector<std::string_view> views(values.begin(), values.end());
  std::string joined;
  for (const std::string& v : values) joined += v;
  FsstEncoder symbols;
  ASSERT_TRUE(symbols.Learn(ToBytes(joined)));
  const Bytes table = Table(symbols);
  FsstDecoder decoder;
  ASSERT_TRUE(decoder.Open({table.data(), table.size()}));
  BytesEncoder encoder(1);
  encoder.UseSymbols(&symbols);
  Bytes bytes;
  base::ByteWriter out(&bytes);
  ASSERT_EQ(kBytesFsst, encoder.Encode(0, views, &out));
  EXPECT_LT(bytes.size(), joined.size() / 2);
  const base::ByteReader in(bytes.data(), bytes.size());
  std::vector<uint64_t> lengths(values.size());
  BytesVector vector;
  EXPECT_FALSE(OpenBytes(0, kBytesFsst, in, {}, lengths, &vector));
  ASSERT_TRUE(OpenBytes(0, kBytesFsst, in, {nullptr, &decoder}, lengths, &vector));
  ASSERT_EQ(joined.size(), vector.total);
  std::string back(vector.total, '?');
  ASSERT_TRUE(CopyBytes(vector, reinterpret_cast<uint8_t*>(back.data())));
  EXPECT_EQ(joined, back);
  // What does not shrink stays as it is.
  const std::string other = "NONE OF THESE LETTERS";
  const std::string_view one[] = {other};
  EXPECT_EQ(kBytesPlain, encoder.Encode(0, one, &out));
  encoder.UseSymbols(nullptr);
  EXPECT_EQ(kBytesZstd, encoder.Encode(0, views, &out));
}

// Nothing decodes to more than eight times its bytes, so room is bounded before it is taken.
TEST(Fsst, VectorThatPromisesMoreIsRefused) {
  FsstDecoder decoder;
  const Bytes codes(10, 0);
  uint64_t lengths[1];
  BytesVector vector;
  const SharedBytes shared{nullptr, &decoder};
  EXPECT_TRUE(OpenBytes(80, kBytesFsst, {codes.data(), codes.size()}, shared, lengths, &vector));
  EXPECT_FALSE(OpenBytes(81, kBytesFsst, {codes.data(), codes.size()}, shared, lengths, &vector));
}

}  // namespace
}  // namespace nodedb_ts::codec
