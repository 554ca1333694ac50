#include "codec/numeric/numeric.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace nodedb_ts::codec {
namespace {

__extension__ typedef unsigned __int128 Uint128;

// The head of a numeric. Short: flag, sign, scale (6 bits), weight (7 bits, signed). Long: sign
// (2 bits) and scale (14), then the weight in 16 bits. The weight is that of the first digit: a
// power of 10 000.
constexpr uint16_t kSignMask = 0xC000;
constexpr uint16_t kShort = 0x8000;
constexpr uint16_t kLongNegative = 0x4000;
constexpr uint16_t kSpecial = 0xC000;  // NaN and the infinities
constexpr uint16_t kShortNegative = 0x2000;
constexpr unsigned kShortScaleShift = 7;
constexpr uint16_t kShortScaleMax = 63;
constexpr uint16_t kShortWeightMask = 0x7F;
constexpr int kShortWeightMin = -64;
constexpr int kShortWeightMax = 63;
constexpr uint16_t kScaleMax = 0x3FFF;
constexpr uint64_t kDigit = 10000;
constexpr unsigned kDigitDigits = 4;
constexpr size_t kMaxDigits = 6;       // of 2^63 * 1000
constexpr size_t kMaxWideDigits = 10;  // of 2^117 * 1000

constexpr WordShape kIntegerShape = {WordKind::kInt, 8};
constexpr WordShape kScaleShape = {WordKind::kInt, 2};
constexpr uint8_t kCommonScale = 1;

constexpr size_t kSampleValues = 48;
constexpr size_t kMaxOthersShare = 4;  // one in so many of a vector may be kept as bytes

constexpr uint64_t kPowers[] = {1,
                                10,
                                100,
                                1000,
                                10000,
                                100000,
                                1000000,
                                10000000,
                                100000000,
                                1000000000,
                                10000000000,
                                100000000000,
                                1000000000000,
                                10000000000000,
                                100000000000000,
                                1000000000000000,
                                10000000000000000,
                                100000000000000000,
                                1000000000000000000};
constexpr unsigned kMaxPower = 18;

uint16_t Load16(const char* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

void Store16(uint8_t* p, uint16_t v) { std::memcpy(p, &v, sizeof(v)); }

uint64_t Magnitude(int64_t k) {
  return k < 0 ? ~static_cast<uint64_t>(k) + 1 : static_cast<uint64_t>(k);
}

// The smallest scale that shows k / 10^scale as a whole.
uint16_t LeastScale(int64_t k, uint16_t scale) {
  if (k == 0) return 0;
  while (scale > 0 && k % 10 == 0) {
    k /= 10;
    scale--;
  }
  return scale;
}

}  // namespace

namespace {

// digits: to base 10 000, the lowest first, of which the last `groups` stand behind the point; the highest is not 0.
size_t WriteDigits(const uint16_t* digits, size_t count, unsigned groups, bool negative,
                   uint16_t scale, uint8_t* out) {
  size_t zeros = 0;
  while (zeros < count && digits[zeros] == 0) zeros++;
  const int weight = count == 0 ? 0 : static_cast<int>(count) - 1 - static_cast<int>(groups);
  uint8_t* at = out;
  if (scale <= kShortScaleMax && weight >= kShortWeightMin && weight <= kShortWeightMax) {
    Store16(at, static_cast<uint16_t>(kShort | (negative ? kShortNegative : 0) |
                                      scale << kShortScaleShift | (weight & kShortWeightMask)));
    at += 2;
  } else {
    Store16(at, static_cast<uint16_t>((negative ? kLongNegative : 0) | scale));
    Store16(at + 2, static_cast<uint16_t>(weight));
    at += 4;
  }
  for (size_t i = count; i-- > zeros; at += 2) Store16(at, digits[i]);
  return static_cast<size_t>(at - out);
}

// Digits behind the point come in fours, the last ones filled up with zeros.
unsigned GroupsOf(uint16_t scale) { return (scale + kDigitDigits - 1) / kDigitDigits; }

size_t TakeDigits(uint64_t v, uint16_t* digits) {
  size_t count = 0;
  for (; v != 0; v /= kDigit) digits[count++] = static_cast<uint16_t>(v % kDigit);
  return count;
}

}  // namespace

size_t WriteWideNumeric(WideMagnitude magnitude, bool negative, uint16_t scale, uint8_t* out) {
  const unsigned groups = GroupsOf(scale);
  uint16_t digits[kMaxWideDigits];
  size_t count = 0;
  WideMagnitude v = magnitude * kPowers[groups * kDigitDigits - scale];
  // Division of 128 bits is slow: four digits at a time, until 64 bits are left.
  constexpr uint64_t kFour = uint64_t{kDigit} * kDigit * kDigit * kDigit;
  while (v > UINT64_MAX) {
    uint64_t four = static_cast<uint64_t>(v % kFour);
    v /= kFour;
    for (int i = 0; i < 4; i++, four /= kDigit) digits[count++] = static_cast<uint16_t>(four % kDigit);
  }
  count += TakeDigits(static_cast<uint64_t>(v), digits + count);
  return WriteDigits(digits, count, groups, negative && magnitude != 0, scale, out);
}

size_t WriteNumeric(const ScaledNumeric& number, uint8_t* out) {
  const uint64_t magnitude = Magnitude(number.k);
  const bool negative = number.k < 0;
  if (magnitude > UINT64_MAX / 1000) return WriteWideNumeric(magnitude, negative, number.scale, out);
  const unsigned groups = GroupsOf(number.scale);
  uint16_t digits[kMaxWideDigits];
  const size_t count = TakeDigits(magnitude * kPowers[groups * kDigitDigits - number.scale], digits);
  return WriteDigits(digits, count, groups, negative, number.scale, out);
}

bool ParseNumeric(std::string_view bytes, ScaledNumeric* number) {
  if (bytes.size() < 2 || bytes.size() % 2 != 0 || bytes.size() > kMaxScaledNumericBytes) {
    return false;
  }
  const uint16_t head = Load16(bytes.data());
  int weight;
  size_t at = 2;
  bool negative;
  if ((head & kSignMask) == kSpecial) return false;
  if ((head & kSignMask) == kShort) {
    negative = head & kShortNegative;
    number->scale = (head >> kShortScaleShift) & kShortScaleMax;
    weight = static_cast<int8_t>((head & kShortWeightMask) << 1) >> 1;
  } else {
    if (bytes.size() < 4) return false;
    negative = head & kLongNegative;
    number->scale = head & kScaleMax;
    weight = static_cast<int16_t>(Load16(bytes.data() + 2));
    at = 4;
  }
  const size_t count = (bytes.size() - at) / 2;
  if (count > kMaxDigits) return false;
  Uint128 v = 0;
  for (size_t i = 0; i < count; i++) {
    const uint16_t digit = Load16(bytes.data() + at + 2 * i);
    if (digit >= kDigit) return false;
    v = v * kDigit + digit;
  }
  // The last digit is worth 10^(4 * its weight); k counts units of 10^-scale.
  int power = static_cast<int>(kDigitDigits) * (weight - static_cast<int>(count) + 1) + number->scale;
  if (v == 0) power = 0;
  if (power > static_cast<int>(kMaxPower)) return false;
  if (power >= 0) {
    if (v > static_cast<Uint128>(INT64_MAX)) return false;
    v *= kPowers[power];
  } else {
    if (power < -3) return false;
    // Almost always in 64 bits, where a division is a fraction of the time.
    const uint64_t unit = kPowers[-power];
    if (v <= static_cast<Uint128>(UINT64_MAX)) {
      const auto narrow = static_cast<uint64_t>(v);
      if (narrow % unit != 0) return false;
      v = narrow / unit;
    } else {
      if (v % unit != 0) return false;
      v /= unit;
    }
  }
  if (v > static_cast<Uint128>(INT64_MAX)) return false;
  number->k = negative ? -static_cast<int64_t>(v) : static_cast<int64_t>(v);
  return true;
}

bool ReadNumeric(std::string_view bytes, ScaledNumeric* number) {
  if (!ParseNumeric(bytes, number)) return false;
  uint8_t again[kMaxScaledNumericBytes];
  return WriteNumeric(*number, again) == bytes.size() &&
         std::memcmp(again, bytes.data(), bytes.size()) == 0;
}

// ---- decoding ----------------------------------------------------------------

bool NumericModel::Read(base::ByteReader* in) {
  uint8_t flags;
  uint64_t scale;
  if (!in->ReadU8(&flags) || flags > kCommonScale) return false;
  is_common = flags == kCommonScale;
  if (is_common) {
    if (!in->ReadVarint(&scale) || scale > kScaleMax) return false;
    common_scale = static_cast<uint16_t>(scale);
  }
  return integers.Read(kIntegerShape, in) && scales.Read(kScaleShape, in);
}

bool NumericVector::Open(base::ByteReader in, std::span<uint64_t> lengths) {
  const size_t n = lengths.size();
  uint64_t count;
  std::fill(lengths.begin(), lengths.end(), 0);
  std::memset(kept_flags_, 0, n);
  if (!in.ReadVarint(&count) || count > n) return false;
  kept_bytes_ = 0;
  uint64_t at = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t skip;
    uint64_t length;
    if (!in.ReadVarint(&skip) || !in.ReadVarint(&length)) return false;
    if (skip >= n - at || length > in.remaining()) return false;
    at += skip;
    kept_flags_[at] = 1;
    lengths[at++] = length;
    kept_bytes_ += length;
  }
  numbers_ = n - count;
  if (!in.ReadBytes(kept_bytes_, &kept_)) return false;
  rest_ = in;
  return numbers_ > 0 || in.empty();
}

bool NumericVector::Decode(const NumericModel& model, ScaledNumeric* numbers) const {
  if (numbers_ == 0) return true;
  base::ByteReader in = rest_;
  uint64_t words[kMaxVectorRows];
  if (!model.integers.Decode(kIntegerShape, &in, {words, numbers_})) return false;
  for (size_t i = 0; i < numbers_; i++) numbers[i].k = static_cast<int64_t>(words[i]);
  if (!model.scales.Decode(kScaleShape, &in, {words, numbers_}) || !in.empty()) return false;
  for (size_t i = 0; i < numbers_; i++) {
    if (words[i] > kScaleMax) return false;
    if (!model.is_common) {
      numbers[i].scale = static_cast<uint16_t>(words[i]);
      continue;
    }
    // Stored is what the scale has beyond the least one.
    const uint64_t scale = LeastScale(numbers[i].k, model.common_scale) + words[i];
    if (scale > model.common_scale) return false;
    const unsigned less = model.common_scale - static_cast<unsigned>(scale);
    numbers[i].scale = static_cast<uint16_t>(scale);
    if (numbers[i].k == 0 || less == 0) continue;
    // A multiple of that power, hence the power is small.
    numbers[i].k /= static_cast<int64_t>(kPowers[less]);
  }
  return true;
}

// ---- encoding ----------------------------------------------------------------

namespace {

// Most of a sample are numerics? Of text hardly any value is.
bool SampleFits(std::span<const std::string_view> values) {
  const size_t n = std::min(values.size(), kSampleValues);
  size_t others = 0;
  for (size_t i = 0; i < n; i++) {
    ScaledNumeric number;
    others += !ReadNumeric(values[values.size() * i / n], &number);
    if (others * 2 > n) return false;
  }
  return n > 0;
}

}  // namespace

bool NumericEncoder::Parse(std::span<const std::string_view> values,
                           std::span<const uint32_t> counts) {
  numbers_.reserve(values.size());
  base::ByteWriter kept(&kept_);
  size_t at = 0;
  for (const uint32_t n : counts) {
    const size_t first = numbers_.size();
    std::vector<uint32_t> others;
    for (uint32_t i = 0; i < n; i++) {
      ScaledNumeric number;
      if (ReadNumeric(values[at + i], &number)) {
        numbers_.push_back(number);
      } else {
        others.push_back(i);
      }
    }
    const bool as_bytes = n > 0 && others.size() * kMaxOthersShare > n;
    is_bytes_.push_back(as_bytes);
    if (as_bytes) {
      numbers_.resize(first);
      for (uint32_t i = 0; i < n; i++) bytes_vectors_bytes_ += values[at + i].size();
    } else if (n > 0) {
      kept.Varint(others.size());
      uint32_t next = 0;
      for (const uint32_t i : others) {
        kept.Varint(i - next);
        kept.Varint(values[at + i].size());
        next = i + 1;
      }
      for (const uint32_t i : others) kept.Bytes(values[at + i].data(), values[at + i].size());
    }
    number_counts_.push_back(static_cast<uint32_t>(numbers_.size() - first));
    kept_ends_.push_back(kept_.size());
    at += n;
  }
  return numbers_.size() * 2 > values.size();
}

bool NumericEncoder::PlanCommon(uint16_t scale, Columns* columns) const {
  std::vector<uint64_t> integers;
  std::vector<uint64_t> scales;
  for (const ScaledNumeric& n : numbers_) {
    const unsigned more = scale - n.scale;
    int64_t k = 0;
    if (n.k != 0) {
      if (more > kMaxPower) return false;
      if (__builtin_mul_overflow(n.k, static_cast<int64_t>(kPowers[more]), &k)) return false;
    }
    integers.push_back(static_cast<uint64_t>(k));
    scales.push_back(static_cast<uint64_t>(n.scale) - LeastScale(k, scale));
  }
  columns->is_common = true;
  columns->common_scale = scale;
  columns->integers.Plan(kIntegerShape, integers, number_counts_);
  columns->scales.Plan(kScaleShape, scales, number_counts_);
  return true;
}

bool NumericEncoder::Plan(std::span<const std::string_view> values,
                          std::span<const uint32_t> counts) {
  if (!SampleFits(values) || !Parse(values, counts)) return false;
  std::vector<uint64_t> integers;
  std::vector<uint64_t> scales;
  uint16_t widest = 0;
  bool same = true;
  for (const ScaledNumeric& n : numbers_) {
    integers.push_back(static_cast<uint64_t>(n.k));
    scales.push_back(n.scale);
    widest = std::max(widest, n.scale);
    same = same && n.scale == numbers_[0].scale;
  }
  columns_.integers.Plan(kIntegerShape, integers, number_counts_);
  columns_.scales.Plan(kScaleShape, scales, number_counts_);
  Columns common;
  if (!same && PlanCommon(widest, &common) && common.bytes() < columns_.bytes()) {
    columns_ = std::move(common);
  }
  return true;
}

size_t NumericEncoder::bytes() const {
  return 1 + (columns_.is_common ? 2 : 0) + columns_.bytes() + kept_.size() + bytes_vectors_bytes_;
}

void NumericEncoder::WriteModel(base::ByteWriter* out) const {
  out->U8(columns_.is_common ? kCommonScale : 0);
  if (columns_.is_common) out->Varint(columns_.common_scale);
  columns_.integers.WriteModel(out);
  columns_.scales.WriteModel(out);
}

bool NumericEncoder::EncodeVector(size_t vector, base::ByteWriter* out) const {
  if (is_bytes_[vector]) return false;
  const size_t begin = vector == 0 ? 0 : kept_ends_[vector - 1];
  out->Bytes(kept_.data() + begin, kept_ends_[vector] - begin);
  columns_.integers.EncodeVector(vector, out);
  columns_.scales.EncodeVector(vector, out);
  return true;
}

}  // namespace nodedb_ts::codec
