// segment_checks.h - builds a segment, reads all of it back through core.h.
#ifndef NODEDB_TS_TEST_UNIT_SEGMENT_SEGMENT_CHECKS_H
#define NODEDB_TS_TEST_UNIT_SEGMENT_SEGMENT_CHECKS_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/segment_builder.h"
#include "table_source.h"

namespace nodedb_ts::test {

struct CloseSegment {
  void operator()(NtsSegment* s) const { nts_segment_close(s); }
};
using SegmentHandle = std::unique_ptr<NtsSegment, CloseSegment>;

struct Built {
  std::vector<uint8_t> bytes;
  segment::SegmentSummary summary;
};

inline Built Build(const TableSource& source, const segment::SegmentBuildOptions& options = {},
                   int32_t time_column = -1, std::span<const uint32_t> starts = {}) {
  Built built;
  const NtsSchema schema = source.Schema(time_column);
  const base::Status status = segment::BuildSegment(schema, source, source.order, starts, options,
                                                    &built.bytes, &built.summary);
  EXPECT_TRUE(status.ok()) << status.message();
  return built;
}

inline SegmentHandle Open(const Built& built, std::span<const NtsColumn> columns) {
  NtsStatus status = {};
  SegmentHandle segment(nts_segment_open(
      built.bytes.data() + built.summary.footer_offset,
      built.bytes.size() - built.summary.footer_offset, built.bytes.size(), columns.data(),
      static_cast<uint32_t>(columns.size()), &status));
  EXPECT_NE(segment, nullptr) << status.message;
  return segment;
}

// Decodes one vector into buffers of exactly the size that was asked for.
struct Vector {
  int code = NTS_OK;
  NtsStatus status = {};
  uint32_t first_row = 0;
  uint32_t rows = 0;
  std::vector<uint64_t> values;
  std::vector<uint8_t> nulls;
  std::unique_ptr<uint64_t[]> data;
  uint64_t data_bytes = 0;
  bool any_null = false;
  bool uniform = false;
};

inline Vector ReadVector(const NtsSegment* segment, std::span<const uint8_t> chunk,
                         uint32_t group, int32_t column, uint32_t vector) {
  Vector v;
  v.code = nts_segment_vector(segment, group, vector, &v.first_row, &v.rows, &v.status);
  if (v.code != NTS_OK) return v;
  v.values.resize(v.rows);
  v.nulls.resize(v.rows);
  v.code = nts_vector_size(segment, group, column, chunk.data(), chunk.size(), vector,
                           &v.data_bytes, &v.status);
  if (v.code != NTS_OK) return v;
  // The chunk is at its own address, so that a sanitizer sees reads past its end.
  if (v.data_bytes > 0) v.data.reset(new uint64_t[(v.data_bytes + 7) / 8]);
  v.code = nts_vector_decode(segment, group, column, chunk.data(), chunk.size(), vector,
                             UINT32_MAX, v.values.data(), v.nulls.data(),
                             reinterpret_cast<uint8_t*>(v.data.get()), v.data_bytes, &v.any_null,
                             &v.uniform, &v.status);
  if (v.code != NTS_OK || v.data_bytes > 0) return v;
  // Of words, the first ones alone are the same.
  const uint32_t wanted = (v.rows + 2) / 3;
  std::vector<uint64_t> values(v.rows);
  std::vector<uint8_t> nulls(v.rows);
  EXPECT_EQ(NTS_OK, nts_vector_decode(segment, group, column, chunk.data(), chunk.size(), vector, wanted,
                                      values.data(), nulls.data(), nullptr, 0, &v.any_null, &v.uniform, &v.status));
  EXPECT_TRUE(std::equal(values.begin(), values.begin() + wanted, v.values.begin()));
  EXPECT_EQ(v.nulls, nulls);
  return v;
}

inline void CheckHidden(const NtsSegment* segment, const Built& built, int32_t column,
                        uint32_t group, const NtsRowGroupInfo& info, const TableSource& source) {
  NtsChunkInfo chunk;
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment, group, column, &chunk, &status)) << status.message;
  const std::span<const uint8_t> bytes(built.bytes.data() + chunk.offset, chunk.length);
  for (uint32_t v = 0; v < info.vectors; v++) {
    const Vector vector = ReadVector(segment, bytes, group, column, v);
    ASSERT_EQ(NTS_OK, vector.code) << vector.status.message;
    for (uint32_t r = 0; r < vector.rows; r++) {
      const uint32_t row = source.order[info.first_row + vector.first_row + r];
      const uint64_t want =
          column == NTS_COLUMN_ROW_ID ? source.row_ids[row] : source.command_ids[row];
      ASSERT_EQ(want, vector.values[r]);
      ASSERT_EQ(0, vector.nulls[r]);
    }
  }
}

// Every value of every column, compared with the source.
inline void CheckAll(const Built& built, const TableSource& source) {
  const SegmentHandle segment = Open(built, source.columns);
  ASSERT_NE(nullptr, segment);
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  ASSERT_EQ(source.order.size(), info.rows);
  uint64_t rows = 0;
  for (uint32_t g = 0; g < info.row_groups; g++) {
    NtsRowGroupInfo group;
    NtsStatus status = {};
    ASSERT_EQ(NTS_OK, nts_segment_row_group(segment.get(), g, &group, &status));
    ASSERT_EQ(rows, group.first_row);
    rows += group.rows;
    for (uint32_t c = 0; c < info.column_count; c++) {
      const auto column = static_cast<int32_t>(c);
      NtsChunkInfo chunk;
      ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), g, column, &chunk, &status));
      const std::vector<uint8_t> bytes(built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset),
                                       built.bytes.begin() +
                                           static_cast<ptrdiff_t>(chunk.offset + chunk.length));
      ASSERT_EQ(NTS_OK, nts_chunk_verify(segment.get(), g, column, bytes.data(), bytes.size(),
                                         &status));
      uint32_t null_count = 0;
      for (uint32_t v = 0; v < group.vectors; v++) {
        const Vector vector = ReadVector(segment.get(), bytes, g, column, v);
        ASSERT_EQ(NTS_OK, vector.code) << vector.status.message << " column " << c;
        bool any_null = false;
        for (uint32_t r = 0; r < vector.rows; r++) {
          const uint32_t row = source.order[group.first_row + vector.first_row + r];
          ASSERT_TRUE(source.Same(c, row, vector.values[r], vector.nulls[r]))
              << "column " << c << " row " << row << " codec " << int{chunk.codec};
          null_count += vector.nulls[r];
          any_null = any_null || vector.nulls[r];
        }
        ASSERT_EQ(any_null, vector.any_null);
        for (uint32_t r = 1; vector.uniform && r < vector.rows; r++) {
          ASSERT_EQ(vector.values[0], vector.values[r]);
          ASSERT_EQ(vector.nulls[0], vector.nulls[r]);
        }
      }
      ASSERT_EQ(null_count, chunk.null_count);
    }
    if (info.has_row_ids) {
      CheckHidden(segment.get(), built, NTS_COLUMN_ROW_ID, g, group, source);
    }
    if (info.has_command_ids) {
      CheckHidden(segment.get(), built, NTS_COLUMN_COMMAND_ID, g, group, source);
    }
  }
  ASSERT_EQ(rows, info.rows);
}

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_SEGMENT_SEGMENT_CHECKS_H
