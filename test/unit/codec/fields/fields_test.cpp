#include "codec/fields/fields.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace nodedb_ts::codec {
namespace {

using Bytes = std::vector<uint8_t>;

TEST(Fields, PlacesKeepTheirBytes) {
  std::mt19937_64 random(1);
  for (uint8_t width = 1; width <= 8; width++) {
    for (int kind = 0; kind < 3; kind++) {
      const FieldPlace place{width, kind == 1, kind == 2 && (width == 4 || width == 8)};
      for (int i = 0; i < 100; i++) {
        uint8_t bytes[8];
        uint8_t again[8] = {};
        for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
        place.Store(again, place.Load(bytes));
        EXPECT_EQ(Bytes(bytes, bytes + width), Bytes(again, again + width));
      }
    }
  }
  const uint8_t ordered[] = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(0x010203040506u, (FieldPlace{6, true, false}).Load(ordered));
  EXPECT_EQ(0x0201u, (FieldPlace{2, false, false}).Load(ordered));
  const uint8_t ones[] = {255, 255, 255, 255};
  EXPECT_EQ(UINT64_MAX, (FieldPlace{4, false, false}).Load(ones));
  EXPECT_EQ(UINT32_MAX, (FieldPlace{4, true, false}).Load(ones));
}

// Encodes and decodes; returns all bytes.
size_t RoundTrip(const std::vector<std::string>& values, const std::vector<uint32_t>& counts,
                 size_t* fields) {
  const std::vector<std::string_view> views(values.begin(), values.end());
  FieldsEncoder encoder;
  EXPECT_TRUE(encoder.Plan(views, counts));
  Bytes model_bytes;
  base::ByteWriter model_out(&model_bytes);
  encoder.WriteModel(&model_out);
  FieldsModel model;
  base::ByteReader model_in(model_bytes.data(), model_bytes.size());
  EXPECT_TRUE(model.Read(0, &model_in));
  EXPECT_TRUE(model_in.empty());
  *fields = model.fields.size();
  size_t size = model_bytes.size();
  size_t first = 0;
  for (size_t v = 0; v < counts.size(); v++) {
    if (counts[v] == 0) continue;
    Bytes bytes;
    base::ByteWriter out(&bytes);
    encoder.EncodeVector(v, &out);
    size += bytes.size();
    std::vector<std::string> decoded(counts[v], std::string(model.length, 'x'));
    std::vector<uint8_t*> at;
    for (std::string& d : decoded) at.push_back(reinterpret_cast<uint8_t*>(d.data()));
    EXPECT_TRUE(model.Decode({bytes.data(), bytes.size()}, counts[v], at.data()));
    for (size_t i = 0; i < counts[v]; i++) EXPECT_EQ(values[first + i], decoded[i]);
    first += counts[v];
    bytes.push_back(0);
    EXPECT_FALSE(model.Decode({bytes.data(), bytes.size()}, counts[v], at.data()));
    if (bytes.size() == 1) continue;  // all constant
    bytes.resize(bytes.size() / 2);
    EXPECT_FALSE(model.Decode({bytes.data(), bytes.size()}, counts[v], at.data()));
  }
  EXPECT_EQ(size, encoder.bytes());
  return size;
}

TEST(Fields, CutsAreFound) {
  // A counter in big-endian bytes, a constant, noise.
  std::mt19937_64 random(2);
  std::vector<std::string> values;
  for (uint32_t i = 0; i < 3000; i++) {
    std::string v;
    for (int shift = 24; shift >= 0; shift -= 8) v.push_back(static_cast<char>(i * 1000 >> shift));
    v += "ab";
    v.push_back(static_cast<char>(random()));
    v.push_back(static_cast<char>(random()));
    values.push_back(v);
  }
  size_t fields;
  const size_t size = RoundTrip(values, {1024, 0, 1024, 952}, &fields);
  EXPECT_LE(fields, 4u);
  EXPECT_LT(size, 3000 * 2 + 100u);
}

TEST(Fields, OneValue) {
  size_t fields;
  (void)RoundTrip({"abc"}, {1}, &fields);
}

TEST(Fields, OthersAreLeftAlone) {
  const std::vector<uint32_t> counts = {2};
  FieldsEncoder a;
  EXPECT_FALSE(a.Plan(std::vector<std::string_view>{"abc", "ab"}, counts));
  FieldsEncoder b;
  EXPECT_FALSE(b.Plan(std::vector<std::string_view>{"", ""}, counts));
  const std::string wide(65, 'x');
  FieldsEncoder c;
  EXPECT_FALSE(c.Plan(std::vector<std::string_view>{wide, wide}, counts));
  FieldsEncoder d;
  EXPECT_FALSE(d.Plan({}, {}));
}

bool ReadModel(uint32_t width, Bytes bytes) {
  FieldsModel model;
  base::ByteReader in(bytes.data(), bytes.size());
  return model.Read(width, &in);
}

TEST(Fields, BadModels) {
  EXPECT_TRUE(ReadModel(2, {2, 2, 0}));
  EXPECT_TRUE(ReadModel(0, {2, 1, 0, 1, 1, 77}));
  EXPECT_FALSE(ReadModel(3, {2, 2, 0}));      // another width than the column's
  EXPECT_FALSE(ReadModel(0, {0}));
  EXPECT_FALSE(ReadModel(0, {65, 8, 0, 8, 0}));
  EXPECT_FALSE(ReadModel(0, {2, 0, 0}));      // no width
  EXPECT_FALSE(ReadModel(0, {2, 4, 0}));      // beyond the value
  EXPECT_FALSE(ReadModel(0, {16, 9, 0, 7, 0}));
  EXPECT_FALSE(ReadModel(0, {2, 2 | 32, 0})); // no float of two bytes
  EXPECT_FALSE(ReadModel(0, {4, 4 | 48, 0}));
  EXPECT_FALSE(ReadModel(0, {2, 2 | 64, 0}));
  EXPECT_FALSE(ReadModel(0, {2, 2, 3, 1, 1})); // constant and mapped
  EXPECT_FALSE(ReadModel(0, {2, 2, 2, 0, 0})); // a scale of 0
  EXPECT_FALSE(ReadModel(0, {4, 4 | 32, 2, 0, 1})); // a mapped float
  EXPECT_FALSE(ReadModel(0, {2, 2}));
  EXPECT_FALSE(ReadModel(0, {}));
}

}  // namespace
}  // namespace nodedb_ts::codec
