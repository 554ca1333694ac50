#include "segment/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/words.h"
#include "segment/chunk_reader.h"
#include "segment/chunk_writer.h"

namespace nodedb_ts::segment {
namespace {

using codec::WordKind;
using codec::WordShape;

__extension__ typedef __int128 Int128;

inline double AsDouble(const WordShape& shape, uint64_t word) {
  if (shape.kind == WordKind::kFloat8) return std::bit_cast<double>(word);
  return std::bit_cast<float>(static_cast<uint32_t>(word));
}

// NaN is equal to itself and greater than everything else, as PostgreSQL has it.
bool FloatLess(double a, double b) {
  if (std::isnan(a)) return false;
  return std::isnan(b) || a < b;
}

bool Less(const WordShape& shape, uint64_t a, uint64_t b) {
  if (shape.kind == WordKind::kInt) return static_cast<int64_t>(a) < static_cast<int64_t>(b);
  return FloatLess(AsDouble(shape, a), AsDouble(shape, b));
}

void IntegerStatistics(const uint64_t* words, const uint8_t* nulls, size_t count,
                       VectorStatistics* s) {
  if (s->null_count == 0) {
    const base::WordBounds bounds = base::SignedBounds(words, count);
    constexpr int64_t kSafe = INT64_MAX / static_cast<int64_t>(kMaxVectorRows);
    // Of such values 64 bits hold the sum of a vector.
    if (count <= kMaxVectorRows && bounds.min >= -kSafe && bounds.max <= kSafe) {
      s->min = static_cast<uint64_t>(bounds.min);
      s->max = static_cast<uint64_t>(bounds.max);
      s->has_sum = true;
      s->sum = static_cast<int64_t>(base::WrappingSum(words, count));
      return;
    }
  }
  int64_t min = INT64_MAX;
  int64_t max = INT64_MIN;
  Int128 sum = 0;
  for (size_t i = 0; i < count; i++) {
    const auto v = static_cast<int64_t>(words[i]);
    sum += nulls[i] ? 0 : v;
    min = nulls[i] ? min : std::min(min, v);
    max = nulls[i] ? max : std::max(max, v);
  }
  s->min = static_cast<uint64_t>(min);
  s->max = static_cast<uint64_t>(max);
  s->has_sum = sum >= INT64_MIN && sum <= INT64_MAX;
  s->sum = s->has_sum ? static_cast<int64_t>(sum) : 0;
}

void FloatStatistics(const WordShape& shape, const uint64_t* words, const uint8_t* nulls,
                     size_t count, VectorStatistics* s) {
  if (shape.kind == WordKind::kFloat8 && s->null_count == 0 &&
      base::DoubleBounds(words, count, &s->min, &s->max)) {
    return;
  }
  bool first = true;
  double min = 0;
  double max = 0;
  for (size_t i = 0; i < count; i++) {
    if (nulls[i]) continue;
    const double v = AsDouble(shape, words[i]);
    if (first || FloatLess(v, min)) {
      min = v;
      s->min = words[i];
    }
    if (first || FloatLess(max, v)) {
      max = v;
      s->max = words[i];
    }
    first = false;
  }
}

constexpr WordShape kInteger = {WordKind::kInt, 8};

}  // namespace

void WriteWordList(const WordShape& shape, const std::vector<uint64_t>& words,
               const std::vector<uint8_t>& nulls, base::ByteWriter* out) {
  std::vector<uint8_t> encoded;
  base::ByteWriter writer(&encoded);
  for (size_t at = 0; at < words.size(); at += kMaxVectorRows) {
    const size_t n = std::min(kMaxVectorRows, words.size() - at);
    encoded.clear();
    WriteWordVector(shape, words.data() + at, nulls.data() + at, n, &writer);
    out->Varint(encoded.size());
    out->Bytes(encoded.data(), encoded.size());
  }
}

bool ReadWordList(const WordShape& shape, base::ByteReader* in, size_t count,
              std::vector<uint64_t>* words, std::vector<uint8_t>* nulls) {
  words->resize(count);
  nulls->resize(count);
  for (size_t at = 0; at < count; at += kMaxVectorRows) {
    const size_t n = std::min(kMaxVectorRows, count - at);
    uint64_t size;
    base::ByteReader encoded;
    bool any_null;
    if (!in->ReadVarint(&size) || !in->ReadSpan(size, &encoded)) return false;
    if (!ReadWordVector(shape, encoded, n, words->data() + at, nulls->data() + at, &any_null)) {
      return false;
    }
  }
  return true;
}

VectorStatistics ComputeStatistics(const WordShape& shape, const uint64_t* words,
                                   const uint8_t* nulls, size_t count) {
  VectorStatistics s;
  s.null_count = static_cast<uint32_t>(base::CountFlags(nulls, count));
  s.has_range = s.null_count < count;
  if (shape.kind != WordKind::kInt) {
    FloatStatistics(shape, words, nulls, count, &s);
  } else {
    IntegerStatistics(words, nulls, count, &s);
  }
  if (!s.has_range) s.min = s.max = 0;
  return s;
}

void MergeRange(const WordShape& shape, const VectorStatistics& from, bool* has_range,
                uint64_t* min, uint64_t* max) {
  if (!from.has_range) return;
  if (!*has_range || Less(shape, from.min, *min)) *min = from.min;
  if (!*has_range || Less(shape, *max, from.max)) *max = from.max;
  *has_range = true;
}

void WriteStatistics(const WordShape& shape, const std::vector<VectorStatistics>& vectors,
                     base::ByteWriter* out) {
  const size_t n = vectors.size();
  const bool integer = shape.kind == WordKind::kInt;
  std::vector<uint64_t> words(n);
  std::vector<uint8_t> none(n, 0);
  std::vector<uint8_t> without(n);
  bool sums = integer;
  for (size_t i = 0; i < n; i++) {
    words[i] = vectors[i].null_count;
    without[i] = !vectors[i].has_range;
    sums = sums && vectors[i].has_sum;
  }
  out->U8(sums ? 1 : 0);
  WriteWordList(kInteger, words, none, out);
  for (size_t i = 0; i < n; i++) words[i] = vectors[i].min;
  WriteWordList(integer ? kInteger : shape, words, without, out);
  for (size_t i = 0; i < n; i++) words[i] = vectors[i].max - (integer ? vectors[i].min : 0);
  WriteWordList(integer ? kInteger : shape, words, without, out);
  if (!sums) return;
  for (size_t i = 0; i < n; i++) words[i] = static_cast<uint64_t>(vectors[i].sum);
  WriteWordList(kInteger, words, without, out);
}

bool ReadStatistics(const WordShape& shape, base::ByteReader in,
                    std::vector<VectorStatistics>* vectors) {
  const size_t n = vectors->size();
  const bool integer = shape.kind == WordKind::kInt;
  const WordShape range_shape = integer ? kInteger : shape;
  uint8_t flags;
  std::vector<uint64_t> words;
  std::vector<uint8_t> nulls;
  if (!in.ReadU8(&flags) || flags > 1) return false;
  if (!ReadWordList(kInteger, &in, n, &words, &nulls)) return false;
  for (size_t i = 0; i < n; i++) {
    if (words[i] > kMaxVectorRows) return false;
    (*vectors)[i].null_count = static_cast<uint32_t>(words[i]);
  }
  if (!ReadWordList(range_shape, &in, n, &words, &nulls)) return false;
  for (size_t i = 0; i < n; i++) {
    (*vectors)[i].has_range = nulls[i] == 0;
    (*vectors)[i].min = words[i];
  }
  if (!ReadWordList(range_shape, &in, n, &words, &nulls)) return false;
  for (size_t i = 0; i < n; i++) {
    (*vectors)[i].max = words[i] + (integer ? (*vectors)[i].min : 0);
  }
  if (flags & 1) {
    if (!ReadWordList(kInteger, &in, n, &words, &nulls)) return false;
    for (size_t i = 0; i < n; i++) {
      (*vectors)[i].has_sum = true;
      (*vectors)[i].sum = static_cast<int64_t>(words[i]);
    }
  }
  return in.empty();
}

}  // namespace nodedb_ts::segment
