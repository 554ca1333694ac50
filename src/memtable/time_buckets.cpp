#include "memtable/time_buckets.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace nodedb_ts::memtable {

namespace {

constexpr size_t kBlockRows = 1024;

int64_t BucketNumber(uint64_t time, int64_t width) {
  return width == 0 ? 0 : BucketOf(static_cast<int64_t>(time), width);
}

struct Bucket {
  bool is_null;
  int64_t number;
  size_t rows;
};

// Numbers the buckets in order of appearance. Rows mostly stay in the bucket of the
// row before them, so its range of times is kept at hand.
class BucketNumbers {
 public:
  explicit BucketNumbers(int64_t width) : width_(width) {}

  uint32_t NumberOf(uint64_t word, bool is_null) {
    const int64_t time = static_cast<int64_t>(word);
    if (is_null) {
      if (null_ == kNone) null_ = Add(true, 0);
      ++buckets_[null_].rows;
      return null_;
    }
    if (current_ == kNone || time < first_ || time > last_) Switch(time);
    ++buckets_[current_].rows;
    return current_;
  }

  std::vector<Bucket>& buckets() { return buckets_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t Add(bool is_null, int64_t number) {
    buckets_.push_back({is_null, number, 0});
    return static_cast<uint32_t>(buckets_.size() - 1);
  }

  void Switch(int64_t time) {
    const int64_t number = BucketNumber(static_cast<uint64_t>(time), width_);
    const auto [at, is_new] = by_number_.try_emplace(number, 0);
    if (is_new) at->second = Add(false, number);
    current_ = at->second;
    first_ = std::numeric_limits<int64_t>::min();
    last_ = std::numeric_limits<int64_t>::max();
    if (width_ == 0) return;
    // The first and the last bucket of all reach beyond the 64-bit times.
    int64_t edge;
    if (!__builtin_mul_overflow(number, width_, &edge)) {
      first_ = edge;
      if (!__builtin_add_overflow(edge, width_ - 1, &edge)) last_ = edge;
    } else {
      last_ = (number + 1) * width_ - 1;
    }
  }

  int64_t width_;
  std::vector<Bucket> buckets_;
  std::unordered_map<int64_t, uint32_t> by_number_;
  uint32_t null_ = kNone;
  uint32_t current_ = kNone;
  int64_t first_ = 0;
  int64_t last_ = 0;
};

}  // namespace

void GroupByBucket(const FlushSource& source, base::LargeVector<uint32_t>* rows,
                   std::vector<BucketRows>* groups) {
  const NtsSchema& schema = source.schema();
  groups->clear();
  if (rows->empty()) return;
  if (schema.time_column < 0) {
    groups->push_back({rows->size(), false, 0});
    return;
  }
  if (source.times_ascend()) {
    const uint32_t ends[] = {rows->front(), rows->back()};
    uint64_t times[2];
    uint8_t nulls[2];
    source.GatherWords(static_cast<size_t>(schema.time_column), ends, times, nulls);
    const int64_t first = BucketNumber(times[0], schema.bucket_width);
    if (first == BucketNumber(times[1], schema.bucket_width)) {
      groups->push_back({rows->size(), true, first});
      return;
    }
  }
  BucketNumbers numbers(schema.bucket_width);
  base::LargeVector<uint32_t> bucket_of;  // of each row, once there are two buckets
  uint64_t words[kBlockRows];
  uint8_t nulls[kBlockRows];
  for (size_t begin = 0; begin < rows->size(); begin += kBlockRows) {
    const size_t count = std::min(kBlockRows, rows->size() - begin);
    source.GatherWords(static_cast<size_t>(schema.time_column), {rows->data() + begin, count},
                       words, nulls);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t bucket = numbers.NumberOf(words[i], nulls[i] != 0);
      if (bucket > 0 && bucket_of.empty()) bucket_of.assign(rows->size(), 0);
      if (bucket > 0) bucket_of[begin + i] = bucket;
    }
  }
  std::vector<Bucket>& buckets = numbers.buckets();
  if (buckets.size() == 1) {
    groups->push_back({rows->size(), !buckets[0].is_null, buckets[0].number});
    return;
  }
  std::vector<uint32_t> order(buckets.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (buckets[a].is_null != buckets[b].is_null) return buckets[a].is_null;
    return buckets[a].number < buckets[b].number;
  });
  std::vector<size_t> next(buckets.size());
  size_t end = 0;
  for (const uint32_t bucket : order) {
    next[bucket] = end;
    end += buckets[bucket].rows;
    groups->push_back({end, !buckets[bucket].is_null, buckets[bucket].number});
  }
  base::LargeVector<uint32_t> grouped(rows->size());
  for (size_t i = 0; i < rows->size(); ++i) grouped[next[bucket_of[i]]++] = (*rows)[i];
  rows->swap(grouped);
}

}  // namespace nodedb_ts::memtable
