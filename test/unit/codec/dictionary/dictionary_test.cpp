#include "codec/dictionary/dictionary.h"

#include <gtest/gtest.h>

#include <string>

namespace nodedb_ts::codec {
namespace {

TEST(Dictionary, WordsRoundTrip) {
  std::vector<uint64_t> values;
  std::vector<uint8_t> nulls;
  for (uint64_t i = 0; i < 5000; i++) {
    values.push_back(i * i % 997);
    nulls.push_back(i % 11 == 0);
  }
  DictionaryBuilder<uint64_t> builder;
  std::vector<uint64_t> codes;
  ASSERT_TRUE(builder.Build(values.data(), nulls.data(), values.size(), 1000, &codes));
  EXPECT_FALSE(DictionaryBuilder<uint64_t>().Build(values.data(), nulls.data(), values.size(), 10,
                                                   &codes));
  ASSERT_TRUE(builder.Build(values.data(), nulls.data(), values.size(), 1000, &codes));
  for (const uint32_t width : {2u, 4u, 8u}) {
    std::vector<uint8_t> bytes;
    base::ByteWriter out(&bytes);
    WriteDictionary(builder.entries(), width, &out);
    Dictionary dictionary;
    ASSERT_TRUE(dictionary.Open(base::ByteReader(bytes.data(), bytes.size()), width));
    std::vector<uint64_t> words = codes;
    ASSERT_TRUE(dictionary.Words(words));
    for (size_t i = 0; i < values.size(); i++) {
      ASSERT_TRUE(nulls[i] || values[i] == words[i]);
    }
    uint64_t beyond[] = {dictionary.size()};
    EXPECT_FALSE(dictionary.Words(beyond));
    EXPECT_FALSE(dictionary.Open(base::ByteReader(bytes.data(), bytes.size() - 1), width));
  }
}

TEST(Dictionary, BytesRoundTrip) {
  std::vector<std::string> strings;
  for (size_t i = 0; i < 3000; i++) strings.push_back(std::string(i % 300, 'a') + std::to_string(i % 700));
  strings[5] = "";
  const std::vector<std::string_view> values(strings.begin(), strings.end());
  const std::vector<uint8_t> nulls(values.size(), 0);
  DictionaryBuilder<std::string_view> builder;
  std::vector<uint64_t> codes;
  ASSERT_TRUE(builder.Build(values.data(), nulls.data(), values.size(), 5000, &codes));
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  WriteDictionary(builder.entries(), 0, &out);
  Dictionary dictionary;
  ASSERT_TRUE(dictionary.Open(base::ByteReader(bytes.data(), bytes.size()), 0));
  for (size_t i = 0; i < values.size(); i++) {
    const uint8_t* p;
    uint64_t length;
    ASSERT_TRUE(dictionary.Get(codes[i], &p, &length));
    ASSERT_EQ(values[i], std::string_view(reinterpret_cast<const char*>(p), length));
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
