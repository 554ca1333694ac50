#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "nodedb_ts/core.h"

namespace {

const NtsColumn kColumns[] = {{NTS_KIND_INT, 8, 0, 8},
                              {NTS_KIND_VAR, 4, NTS_COLUMN_LABEL, 0},
                              {NTS_KIND_FLOAT8, 8, 0, 8}};
const NtsSchema kSchema = {kColumns, 3, 0, 100};
const NtsFlushOptions kFlush = {8000, 65535, 8192, 256 * 1024, 4000000, 256 << 20, true, 1, nullptr};

class MemtableCapi : public testing::Test {
 protected:
  void SetUp() override {
    const NtsManagerOptions options = {1 << 20, 0.6, 1000};
    manager_ = nts_manager_new(&options, &status_);
    ASSERT_NE(nullptr, manager_);
    part_ = nts_part_new(manager_, &kSchema, &status_);
    ASSERT_NE(nullptr, part_);
  }
  void TearDown() override { nts_manager_free(manager_); }

  int Append(NtsPart* part, int64_t time, const std::string& host, uint64_t id) {
    const NtsValue values[3] = {
        {static_cast<uint64_t>(time), 0, 0},
        {reinterpret_cast<uintptr_t>(host.data()), static_cast<uint32_t>(host.size()), 0},
        {0, 0, 1}};
    int result = -1;
    EXPECT_EQ(NTS_OK, nts_part_append(part, values, id, 7, &result, &status_));
    return result;
  }

  NtsStatus status_ = {};
  NtsManager* manager_ = nullptr;
  NtsPart* part_ = nullptr;
};

TEST_F(MemtableCapi, BadArgumentsAreReported) {
  const NtsManagerOptions options = {10, 0.6, 1};
  EXPECT_EQ(nullptr, nts_manager_new(&options, &status_));
  EXPECT_EQ(NTS_ERR_LIMIT, status_.code);
  EXPECT_NE(0, std::strlen(status_.message));
  EXPECT_EQ(NTS_ERR_LIMIT, nts_manager_configure(manager_, &options, &status_));
  NtsSchema schema = kSchema;
  schema.time_column = 1;
  EXPECT_EQ(nullptr, nts_part_new(manager_, &schema, &status_));
  EXPECT_EQ(NTS_ERR_BUG, status_.code);
  schema = kSchema;
  schema.column_count = 1601;
  EXPECT_EQ(nullptr, nts_part_new(manager_, &schema, &status_));
  EXPECT_EQ(NTS_ERR_LIMIT, status_.code);
  NtsOutput output;
  EXPECT_EQ(NTS_ERR_BUG, nts_flush_next(part_, &output, &status_));
  nts_flush_end(part_, true);
  nts_part_free(nullptr);
  nts_manager_free(nullptr);
}

TEST_F(MemtableCapi, AppendFetchMergeFlush) {
  EXPECT_EQ(nullptr, nts_manager_largest(manager_, part_));
  int owner = 0;
  nts_part_set_owner(part_, &owner);
  EXPECT_EQ(&owner, nts_part_owner(part_));
  EXPECT_FALSE(nts_part_has_series(part_));
  const uint16_t series[] = {1};
  ASSERT_EQ(NTS_OK, nts_part_set_series(part_, series, 1, &status_));
  EXPECT_TRUE(nts_part_has_series(part_));
  NtsPart* inner = nts_part_new(manager_, &kSchema, &status_);
  for (int i = 0; i < 10; ++i) {
    const uint64_t id = 40 + static_cast<uint64_t>(i);
    EXPECT_EQ(NTS_INGEST_OK, Append(i < 5 ? part_ : inner, i * 50, "host", id));
  }
  ASSERT_EQ(NTS_OK, nts_part_merge(part_, inner, &status_));
  nts_part_free(inner);
  EXPECT_EQ(10u, nts_part_rows(part_));
  EXPECT_EQ(part_, nts_manager_largest(manager_, part_));
  NtsValue values[3];
  uint32_t command_id = 0;
  bool found = false;
  ASSERT_EQ(NTS_OK, nts_part_fetch(part_, 48, values, &command_id, &found, &status_));
  EXPECT_TRUE(found);
  EXPECT_EQ(400u, values[0].word);
  EXPECT_EQ(4u, values[1].length);
  EXPECT_EQ(1u, values[2].is_null);
  EXPECT_EQ(7u, command_id);
  ASSERT_EQ(NTS_OK, nts_part_fetch(part_, 50, values, &command_id, &found, &status_));
  EXPECT_FALSE(found);

  NtsOutput output = {};
  ASSERT_EQ(NTS_OK, nts_flush_begin(part_, &kFlush, &status_));
  ASSERT_EQ(NTS_OK, nts_flush_next(part_, &output, &status_));
  EXPECT_EQ(NTS_OUTPUT_BATCH, output.kind);
  EXPECT_EQ(10u, output.rows);
  EXPECT_EQ(40u, output.min_row_id);
  EXPECT_EQ(49u, output.max_row_id);
  EXPECT_EQ(450, output.max_time);
  ASSERT_EQ(NTS_OK, nts_flush_next(part_, &output, &status_));
  EXPECT_EQ(NTS_OUTPUT_END, output.kind);
  nts_flush_end(part_, true);
  NtsCounters counters = {};
  nts_manager_counters(manager_, &counters);
  EXPECT_EQ(1u, counters.flushes);
  EXPECT_EQ(10u, counters.ingested);
  EXPECT_EQ(0u, counters.active_bytes + counters.frozen_bytes);
  nts_part_reset(part_);
}

TEST_F(MemtableCapi, RejectedRowsAreNotIn) {
  std::string value(2 << 20, 'x');
  EXPECT_EQ(NTS_INGEST_REJECTED, Append(part_, 1, value, 1));
  EXPECT_EQ(0u, nts_part_rows(part_));
  EXPECT_EQ(0u, nts_part_bytes(part_));
  value.resize(700 << 10);
  EXPECT_EQ(NTS_INGEST_FLUSH_NEEDED, Append(part_, 1, value, 1));
  EXPECT_GT(nts_part_bytes(part_), uint64_t{700} << 10);
}

TEST_F(MemtableCapi, AFlushThatFailedIsPlannedAgain) {
  for (int i = 0; i < 10; ++i) Append(part_, i * 50, "host", NTS_NO_ROW_ID);
  for (int round = 0; round < 3; ++round) {
    NtsOutput output = {};
    ASSERT_EQ(NTS_OK, nts_flush_begin(part_, &kFlush, &status_));
    ASSERT_EQ(NTS_OK, nts_flush_next(part_, &output, &status_));
    EXPECT_EQ(10u, output.rows);
    nts_flush_end(part_, false);
    EXPECT_EQ(10u, nts_part_rows(part_));
  }
}

}  // namespace
