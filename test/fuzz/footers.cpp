// Input: u32 bytes of row groups, the footer. Its checksum is put right, or nothing would get past it.
#include <algorithm>
#include <memory>
#include <string>

#include "base/crc32c.h"
#include "fuzz/fuzz.h"
#include "fuzz/values.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"

namespace nodedb_ts::fuzz {
namespace {

constexpr NtsColumn kColumns[] = {{NTS_KIND_INT, 8, 0, 8}, {NTS_KIND_VAR, 4, 0, 0}, {NTS_KIND_FLOAT8, 8, 0, 8},
                                  {NTS_KIND_INT, 2, 0, 2}, {NTS_KIND_FIXED, 1, 0, 6}};
constexpr size_t kColumnCount = sizeof(kColumns) / sizeof(kColumns[0]);

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint32_t data_bytes;
  if (!in.ReadU32(&data_bytes) || in.remaining() < 4) return;
  Bytes footer(in.at(), in.at() + in.remaining());
  base::StoreLe<uint32_t>(footer.data() + footer.size() - 4, base::Crc32c(0, footer.data(), footer.size() - 4));
  std::unique_ptr<segment::Segment> parsed;
  if (!segment::Segment::Open(footer, uint64_t{data_bytes} + footer.size(), kColumns, &parsed).ok()) return;
  NtsSegmentInfo info;
  parsed->Info(&info);
  std::vector<segment::SeriesEntry> series;
  (void)parsed->Series(&series).ok();
  std::vector<uint64_t> last(info.has_last_rows ? info.series : 0);
  if (parsed->LastRows(0, static_cast<uint32_t>(last.size()), last.data()).ok()) {
    for (const uint64_t row : last) Require(row < info.rows, "last rows are rows");
  }
  for (uint32_t g = 0; g < info.row_groups + info.has_last_rows; g++) {
    NtsRowGroupInfo group;
    Require(parsed->RowGroup(g, &group).ok(), "there are as many row groups as the footer says");
    uint32_t sum = 0;
    for (uint32_t v = 0; v < group.vectors; v++) {
      uint32_t first;
      uint32_t rows;
      Require(parsed->Vector(g, v, &first, &rows).ok(), "there are as many vectors as the group says");
      Require(first == sum && rows >= 1 && rows <= 1024, "vectors follow each other");
      sum += rows;
    }
    Require(sum == group.rows, "vectors add up to the group");
    for (uint32_t c = 0; c < info.column_count; c++) {
      const segment::ChunkEntry* entry;
      Require(parsed->Chunk(g, static_cast<int32_t>(c), &entry).ok(), "each column has an entry");
      Require(entry->offset <= data_bytes && entry->length <= data_bytes - entry->offset,
              "chunks lie in front of the footer");
      if (entry->codec != codec::kConstant || g > 3) continue;
      uint64_t values[1024];
      uint8_t nulls[1024];
      uint64_t size = 0;
      bool any_null;
      if (!parsed->VectorSize(g, static_cast<int32_t>(c), {}, 0, &size).ok()) continue;
      std::unique_ptr<uint64_t[]> data(new uint64_t[size / 8 + 1]);
      (void)parsed->Decode(g, static_cast<int32_t>(c), {}, 0, values, nulls, reinterpret_cast<uint8_t*>(data.get()),
                           size, &any_null).ok();
    }
  }
}

class Rows : public segment::RowSource {
 public:
  explicit Rows(int pattern) : pattern_(pattern) {}
  void GatherWords(size_t c, std::span<const uint32_t> rows, uint64_t* out, uint8_t* nulls) const override {
    for (size_t i = 0; i < rows.size(); i++) {
      out[i] = c == 0 ? rows[i] : pattern_ == 0 ? 4 : rows[i] % 9;
      nulls[i] = c > 0 && pattern_ == 2;
    }
  }
  void GatherBytes(size_t c, std::span<const uint32_t> rows, std::string_view* out, uint8_t* nulls) const override {
    static const std::string kTexts[] = {"host-1", "host-2", "host-3"};
    for (size_t i = 0; i < rows.size(); i++) {
      out[i] = kTexts[c == 1 && pattern_ > 0 ? rows[i] / 1000 % 3 : 0];
      nulls[i] = 0;
    }
  }
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* out) const override {
    for (size_t i = 0; i < rows.size(); i++) out[i] = rows[i];
  }
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* out) const override {
    for (size_t i = 0; i < rows.size(); i++) out[i] = 0;
  }
  uint64_t LargestRowBytes() const override { return 64; }

 private:
  int pattern_;
};

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const uint8_t level : {1, 2}) {
    for (int pattern = 0; pattern < 3; pattern++) {
      for (const uint32_t rows : {1u, 2500u, 70000u}) {
        const Rows source(pattern);
        std::vector<uint32_t> order(rows);
        for (uint32_t i = 0; i < rows; i++) order[i] = i;
        std::vector<uint32_t> starts;
        for (uint32_t i = 0; i < rows && i < 3000; i += 1000) starts.push_back(i);
        const NtsSchema schema{kColumns, kColumnCount, 0, 0};
        segment::SegmentBuildOptions options;
        options.level = level;
        options.with_row_ids = pattern == 1;
        options.with_command_ids = pattern == 2;
        options.with_last_rows = true;
        const uint16_t series[] = {1};
        options.series_columns = series;
        Bytes bytes;
        segment::SegmentSummary summary;
        Require(segment::BuildSegment(schema, source, order, starts, options, &bytes, &summary).ok(), "a seed is valid");
        Bytes seed;
        base::ByteWriter out(&seed);
        out.U32(static_cast<uint32_t>(summary.footer_offset));
        out.Bytes(bytes.data() + summary.footer_offset, bytes.size() - summary.footer_offset);
        seeds.push_back(std::move(seed));
      }
    }
  }
  return seeds;
}

}  // namespace

const Target kFooters = {"footers", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kFooters)
