#include "codec/zstd/zstd.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/registry/registry.h"

namespace nodedb_ts::codec {
namespace {

void RoundTrip(uint32_t width, const std::vector<std::string>& values, uint8_t level) {
  const std::vector<std::string_view> views(values.begin(), values.end());
  BytesEncoder encoder(level);
  for (int again = 0; again < 2; again++) {
    std::vector<uint8_t> bytes = {1, 2, 3};  // appends behind what is there
    base::ByteWriter out(&bytes);
    const uint8_t number = encoder.Encode(width, views, &out);
    std::vector<uint64_t> lengths(values.size());
    BytesVector vector;
    ASSERT_TRUE(OpenBytes(width, number, base::ByteReader(bytes.data() + 3, bytes.size() - 3),
                          {}, lengths, &vector));
    std::string joined(vector.total, '?');
    ASSERT_TRUE(CopyBytes(vector, reinterpret_cast<uint8_t*>(joined.data())));
    size_t at = 0;
    for (size_t i = 0; i < values.size(); i++) {
      ASSERT_EQ(values[i].size(), lengths[i]);
      ASSERT_EQ(values[i], joined.substr(at, lengths[i]));
      at += lengths[i];
    }
    ASSERT_EQ(at, joined.size());
  }
}

TEST(Bytes, RoundTrips) {
  std::mt19937_64 random(1);
  for (const uint8_t level : {1, 2}) {
    RoundTrip(0, {""}, level);
    RoundTrip(0, {"", "", ""}, level);
    RoundTrip(0, {"a", "", std::string(100000, 'b')}, level);
    RoundTrip(1, {"a", "b"}, level);
    std::vector<std::string> noise, text;
    for (int i = 0; i < 1024; i++) {
      noise.emplace_back(16, '\0');
      for (char& c : noise.back()) c = static_cast<char>(random());
      text.push_back("measurement number " + std::to_string(random() % 10000));
    }
    RoundTrip(16, noise, level);
    RoundTrip(0, noise, level);
    RoundTrip(0, text, level);
    RoundTrip(0, {std::string(20'000'000, 'z')}, level);
  }
}

// Hashes in hexadecimal: level 6 refers to chance matches, each of which takes more than the digits do.
TEST(Bytes, HigherLevelsTakeNoMore) {
  std::mt19937_64 random(2);
  const auto hash = [&random] {
    std::string digits(32, '0');
    for (char& c : digits) c = "0123456789abcdef"[random() % 16];
    return digits;
  };
  std::vector<std::string> common, values;
  for (int i = 0; i < 600; i++) common.push_back(hash());
  for (size_t i = 0; i < 1000; i++) values.push_back(common[i % 600] + hash());
  const std::vector<std::string_view> views(values.begin(), values.end());
  std::string content;
  for (int i = 0; i < 600; i += 4) content += common[static_cast<size_t>(i)];
  for (const bool dictionary : {false, true}) {
    size_t quick = 0;
    for (const int level : {1, 6, 19}) {
      BytesEncoder encoder(2, level);
      if (dictionary) encoder.UseDictionary({reinterpret_cast<const uint8_t*>(content.data()), content.size()});
      std::vector<uint8_t> bytes;
      base::ByteWriter out(&bytes);
      encoder.Encode(0, views, &out);
      if (level == 1) quick = bytes.size();
      EXPECT_LE(bytes.size(), quick) << level;
    }
  }
  RoundTrip(0, values, 2);
}

TEST(Bytes, FrameThatPromisesMoreIsRefused) {
  const std::string value(1000, 'a');
  const std::string_view views[] = {value};
  BytesEncoder encoder(1);
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  ASSERT_EQ(kBytesZstd, encoder.Encode(1000, views, &out));
  uint64_t lengths[2];
  BytesVector vector;
  const base::ByteReader in(bytes.data(), bytes.size());
  EXPECT_TRUE(OpenBytes(1000, kBytesZstd, in, {}, {lengths, 1}, &vector));
  EXPECT_FALSE(OpenBytes(1001, kBytesZstd, in, {}, {lengths, 1}, &vector));
  EXPECT_FALSE(OpenBytes(1000, kBytesZstd, in, {}, {lengths, 2}, &vector));
  EXPECT_FALSE(OpenBytes(1000, kBytesPlain, in, {}, {lengths, 1}, &vector));
  EXPECT_FALSE(OpenBytes(1000, kPlain, in, {}, {lengths, 1}, &vector));
}

}  // namespace
}  // namespace nodedb_ts::codec
