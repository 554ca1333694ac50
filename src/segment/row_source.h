// row_source.h - what a segment or batch is built from.
//
// The memtable (and tests) implement RowSource; the builders pull values column
// by column, at most one row group at a time, so that the source may keep its
// rows in whatever layout it likes. Row numbers are positions in the source
// (arrival order); builders pass them in the order the output shall have.
#ifndef NODEDB_TS_SEGMENT_ROW_SOURCE_H
#define NODEDB_TS_SEGMENT_ROW_SOURCE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nodedb_ts::segment {

// Byte strings of consecutive rows, each given once for rows that have it in common. Neighbours may be equal.
struct ByteRuns {
  std::vector<uint32_t> ends;  // behind the last row of each run, ascending
  std::vector<std::string_view> values;
  std::vector<uint8_t> nulls;

  size_t size() const { return ends.size(); }
  void Clear() {
    ends.clear();
    values.clear();
    nulls.clear();
  }
  void Add(size_t end, std::string_view value, bool null) {
    ends.push_back(static_cast<uint32_t>(end));
    values.push_back(value);
    nulls.push_back(null ? 1 : 0);
  }
};

class RowSource {
 public:
  virtual ~RowSource() = default;

  // Columns of these rows are gathered next, by this very span, whose numbers stay until the next
  // call; no rows: that is over. Only a hint: a source may work out once where the rows are.
  virtual void WillGather(std::span<const uint32_t> rows) const { static_cast<void>(rows); }

  // INT (sign-extended to 64 bits), FLOAT4 (bits, zero-extended), FLOAT8 (bits)
  // columns: words[i] and nulls[i] (0 or 1) of row rows[i]; words of NULLs are 0.
  virtual void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                           uint8_t* nulls) const = 0;
  // The same, once for a column that is announced: returns where the words are, for the caller to change. `words`, or
  // memory of the source until the next column is gathered.
  virtual uint64_t* LendWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const {
    GatherWords(column, rows, words, nulls);
    return words;
  }

  // FIXED and VAR columns: views into the source, valid while it is unchanged;
  // empty for NULLs.
  virtual void GatherBytes(size_t column, std::span<const uint32_t> rows,
                           std::string_view* values, uint8_t* nulls) const = 0;

  // The same as at most `most` runs that end with the last row, for a source that knows or soon finds them; false: it does
  // not, or they are more.
  virtual bool GatherRuns(size_t column, std::span<const uint32_t> rows, size_t most, ByteRuns* runs) const {
    static_cast<void>(column), static_cast<void>(rows), static_cast<void>(most), static_cast<void>(runs);
    return false;
  }

  // No row has more bytes of values than this. A small bound spares the builder the
  // pass that measures rows.
  virtual uint64_t LargestRowBytes() const { return UINT64_MAX; }

  // Row ids (NTS_NO_ROW_ID where there is none) and command ids.
  virtual void GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const = 0;
  virtual void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const = 0;
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_ROW_SOURCE_H
