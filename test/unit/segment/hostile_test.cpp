// Stored bytes are hostile: mutated payloads give OK or an error, and under a
// sanitizer no read or write out of bounds.
#include <gtest/gtest.h>

#include <random>

#include "base/bits.h"
#include "base/crc32c.h"
#include "batch_checks.h"
#include "segment/segment_reader.h"
#include "segment_checks.h"

namespace nodedb_ts::test {
namespace {

using Bytes = std::vector<uint8_t>;

void Mutate(Bytes* bytes, std::mt19937_64* random) {
  const uint64_t changes = 1 + (*random)() % 4;
  for (uint64_t i = 0; i < changes && !bytes->empty(); i++) {
    const size_t at = (*random)() % bytes->size();
    switch ((*random)() % 8) {
      case 0: bytes->resize(at); break;
      case 1: (*bytes)[at] = 0xff; break;
      case 2: (*bytes)[at] = 0; break;
      case 3: (*bytes)[bytes->size() - 1 - at % std::min<size_t>(bytes->size(), 16)] ^= 1 << at % 8; break;
      case 4: bytes->insert(bytes->begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>((*random)())); break;
      case 5: (*bytes)[at % std::min<size_t>(bytes->size(), 24)] = static_cast<uint8_t>((*random)()); break;
      default: (*bytes)[at] ^= static_cast<uint8_t>(1u << ((*random)() % 8));
    }
  }
}

TEST(Hostile, Batches) {
  std::mt19937_64 random(1);
  int accepted = 0;
  for (const uint32_t n : {1u, 5u, 40u, 1500u}) {
    TableSource source(n);
    source.AddEverything(20, n);
    const Batch batch = Encode(source, source.order, 10'000'000, true);
    ASSERT_EQ(n, batch.rows);
    const int rounds = n > 1000 ? 150 : 3000;
    for (int i = 0; i < rounds; i++) {
      Bytes bytes = batch.payload;
      Mutate(&bytes, &random);
      const uint32_t rows = i % 10 == 0 ? 1 + static_cast<uint32_t>(random() % 2000) : n;
      const auto layout = static_cast<uint8_t>(i % 20 == 0 ? i % 3 : static_cast<int>(batch.layout));
      accepted += Decode(source.columns, Bytes(bytes), rows, layout).code == NTS_OK;
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(Hostile, RandomBytes) {
  std::mt19937_64 random(2);
  TableSource source(1);
  source.AddEverything(0, 1);
  for (int i = 0; i < 20000; i++) {
    Bytes bytes(random() % 64);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
    if (bytes.size() > 2) bytes[0] &= 3;
    if (bytes.size() > 2) bytes[1] %= 8;
    Decode(source.columns, bytes, 1 + static_cast<uint32_t>(random() % 9),
           static_cast<uint8_t>(i % 2));
  }
}

// Reads everything a footer promises; errors are fine.
void ReadAll(const Built& built, const Bytes& footer, std::span<const NtsColumn> columns) {
  NtsStatus status = {};
  const uint64_t length = built.summary.footer_offset + footer.size();
  const SegmentHandle segment(nts_segment_open(footer.data(), footer.size(), length,
                                               columns.data(),
                                               static_cast<uint32_t>(columns.size()), &status));
  if (segment == nullptr) return;
  NtsSegmentInfo info;
  nts_segment_info(segment.get(), &info);
  for (uint32_t g = 0; g < info.row_groups + info.has_last_rows; g++) {
    NtsRowGroupInfo group;
    ASSERT_EQ(NTS_OK, nts_segment_row_group(segment.get(), g, &group, &status));
    for (uint32_t c = 0; c < info.column_count; c++) {
      NtsChunkInfo chunk;
      ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), g, static_cast<int32_t>(c), &chunk,
                                          &status));
      ASSERT_LE(chunk.offset + chunk.length, built.summary.footer_offset);
      const Bytes bytes(built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset),
                        built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset + chunk.length));
      for (uint32_t v = 0; v < group.vectors && v < 3; v++) {
        ReadVector(segment.get(), bytes, g, static_cast<int32_t>(c), v);
      }
    }
  }
}

class HostileSegments : public testing::TestWithParam<uint8_t> {};
INSTANTIATE_TEST_SUITE_P(Hostile, HostileSegments, testing::Values(1, 2));

TEST_P(HostileSegments, Footers) {
  std::mt19937_64 random(3);
  TableSource source(2500);
  source.AddEverything(20, 3);
  segment::SegmentBuildOptions options;
  options.level = GetParam();
  options.with_row_ids = options.with_command_ids = true;
  std::vector<uint32_t> starts;
  for (uint32_t s = 0; s < 5; s++) starts.push_back(s * 500);
  options.with_last_rows = true;
  const uint16_t series_columns[] = {90};
  options.series_columns = series_columns;
  const Built built = Build(source, options, 3, starts);
  ASSERT_TRUE(built.summary.last_rows);
  const Bytes footer(built.bytes.begin() + static_cast<ptrdiff_t>(built.summary.footer_offset),
                     built.bytes.end());
  int opened = 0;
  for (int i = 0; i < 5000; i++) {
    Bytes bytes = footer;
    Mutate(&bytes, &random);
    NtsStatus status = {};
    const uint64_t length = built.summary.footer_offset + bytes.size();
    if (i % 8 != 0 && bytes.size() >= 4) {  // with a checksum that agrees
      base::StoreLe<uint32_t>(bytes.data() + bytes.size() - 4,
                              nts_crc32c(0, bytes.data(), bytes.size() - 4));
    }
    std::unique_ptr<segment::Segment> parsed;
    const base::Status result = segment::Segment::Open(bytes, length, source.columns, &parsed);
    if (!result.ok()) continue;
    opened++;
    std::vector<segment::SeriesEntry> series;
    (void)parsed->Series(&series).ok();
    NtsSegmentInfo info;
    parsed->Info(&info);
    std::vector<uint64_t> last(info.has_last_rows ? info.series : 0);
    if (parsed->LastRows(0, static_cast<uint32_t>(last.size()), last.data()).ok()) {
      for (const uint64_t row : last) ASSERT_LT(row, info.rows);
    }
    if (opened % 40 == 1) ReadAll(built, bytes, source.columns);
    (void)status;
  }
  EXPECT_GT(opened, 0);
}

TEST_P(HostileSegments, Chunks) {
  std::mt19937_64 random(4);
  TableSource source(2500);
  source.AddEverything(20, 3);
  segment::SegmentBuildOptions options;
  options.level = GetParam();
  const Built built = Build(source, options);
  std::unique_ptr<segment::Segment> parsed;
  const Bytes footer(built.bytes.begin() + static_cast<ptrdiff_t>(built.summary.footer_offset),
                     built.bytes.end());
  ASSERT_TRUE(
      segment::Segment::Open(footer, built.bytes.size(), source.columns, &parsed).ok());
  for (size_t c = 0; c < source.columns.size(); c++) {
    const segment::ChunkEntry* entry;
    ASSERT_TRUE(parsed->Chunk(0, static_cast<int32_t>(c), &entry).ok());
    for (int i = 0; i < 120; i++) {
      Bytes bytes(built.bytes.begin() + static_cast<ptrdiff_t>(entry->offset),
                  built.bytes.begin() + static_cast<ptrdiff_t>(entry->offset + entry->length));
      Mutate(&bytes, &random);
      segment::ChunkRef ref;
      ref.shape = segment::ShapeOf(source.columns[c]);
      ref.codec = i % 6 == 0 ? static_cast<uint8_t>(random() % 40) : entry->codec;
      ref.align = source.columns[c].align;
      ref.vectors = i % 7 == 0 ? 1 + static_cast<uint32_t>(random() % 5) : 3;
      ref.rows = 2500;
      ref.bytes = bytes.data();
      ref.length = bytes.size();
      std::vector<segment::VectorStatistics> statistics;
      (void)segment::ReadChunkStatistics(ref, &statistics).ok();
      uint64_t room = 0;
      uint32_t listed = 0;
      if (segment::ReadDistinct(ref, 1024, nullptr, nullptr, &room, &listed).ok() && listed > 0) {
        std::unique_ptr<uint64_t[]> list_data(new uint64_t[(room + 7) / 8]);
        std::vector<uint64_t> list(listed);
        (void)segment::ReadDistinct(ref, 1024, list.data(), reinterpret_cast<uint8_t*>(list_data.get()), &room,
                                    &listed).ok();
      }
      uint64_t members[8];
      uint8_t some_null[8];
      (void)segment::ReadMembers(ref, members, some_null).ok();
      for (uint32_t v = 0; v < ref.vectors; v++) {
        uint64_t size = 0;
        if (!segment::MeasureVector(ref, v, 1000, &size).ok()) continue;
        std::unique_ptr<uint64_t[]> data(new uint64_t[(size + 7) / 8]);
        std::vector<uint64_t> values(1000);
        Bytes nulls(1000);
        uint64_t cursor = 0;
        bool any_null;
        (void)segment::DecodeVector(ref, v, 1000, values.data(), nulls.data(),
                                    reinterpret_cast<uint8_t*>(data.get()), size, &cursor,
                                    &any_null).ok();
      }
    }
  }
}

}  // namespace
}  // namespace nodedb_ts::test
