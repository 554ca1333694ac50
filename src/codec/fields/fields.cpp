#include "codec/fields/fields.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/bits.h"
#include "codec/entropy/entropy.h"

namespace nodedb_ts::codec {
namespace {

constexpr uint8_t kPlaceWidthMask = 15;
constexpr uint8_t kPlaceBigEndian = 16;
constexpr uint8_t kPlaceFloat = 32;

constexpr size_t kSamples = 3;       // pieces of the chunk
constexpr size_t kSampleRows = 256;  // of each
constexpr double kFieldCost = 4;     // of one more field, in bytes of the sample
constexpr double kGainShare = 16;    // 1/16 of the values' bytes is too little to go on
constexpr size_t kLongBytes = 32;    // longer values are cut at fewer places

using Sample = std::vector<std::vector<const uint8_t*>>;

// Pieces of neighbours from the beginning, the middle and the end.
Sample TakeSample(std::span<const std::string_view> values) {
  Sample sample;
  const size_t rows = std::min(kSampleRows, values.size() / kSamples + 1);
  const size_t rest = values.size() - rows;
  for (size_t s = 0; s < kSamples; s++) {
    auto& piece = sample.emplace_back();
    for (size_t i = 0; i < rows; i++) {
      const std::string_view v = values[rest * s / (kSamples - 1) + i];
      piece.push_back(reinterpret_cast<const uint8_t*>(v.data()));
    }
  }
  return sample;
}

void LoadPiece(const std::vector<const uint8_t*>& piece, size_t offset, const FieldPlace& place,
               std::vector<uint64_t>* words) {
  words->clear();
  for (const uint8_t* p : piece) words->push_back(place.Load(p + offset));
}

// Bytes of the sample's floats.
double EstimateFloats(const Sample& sample, size_t offset, const FieldPlace& place) {
  WordChunkEncoder encoder(place.Shape());
  std::vector<uint64_t> words;
  for (const auto& piece : sample) {
    LoadPiece(piece, offset, place, &words);
    encoder.Add(words);
  }
  encoder.Plan();
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  for (size_t s = 0; s < sample.size(); s++) (void)encoder.EncodeVector(s, &out);
  return static_cast<double>(bytes.size());
}

// Bytes of the sample's integers: packed, or they or their differences by a table that the whole
// chunk shares, so that it is not counted.
double EstimateIntegers(const Sample& sample, size_t offset, const FieldPlace& place) {
  std::vector<uint64_t> words;
  std::vector<uint8_t> bytes;
  base::ByteWriter out(&bytes);
  EntropyHistogram values;
  EntropyHistogram differences;
  int64_t min = INT64_MAX;
  int64_t max = INT64_MIN;
  for (const auto& piece : sample) {
    for (const uint8_t* p : piece) {
      words.push_back(place.Load(p + offset));
      min = std::min(min, static_cast<int64_t>(words.back()));
      max = std::max(max, static_cast<int64_t>(words.back()));
    }
  }
  const Mapping mapping = ChooseMapping(static_cast<uint64_t>(min), static_cast<uint64_t>(max),
                                        words.data(), nullptr, words.size());
  for (const auto& piece : sample) {
    LoadPiece(piece, offset, place, &words);
    for (uint64_t& v : words) v = mapping.Down(v);
    (void)EncodeIntegers(words, 8, &out);
    uint64_t before = words[0];
    std::vector<uint64_t> deltas;
    for (uint64_t& v : words) {
      deltas.push_back(base::ZigZag(static_cast<int64_t>(v - before)));
      before = v;
      v -= mapping.used() ? 0 : static_cast<uint64_t>(min);
    }
    values.Add(words);
    differences.Add(deltas);
  }
  const double coded = std::min(values.Bits(), differences.Bits()) / 8;
  const double heads = 6.0 * static_cast<double>(sample.size());
  return std::min(static_cast<double>(bytes.size()), coded + heads);
}

// How the first `end` bytes are cut best: the last cut.
struct Cut {
  double bytes = -1;  // -1: not reached
  FieldPlace place;
};

class Cutter {
 public:
  Cutter(std::span<const std::string_view> values, size_t length)
      : sample_(TakeSample(values)), length_(length) {
    fixed_.fill(true);
    for (const std::string_view v : values) {
      for (size_t b = 0; b < length; b++) fixed_[b] = fixed_[b] && v[b] == values[0][b];
    }
  }

  // The fields with the least estimated bytes: shortest path over the cuts. None when even they
  // gain next to nothing.
  std::vector<FieldPlace> Cuts() {
    cuts_[0].bytes = 0;
    for (size_t at = 0; at < length_; at++) {
      const bool even = at % (length_ > kLongBytes ? 4 : 2) == 0;
      Try(at, 1);
      if (at % 2 == 0) Try(at, 2);
      if (even) {
        Try(at, 4);
        Try(at, 6);
        Try(at, 8);
      }
    }
    std::vector<FieldPlace> places;
    const auto raw = static_cast<double>(sample_.size() * sample_[0].size() * length_);
    if (cuts_[length_].bytes > raw - raw / kGainShare) return places;
    for (size_t end = length_; end > 0; end -= cuts_[end].place.width) {
      places.push_back(cuts_[end].place);
    }
    std::reverse(places.begin(), places.end());
    return places;
  }

 private:
  void Try(size_t at, uint8_t width) {
    if (at + width > length_) return;
    const bool fixed = std::all_of(fixed_.begin() + at, fixed_.begin() + at + width,
                                   [](bool f) { return f; });
    FieldPlace place{width, false, false};
    if (fixed) return Offer(at, place, 0);
    if (place.IsSigned()) Offer(at, place, EstimateIntegers(sample_, at, place));
    if (width > 1) {
      place.big_endian = true;
      Offer(at, place, EstimateIntegers(sample_, at, place));
      place.big_endian = false;
    }
    if (width == 4 || width == 8) {
      place.is_float = true;
      Offer(at, place, EstimateFloats(sample_, at, place));
    }
  }

  void Offer(size_t at, const FieldPlace& place, double bytes) {
    Cut& cut = cuts_[at + place.width];
    const double total = cuts_[at].bytes + bytes + kFieldCost;
    if (cut.bytes < 0 || total < cut.bytes) cut = {total, place};
  }

  Sample sample_;
  size_t length_;
  std::array<bool, kMaxFieldsBytes> fixed_;  // bytes that are the same in all values
  std::array<Cut, kMaxFieldsBytes + 1> cuts_;
};

}  // namespace

WordShape FieldPlace::Shape() const {
  if (is_float) return {width == 4 ? WordKind::kFloat4 : WordKind::kFloat8, width};
  return {WordKind::kInt, IsSigned() ? width : uint8_t{8}};
}

uint64_t FieldPlace::Load(const uint8_t* p) const {
  uint64_t v = 0;
  if (big_endian) {
    for (size_t i = 0; i < width; i++) v = v << 8 | p[i];
    return v;
  }
  v = base::LoadLeWidth(p, width);
  return IsSigned() && !is_float ? base::SignExtend(v, width) : v;
}

void FieldPlace::Store(uint8_t* p, uint64_t word) const {
  if (!big_endian) return base::StoreLeWidth(p, word, width);
  for (size_t i = width; i-- > 0; word >>= 8) p[i] = static_cast<uint8_t>(word);
}

bool FieldsModel::Read(uint32_t fixed_width, base::ByteReader* in) {
  uint64_t bytes;
  fields.clear();
  if (!in->ReadVarint(&bytes) || bytes == 0 || bytes > kMaxFieldsBytes) return false;
  if (fixed_width != 0 && bytes != fixed_width) return false;
  length = static_cast<uint32_t>(bytes);
  for (size_t at = 0; at < length;) {
    uint8_t head;
    Field& field = fields.emplace_back();
    if (!in->ReadU8(&head)) return false;
    FieldPlace& place = field.place;
    place.width = head & kPlaceWidthMask;
    place.big_endian = head & kPlaceBigEndian;
    place.is_float = head & kPlaceFloat;
    if (head > (kPlaceWidthMask | kPlaceBigEndian | kPlaceFloat)) return false;
    if (place.width == 0 || place.width > 8 || place.width > length - at) return false;
    if (place.is_float && (place.big_endian || (place.width != 4 && place.width != 8))) {
      return false;
    }
    if (!field.words.Read(place.Shape(), in)) return false;
    at += place.width;
  }
  return true;
}

bool FieldsModel::Decode(base::ByteReader in, size_t n, uint8_t* const* at) const {
  uint64_t words[kMaxVectorRows];
  size_t offset = 0;
  for (const Field& field : fields) {
    const FieldPlace& place = field.place;
    if (!field.words.Decode(place.Shape(), &in, {words, n})) return false;
    if (place.width < 8 && !place.is_float && !place.IsSigned()) {
      uint64_t all = 0;
      for (size_t i = 0; i < n; i++) all |= words[i];
      if (all >> (8 * place.width) != 0) return false;
    }
    for (size_t i = 0; i < n; i++) place.Store(at[i] + offset, words[i]);
    offset += place.width;
  }
  return in.empty();
}

bool FieldsEncoder::Plan(std::span<const std::string_view> values,
                         std::span<const uint32_t> counts) {
  const size_t length = values.empty() ? 0 : values[0].size();
  if (length == 0 || length > kMaxFieldsBytes) return false;
  for (const std::string_view v : values) {
    if (v.size() != length) return false;
  }
  length_ = static_cast<uint32_t>(length);
  std::vector<uint64_t> words(values.size());
  size_t offset = 0;
  for (const FieldPlace& place : Cutter(values, length).Cuts()) {
    for (size_t i = 0; i < values.size(); i++) {
      words[i] = place.Load(reinterpret_cast<const uint8_t*>(values[i].data()) + offset);
    }
    Field& field = fields_.emplace_back();
    field.place = place;
    field.words.Plan(place.Shape(), words, counts);
    offset += place.width;
  }
  return !fields_.empty();
}

size_t FieldsEncoder::bytes() const {
  size_t bytes = 1;
  for (const Field& field : fields_) bytes += 1 + field.words.bytes();
  return bytes;
}

void FieldsEncoder::WriteModel(base::ByteWriter* out) const {
  out->Varint(length_);
  for (const Field& field : fields_) {
    out->U8(static_cast<uint8_t>(field.place.width | (field.place.big_endian ? kPlaceBigEndian : 0) |
                                 (field.place.is_float ? kPlaceFloat : 0)));
    field.words.WriteModel(out);
  }
}

void FieldsEncoder::EncodeVector(size_t vector, base::ByteWriter* out) const {
  for (const Field& field : fields_) field.words.EncodeVector(vector, out);
}

}  // namespace nodedb_ts::codec
