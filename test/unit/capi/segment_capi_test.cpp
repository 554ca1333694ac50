// The reading half of core.h as C code meets it: codes, messages, bounds.
#include <gtest/gtest.h>

#include <cstring>

#include "../segment/batch_checks.h"
#include "../segment/segment_checks.h"
#include "nodedb_ts/core.h"

namespace nodedb_ts::test {
namespace {

TEST(SegmentCapi, VersionAndChecksum) {
  EXPECT_EQ(NTS_CORE_VERSION, nts_core_version());
  EXPECT_EQ(0xE3069283u, nts_crc32c(0, "123456789", 9));
  EXPECT_EQ(0xE3069283u, nts_crc32c(nts_crc32c(0, "1234", 4), "56789", 5));
}

TEST(SegmentCapi, InfoOfASegment) {
  TableSource source(70000);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Var(), Pattern::kRuns, 0, 2);
  std::vector<uint32_t> starts;
  for (uint32_t s = 0; s < 70000; s += 300) starts.push_back(s);
  const uint16_t series_columns[] = {1};
  segment::SegmentBuildOptions options;
  options.series_columns = series_columns;
  options.with_row_ids = true;
  options.level = 2;
  const Built built = Build(source, options, 0, starts);
  const SegmentHandle segment = Open(built, source.columns);
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  EXPECT_EQ(70000u, info.rows);
  EXPECT_EQ(2u, info.row_groups);
  EXPECT_EQ(2u, info.column_count);
  EXPECT_EQ(2, info.level);
  EXPECT_EQ(1, info.has_row_ids);
  EXPECT_EQ(0, info.has_command_ids);
  EXPECT_EQ(starts.size(), info.series);
  EXPECT_EQ(0, info.time_column);
  ASSERT_EQ(1u, info.series_column_count);
  EXPECT_EQ(1, info.series_columns[0]);
  NtsRowGroupInfo group;
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_row_group(segment.get(), 1, &group, &status));
  EXPECT_EQ(65536u, group.first_row);
  EXPECT_EQ(4464u, group.rows);
  EXPECT_EQ(5u, group.vectors);
  NtsChunkInfo chunk;
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 1, 0, &chunk, &status));
  EXPECT_EQ(group.first_byte, chunk.offset);
  uint32_t first_row, rows;
  ASSERT_EQ(NTS_OK, nts_segment_vector(segment.get(), 1, 4, &first_row, &rows, &status));
  EXPECT_EQ(4096u, first_row);
  EXPECT_EQ(368u, rows);
  EXPECT_EQ(NTS_ERR_BUG, nts_segment_vector(segment.get(), 1, 5, &first_row, &rows, &status));
  EXPECT_EQ(NTS_ERR_BUG, nts_segment_row_group(segment.get(), 2, &group, &status));
  EXPECT_EQ(NTS_ERR_BUG,
            nts_segment_chunk(segment.get(), 0, NTS_COLUMN_COMMAND_ID, &chunk, &status));
  EXPECT_GT(std::strlen(status.message), 0u);
}

TEST(SegmentCapi, ErrorsCarryCodeAndMessage) {
  TableSource source(100);
  source.Add(TableSource::Int(8), Pattern::kRandom, 0, 1);
  Built built = Build(source);
  NtsStatus status = {};
  const uint64_t at = built.summary.footer_offset;
  const size_t size = built.bytes.size() - at;
  std::vector<uint8_t> footer(built.bytes.begin() + static_cast<ptrdiff_t>(at), built.bytes.end());
  footer[9] ^= 1;
  EXPECT_EQ(nullptr, nts_segment_open(footer.data(), size, built.bytes.size(),
                                      source.columns.data(), 1, &status));
  EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
  footer[9] ^= 1;
  footer[4]++;  // format version
  const uint32_t crc = nts_crc32c(0, footer.data(), size - 4);
  for (size_t i = 0; i < 4; i++) footer[size - 4 + i] = static_cast<uint8_t>(crc >> (8 * i));
  EXPECT_EQ(nullptr, nts_segment_open(footer.data(), size, built.bytes.size(),
                                      source.columns.data(), 1, &status));
  EXPECT_EQ(NTS_ERR_UNSUPPORTED, status.code);
  const SegmentHandle segment = Open(built, source.columns);
  NtsChunkInfo chunk;
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, 0, &chunk, &status));
  built.bytes[chunk.offset + 3] ^= 4;
  EXPECT_EQ(NTS_ERR_CORRUPT, nts_chunk_verify(segment.get(), 0, 0, built.bytes.data(),
                                              chunk.length, &status));
  EXPECT_EQ(NTS_ERR_BUG, nts_chunk_verify(segment.get(), 0, 0, built.bytes.data(),
                                          chunk.length - 1, &status));
  nts_segment_close(nullptr);
}

TEST(SegmentCapi, ShortRoomIsRefused) {
  TableSource source(500);
  source.Add(TableSource::Var(), Pattern::kSteps, 10, 1);
  const Built built = Build(source);
  const SegmentHandle segment = Open(built, source.columns);
  NtsStatus status = {};
  uint64_t room;
  NtsChunkInfo chunk;
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, 0, &chunk, &status));
  const uint8_t* bytes = built.bytes.data() + chunk.offset;
  ASSERT_EQ(NTS_OK, nts_vector_size(segment.get(), 0, 0, bytes, chunk.length, 0, &room, &status));
  std::vector<uint64_t> values(500), data(room / 8 + 1);
  std::vector<uint8_t> nulls(500);
  bool any_null;
  EXPECT_EQ(NTS_ERR_BUG, nts_vector_decode(segment.get(), 0, 0, bytes, chunk.length, 0, UINT32_MAX,
                                           values.data(), nulls.data(),
                                           reinterpret_cast<uint8_t*>(data.data()), room - 1,
                                           &any_null, nullptr, &status));
}

TEST(SegmentCapi, BatchLayoutsAndStride) {
  for (const uint32_t n : {4u, 300u}) {
    TableSource source(n);
    source.AddEverything(25, n);
    const Batch batch = Encode(source, source.order, 1'000'000, true);
    ASSERT_EQ(n, batch.rows);
    CheckBatch(source, source.order, batch, true);
    const DecodedBatch wrong =
        Decode(source.columns, batch.payload, n, static_cast<uint8_t>(2));
    EXPECT_EQ(NTS_ERR_CORRUPT, wrong.code);
  }
}

}  // namespace
}  // namespace nodedb_ts::test
