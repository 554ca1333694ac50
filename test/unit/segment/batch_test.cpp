#include <gtest/gtest.h>

#include "batch_checks.h"
#include "segment/batch.h"

namespace nodedb_ts::test {
namespace {

using segment::BatchLayout;

constexpr size_t kPage = 8000;

TEST(Batch, PlainRowsRoundTrip) {
  for (const unsigned null_percent : {0u, 30u, 100u}) {
    for (uint32_t n = 1; n <= 8; n++) {
      for (const bool command_ids : {false, true}) {
        TableSource source(500);
        source.AddEverything(null_percent, n);
        const std::span<const uint32_t> rows = std::span(source.order).subspan(200, n);
        const Batch batch = Encode(source, rows, 100000, command_ids);
        ASSERT_EQ(n, batch.rows);
        ASSERT_EQ(BatchLayout::kPlainRows, batch.layout);
        CheckBatch(source, rows, batch, command_ids);
      }
    }
  }
}

TEST(Batch, ColumnsRoundTrip) {
  for (const unsigned null_percent : {0u, 30u, 100u}) {
    for (const uint32_t n : {9u, 100u, 1024u, 1025u, 3000u}) {
      TableSource source(3000);
      source.AddEverything(null_percent, n);
      const std::span<const uint32_t> rows = std::span(source.order).first(n);
      const bool command_ids = n % 2 == 0;
      const Batch batch = Encode(source, rows, 100'000'000, command_ids);
      ASSERT_EQ(n, batch.rows);
      ASSERT_EQ(BatchLayout::kColumns, batch.layout);
      CheckBatch(source, rows, batch, command_ids);
    }
  }
}

// Metrics as they arrive: time, label, four values.
TableSource Metrics(size_t rows, bool random) {
  TableSource source(rows);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Var(), Pattern::kFew, 0, 2);
  for (uint64_t c = 0; c < 4; c++) {
    source.Add(TableSource::Float8(), random ? Pattern::kRandom : Pattern::kDecimals, 0, c);
  }
  return source;
}

TEST(Batch, FillsThePage) {
  for (const bool random : {false, true}) {
    const TableSource source = Metrics(20000, random);
    size_t at = 0;
    while (source.rows() - at > 3000) {
      const std::span<const uint32_t> rows = std::span(source.order).subspan(at);
      const Batch batch = Encode(source, rows, kPage);
      ASSERT_GT(batch.rows, 8u);
      ASSERT_GE(batch.payload.size(), kPage * 85 / 100) << batch.rows << " rows";
      CheckBatch(source, rows, batch, false);
      at += batch.rows;
    }
  }
}

TEST(Batch, WideRows) {
  TableSource source(100);
  source.Add(TableSource::Var(), Pattern::kRandom, 0, 1);
  for (size_t r = 0; r < 100; r++) {
    std::mt19937 random(static_cast<unsigned>(r));
    source.bytes[0][r].resize(1500);
    for (char& c : source.bytes[0][r]) c = static_cast<char>(random());
  }
  const Batch five = Encode(source, source.order, kPage);
  EXPECT_EQ(5u, five.rows);
  CheckBatch(source, source.order, five, false);
  EXPECT_EQ(0u, Encode(source, source.order, 1400).rows);
  EXPECT_EQ(1u, Encode(source, source.order, 1600).rows);
  EXPECT_EQ(0u, Encode(source, std::span(source.order).first(1), 1400).rows);
}

TEST(Batch, EverySizeLimitIsKept) {
  TableSource source(300);
  source.AddEverything(20, 3);
  for (size_t max_bytes = 0; max_bytes < 12000; max_bytes += 97) {
    const Batch batch = Encode(source, source.order, max_bytes);
    if (batch.rows > 0) CheckBatch(source, source.order, batch, false);
  }
}

TEST(Batch, OneRowIsSmall) {
  TableSource source(1);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Int(1), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Float8(), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Var(), Pattern::kConstant, 0, 1);
  // head, time, flag, a short decimal, a string of eight
  EXPECT_EQ(4u + 5 + 1 + 2 + 9, Encode(source, source.order, kPage).payload.size());
}

TEST(Batch, DroppedAndAddedColumns) {
  for (const uint32_t n : {3u, 200u}) {
    TableSource source(n);
    source.Add(TableSource::Int(4), Pattern::kRandom, 0, 1);
    source.Add(TableSource::Fixed(16), Pattern::kRandom, 0, 2);
    source.Add(TableSource::Var(), Pattern::kRandom, 0, 3);
    source.Add(TableSource::Int(8), Pattern::kRandom, 20, 4);
    const Batch batch = Encode(source, source.order, 100000);
    std::vector<NtsColumn> columns = source.columns;
    columns[1] = columns[2] = TableSource::None();
    columns.push_back(TableSource::Int(8));
    const DecodedBatch d =
        Decode(columns, batch.payload, n, static_cast<uint8_t>(batch.layout));
    ASSERT_EQ(NTS_OK, d.code) << d.status.message;
    EXPECT_EQ(4u, d.info.column_count);
    // of plain rows only a bound is told
    if (batch.layout == segment::BatchLayout::kColumns) {
      EXPECT_EQ(0u, d.info.data_bytes);
    }
    for (uint32_t r = 0; r < n; r++) {
      EXPECT_EQ(source.words[0][r], d.values[r]);
      EXPECT_EQ(1, d.nulls[n + r]);
      EXPECT_EQ(1, d.nulls[2 * n + r]);
      EXPECT_TRUE(source.Same(3, r, d.values[3 * n + r], d.nulls[3 * n + r]));
    }
    columns.resize(3);
    EXPECT_EQ(NTS_ERR_CORRUPT,
              Decode(columns, batch.payload, n, static_cast<uint8_t>(batch.layout)).code);
  }
}

}  // namespace
}  // namespace nodedb_ts::test
