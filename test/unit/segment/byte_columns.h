// byte_columns.h - chunks of byte strings: encoded at level 2, read back, damaged.
#ifndef NODEDB_TS_TEST_UNIT_SEGMENT_BYTE_COLUMNS_H
#define NODEDB_TS_TEST_UNIT_SEGMENT_BYTE_COLUMNS_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"
#include "segment/read_back.h"

namespace nodedb_ts::test {

struct ByteColumn {
  segment::ColumnShape shape{NTS_KIND_VAR, 0};
  std::vector<std::string> values;
  std::vector<uint8_t> nulls;

  void Add(std::string value) {
    values.push_back(std::move(value));
    nulls.push_back(0);
  }
  void AddNull() {
    values.emplace_back();
    nulls.push_back(1);
  }
  size_t rows() const { return values.size(); }
};

struct ByteChunk {
  std::vector<uint32_t> vector_rows;
  std::vector<uint8_t> bytes;
  segment::ChunkSummary summary;
  double per_value = 0;
};

// Encodes and reads back.
inline ByteChunk Encode(const ByteColumn& column, uint8_t level = 2) {
  ByteChunk chunk;
  const std::vector<std::string_view> views(column.values.begin(), column.values.end());
  for (size_t at = 0; at < column.rows(); at += segment::kMaxVectorRows) {
    chunk.vector_rows.push_back(
        static_cast<uint32_t>(std::min(segment::kMaxVectorRows, column.rows() - at)));
  }
  segment::ChunkWriter writer(level);
  chunk.summary = writer.WriteBytes(column.shape, views.data(), column.nulls.data(),
                                    chunk.vector_rows, &chunk.bytes);
  const auto read_back = std::make_unique<segment::ReadBack>();
  const base::Status status =
      read_back->CheckBytes(column.shape, chunk.summary, chunk.bytes, chunk.vector_rows,
                            views.data(), column.nulls.data());
  EXPECT_TRUE(status.ok()) << status.message();
  chunk.per_value = static_cast<double>(chunk.bytes.size()) / static_cast<double>(column.rows());
  return chunk;
}

// Decodes every vector of damaged bytes, which must end in values or an error; under a
// sanitizer nothing is read or written out of bounds. Returns how many vectors were accepted.
inline int DecodeDamaged(const ByteColumn& column, const ByteChunk& chunk,
                         const std::vector<uint8_t>& bytes, uint8_t align = 4) {
  // At an address of their own, so that reads past the end show.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  std::vector<uint32_t> starts;
  uint32_t rows = 0;
  for (const uint32_t n : chunk.vector_rows) {
    starts.push_back(rows);
    rows += n;
  }
  segment::ChunkCache cache;
  segment::ChunkRef ref;
  ref.shape = column.shape;
  ref.codec = chunk.summary.codec;
  ref.align = align;
  ref.vectors = static_cast<uint32_t>(chunk.vector_rows.size());
  ref.rows = rows;
  ref.vector_starts = starts.data();
  ref.bytes = exact.get();
  ref.length = bytes.size();
  ref.cache = &cache;
  int accepted = 0;
  for (uint32_t v = 0; v < ref.vectors; v++) {
    uint64_t values[segment::kMaxVectorRows];
    uint8_t nulls[segment::kMaxVectorRows];
    uint64_t size = 0;
    uint64_t cursor = 0;
    bool any_null;
    if (!segment::MeasureVector(ref, v, chunk.vector_rows[v], &size).ok()) continue;
    EXPECT_LE(size, uint64_t{64} << 20);
    const std::unique_ptr<uint64_t[]> data(new uint64_t[size / 8 + 1]);
    const base::Status status = segment::DecodeVector(
        ref, v, chunk.vector_rows[v], values, nulls, reinterpret_cast<uint8_t*>(data.get()), size,
        &cursor, &any_null);
    EXPECT_NE(base::Code::kBug, status.code()) << status.message();
    accepted += status.ok();
  }
  return accepted;
}

inline void CheckHostile(const ByteColumn& column, int rounds, uint64_t seed) {
  const ByteChunk chunk = Encode(column);
  std::mt19937_64 random(seed);
  int accepted = 0;
  int refused = 0;
  const auto count = [&](const std::vector<uint8_t>& bytes) {
    const int n = DecodeDamaged(column, chunk, bytes, static_cast<uint8_t>(1u << random() % 4));
    accepted += n;
    refused += static_cast<int>(chunk.vector_rows.size()) - n;
  };
  for (int i = 0; i < rounds; i++) {
    std::vector<uint8_t> bytes = chunk.bytes;
    for (uint64_t changes = 1 + random() % 3; changes > 0; changes--) {
      // Half of them near the end, where the model is.
      const size_t reach = random() % 2 ? bytes.size() : std::min<size_t>(bytes.size(), 160);
      bytes[bytes.size() - 1 - random() % reach] ^= static_cast<uint8_t>(1u << random() % 8);
    }
    count(bytes);
  }
  for (int i = 0; i < rounds / 4; i++) {
    std::vector<uint8_t> bytes = chunk.bytes;
    bytes.resize(random() % bytes.size());
    count(bytes);
    bytes = chunk.bytes;
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(random() % bytes.size()));
    count(bytes);
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(accepted, 0);
}

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_SEGMENT_BYTE_COLUMNS_H
