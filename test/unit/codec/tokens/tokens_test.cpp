// The token model: any bytes come back, log text becomes small, hostile bytes do no harm.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "codec/tokens/token_encoder.h"
#include "codec/tokens/token_model.h"
#include "codec/tokens/tokenizer.h"
#include "codec/zstd/zstd.h"

namespace nodedb_ts::codec {
namespace {

using Bytes = std::vector<uint8_t>;

struct Coded {
  Bytes shared;
  std::vector<Bytes> vectors;
  size_t size() const {
    size_t n = shared.size();
    for (const Bytes& v : vectors) n += v.size();
    return n;
  }
};

std::vector<uint32_t> Cut(size_t rows, uint32_t vector_rows) {
  std::vector<uint32_t> counts;
  for (size_t at = 0; at < rows; at += vector_rows) {
    counts.push_back(static_cast<uint32_t>(std::min<size_t>(vector_rows, rows - at)));
  }
  return counts;
}

bool Encode(const std::vector<std::string>& values, const std::vector<uint32_t>& counts, Coded* coded) {
  const std::vector<std::string_view> views(values.begin(), values.end());
  TokenEncoder encoder;
  if (!encoder.Learn(views, counts)) return false;
  coded->shared = encoder.shared();
  coded->vectors.assign(counts.size(), {});
  for (size_t v = 0; v < counts.size(); v++) encoder.Encode(v, &coded->vectors[v]);
  return true;
}

base::ByteReader Read(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

void ExpectRoundTrip(const std::vector<std::string>& values, uint32_t vector_rows) {
  const std::vector<uint32_t> counts = Cut(values.size(), vector_rows);
  Coded coded;
  ASSERT_TRUE(Encode(values, counts, &coded));
  TokenModel model;
  ASSERT_TRUE(model.Open(Read(coded.shared)));
  // The last vector first: each one decodes alone.
  for (size_t v = counts.size(); v-- > 0;) {
    const size_t first = v * vector_rows;
    std::string expected;
    for (size_t i = 0; i < counts[v]; i++) expected += values[first + i];
    Bytes out(expected.size() + 1, 0xA5);
    std::vector<uint64_t> lengths(counts[v]);
    ASSERT_TRUE(model.Decode(Read(coded.vectors[v]), lengths, out.data(), expected.size())) << v;
    ASSERT_EQ(0xA5, out.back()) << "written behind the room";
    ASSERT_EQ(expected, std::string(out.begin(), out.end() - 1)) << v;
    for (size_t i = 0; i < counts[v]; i++) ASSERT_EQ(values[first + i].size(), lengths[i]);
  }
}

// Lines as a server writes them.
std::vector<std::string> Log(size_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> lines;
  uint64_t ms = 1'000'000;
  const char* users[] = {"root", "admin", "guest", "oracle", "postgres", "test", "ubuntu"};
  for (size_t i = 0; i < rows; i++) {
    ms += random() % 1500;
    char head[64];
    snprintf(head, sizeof head, "Dec 10 %02d:%02d:%02d,%03d host-%d sshd[%d]: ", int(ms / 3600000 % 24),
             int(ms / 60000 % 60), int(ms / 1000 % 60), int(ms % 1000), int(random() % 4),
             int(24000 + i / 7));
    std::string line = head;
    const std::string ip = "10.0." + std::to_string(random() % 3) + "." + std::to_string(random() % 250);
    switch (random() % 4) {
      case 0: line += "Invalid user " + std::string(users[random() % 7]) + " from " + ip; break;
      case 1: line += "Failed password for " + std::string(users[random() % 7]) + " from " + ip + " port " + std::to_string(30000 + random() % 30000) + " ssh2"; break;
      case 2: line += "Received disconnect from " + ip + ": 11: Bye Bye [preauth]"; break;
      default: line += "pam_unix(sshd:auth): check pass; user unknown"; break;
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(Tokens, LogLines) {
  ExpectRoundTrip(Log(5000, 1), 1024);
  ExpectRoundTrip(Log(300, 2), 7);
  ExpectRoundTrip(Log(40, 3), 1);
}

TEST(Tokens, LogLinesTakeLessThanHalfOfZstd) {
  const std::vector<std::string> lines = Log(20000, 4);
  const std::vector<uint32_t> counts = Cut(lines.size(), 1024);
  Coded coded;
  ASSERT_TRUE(Encode(lines, counts, &coded));
  const std::vector<std::string_view> views(lines.begin(), lines.end());
  BytesEncoder zstd(2, 19);
  Bytes frames;
  base::ByteWriter out(&frames);
  for (size_t at = 0; at < views.size(); at += 1024) {
    zstd.Encode(0, std::span(views).subspan(at, std::min<size_t>(1024, views.size() - at)), &out);
  }
  EXPECT_LT(coded.size() * 2, frames.size());
}

TEST(Tokens, StrangeBytes) {
  std::vector<std::string> values = {
      "", std::string(1, '\0'), std::string("a\0b\0\0c", 6), "\xff\xfe\x80", "\xc3\xa9t\xc3\xa9",
      "0", "00", "007", "18446744073709551615", "99999999999999999999999999999999", "9999999999999999999",
      "0000000000000000000", "00000000000000000001", "-5", "+5", "1.50", "1e10", "0x", "0xg", "0x1F", "0x1f",
      "0xDEADbeef", "0xdeadbeefdeadbeefdeadbeef", "deadbeef1", "DEADBEEF1", "a1b2c3d4e5f6a1b2c3d4e5f6",
      "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000",
      "123e4567-e89b-12d3-a456-42661417400", "abcdefab-cdef-abcd-efab-cdefabcdefab", "abcdefab-cdef",
      "23:59:59", "24:00:00", "23:60:00", "1:2:3", "12:34:56.789", "12:34:56,789", "12:34:56:789", "12:34:56.7890",
      "12:34:567", "112:34:56", "x86_64", "R21-M1-N8-C:J05-U11", "....................................", "\r\n\t ",
      "_", "__1__", "a1b2c3d4e5f6g7h8", std::string(1000, ' '), std::string(3000, 'x'), std::string(500, '7'),
      "  1702 12702", "%s%d", "\"\"", "[]", "{\"a\":{\"b\":[1,2,3]}}"};
  std::vector<std::string> all;
  for (int i = 0; i < 4; i++) {
    for (const std::string& value : values) {
      all.push_back(value);
      all.push_back("key=" + value + "; key=" + value);
    }
  }
  for (const uint32_t vector_rows : {1u, 50u, 1024u}) ExpectRoundTrip(all, vector_rows);
}

TEST(Tokens, EveryStringSeveralTimes) {
  std::mt19937_64 random(5);
  std::vector<std::string> pieces;
  for (int i = 0; i < 300; i++) {
    std::string piece;
    const size_t size = random() % 20;
    for (size_t j = 0; j < size; j++) {
      static const char kAlphabet[] = "0123456789abcdefABCDEFxyz:.,-_ \"\xff";
      piece += random() % 9 == 0 ? static_cast<char>(random()) : kAlphabet[random() % (sizeof(kAlphabet) - 1)];
    }
    pieces.push_back(piece);
  }
  for (const uint32_t vector_rows : {1u, 3u, 100u, 1024u}) {
    std::vector<std::string> values;
    for (int i = 0; i < 2000; i++) {
      std::string value;
      for (size_t n = random() % 6; n > 0; n--) value += pieces[random() % pieces.size()];
      values.push_back(value);
    }
    ExpectRoundTrip(values, vector_rows);
  }
}

TEST(Tokens, LongRows) {
  // Structure in a row of several hundred thousand tokens, and a model that sees it once.
  std::string list = "[";
  for (int i = 0; i < 50000; i++) list += "{\"id\":" + std::to_string(i * 7) + ",\"state\":\"up\"},";
  ExpectRoundTrip({list, list + "]", "", list}, 2);
}

TEST(Tokens, BytesThatDoNotRepeatAreRefused) {
  std::mt19937_64 random(6);
  std::vector<std::string> values;
  for (int i = 0; i < 2000; i++) {
    std::string value(64, '\0');
    for (char& c : value) c = static_cast<char>(random());
    values.push_back(value);
  }
  Coded coded;
  EXPECT_FALSE(Encode(values, Cut(values.size(), 1024), &coded));
}

TEST(Tokens, ValuesHaveOneText) {
  const char* texts[] = {"0",        "17",           "00017",        "9999999999999999999",
                         "0000",     "7f3a",         "00ff00aa",     "FFFF00001111AAAA",
                         "00:00:00", "23:59:59.999", "01:02:03,000", "10:20:30:400",
                         "123e4567-e89b-12d3-a456-426614174000"};
  for (const std::string_view text : texts) {
    TokenKind kind;
    ASSERT_EQ(text.size(), NextToken(text.data(), text.data(), text.data() + text.size(), &kind)) << text;
    ASSERT_TRUE(IsValueToken(kind)) << text;
    char out[kMaxValueText];
    const size_t size = FormatValue(kind, ParseValue(kind, text.data(), text.size()), out);
    EXPECT_EQ(text, std::string_view(out, size));
  }
}

TEST(Tokens, WrongTotalsAreRefused) {
  const std::vector<std::string> lines = Log(500, 7);
  Coded coded;
  ASSERT_TRUE(Encode(lines, {500}, &coded));
  TokenModel model;
  ASSERT_TRUE(model.Open(Read(coded.shared)));
  size_t total = 0;
  for (const std::string& line : lines) total += line.size();
  Bytes out(total + 100);
  std::vector<uint64_t> lengths(501);
  EXPECT_TRUE(model.Decode(Read(coded.vectors[0]), std::span(lengths).first(500), out.data(), total));
  EXPECT_FALSE(model.Decode(Read(coded.vectors[0]), std::span(lengths).first(500), out.data(), total - 1));
  EXPECT_FALSE(model.Decode(Read(coded.vectors[0]), std::span(lengths).first(500), out.data(), total + 1));
  EXPECT_FALSE(model.Decode(Read(coded.vectors[0]), std::span(lengths).first(499), out.data(), total));
  // The decoder reads four bytes ahead, so fewer left over go unnoticed.
  coded.vectors[0].resize(coded.vectors[0].size() + 5, 1);
  EXPECT_FALSE(model.Decode(Read(coded.vectors[0]), std::span(lengths).first(500), out.data(), total));
  coded.shared.resize(coded.shared.size() + 5, 1);
  EXPECT_FALSE(model.Open(Read(coded.shared)));
  EXPECT_FALSE(model.Open({}));
}

TEST(Tokens, HostileBytes) {
  std::mt19937_64 random(8);
  const std::vector<std::string> lines = Log(600, 9);
  const std::vector<uint32_t> counts = Cut(lines.size(), 200);
  Coded coded;
  ASSERT_TRUE(Encode(lines, counts, &coded));
  size_t total = 0;
  for (size_t i = 0; i < 200; i++) total += lines[i].size();
  Bytes out(total + 1);
  std::vector<uint64_t> lengths(200);
  int models = 0;
  for (int i = 0; i < 1500; i++) {
    Bytes shared = coded.shared;
    Bytes vector = coded.vectors[0];
    Bytes* victim = i % 3 == 0 ? &vector : &shared;
    for (uint64_t n = 1 + random() % 3; n > 0; n--) {
      switch (random() % 4) {
        case 0: victim->resize(random() % (victim->size() + 1)); break;
        case 1: if (!victim->empty()) (*victim)[random() % victim->size()] = static_cast<uint8_t>(random()); break;
        case 2: if (!victim->empty()) (*victim)[random() % std::min<size_t>(victim->size(), 16)] ^= static_cast<uint8_t>(1 << random() % 8); break;
        default: if (!victim->empty()) (*victim)[random() % victim->size()] ^= static_cast<uint8_t>(1 << random() % 8);
      }
    }
    TokenModel model;
    if (!model.Open(Read(shared))) continue;
    models++;
    out[total] = 0xA5;
    (void)model.Decode(Read(vector), lengths, out.data(), total);
    ASSERT_EQ(0xA5, out[total]);
  }
  EXPECT_GT(models, 400);  // flips of the vector at least
  for (int i = 0; i < 3000; i++) {
    Bytes noise(random() % 200);
    for (uint8_t& b : noise) b = static_cast<uint8_t>(random());
    TokenModel model;
    if (model.Open(Read(noise))) (void)model.Decode(Read(noise), lengths, out.data(), total);
  }
}

}  // namespace
}  // namespace nodedb_ts::codec
