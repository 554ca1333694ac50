// batch_checks.h - decodes a batch through core.h into buffers of exact size.
#ifndef NODEDB_TS_TEST_UNIT_SEGMENT_BATCH_CHECKS_H
#define NODEDB_TS_TEST_UNIT_SEGMENT_BATCH_CHECKS_H

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/batch.h"
#include "segment/format.h"
#include "table_source.h"

namespace nodedb_ts::test {

struct Batch {
  std::vector<uint8_t> payload;
  segment::BatchLayout layout = segment::BatchLayout::kPlainRows;
  size_t rows = 0;
};

inline Batch Encode(const TableSource& source, std::span<const uint32_t> rows, size_t max_bytes,
                    bool with_command_ids = false) {
  Batch batch;
  const base::Status status =
      segment::EncodeBatch(source.Schema(), source, rows, with_command_ids, max_bytes, 0,
                           &batch.payload, &batch.layout, &batch.rows);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_LE(batch.payload.size(), max_bytes);
  return batch;
}

struct DecodedBatch {
  int code = NTS_OK;
  NtsStatus status = {};
  NtsBatchInfo info = {};
  std::vector<uint64_t> values;
  std::vector<uint8_t> nulls;
  std::vector<uint32_t> command_ids;
  std::unique_ptr<uint64_t[]> data;
};

inline DecodedBatch Decode(std::span<const NtsColumn> columns, std::span<const uint8_t> payload,
                           uint32_t rows, uint8_t layout, size_t head_length = 0) {
  DecodedBatch d;
  const auto count = static_cast<uint32_t>(columns.size());
  NtsBatchBytes batch = {nullptr, 0, payload.data(), payload.size(), rows, layout, false};
  // The head apart from the rest, as a page has it.
  if (head_length > 0) {
    batch.head = payload.data();
    batch.head_length = head_length;
    batch.body += head_length;
    batch.body_length -= head_length;
  }
  d.code = nts_batch_info(columns.data(), count, &batch, &d.info, &d.status);
  // Hostile bytes may ask for what a caller would refuse.
  if (d.code != NTS_OK || d.info.data_bytes > (uint64_t{64} << 20)) return d;
  d.values.resize(size_t{rows} * count + 1);
  d.nulls.resize(size_t{rows} * count + 1);
  d.command_ids.resize(rows);
  d.data.reset(new uint64_t[(d.info.data_bytes + 7) / 8 + 1]);
  std::vector<uint64_t*> values(count);
  std::vector<uint8_t*> nulls(count);
  for (uint32_t c = 0; c < count; c++) {
    values[c] = d.values.data() + size_t{c} * rows;
    nulls[c] = d.nulls.data() + size_t{c} * rows;
  }
  batch.head_checked = head_length > 0;
  d.code = nts_batch_decode(columns.data(), count, &batch, 0, values.data(), nulls.data(),
                            reinterpret_cast<uint8_t*>(d.data.get()), d.info.data_bytes,
                            d.command_ids.data(), &d.status);
  return d;
}

inline void CheckBatch(const TableSource& source, std::span<const uint32_t> rows,
                       const Batch& batch, bool with_command_ids) {
  const auto n = static_cast<uint32_t>(batch.rows);
  for (const size_t head_length : {size_t{0}, size_t{segment::BatchHeadBytes(source.Schema())}}) {
    const DecodedBatch d =
        Decode(source.columns, batch.payload, n, static_cast<uint8_t>(batch.layout), head_length);
    ASSERT_EQ(NTS_OK, d.code) << d.status.message;
    ASSERT_EQ(source.columns.size(), d.info.column_count);
    ASSERT_EQ(with_command_ids, d.info.has_command_ids != 0);
    for (size_t c = 0; c < source.columns.size(); c++) {
      for (uint32_t r = 0; r < n; r++) {
        ASSERT_TRUE(source.Same(c, rows[r], d.values[c * n + r], d.nulls[c * n + r]))
            << "column " << c << " row " << r;
      }
    }
    for (uint32_t r = 0; with_command_ids && r < n; r++) {
      ASSERT_EQ(source.command_ids[rows[r]], d.command_ids[r]);
    }
  }
}

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_SEGMENT_BATCH_CHECKS_H
