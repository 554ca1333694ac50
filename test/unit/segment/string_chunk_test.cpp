// Chunks of byte strings at level 2: which form is taken, that it comes back, how small it is, and
// that hostile bytes do no harm.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"

namespace nodedb_ts::segment {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr ColumnShape kVar = {NTS_KIND_VAR, 0};

struct Column {
  ColumnShape shape = kVar;
  std::vector<std::string> values;
  std::vector<uint8_t> nulls;
  std::vector<uint32_t> vector_rows;
  std::vector<uint32_t> vector_starts;

  void Add(std::string value, bool null = false) {
    values.push_back(null ? std::string() : std::move(value));
    nulls.push_back(null);
  }
  void Cut(uint32_t rows) {
    vector_rows.clear();
    vector_starts.clear();
    for (size_t at = 0; at < values.size(); at += rows) {
      vector_rows.push_back(static_cast<uint32_t>(std::min<size_t>(rows, values.size() - at)));
      vector_starts.push_back(static_cast<uint32_t>(at));
    }
  }
};

struct Chunk {
  Bytes bytes;
  ChunkSummary summary;
  ChunkRef Ref(const Column& column, uint8_t align = 4) const {
    ChunkRef ref;
    ref.shape = column.shape;
    ref.codec = summary.codec;
    ref.align = align;
    ref.vectors = static_cast<uint32_t>(column.vector_rows.size());
    ref.rows = static_cast<uint32_t>(column.values.size());
    ref.vector_starts = column.vector_starts.data();
    ref.bytes = bytes.data();
    ref.length = bytes.size();
    return ref;
  }
};

Chunk Write(const Column& column, uint8_t level) {
  Chunk chunk;
  ChunkWriter writer(level);
  const std::vector<std::string_view> views(column.values.begin(), column.values.end());
  chunk.summary = writer.WriteBytes(column.shape, views.data(), column.nulls.data(),
                                    column.vector_rows, &chunk.bytes);
  return chunk;
}

// Decodes into a room of exactly the measured size, behind `cursor` bytes of others.
base::Status ReadVector(const ChunkRef& ref, uint32_t vector, uint32_t rows, uint64_t cursor,
                        std::vector<uint64_t>* values, std::vector<uint8_t>* nulls,
                        std::unique_ptr<uint64_t[]>* room) {
  values->assign(rows, 0);
  nulls->assign(rows, 0);
  uint64_t size = cursor;
  base::Status status = MeasureVector(ref, vector, rows, &size);
  if (!status.ok()) return status;
  room->reset(new uint64_t[size / 8 + 1]);
  bool any_null;
  uint64_t end = cursor;
  status = DecodeVector(ref, vector, rows, values->data(), nulls->data(),
                        reinterpret_cast<uint8_t*>(room->get()), size, &end, &any_null);
  if (status.ok()) EXPECT_LE(end, size);
  return status;
}

void ExpectRoundTrip(const Column& column, const Chunk& chunk) {
  for (const uint8_t align : {uint8_t{1}, uint8_t{4}, uint8_t{8}}) {
    const ChunkRef ref = chunk.Ref(column, align);
    ASSERT_TRUE(CheckDictionary(ref).ok());
    size_t end = column.values.size();
    for (uint32_t v = ref.vectors; v-- > 0;) {  // each one alone
      const uint32_t rows = column.vector_rows[v];
      end -= rows;
      std::vector<uint64_t> values;
      std::vector<uint8_t> nulls;
      std::unique_ptr<uint64_t[]> room;
      const base::Status status = ReadVector(ref, v, rows, v % 3, &values, &nulls, &room);
      ASSERT_TRUE(status.ok()) << status.message();
      for (uint32_t i = 0; i < rows; i++) {
        ASSERT_EQ(column.nulls[end + i], nulls[i]);
        if (nulls[i]) continue;
        ASSERT_EQ(0u, values[i] % align);
        ASSERT_EQ(column.values[end + i], BytesAt(ref.shape, values[i]));
      }
    }
  }
}

Column Log(size_t rows, bool with_nulls) {
  std::mt19937_64 random(rows);
  Column column;
  for (size_t i = 0; i < rows; i++) {
    std::string line = "2015-07-29 21:" + std::to_string(10 + i / 1000 % 50) + ":" +
                       std::to_string(10 + i / 20 % 50) + " INFO [worker-" +
                       std::to_string(random() % 8) + "] ";
    switch (random() % 3) {
      case 0: line += "Established session 0x14ed93111f2" + std::to_string(1000 + i) + " with timeout 10000"; break;
      case 1: line += "Closed socket connection for client /10.10.34." + std::to_string(random() % 40); break;
      default: line += "Received connection request /10.10.34.1:" + std::to_string(30000 + random() % 9999);
    }
    column.Add(line, with_nulls && (random() % 5 == 0 || (i >= 1024 && i < 2048)));
  }
  column.Cut(1024);
  return column;
}

// Long values of which neither words nor whole values repeat, but runs of bytes do.
Column Blobs(size_t rows) {
  std::mt19937_64 random(11);
  std::vector<std::string> pieces;
  for (int i = 0; i < 400; i++) {
    std::string piece(40, '\0');
    for (char& c : piece) c = static_cast<char>('a' + random() % 26);
    pieces.push_back(piece);
  }
  Column column;
  for (size_t i = 0; i < rows; i++) {
    std::string value;
    for (int j = 0; j < 4; j++) {
      value += pieces[random() % pieces.size()].substr(random() % 8);
      value += static_cast<char>('a' + random() % 26);
    }
    column.Add(value);
  }
  column.Cut(128);
  return column;
}

Column Hosts(size_t rows, bool fixed) {
  Column column;
  if (fixed) column.shape = {NTS_KIND_FIXED, 24};
  for (size_t i = 0; i < rows; i++) {
    std::string host = std::to_string(1000 + i / 600 * 37 % 900) + "planetlab_pjwstk_edu_pl_root";
    if (fixed) host.resize(24);
    column.Add(host, i == 7);
  }
  column.Cut(1024);
  return column;
}

TEST(StringChunk, LogLinesAreTokens) {
  for (const bool with_nulls : {false, true}) {
    const Column column = Log(5000, with_nulls);
    const Chunk plain = Write(column, 1);
    const Chunk chunk = Write(column, 2);
    EXPECT_EQ(codec::kBytesTokens, chunk.summary.codec);
    EXPECT_LT(chunk.bytes.size() * 2, plain.bytes.size());
    ExpectRoundTrip(column, plain);
    ExpectRoundTrip(column, chunk);
  }
}

// Short strings that hardly repeat: at level 1 codes of symbols take as little as frames do.
Column Addresses(size_t rows, bool fixed) {
  std::mt19937_64 random(rows);
  Column column;
  if (fixed) column.shape = {NTS_KIND_FIXED, 16};
  for (size_t i = 0; i < rows; i++) {
    std::string address = "10." + std::to_string(random() % 4) + "." + std::to_string(random() % 256) + "." +
                          std::to_string(random() % 256);
    if (fixed) address.resize(16, ' ');
    column.Add(address, i % 9 == 4 || (i >= 2048 && i < 3072));
  }
  column.Cut(1024);
  return column;
}

TEST(StringChunk, ShortStringsAreSymbols) {
  for (const bool fixed : {false, true}) {
    const Column column = Addresses(30000, fixed);
    const Chunk chunk = Write(column, 1);
    EXPECT_EQ(codec::kBytesFsst, chunk.summary.codec);
    EXPECT_NE(0, chunk.bytes.back() & kChunkHasShared);
    uint64_t raw = 0;
    for (size_t i = 0; i < column.values.size(); i++) raw += column.nulls[i] ? 0 : column.values[i].size();
    EXPECT_LT(chunk.bytes.size() * 2, raw);
    ExpectRoundTrip(column, chunk);
    ExpectRoundTrip(column, Write(column, 2));
  }
  EXPECT_NE(codec::kBytesFsst, Write(Addresses(2000, false), 1).summary.codec);  // too few
  EXPECT_NE(codec::kBytesFsst, Write(Log(5000, false), 1).summary.codec);        // frames take far less
}

TEST(StringChunk, FramesShareADictionary) {
  const Column column = Blobs(6000);
  const Chunk plain = Write(column, 1);
  const Chunk chunk = Write(column, 2);
  EXPECT_EQ(codec::kBytesZstdDictionary, chunk.summary.codec);
  EXPECT_LT(chunk.bytes.size() * 10, plain.bytes.size() * 9);
  ExpectRoundTrip(column, chunk);
}

TEST(StringChunk, DictionariesArePacked) {
  for (const bool fixed : {false, true}) {
    const Column column = Hosts(60000, fixed);
    const Chunk plain = Write(column, 1);
    const Chunk chunk = Write(column, 2);
    EXPECT_EQ(codec::kDictionary, plain.summary.codec);
    EXPECT_EQ(codec::kDictionary, chunk.summary.codec);
    EXPECT_EQ(0, plain.bytes.back() & kChunkHasShared);
    EXPECT_NE(0, chunk.bytes.back() & kChunkHasShared);
    EXPECT_LT(chunk.bytes.size() * 2, plain.bytes.size());
    ExpectRoundTrip(column, plain);
    ExpectRoundTrip(column, chunk);
  }
}

TEST(StringChunk, SeveralChunksInTurn) {
  // More of them than a thread keeps parsed, vector by vector.
  std::vector<Column> columns;
  std::vector<Chunk> chunks;
  for (int i = 0; i < 7; i++) {
    columns.push_back(i % 2 == 0 ? Log(3000 + static_cast<size_t>(i), false) : Hosts(6000 + static_cast<size_t>(i) * 40, false));
    chunks.push_back(Write(columns.back(), 2));
  }
  for (uint32_t v = 0; v < 2; v++) {
    for (size_t c = 0; c < columns.size(); c++) {
      std::vector<uint64_t> values;
      std::vector<uint8_t> nulls;
      std::unique_ptr<uint64_t[]> room;
      ASSERT_TRUE(ReadVector(chunks[c].Ref(columns[c]), v, 1024, 0, &values, &nulls, &room).ok());
      for (size_t i = 0; i < 1024; i++) {
        if (!nulls[i]) ASSERT_EQ(columns[c].values[v * 1024 + i], BytesAt(kVar, values[i]));
      }
    }
  }
}

TEST(StringChunk, StrangeValues) {
  std::mt19937_64 random(12);
  Column column;
  for (int i = 0; i < 3000; i++) {
    switch (random() % 6) {
      case 0: column.Add(""); break;
      case 1: column.Add(std::string(random() % 4, '\0')); break;
      case 2: column.Add("\xff\xc0 invalid \x80 utf-8 " + std::to_string(random() % 20)); break;
      case 3: column.Add(std::string(random() % 3000, 'z')); break;
      case 4: column.Add("x", true); break;
      default: column.Add("key=" + std::to_string(random() % 100000) + "\n");
    }
  }
  for (const uint32_t rows : {1024u, 1000u, 17u}) {
    column.Cut(rows);
    ExpectRoundTrip(column, Write(column, 2));
  }
}

TEST(StringChunk, HugeValueAlone) {
  Column column;
  std::string huge;
  for (int i = 0; huge.size() < (size_t{5} << 20); i++) huge += "value " + std::to_string(i % 1000) + "; ";
  column.Add(huge);
  column.Cut(1);
  ExpectRoundTrip(column, Write(column, 2));
  column.Add("short");
  column.Cut(1);
  ExpectRoundTrip(column, Write(column, 2));
}

TEST(StringChunk, HostileBytes) {
  std::mt19937_64 random(13);
  const Column columns[] = {Log(2500, true), Blobs(2600), Hosts(60000, false), Hosts(60000, true),
                            Addresses(20000, false), Addresses(20000, true)};
  for (size_t c = 0; c < std::size(columns); c++) {
    const Column& column = columns[c];
    const Chunk chunk = Write(column, c < 4 ? 2 : 1);
    if (c >= 4) ASSERT_EQ(codec::kBytesFsst, chunk.summary.codec);
    int accepted = 0;
    for (int i = 0; i < 300; i++) {
      Chunk wrong = chunk;
      for (uint64_t n = 1 + random() % 2; n > 0 && !wrong.bytes.empty(); n--) {
        const size_t size = wrong.bytes.size();
        switch (random() % 4) {
          case 0: wrong.bytes.resize(random() % size); break;
          case 1: wrong.bytes[size - 1 - random() % std::min<size_t>(size, 24)] ^= static_cast<uint8_t>(1 << random() % 8); break;
          default: wrong.bytes[random() % size] ^= static_cast<uint8_t>(1 << random() % 8);
        }
      }
      if (i % 10 == 0) wrong.summary.codec = static_cast<uint8_t>(random() % 64);
      // Exactly as much memory as there are bytes, so that a sanitizer sees reads behind them.
      const std::unique_ptr<uint8_t[]> exact(new uint8_t[wrong.bytes.size()]);
      std::copy(wrong.bytes.begin(), wrong.bytes.end(), exact.get());
      ChunkRef ref = wrong.Ref(column);
      ref.bytes = exact.get();
      (void)CheckDictionary(ref);
      for (const uint32_t v : {0u, ref.vectors - 1}) {
        std::vector<uint64_t> values;
        std::vector<uint8_t> nulls;
        std::unique_ptr<uint64_t[]> room;
        accepted += ReadVector(ref, v, column.vector_rows[v], 0, &values, &nulls, &room).ok();
      }
    }
    EXPECT_GT(accepted, 0);
    EXPECT_LT(accepted, 600);
  }
}

}  // namespace
}  // namespace nodedb_ts::segment
