// segment_capi.cpp - the reading half of core.h: batches, segments, checksums.
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/crc32c.h"
#include "capi/capi.h"
#include "capi/capi_segment.h"
#include "codec/registry/registry.h"
#include "nodedb_ts/core.h"
#include "segment/batch.h"
#include "segment/batch_reader.h"
#include "segment/row_batch.h"
#include "segment/segment_reader.h"

using nodedb_ts::base::Status;
using nodedb_ts::capi::Guard;
using nodedb_ts::segment::ChunkEntry;
using nodedb_ts::segment::Segment;

extern "C" {

int nts_batch_encode_row(const NtsSchema* schema, const uint8_t* head, uint32_t head_length,
                         const NtsValue* values, uint8_t* payload, size_t capacity,
                         size_t* length, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    *length = nodedb_ts::segment::EncodeRowBatch(*schema, {head, head_length}, values,
                                                 {payload, capacity});
    return Status::Ok();
  });
}

uint32_t nts_batch_head_length(const NtsSchema* schema) noexcept {
  return nodedb_ts::segment::BatchHeadBytes(*schema);
}

int nts_batch_head(const NtsSchema* schema, uint8_t* head, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    const std::vector<uint8_t> bytes = nodedb_ts::segment::BatchHead(*schema);
    std::copy(bytes.begin(), bytes.end(), head);
    return Status::Ok();
  });
}

int nts_batch_info(const NtsColumn* columns, uint32_t column_count, const NtsBatchBytes* batch,
                   NtsBatchInfo* info, NtsStatus* status) noexcept {
  return Guard(status,
               [&] { return nodedb_ts::segment::ReadBatchInfo({columns, column_count}, *batch, info); });
}

int nts_batch_decode(const NtsColumn* columns, uint32_t column_count, const NtsBatchBytes* batch,
                     size_t first, uint64_t* const* values, uint8_t* const* nulls, uint8_t* data,
                     uint64_t data_bytes, uint32_t* command_ids, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return nodedb_ts::segment::DecodeBatch({columns, column_count}, *batch,
                                           {first, values, nulls, data, data_bytes, command_ids});
  });
}

NtsSegment* nts_segment_open(const uint8_t* footer, size_t footer_length,
                             uint64_t segment_length, const NtsColumn* columns,
                             uint32_t column_count, NtsStatus* status) noexcept {
  NtsSegment* opened = nullptr;
  Guard(status, [&] {
    auto handle = std::make_unique<NtsSegment>();
    Status result = Segment::Open({footer, footer_length}, segment_length,
                                  {columns, column_count}, &handle->segment);
    if (result.ok()) opened = handle.release();
    return result;
  });
  return opened;
}

void nts_segment_close(NtsSegment* segment) noexcept { delete segment; }

void nts_segment_keep_parsed(NtsSegment* segment, uint64_t bytes) noexcept {
  segment->segment->KeepParsed(bytes);
}

void nts_segment_info(const NtsSegment* segment, NtsSegmentInfo* info) noexcept {
  segment->segment->Info(info);
}

int nts_segment_row_group(const NtsSegment* segment, uint32_t group, NtsRowGroupInfo* info,
                          NtsStatus* status) noexcept {
  return Guard(status, [&] { return segment->segment->RowGroup(group, info); });
}

int nts_segment_vector(const NtsSegment* segment, uint32_t group, uint32_t vector,
                       uint32_t* first_row, uint32_t* rows, NtsStatus* status) noexcept {
  return Guard(status, [&] { return segment->segment->Vector(group, vector, first_row, rows); });
}

int nts_segment_last_rows(const NtsSegment* segment, uint32_t first, uint32_t count, uint64_t* rows,
                          NtsStatus* status) noexcept {
  return Guard(status, [&] { return segment->segment->LastRows(first, count, rows); });
}

int nts_segment_chunk(const NtsSegment* segment, uint32_t group, int32_t column,
                      NtsChunkInfo* info, NtsStatus* status) noexcept {
  return Guard(status, [&] {
    const ChunkEntry* entry;
    Status result = segment->segment->Chunk(group, column, &entry);
    if (result.ok()) {
      const uint8_t trained = entry->codec == nodedb_ts::codec::kBytesTrained;
      *info = {entry->offset, entry->length, entry->crc32c, entry->null_count, entry->codec, trained};
    }
    return result;
  });
}

const char* nts_codec_name(uint8_t codec) noexcept {
  return nodedb_ts::codec::CodecName(codec);
}

int nts_chunk_verify(const NtsSegment* segment, uint32_t group, int32_t column,
                     const uint8_t* chunk, size_t length, NtsStatus* status) noexcept {
  return Guard(status,
               [&] { return segment->segment->Verify(group, column, {chunk, length}); });
}

int nts_vector_size(const NtsSegment* segment, uint32_t group, int32_t column,
                    const uint8_t* chunk, size_t length, uint32_t vector, uint64_t* data_bytes,
                    NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return segment->segment->VectorSize(group, column, {chunk, length}, vector, data_bytes);
  });
}

int nts_vector_decode(const NtsSegment* segment, uint32_t group, int32_t column,
                      const uint8_t* chunk, size_t length, uint32_t vector, uint32_t wanted, uint64_t* values,
                      uint8_t* nulls, uint8_t* data, uint64_t data_bytes, bool* any_null, bool* uniform,
                      NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return segment->segment->Decode(group, column, {chunk, length}, vector, values, nulls, data,
                                    data_bytes, any_null, uniform, wanted);
  });
}

int nts_segment_statistics(const NtsSegment* segment, uint32_t group, int32_t column,
                           NtsStatistics* statistics, NtsStatus* status) noexcept {
  return Guard(status, [&] { return segment->segment->ChunkStatistics(group, column, statistics); });
}

int nts_chunk_statistics(const NtsSegment* segment, uint32_t group, int32_t column,
                         const uint8_t* chunk, size_t length, NtsStatistics* vectors,
                         NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return segment->segment->VectorStatistics(group, column, {chunk, length}, vectors);
  });
}

int nts_chunk_distinct(const NtsSegment* segment, uint32_t group, int32_t column,
                       const uint8_t* chunk, size_t length, uint32_t most, uint64_t* values,
                       uint8_t* data, uint64_t* data_bytes, uint32_t* count,
                       NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return segment->segment->Distinct(group, column, {chunk, length}, most, values, data, data_bytes,
                                      count);
  });
}

int nts_chunk_members(const NtsSegment* segment, uint32_t group, int32_t column,
                      const uint8_t* chunk, size_t length, uint64_t* members, uint8_t* any_null,
                      NtsStatus* status) noexcept {
  return Guard(status, [&] {
    return segment->segment->Members(group, column, {chunk, length}, members, any_null);
  });
}

uint64_t nts_segment_memory(const NtsSegment* segment) noexcept {
  return segment->segment->MemoryBytes();
}

uint32_t nts_crc32c(uint32_t seed, const void* bytes, size_t length) noexcept {
  return nodedb_ts::base::Crc32c(seed, bytes, length);
}

int32_t nts_core_version(void) noexcept { return NTS_CORE_VERSION; }

}  // extern "C"
