#include "segment/row_batch.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "batch_checks.h"
#include "segment/batch.h"
#include "segment/plain_float.h"
#include "table_source.h"

namespace nodedb_ts::test {
namespace {

std::vector<NtsValue> ValuesOf(const TableSource& source, size_t row) {
  std::vector<NtsValue> values(source.columns.size());
  for (size_t c = 0; c < values.size(); c++) {
    values[c] = {source.words[c][row], 0, source.nulls[c][row]};
    if (source.bytes[c].empty() || values[c].is_null) continue;
    values[c].word = reinterpret_cast<uint64_t>(source.bytes[c][row].data());
    values[c].length = static_cast<uint32_t>(source.bytes[c][row].size());
  }
  return values;
}

// The same bytes as by way of a row source, so that readers know one layout.
TEST(RowBatch, EqualsEncodeBatch) {
  for (const unsigned null_percent : {0u, 30u, 100u}) {
    TableSource source(200);
    source.AddEverything(null_percent, null_percent + 7);
    const NtsSchema schema = source.Schema();
    const std::vector<uint8_t> head = segment::BatchHead(schema);
    for (size_t row = 0; row < source.rows(); row++) {
      const Batch expected = Encode(source, std::span(source.order).subspan(row, 1), 100000, false);
      std::vector<uint8_t> payload(100000);
      payload.resize(segment::EncodeRowBatch(schema, head, ValuesOf(source, row).data(), payload));
      ASSERT_EQ(expected.payload, payload) << "row " << row;
    }
  }
}

TEST(RowBatch, ReportsWhatDoesNotFit) {
  TableSource source(20);
  source.AddEverything(20, 3);
  const NtsSchema schema = source.Schema();
  const std::vector<uint8_t> head = segment::BatchHead(schema);
  for (size_t row = 0; row < source.rows(); row++) {
    const std::vector<NtsValue> values = ValuesOf(source, row);
    std::vector<uint8_t> payload(100000);
    const size_t size = segment::EncodeRowBatch(schema, head, values.data(), payload);
    ASSERT_GT(size, 0u);
    for (size_t room = 0; room < size; room++) {
      std::vector<uint8_t> tight(room);  // its own allocation, so that a sanitizer sees a step beyond
      ASSERT_EQ(0u, segment::EncodeRowBatch(schema, head, values.data(), tight));
    }
    payload.resize(size);
    ASSERT_EQ(size, segment::EncodeRowBatch(schema, head, values.data(), payload));
  }
}

// The smallest exponent, found by trying all of them.
uint64_t SlowFloatCode(double value) {
  if (!(value > -1e11 && value < 1e11)) return segment::kPlainRawFloat;
  for (uint64_t e = 0; e < std::size(segment::kPlainPowers); e++) {
    const double scaled = value * segment::kPlainPowers[e];
    const auto integer = static_cast<int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
    if (std::bit_cast<uint64_t>(static_cast<double>(integer) / segment::kPlainPowers[e]) ==
        std::bit_cast<uint64_t>(value)) {
      return base::ZigZag(integer) << 3 | e;
    }
  }
  return segment::kPlainRawFloat;
}

TEST(PlainFloat, FindsTheSmallestExponent) {
  std::mt19937_64 random(5);
  std::vector<double> values = {0.0, -0.0, 0.5, 1e11, 1e11 - 0.0001, -99999999999.9999, 1e-4, 1e-5,
                                NAN, INFINITY, -INFINITY, 5e-324, 1.0 / 3};
  for (int i = 0; i < 200000; i++) {
    const auto integer = static_cast<double>(static_cast<int64_t>(random() >> (random() % 60 + 4)));
    const double decimal = integer / segment::kPlainPowers[random() % 5];
    values.push_back(i % 2 ? decimal : -decimal);
    values.push_back(std::nextafter(decimal, i % 3 ? INFINITY : -INFINITY));
    values.push_back(std::bit_cast<double>(random()));
  }
  for (const double value : values) {
    const uint64_t code = segment::PlainFloatCode(std::bit_cast<uint64_t>(value));
    ASSERT_EQ(SlowFloatCode(value), code) << std::hexfloat << value;
    uint64_t bits = 0;
    if (code == segment::kPlainRawFloat) continue;
    ASSERT_TRUE(segment::PlainFloatBits(code, &bits));
    ASSERT_EQ(std::bit_cast<uint64_t>(value), bits);
  }
}

}  // namespace
}  // namespace nodedb_ts::test
