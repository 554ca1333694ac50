#include "segment/row_batch.h"

#include <gtest/gtest.h>

#include "batch_checks.h"
#include "segment/batch.h"
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
    for (size_t row = 0; row < source.rows(); row++) {
      const Batch expected = Encode(source, std::span(source.order).subspan(row, 1), 100000, false);
      std::vector<uint8_t> payload(100000);
      payload.resize(segment::EncodeRowBatch(schema, ValuesOf(source, row).data(), payload));
      ASSERT_EQ(expected.payload, payload) << "row " << row;
    }
  }
}

TEST(RowBatch, ReportsWhatDoesNotFit) {
  TableSource source(20);
  source.AddEverything(20, 3);
  const NtsSchema schema = source.Schema();
  for (size_t row = 0; row < source.rows(); row++) {
    const std::vector<NtsValue> values = ValuesOf(source, row);
    std::vector<uint8_t> payload(100000);
    const size_t size = segment::EncodeRowBatch(schema, values.data(), payload);
    ASSERT_GT(size, 0u);
    for (size_t room = 0; room < size; room++) {
      std::vector<uint8_t> tight(room);  // its own allocation, so that a sanitizer sees a step beyond
      ASSERT_EQ(0u, segment::EncodeRowBatch(schema, values.data(), tight));
    }
    payload.resize(size);
    ASSERT_EQ(size, segment::EncodeRowBatch(schema, values.data(), payload));
  }
}

}  // namespace
}  // namespace nodedb_ts::test
