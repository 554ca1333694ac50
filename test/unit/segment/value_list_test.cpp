// The values that a chunk lists, and which vectors have them: whatever a row holds is among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "segment/chunk_reader.h"
#include "segment_checks.h"

namespace nodedb_ts::test {
namespace {

struct ValueList {
  std::vector<std::string> values;  // bytes, or the eight bytes of a word
  std::vector<uint64_t> members;
  std::vector<uint8_t> nulls;
};

std::string AsBytes(const NtsColumn& column, uint64_t value) {
  if (column.kind != NTS_KIND_FIXED && column.kind != NTS_KIND_VAR) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
  EXPECT_EQ(0u, value % column.align);
  return std::string(segment::BytesAt(segment::ShapeOf(column), value));
}

ValueList Read(const NtsSegment* segment, std::span<const uint8_t> bytes, const NtsColumn& column,
               uint32_t group, int32_t number, uint32_t most) {
  ValueList list;
  NtsStatus status = {};
  NtsChunkInfo chunk;
  NtsRowGroupInfo info;
  uint64_t room = 0;
  uint32_t count = 0;
  EXPECT_EQ(NTS_OK, nts_segment_chunk(segment, group, number, &chunk, &status));
  EXPECT_EQ(NTS_OK, nts_segment_row_group(segment, group, &info, &status));
  bytes = bytes.subspan(chunk.offset, chunk.length);
  EXPECT_EQ(NTS_OK, nts_chunk_distinct(segment, group, number, bytes.data(), bytes.size(), most, nullptr, nullptr,
                                       &room, &count, &status)) << status.message;
  if (count == 0) return list;
  std::vector<uint64_t> values(count);
  std::unique_ptr<uint64_t[]> data(new uint64_t[room / 8 + 1]);
  EXPECT_EQ(NTS_OK, nts_chunk_distinct(segment, group, number, bytes.data(), bytes.size(), most, values.data(),
                                       reinterpret_cast<uint8_t*>(data.get()), &room, &count, &status))
      << status.message;
  EXPECT_EQ(values.size(), count);
  for (const uint64_t value : values) list.values.push_back(AsBytes(column, value));
  if (chunk.length == 0) return list;
  list.members.resize(info.vectors);
  list.nulls.resize(info.vectors);
  EXPECT_EQ(NTS_OK, nts_chunk_members(segment, group, number, bytes.data(), bytes.size(), list.members.data(),
                                      list.nulls.data(), &status)) << status.message;
  return list;
}

// Compares with what the rows hold; returns how many values are listed.
size_t Check(const NtsSegment* segment, const Built& built, const TableSource& source, int32_t column) {
  size_t listed = 0;
  size_t row = 0;
  NtsSegmentInfo info;
  nts_segment_info(segment, &info);
  for (uint32_t group = 0; group < info.row_groups; group++) {
    NtsRowGroupInfo rows;
    NtsStatus status;
    EXPECT_EQ(NTS_OK, nts_segment_row_group(segment, group, &rows, &status));
    const NtsColumn& shape = source.columns[static_cast<size_t>(column)];
    const ValueList list = Read(segment, built.bytes, shape, group, column, 1024);
    std::map<std::string, size_t> places;
    for (size_t i = 0; i < list.values.size(); i++) places[list.values[i]] = i;
    EXPECT_EQ(list.values.size(), places.size()) << "each value once";
    listed += list.values.size();
    std::set<std::string> seen;
    for (uint32_t vector = 0; vector < rows.vectors; vector++) {
      uint32_t first;
      uint32_t count;
      uint64_t members = 0;
      uint8_t some_null = 0;
      EXPECT_EQ(NTS_OK, nts_segment_vector(segment, group, vector, &first, &count, &status));
      for (uint32_t i = 0; i < count; i++, row++) {
        const size_t c = static_cast<size_t>(column);
        if (source.nulls[c][row]) {
          some_null = 1;
          continue;
        }
        const std::string value = source.bytes[c].empty() ? AsBytes(shape, source.words[c][row])
                                                          : source.bytes[c][row];
        if (list.values.empty()) continue;
        const auto place = places.find(value);
        EXPECT_NE(places.end(), place) << "column " << column << ", row " << row;
        if (place == places.end()) return 0;
        members |= uint64_t{1} << (place->second % 64);
        seen.insert(value);
      }
      if (list.members.empty()) continue;
      EXPECT_EQ(members, list.members[vector]);
      EXPECT_EQ(some_null, list.nulls[vector]);
    }
    EXPECT_EQ(list.values.size(), seen.size()) << "nothing that no row has";
  }
  return listed;
}

class ValueLists : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Segment, ValueLists, testing::Values(1, 2));

TEST_P(ValueLists, HoldWhatTheRowsHold) {
  for (const unsigned nulls : {0u, 20u}) {
    TableSource source(5000);
    source.AddEverything(nulls, 5);
    segment::SegmentBuildOptions options;
    options.level = static_cast<uint8_t>(GetParam());
    const Built built = Build(source, options);
    const SegmentHandle segment = Open(built, source.columns);
    size_t listed = 0;
    for (size_t c = 0; c < source.columns.size(); c++) {
      listed += Check(segment.get(), built, source, static_cast<int32_t>(c)) > 0;
    }
    // constants, and few values of every kind
    EXPECT_GT(listed, 10u);
  }
}

TEST_P(ValueLists, MoreThanMembersHaveBitsFor) {
  TableSource source(70000);
  source.Add(TableSource::Var(), Pattern::kConstant, 0, 1);
  source.Add(TableSource::Int(8), Pattern::kConstant, 0, 1);
  for (size_t r = 0; r < source.rows(); r++) {
    source.bytes[0][r] = "host-" + std::to_string(r / 200 % 300);
    source.words[1][r] = (r * 7919 % 500) * 123456789123;
    source.nulls[0][r] = r / 2000 == 3;
    if (source.nulls[0][r]) source.bytes[0][r].clear();
  }
  segment::SegmentBuildOptions options;
  options.level = static_cast<uint8_t>(GetParam());
  const Built built = Build(source, options);
  const SegmentHandle segment = Open(built, source.columns);
  // 300 less ten that are NULL; level 1 takes another codec for so many
  const size_t listed = Check(segment.get(), built, source, 0);
  if (GetParam() == 2) EXPECT_GE(listed, 290u);
  Check(segment.get(), built, source, 1);
  EXPECT_TRUE(Read(segment.get(), built.bytes, source.columns[0], 0, 0, 100).values.empty()) << "too many";
}

}  // namespace
}  // namespace nodedb_ts::test
