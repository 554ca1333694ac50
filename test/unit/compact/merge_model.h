// merge_model.h - rows in memory, segments made of them, and merges run through core.h.
#ifndef NODEDB_TS_TEST_UNIT_COMPACT_MERGE_MODEL_H
#define NODEDB_TS_TEST_UNIT_COMPACT_MERGE_MODEL_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodedb_ts/core.h"
#include "segment/segment_builder.h"

namespace nodedb_ts::test {

struct Cell {
  bool null = true;
  uint64_t word = 0;
  std::string bytes;
  bool operator==(const Cell&) const = default;
};
using Row = std::vector<Cell>;
using Rows = std::vector<Row>;

inline bool IsBytesColumn(const NtsColumn& c) {
  return c.kind == NTS_KIND_FIXED || c.kind == NTS_KIND_VAR;
}

// What a table is: columns, which of them is the time, which make the series.
struct Model {
  std::vector<NtsColumn> columns;
  int32_t time = -1;
  std::vector<uint16_t> series;

  NtsSchema Schema(size_t stored) const {
    return {columns.data(), static_cast<uint32_t>(stored), time, 0};
  }
  int CompareSeries(const Row& a, const Row& b) const {
    for (const uint16_t c : series) {
      if (a[c].null != b[c].null) return a[c].null ? 1 : -1;
      if (a[c].null) continue;
      const auto x = static_cast<int64_t>(a[c].word);
      const auto y = static_cast<int64_t>(b[c].word);
      const int order = IsBytesColumn(columns[c]) ? a[c].bytes.compare(b[c].bytes)
                                                  : x < y ? -1 : x > y;
      if (order != 0) return order;
    }
    return 0;
  }
  bool Less(const Row& a, const Row& b) const {
    const int order = CompareSeries(a, b);
    if (order != 0 || time < 0) return order < 0;
    const Cell& x = a[static_cast<size_t>(time)];
    const Cell& y = b[static_cast<size_t>(time)];
    if (x.null || y.null) return x.null && !y.null;
    return static_cast<int64_t>(x.word) < static_cast<int64_t>(y.word);
  }
  void Sort(Rows* rows) const {
    std::stable_sort(rows->begin(), rows->end(),
                     [&](const Row& a, const Row& b) { return Less(a, b); });
  }
};

class RowsSource : public segment::RowSource {
 public:
  explicit RowsSource(const Rows& rows) : rows_(rows) {}
  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                   uint8_t* nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      words[i] = rows_[rows[i]][column].word;
      nulls[i] = rows_[rows[i]][column].null;
    }
  }
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      values[i] = rows_[rows[i]][column].bytes;
      nulls[i] = rows_[rows[i]][column].null;
    }
  }
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* ids) const override {
    for (size_t i = 0; i < rows.size(); i++) ids[i] = 100 + rows[i];
  }
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* ids) const override {
    for (size_t i = 0; i < rows.size(); i++) ids[i] = rows[i] / 10;
  }

 private:
  const Rows& rows_;
};

struct SegmentBytes {
  std::vector<uint8_t> bytes;
  uint64_t footer_offset = 0;
  NtsOutput output = {};
};

// A segment of the first `stored` columns of rows in the order they have.
inline SegmentBytes MakeSegment(const Model& model, const Rows& rows, size_t stored,
                                bool hidden = false) {
  SegmentBytes made;
  const RowsSource source(rows);
  const NtsSchema schema = model.Schema(stored);
  std::vector<uint32_t> order(rows.size());
  std::vector<uint32_t> starts;
  for (uint32_t r = 0; r < order.size(); r++) {
    order[r] = r;
    if (r == 0 || model.CompareSeries(rows[r - 1], rows[r]) != 0) starts.push_back(r);
  }
  segment::SegmentBuildOptions options;
  options.series_columns = model.series;
  options.with_row_ids = options.with_command_ids = hidden;
  segment::SegmentSummary summary;
  const base::Status status =
      segment::BuildSegment(schema, source, order, starts, options, &made.bytes, &summary);
  EXPECT_TRUE(status.ok()) << status.message();
  made.footer_offset = summary.footer_offset;
  return made;
}

struct FreeSegment {
  void operator()(NtsSegment* s) const { nts_segment_close(s); }
};
using OpenSegment = std::unique_ptr<NtsSegment, FreeSegment>;

inline OpenSegment OpenBytes(const Model& model, const SegmentBytes& made) {
  NtsStatus status = {};
  OpenSegment open(nts_segment_open(made.bytes.data() + made.footer_offset,
                                    made.bytes.size() - made.footer_offset, made.bytes.size(),
                                    model.columns.data(),
                                    static_cast<uint32_t>(model.columns.size()), &status));
  EXPECT_NE(open, nullptr) << status.message;
  return open;
}

struct MergeResult {
  int code = NTS_OK;
  std::string message;
  std::vector<SegmentBytes> segments;
  size_t largest_piece = 0;
};

inline NtsMergeOptions MergeOptions(const Model& model) {
  NtsMergeOptions options = {};
  options.max_segment_rows = 4000000;
  options.max_segment_bytes = uint64_t{256} << 20;
  options.max_segment_series = 250000;
  options.group_bytes = uint64_t{4} << 20;
  options.series_columns = model.series.data();
  options.series_column_count = static_cast<uint32_t>(model.series.size());
  options.level = 2;
  options.series_index = 1;
  return options;
}

// Drops the bytes of finished segments when keep is false. between: after every step.
inline MergeResult RunMerge(const Model& model, const NtsMergeOptions& options,
                            const std::vector<SegmentBytes>& inputs,
                            const NtsValue* defaults = nullptr, bool keep = true,
                            const std::function<void()>& between = [] {}) {
  MergeResult result;
  NtsStatus status = {};
  const NtsSchema schema = model.Schema(model.columns.size());
  std::vector<OpenSegment> open;
  std::unique_ptr<NtsMerge, void (*)(NtsMerge*)> merge(
      nts_merge_new(&schema, &options, defaults, &status), nts_merge_free);
  if (merge == nullptr) {
    result.code = status.code;
    result.message = status.message;
    return result;
  }
  for (const SegmentBytes& input : inputs) {
    open.push_back(OpenBytes(model, input));
    if (open.back() == nullptr) return result;
    result.code = nts_merge_add(merge.get(), open.back().get(), &status);
    if (result.code != NTS_OK) break;
  }
  SegmentBytes current;
  while (result.code == NTS_OK) {
    NtsMergeStep step;
    result.code = nts_merge_next(merge.get(), &step, &status);
    if (result.code != NTS_OK || step.kind == NTS_MERGE_END) break;
    between();
    if (step.kind == NTS_MERGE_READ) {
      const SegmentBytes& input = inputs[step.input];
      EXPECT_LE(step.offset + step.length, input.footer_offset);
      std::memcpy(step.room, input.bytes.data() + step.offset, step.length);
      continue;
    }
    result.largest_piece = std::max<size_t>(result.largest_piece, step.length);
    if (keep) current.bytes.insert(current.bytes.end(), step.bytes, step.bytes + step.length);
    if (step.kind != NTS_MERGE_SEGMENT) continue;
    current.footer_offset = step.output.footer_offset;
    current.output = step.output;
    result.segments.push_back(std::move(current));
    current = {};
  }
  if (result.code != NTS_OK) result.message = status.message;
  return result;
}

// Appends all rows of a segment, and checks it as ts_verify does.
inline void ReadRows(const Model& model, const SegmentBytes& made, Rows* rows) {
  const OpenSegment open = OpenBytes(model, made);
  ASSERT_NE(open, nullptr);
  NtsSegmentInfo info;
  NtsStatus status = {};
  nts_segment_info(open.get(), &info);
  const size_t first = rows->size();
  rows->resize(first + info.rows, Row(model.columns.size()));
  for (uint32_t g = 0; g < info.row_groups; g++) {
    NtsRowGroupInfo group;
    ASSERT_EQ(nts_segment_row_group(open.get(), g, &group, &status), NTS_OK);
    for (uint32_t c = 0; c < info.column_count; c++) {
      NtsChunkInfo chunk;
      ASSERT_EQ(nts_segment_chunk(open.get(), g, static_cast<int32_t>(c), &chunk, &status), NTS_OK);
      const uint8_t* bytes = made.bytes.data() + chunk.offset;
      for (uint32_t v = 0; v < group.vectors; v++) {
        uint32_t at;
        uint32_t n;
        uint64_t size;
        bool any_null;
        ASSERT_EQ(nts_segment_vector(open.get(), g, v, &at, &n, &status), NTS_OK);
        ASSERT_EQ(nts_vector_size(open.get(), g, static_cast<int32_t>(c), bytes, chunk.length, v,
                                  &size, &status), NTS_OK) << status.message;
        std::vector<uint64_t> values(n);
        std::vector<uint8_t> nulls(n);
        std::vector<uint64_t> data((size + 7) / 8 + 1);
        ASSERT_EQ(nts_vector_decode(open.get(), g, static_cast<int32_t>(c), bytes, chunk.length, v,
                                    UINT32_MAX, values.data(), nulls.data(),
                                    reinterpret_cast<uint8_t*>(data.data()), size, &any_null, nullptr,
                                    &status), NTS_OK) << status.message;
        for (uint32_t r = 0; r < n; r++) {
          Cell& cell = (*rows)[first + group.first_row + at + r][c];
          cell.null = nulls[r];
          if (cell.null) continue;
          if (!IsBytesColumn(model.columns[c])) {
            cell.word = values[r];
            continue;
          }
          const auto* p = reinterpret_cast<const char*>(static_cast<uintptr_t>(values[r]));
          size_t length = model.columns[c].width;
          if (model.columns[c].kind == NTS_KIND_VAR) {
            uint32_t head;
            std::memcpy(&head, p, sizeof(head));
            length = (head >> 2) - 4;
            p += 4;
          }
          cell.bytes.assign(p, length);
        }
      }
    }
  }
}

inline void Verify(const Model& model, const SegmentBytes& made) {
  const OpenSegment open = OpenBytes(model, made);
  ASSERT_NE(open, nullptr);
  NtsStatus status = {};
  NtsSegmentFacts facts = {};
  facts.rows = made.output.rows;
  facts.last_row_id = made.output.rows - 1;
  facts.min_time = made.output.min_time;
  facts.max_time = made.output.max_time;
  facts.level = 2;
  facts.has_time = made.output.has_time;
  facts.has_null_time = made.output.has_null_time;
  EXPECT_EQ(made.output.length, made.bytes.size());
  NtsVerifier* verifier = nts_verifier_new(open.get(), &facts, &status);
  for (;;) {
    NtsVerifyStep step;
    ASSERT_EQ(nts_verifier_next(verifier, &step, &status), NTS_OK);
    if (step.kind == NTS_VERIFY_END) break;
    if (step.kind == NTS_VERIFY_PROBLEM) {
      ADD_FAILURE() << step.text;
      continue;
    }
    NtsChunkInfo chunk;
    bool sound;
    ASSERT_EQ(nts_segment_chunk(open.get(), step.group, step.column, &chunk, &status), NTS_OK);
    ASSERT_EQ(nts_verifier_chunk(verifier, made.bytes.data() + chunk.offset, chunk.length, &sound,
                                 &status), NTS_OK);
  }
  nts_verifier_free(verifier);
}

}  // namespace nodedb_ts::test

#endif  // NODEDB_TS_TEST_UNIT_COMPACT_MERGE_MODEL_H
