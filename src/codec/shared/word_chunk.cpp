#include "codec/shared/word_chunk.h"

#include <algorithm>
#include <map>

#include "base/bits.h"
#include "base/words.h"
#include "codec/bitpack/bitpack.h"

namespace nodedb_ts::codec {
namespace {

using base::UnZigZag;
using base::ZigZag;

constexpr size_t kMinEntropyRows = 16;
constexpr size_t kVectorHeadBytes = 3;  // transform, table and a short base
constexpr size_t kGainShare = 32;       // a table must save 1/32, for it takes time to decode
constexpr size_t kMinSaved = 16;        // bytes in a chunk
constexpr uint64_t kFarFromBase = 256;  // larger values lose their low bits to raw ones
constexpr int kRounds = 3;              // of moving vectors between tables
constexpr unsigned kTransformBits = 2;

uint64_t Difference(uint64_t a, uint64_t b) { return ZigZag(static_cast<int64_t>(a - b)); }

}  // namespace

void WordChunkEncoder::Add(std::span<const uint64_t> values) {
  vectors_.emplace_back().values.assign(values.begin(), values.end());
}

void WordChunkEncoder::PlanAlone(Vector* v) const {
  base::ByteWriter out(&v->alone);
  if (shape_.kind == WordKind::kInt) {
    v->has_integers = true;
    v->alone_codec = EncodeIntegers(v->values, shape_.width, &out);
    return;
  }
  v->is_scaled = v->has_integers = true;
  const auto write_scaled = [&] {
    v->alone.clear();
    WriteScaledHead(shape_, v->values, v->scaled, &out);
    v->scaled_head_bytes = out.size();
    out.U8(0);
    v->alone[v->scaled_head_bytes] = EncodeIntegers(v->scaled.integers, 8, &out);
    v->alone_codec = kScaled;
  };
  const bool decimals = PlanScaled(shape_, v->values, &v->scaled);
  if (decimals) {
    write_scaled();
    // Half of the plain bytes is far from what any other codec of floats would take.
    if (out.size() * 2 < v->values.size() * shape_.width) return;
  }
  ScaledVector bits;
  bits.form = ScaledForm::kBits;
  FillScaled(shape_, v->values, &bits);
  if (!decimals ||
      ScaledCost(shape_, v->values, bits) < ScaledCost(shape_, v->values, v->scaled)) {
    v->scaled = std::move(bits);
    write_scaled();
  }
  std::vector<uint8_t> other;
  base::ByteWriter writer(&other);
  const uint8_t number = EncodeWords(shape_, v->values, &writer);
  if (v->alone.size() <= other.size()) return;
  v->alone = std::move(other);
  v->alone_codec = number;
}

// One base for all vectors whose integers mean the same, so that a table fits them all.
void WordChunkEncoder::ChooseBases() {
  std::map<unsigned, int64_t> smallest;
  const auto key = [](const Vector& v) -> unsigned {
    if (!v.is_scaled) return 0;
    return v.scaled.form == ScaledForm::kBits ? 16 : v.scaled.exponent;
  };
  for (const Vector& v : vectors_) {
    if (!v.has_integers) continue;
    const auto [at, fresh] = smallest.try_emplace(key(v), INT64_MAX);
    for (const uint64_t x : v.integers()) {
      at->second = std::min(at->second, static_cast<int64_t>(x));
    }
  }
  for (Vector& v : vectors_) {
    if (!v.has_integers) continue;
    const int64_t base = smallest[key(v)];
    v.base = base >= 0 && base < 64 ? 0 : static_cast<uint64_t>(base);
    int64_t own = INT64_MAX;
    for (const uint64_t x : v.integers()) own = std::min(own, static_cast<int64_t>(x));
    if (static_cast<uint64_t>(own) - v.base >= kFarFromBase) v.base = static_cast<uint64_t>(own);
  }
}

void WordChunkEncoder::Residuals(std::span<const uint64_t> x, Transform transform, uint64_t base,
                                 std::vector<uint64_t>* residuals) {
  const size_t n = x.size();
  const size_t before = std::min<size_t>(n, transform == kValues ? 0 : transform == kDeltas ? 1 : 2);
  residuals->resize(n - before);
  uint64_t* out = residuals->data();
  switch (transform) {
    case kValues:
      for (size_t i = 0; i < n; i++) out[i] = x[i] - base;
      break;
    case kDeltas:
      for (size_t i = 1; i < n; i++) out[i - 1] = Difference(x[i], x[i - 1]);
      break;
    case kSecondDeltas:
      for (size_t i = 2; i < n; i++) out[i - 2] = Difference(x[i] - x[i - 1], x[i - 1] - x[i - 2]);
      break;
  }
}

// The transformation with the least bits by a table of its own; false when not even
// that would beat the codec that stands alone.
bool WordChunkEncoder::ChooseTransform(Vector* v) const {
  if (!v->has_integers || v->values.size() < kMinEntropyRows || v->alone_codec == kConstant) {
    return false;
  }
  std::vector<uint64_t> residuals;
  v->own_bits = -1;
  for (const Transform t : {kValues, kDeltas, kSecondDeltas}) {
    Residuals(v->integers(), t, v->base, &residuals);
    EntropyHistogram histogram;
    histogram.Add(residuals);
    const double bits = histogram.Bits() + (t == kValues ? 0 : 16);
    if (v->own_bits >= 0 && bits >= v->own_bits) continue;
    v->own_bits = bits;
    v->transform = t;
    v->residuals.swap(residuals);
    histogram.FilledBins(&v->bins);
  }
  return v->own_bits / 8 + kVectorHeadBytes < static_cast<double>(v->alone.size());
}

// Clusters the candidates by what they take by each of some tables.
void WordChunkEncoder::ChooseTables(const std::vector<size_t>& candidates) {
  std::vector<size_t> order = candidates;
  std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    const auto mean = [this](size_t v) {
      return vectors_[v].own_bits / static_cast<double>(vectors_[v].values.size());
    };
    return mean(a) < mean(b);
  });
  size_t best_total = SIZE_MAX;
  for (size_t count = 1; count <= kMaxTables; count *= 2) {
    if (count > 1 && order.size() < 2 * count) break;
    std::vector<std::unique_ptr<EntropyEncoder>> tables;
    for (size_t t = 0; t < count; t++) tables.push_back(std::make_unique<EntropyEncoder>());
    std::vector<int> chosen(order.size());
    for (size_t i = 0; i < order.size(); i++) chosen[i] = static_cast<int>(i * count / order.size());
    size_t total = 0;
    for (int round = 0; round < (count == 1 ? 1 : kRounds); round++) {
      std::vector<bool> usable(count);
      for (size_t t = 0; t < count; t++) {
        EntropyHistogram histogram;
        for (size_t i = 0; i < order.size(); i++) {
          if (chosen[i] == static_cast<int>(t)) histogram.Add(vectors_[order[i]].bins);
        }
        usable[t] = tables[t]->Build(histogram);
      }
      total = 0;
      for (size_t t = 0; t < count; t++) total += usable[t] ? tables[t]->TableBytes() : 0;
      for (size_t i = 0; i < order.size(); i++) {
        size_t least = SIZE_MAX;
        for (size_t t = 0; t < count; t++) {
          if (!usable[t]) continue;
          const Vector& v = vectors_[order[i]];
          const size_t bytes = tables[t]->EstimateBytes(v.bins, v.residuals.size());
          if (bytes >= least) continue;
          least = bytes;
          chosen[i] = static_cast<int>(t);
        }
        if (least == SIZE_MAX) return;  // nothing can be built of these
        total += least;
      }
    }
    if (best_total != SIZE_MAX && total + best_total / 128 >= best_total) break;
    best_total = total;
    tables_ = std::move(tables);
    for (size_t i = 0; i < order.size(); i++) vectors_[order[i]].table = chosen[i];
  }
}

void WordChunkEncoder::DropUnusedTables() {
  std::vector<int> number(tables_.size(), -1);
  std::vector<std::unique_ptr<EntropyEncoder>> kept;
  for (Vector& v : vectors_) {
    if (v.table < 0) continue;
    int& n = number[static_cast<size_t>(v.table)];
    if (n < 0) {
      n = static_cast<int>(kept.size());
      kept.push_back(std::move(tables_[static_cast<size_t>(v.table)]));
    }
    v.table = n;
  }
  tables_ = std::move(kept);
}

void WordChunkEncoder::Plan() {
  for (Vector& v : vectors_) PlanAlone(&v);
  ChooseBases();
  std::vector<size_t> candidates;
  for (size_t i = 0; i < vectors_.size(); i++) {
    if (ChooseTransform(&vectors_[i])) candidates.push_back(i);
  }
  if (candidates.empty()) return;
  ChooseTables(candidates);
  size_t saved = 0;
  for (const size_t i : candidates) {
    Vector& v = vectors_[i];
    if (v.table < 0) continue;
    // Estimates were for choosing among tables; this is what it comes to. A vector that
    // moved to a table last may hold values that the table was not made of.
    base::ByteWriter out(&v.coded);
    const bool encoded =
        v.residuals.empty() || tables_[static_cast<size_t>(v.table)]->Encode(v.residuals, &out);
    std::vector<uint8_t> bytes;
    base::ByteWriter writer(&bytes);
    if (encoded) (void)EncodeVector(i, &writer);
    if (encoded && bytes.size() + v.alone.size() / kGainShare < v.alone.size()) {
      saved += v.alone.size() - bytes.size();
    } else {
      v.table = -1;
    }
  }
  size_t table_bytes = 1;
  DropUnusedTables();
  for (const auto& table : tables_) table_bytes += table->TableBytes();
  if (saved > table_bytes + kMinSaved) return;
  tables_.clear();
  for (Vector& v : vectors_) v.table = -1;
}

void WordChunkEncoder::WriteTables(base::ByteWriter* out) const {
  out->U8(static_cast<uint8_t>(tables_.size()));
  for (const auto& table : tables_) table->Write(out);
}

uint8_t WordChunkEncoder::EncodeVector(size_t vector, base::ByteWriter* out) const {
  const Vector& v = vectors_[vector];
  if (v.table < 0) {
    out->Bytes(v.alone.data(), v.alone.size());
    return v.alone_codec;
  }
  if (v.is_scaled) {
    WriteScaledHead(shape_, v.values, v.scaled, out);
    out->U8(kEntropy);
  }
  const std::span<const uint64_t> x = v.integers();
  out->U8(static_cast<uint8_t>(v.transform | v.table << kTransformBits));
  out->Zig(static_cast<int64_t>(v.transform == kValues ? v.base : x[0]));
  if (v.transform == kSecondDeltas && x.size() > 1) out->Zig(static_cast<int64_t>(x[1] - x[0]));
  out->Bytes(v.coded.data(), v.coded.size());
  return v.is_scaled ? kScaled : kEntropy;
}

bool DecodeEntropyVector(base::ByteReader* in, std::span<uint64_t> out, EntropyTables tables, size_t wanted) {
  uint8_t head;
  int64_t first;
  if (!in->ReadU8(&head) || !in->ReadZigZag(&first)) return false;
  const uint8_t transform = head & ((1 << kTransformBits) - 1);
  const size_t table = head >> kTransformBits;
  if (table >= tables.size()) return false;
  const size_t n = std::min(out.size(), wanted);
  auto value = static_cast<uint64_t>(first);
  // What the table codes, behind `before` values that stand alone.
  const auto decode = [&](size_t before) {
    const std::span<uint64_t> rest = out.subspan(before);
    return n == out.size() ? tables[table].Decode(in, rest)
                           : tables[table].DecodeFirst(in, rest, std::max(n, before + 1) - before);
  };
  switch (transform) {
    case WordChunkEncoder::kValues:
      if (!decode(0)) return false;
      for (uint64_t& v : out.first(n)) v += value;
      return true;
    case WordChunkEncoder::kDeltas:
      out[0] = value;
      return out.size() == 1 ||
             tables[table].DecodeSums(in, out.subspan(1), std::max<size_t>(n, 2) - 1, value);
    case WordChunkEncoder::kSecondDeltas: {
      int64_t second = 0;
      if (out.size() > 1 && !in->ReadZigZag(&second)) return false;
      if (out.size() > 2 && !decode(2)) return false;
      auto delta = static_cast<uint64_t>(second);
      out[0] = value;
      if (n > 1) out[1] = value += delta;
      for (size_t i = 2; i < n; i++) {
        delta += static_cast<uint64_t>(UnZigZag(out[i]));
        out[i] = value += delta;
      }
      return true;
    }
    default:
      return false;
  }
}

bool ReadTables(base::ByteReader* in, std::vector<EntropyDecoder>* tables) {
  uint8_t count;
  if (!in->ReadU8(&count) || count == 0 || count > kMaxTables) return false;
  tables->resize(count);
  for (EntropyDecoder& table : *tables) {
    if (!table.Read(in)) return false;
  }
  return true;
}

}  // namespace nodedb_ts::codec
