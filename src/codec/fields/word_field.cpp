#include "codec/fields/word_field.h"

#include <algorithm>

#include "base/bits.h"

namespace nodedb_ts::codec {
namespace {

constexpr uint8_t kFieldConstant = 1;
constexpr uint8_t kFieldMapping = 2;
constexpr uint8_t kFieldTables = 4;
constexpr WordShape kMappedShape = {WordKind::kInt, 8};

}  // namespace

bool WordField::Read(const WordShape& shape, base::ByteReader* in) {
  uint8_t flags;
  if (!in->ReadU8(&flags) || flags > (kFieldMapping | kFieldTables)) return false;
  is_constant = flags == kFieldConstant;
  if (is_constant) return in->ReadWidth(shape.width, &value);
  if (flags & kFieldConstant) return false;
  if (flags & kFieldMapping) {
    if (shape.kind != WordKind::kInt || !mapping.Read(in)) return false;
  }
  return !(flags & kFieldTables) || ReadTables(in, &tables);
}

bool WordField::Decode(const WordShape& shape, base::ByteReader* in,
                       std::span<uint64_t> out) const {
  if (is_constant) {
    const bool is_signed = shape.kind == WordKind::kInt;
    std::fill(out.begin(), out.end(), is_signed ? base::SignExtend(value, shape.width) : value);
    return true;
  }
  uint64_t length;
  base::ByteReader vector;
  uint8_t number;
  if (!in->ReadVarint(&length) || !in->ReadSpan(length, &vector)) return false;
  if (!vector.ReadU8(&number)) return false;
  if (!mapping.used()) return DecodeWords(shape, number, vector, out, tables);
  if (!DecodeWords(kMappedShape, number, vector, out, tables)) return false;
  uint64_t wrong = 0;
  for (uint64_t& v : out) {
    v = mapping.Up(v);
    wrong |= v ^ base::SignExtend(v, shape.width);
  }
  return wrong == 0;
}

void WordFieldEncoder::Plan(const WordShape& shape, std::span<const uint64_t> words,
                            std::span<const uint32_t> counts) {
  base::ByteWriter model(&model_);
  base::ByteWriter out(&vectors_);
  ends_.assign(counts.size(), 0);
  if (std::all_of(words.begin(), words.end(), [&](uint64_t v) { return v == words[0]; })) {
    model.U8(kFieldConstant);
    model.Width(words[0], shape.width);
    return;
  }
  Mapping mapping;
  if (shape.kind == WordKind::kInt) {
    const auto less = [](uint64_t a, uint64_t b) {
      return static_cast<int64_t>(a) < static_cast<int64_t>(b);
    };
    const auto [min, max] = std::minmax_element(words.begin(), words.end(), less);
    mapping = ChooseMapping(*min, *max, words.data(), nullptr, words.size());
  }
  WordChunkEncoder encoder(mapping.used() ? kMappedShape : shape);
  uint64_t mapped[kMaxVectorRows];
  size_t at = 0;
  for (const uint32_t n : counts) {
    if (n == 0) continue;
    for (size_t i = 0; i < n; i++) {
      mapped[i] = mapping.used() ? mapping.Down(words[at + i]) : words[at + i];
    }
    encoder.Add({mapped, n});
    at += n;
  }
  encoder.Plan();
  size_t next = 0;
  std::vector<uint8_t> bytes;
  for (size_t v = 0; v < counts.size(); v++) {
    if (counts[v] > 0) {
      bytes.clear();
      base::ByteWriter vector(&bytes);
      const uint8_t number = encoder.EncodeVector(next++, &vector);
      out.Varint(bytes.size() + 1);
      out.U8(number);
      out.Bytes(bytes.data(), bytes.size());
    }
    ends_[v] = vectors_.size();
  }
  model.U8(static_cast<uint8_t>((mapping.used() ? kFieldMapping : 0) |
                                (encoder.tables() > 0 ? kFieldTables : 0)));
  if (mapping.used()) mapping.Write(&model);
  if (encoder.tables() > 0) encoder.WriteTables(&model);
}

void WordFieldEncoder::EncodeVector(size_t vector, base::ByteWriter* out) const {
  const size_t begin = vector == 0 ? 0 : ends_[vector - 1];
  out->Bytes(vectors_.data() + begin, ends_[vector] - begin);
}

}  // namespace nodedb_ts::codec
