// staged_rows.h - the rows of a small transaction as they came: one block, copied.
//
// Most small transactions add one block of rows, which becomes one batch. They need neither
// series nor cells; if more rows come, the block goes to a memtable after all.
#ifndef NODEDB_TS_MEMTABLE_STAGED_ROWS_H
#define NODEDB_TS_MEMTABLE_STAGED_ROWS_H

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "memtable/account.h"
#include "memtable/table_layout.h"
#include "nodedb_ts/core.h"
#include "segment/row_source.h"

namespace nodedb_ts::memtable {

class StagedRows final : public segment::RowSource, private CacheOwner {
 public:
  // `budget` must outlive it.
  StagedRows(Budget* budget, std::shared_ptr<const TableLayout> layout);
  ~StagedRows() override;

  // Copies all rows of a block, without ids; false: it does not, and nothing changed. Only rows whose values all lie in
  // their images can be copied. REQUIRES: empty().
  bool Take(const NtsRowBlock& block, uint32_t command_id);
  // The rows, valid while they are here.
  NtsRowBlock block() const { return {words_, nulls_, rows_, images_, image_lengths_, 0}; }

  bool empty() const { return rows_ == 0; }
  uint32_t rows() const { return rows_; }
  uint32_t command_id() const { return command_id_; }
  const NtsSchema& schema() const { return layout_->schema(); }
  uint64_t bytes() const { return rows_ == 0 ? 0 : account_.bytes(); }
  // They are being flushed, or their flush failed.
  void Freeze() { account_.MoveTo(Pool::kFrozen); }
  bool frozen() const { return account_.pool() == Pool::kFrozen; }
  // Keeps the first rows only.
  void Truncate(uint32_t rows) { rows_ = rows; }
  // Forgets the rows. Keeps the buffer when it has at most keep_bytes.
  void Clear(uint64_t keep_bytes);

  void GatherWords(size_t column, std::span<const uint32_t> rows, uint64_t* words, uint8_t* nulls) const override;
  void GatherBytes(size_t column, std::span<const uint32_t> rows, std::string_view* values,
                   uint8_t* nulls) const override;
  void GatherRowIds(std::span<const uint32_t> rows, uint64_t* row_ids) const override;
  void GatherCommandIds(std::span<const uint32_t> rows, uint32_t* command_ids) const override;

 private:
  void ReleaseBuffers() override;
  bool CopyRow(const NtsRowBlock& block, uint32_t row, uint64_t* words, bool* nulls, uint8_t* image) const;

  std::shared_ptr<const TableLayout> layout_;
  std::vector<uint16_t> byte_columns_;  // VAR and FIXED
  Account account_;
  uint8_t* buffer_ = nullptr;
  uint64_t buffer_bytes_ = 0;
  uint32_t rows_ = 0;
  uint32_t command_id_ = 0;
  // Of each row, in the buffer.
  const uint64_t** words_ = nullptr;
  const bool** nulls_ = nullptr;
  const uint8_t** images_ = nullptr;
  uint32_t* image_lengths_ = nullptr;
};

}  // namespace nodedb_ts::memtable

#endif  // NODEDB_TS_MEMTABLE_STAGED_ROWS_H
