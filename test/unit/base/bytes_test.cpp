#include <gtest/gtest.h>

#include <vector>

#include "base/bits.h"
#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace nodedb_ts::base {
namespace {

constexpr uint64_t kNumbers[] = {0,     1,          127,        128,       16383,
                                 16384, UINT32_MAX, UINT64_MAX, 1ull << 63, (1ull << 63) - 1};

TEST(Bytes, RoundTrip) {
  for (const uint64_t v : kNumbers) {
    std::vector<uint8_t> bytes;
    ByteWriter out(&bytes);
    out.U8(static_cast<uint8_t>(v));
    out.U16(static_cast<uint16_t>(v));
    out.U32(static_cast<uint32_t>(v));
    out.U64(v);
    const size_t before = out.size();
    out.Varint(v);
    EXPECT_EQ(VarintBytes(v), out.size() - before);
    out.Zig(static_cast<int64_t>(v));
    out.Width(v, 3);
    ByteReader in(bytes.data(), bytes.size());
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d, e, g;
    int64_t f;
    ASSERT_TRUE(in.ReadU8(&a) && in.ReadU16(&b) && in.ReadU32(&c) && in.ReadU64(&d) &&
                in.ReadVarint(&e) && in.ReadZigZag(&f) && in.ReadWidth(3, &g));
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(static_cast<uint8_t>(v), a);
    EXPECT_EQ(static_cast<uint16_t>(v), b);
    EXPECT_EQ(static_cast<uint32_t>(v), c);
    EXPECT_EQ(v, d);
    EXPECT_EQ(v, e);
    EXPECT_EQ(static_cast<int64_t>(v), f);
    EXPECT_EQ(v & 0xffffff, g);
  }
}

TEST(Bytes, LittleEndian) {
  std::vector<uint8_t> bytes;
  ByteWriter(&bytes).U32(0x04030201);
  EXPECT_EQ((std::vector<uint8_t>{1, 2, 3, 4}), bytes);
}

TEST(Bytes, ShortReadsFailAndDoNotMove) {
  const std::vector<uint8_t> bytes(3, 0x80);
  ByteReader in(bytes.data(), bytes.size());
  uint32_t v32;
  uint64_t v;
  const uint8_t* p;
  EXPECT_FALSE(in.ReadU32(&v32));
  EXPECT_FALSE(in.ReadVarint(&v));
  EXPECT_FALSE(in.ReadBytes(4, &p));
  EXPECT_FALSE(in.ReadBytes(UINT64_MAX, &p));
  EXPECT_FALSE(in.TakeTail(4, &p));
  EXPECT_EQ(3u, in.remaining());
}

TEST(Bytes, VarintBeyond64BitsFails) {
  const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
  const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
  uint64_t v;
  EXPECT_FALSE(ByteReader(eleven, sizeof(eleven)).ReadVarint(&v));
  EXPECT_FALSE(ByteReader(wide, sizeof(wide)).ReadVarint(&v));
}

TEST(Bytes, ZigZagKeepsExtremes) {
  for (const int64_t v : {INT64_MIN, INT64_MAX, int64_t{0}, int64_t{-1}, int64_t{1}}) {
    EXPECT_EQ(v, UnZigZag(ZigZag(v)));
  }
  EXPECT_EQ(1u, ZigZag(-1));
  EXPECT_EQ(2u, ZigZag(1));
}

}  // namespace
}  // namespace nodedb_ts::base
