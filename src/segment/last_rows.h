// last_rows.h - copies of the last row of each series, gathered while a segment is built.
//
// Rows come row group by row group, in order: of a series that goes on, the copy is replaced. In the
// end this is a RowSource whose row number i is the copy of series i.
#ifndef NODEDB_TS_SEGMENT_LAST_ROWS_H
#define NODEDB_TS_SEGMENT_LAST_ROWS_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "segment/format.h"
#include "segment/row_source.h"

namespace nodedb_ts::segment {

class LastRows final : public RowSource {
 public:
  // columns: stored ones.
  void Begin(size_t columns) { columns_.resize(columns); }

  // The next row group, which starts in series `first`: positions in it of the last row of that
  // series and of those that follow. false: they are too many to be kept; nothing is any more.
  bool BeginGroup(size_t first, std::span<const uint32_t> positions);
  // A column of the row group. TakeBytes: false as above, they take too many bytes.
  void TakeWords(size_t column, const uint64_t* words, const uint8_t* nulls);
  bool TakeBytes(size_t column, const std::string_view* values, const uint8_t* nulls);
  bool TakeRuns(size_t column, const ByteRuns& runs);
  void TakeRowIds(const uint64_t* row_ids);
  void TakeCommandIds(const uint32_t* command_ids);

  bool kept() const { return !given_up_ && count_ > 0; }
  size_t count() const { return count_; }
  void GiveUp();

  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words,
                   uint8_t* nulls) const override;
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override;
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const override;
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const override;

 private:
  struct Column {
    std::vector<uint64_t> words;
    std::vector<std::string> bytes;
    std::vector<uint8_t> nulls;
  };

  // A column of byte strings, with room for the rows of the row group.
  Column& BytesColumn(size_t column);
  // The value of the row at positions_[position]; false as TakeBytes.
  bool TakeValue(Column* column, size_t position, std::string_view value, bool null);

  bool given_up_ = false;
  size_t count_ = 0;  // series so far
  size_t first_ = 0;  // series of the row group at hand, and
  std::span<const uint32_t> positions_;  // where their last rows are
  uint64_t value_bytes_ = 0;             // of byte strings
  std::vector<Column> columns_;
  std::vector<uint64_t> row_ids_;
  std::vector<uint32_t> command_ids_;
};

}  // namespace nodedb_ts::segment

#endif  // NODEDB_TS_SEGMENT_LAST_ROWS_H
