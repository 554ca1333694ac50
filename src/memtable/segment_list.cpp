#include "memtable/segment_list.h"

namespace nodedb_ts::memtable {

base::Status SegmentList::Write(const NtsOutput& output) {
  if (output.kind == NTS_OUTPUT_END) return base::Status::Bug("the end is not an output");
  Entry entry;
  entry.output = output;
  entry.bytes.assign(output.bytes, output.bytes + output.length);
  entries_.push_back(std::move(entry));
  // Moving entries moves their vectors but not the vectors' bytes.
  entries_.back().output.bytes = entries_.back().bytes.data();
  return base::Status::Ok();
}

size_t SegmentList::DropOlderThan(int64_t cutoff) {
  return std::erase_if(entries_, [&](const Entry& entry) {
    return entry.output.has_time && !entry.output.has_null_time &&
           entry.output.max_time < cutoff;
  });
}

uint64_t SegmentList::rows() const {
  uint64_t rows = 0;
  for (const Entry& entry : entries_) rows += entry.output.rows;
  return rows;
}

}  // namespace nodedb_ts::memtable
