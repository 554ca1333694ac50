#include "codec/scaled/scaled.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/decimal/scaling.h"

namespace nodedb_ts::codec {
namespace {

using base::UnZigZag;
using base::ZigZag;
using scaling::kMagic;
using scaling::kMaxExponent;
using scaling::kPowers;
using scaling::Scale;
using scaling::ScaleAll;
using scaling::ToDouble;
using scaling::ToInteger;
using scaling::ToWord;

constexpr int64_t kMaxUlps = 8;
// With more digits every float is a few units of the last place from some decimal.
constexpr int64_t kMaxUlpsInteger = int64_t{1} << 40;
constexpr unsigned kExceptionExponents = 7;
constexpr int64_t kMaxExceptionInteger = int64_t{1} << 40;
constexpr size_t kUlpsShare = 32;  // so many exceptions make kUlps worth a try
constexpr size_t kMaxExact = 3;  // exponents of kExact that are looked at closely
constexpr WordShape kIntegers = {WordKind::kInt, 8};

// What a value looks like after it was a float4 and was printed with some digits.
inline double Rounded(double value, double digits) {
  const double y = static_cast<double>(static_cast<float>(value)) * digits;
  return ((y + kMagic) - kMagic) / digits;
}

// The distance of two words in units of the last place.
inline int64_t Ulps(uint64_t word, uint64_t from) { return static_cast<int64_t>(word - from); }

struct Candidate {
  unsigned exponent;
  ScaledForm form;
  unsigned digits;
};

// The correction that makes integer / 10^e the value; false when there is none.
bool Correct(const WordShape& shape, const Candidate& c, uint64_t word, uint64_t integer,
             uint64_t before, uint64_t* correction) {
  const double scaled = Scale(integer, kPowers[c.exponent]);
  const uint64_t exact = ToWord(shape, scaled);
  switch (c.form) {
    case ScaledForm::kExact:
      *correction = 0;
      return exact == word;
    case ScaledForm::kRounded: {
      const bool plain = exact == word;
      const bool rounded = ToWord(shape, Rounded(scaled, kPowers[c.digits])) == word;
      // Where both hold, no change is the cheaper one.
      *correction = plain && rounded ? before : rounded ? 1 : 0;
      return plain || rounded;
    }
    default: {
      const int64_t ulps = Ulps(word, exact);
      *correction = ZigZag(ulps);
      const auto k = static_cast<int64_t>(integer);
      return ulps >= -kMaxUlps && ulps <= kMaxUlps && k > -kMaxUlpsInteger && k < kMaxUlpsInteger;
    }
  }
}

bool Hit(const WordShape& shape, const Candidate& c, uint64_t word) {
  uint64_t correction;
  const uint64_t integer = ToInteger(ToDouble(shape, word), kPowers[c.exponent]);
  return Correct(shape, c, word, integer, 0, &correction);
}

// The smallest exponent below `end` that fits as many of the sample as any, at least 7/8;
// `end` when there is none.
unsigned SmallestExponent(const WordShape& shape, std::span<const uint64_t> sample,
                          ScaledForm form, unsigned digits, unsigned end) {
  unsigned best = end;
  size_t best_hits = sample.size() * 7 / 8;
  for (unsigned e = 0; e < end; e++) {
    size_t hits = 0;
    for (const uint64_t v : sample) hits += Hit(shape, {e, form, digits}, v);
    if (hits > best_hits || (hits == sample.size() && best == end)) {
      best = e;
      best_hits = hits;
      if (hits == sample.size()) break;
    }
  }
  return best;
}

void WriteException(const WordShape& shape, uint64_t word, base::ByteWriter* out) {
  const double value = ToDouble(shape, word);
  for (unsigned e = 0; e < kExceptionExponents; e++) {
    const uint64_t integer = ToInteger(value, kPowers[e]);
    const auto k = static_cast<int64_t>(integer);
    if (k <= -kMaxExceptionInteger || k >= kMaxExceptionInteger) break;
    if (ToWord(shape, Scale(integer, kPowers[e])) != word) continue;
    return out->Varint(ZigZag(k) * 8 + e);
  }
  out->Varint(7);
  out->Width(word, shape.width);
}

bool ReadException(const WordShape& shape, base::ByteReader* in, uint64_t* word) {
  uint64_t code;
  if (!in->ReadVarint(&code)) return false;
  if (code % 8 == 7) return code == 7 && in->ReadWidth(shape.width, word);
  *word = ToWord(shape, Scale(static_cast<uint64_t>(UnZigZag(code / 8)), kPowers[code % 8]));
  return true;
}

// The bits of floats as integers that ascend with them, negative for negative ones; and back.
// The high half of a FLOAT4's word does not count.
void MapBits(const WordShape& shape, std::span<uint64_t> words) {
  if (shape.kind == WordKind::kFloat8) {
    for (uint64_t& v : words) v ^= static_cast<uint64_t>(static_cast<int64_t>(v) >> 63) >> 1;
    return;
  }
  for (uint64_t& v : words) {
    const uint64_t wide = base::SignExtend(v, 4);
    v = wide ^ (static_cast<uint64_t>(static_cast<int64_t>(wide) >> 63) & INT32_MAX);
  }
}

bool HasCorrections(ScaledForm form) {
  return form == ScaledForm::kRounded || form == ScaledForm::kUlps;
}

}  // namespace

double ScaledCost(const WordShape& shape, std::span<const uint64_t> values, const ScaledVector& plan) {
  uint64_t smallest = plan.integers[0];
  for (const uint64_t v : plan.integers) {
    if (static_cast<int64_t>(v) < static_cast<int64_t>(smallest)) smallest = v;
  }
  uint64_t offsets[kMaxVectorRows];
  uint64_t deltas[kMaxVectorRows];
  const size_t n = plan.integers.size();
  for (size_t i = 0; i < n; i++) {
    offsets[i] = plan.integers[i] - smallest;
    if (i > 0) {
      deltas[i - 1] = ZigZag(static_cast<int64_t>(plan.integers[i] - plan.integers[i - 1]));
    }
  }
  EntropyHistogram of_offsets;
  EntropyHistogram of_deltas;
  of_offsets.Add({offsets, n});
  of_deltas.Add({deltas, n - 1});
  std::vector<uint8_t> head;
  base::ByteWriter out(&head);
  WriteScaledHead(shape, values, plan, &out);
  return std::min(of_offsets.Bits(), of_deltas.Bits()) + static_cast<double>(head.size() * 8);
}

void FillScaled(const WordShape& shape, std::span<const uint64_t> values, ScaledVector* plan) {
  const Candidate c{plan->exponent, plan->form, plan->digits};
  plan->integers.clear();
  plan->corrections.clear();
  plan->exceptions.clear();
  if (plan->form == ScaledForm::kBits) {
    plan->exponent = 0;
    plan->integers.assign(values.begin(), values.end());
    return MapBits(shape, plan->integers);
  }
  uint64_t integer = 0;
  uint64_t correction = 0;
  size_t leading = 0;  // exceptions
  for (size_t i = 0; i < values.size(); i++) {
    const uint64_t k = ToInteger(ToDouble(shape, values[i]), kPowers[c.exponent]);
    uint64_t by;
    if (Correct(shape, c, values[i], k, correction, &by)) {
      if (plan->exceptions.size() == i) leading = i;
      integer = k;
      correction = by;
    } else {
      plan->exceptions.push_back(static_cast<uint16_t>(i));
      if (c.form == ScaledForm::kUlps) correction = 0;
    }
    plan->integers.push_back(integer);
    if (c.form != ScaledForm::kExact) plan->corrections.push_back(correction);
  }
  std::fill_n(plan->integers.begin(), leading, plan->integers[leading]);
}

bool PlanScaled(const WordShape& shape, std::span<const uint64_t> values, ScaledVector* plan) {
  constexpr size_t kSample = 64;
  uint64_t sample_words[kSample];
  size_t n = 0;
  const size_t step = (values.size() + kSample - 1) / kSample;
  for (size_t i = 0; i < values.size(); i += step) sample_words[n++] = values[i];
  const std::span<const uint64_t> sample(sample_words, n);
  constexpr unsigned kEnd = kMaxExponent + 1;
  std::vector<Candidate> candidates;
  const unsigned exact = SmallestExponent(shape, sample, ScaledForm::kExact, 0, kEnd);
  // Smaller ones that fit most values, too: exceptions may cost less than long integers.
  if (exact < kEnd) {
    size_t before = sample.size() * 3 / 4;
    for (unsigned e = 0; e < exact; e++) {
      size_t hits = 0;
      for (const uint64_t v : sample) hits += Hit(shape, {e, ScaledForm::kExact, 0}, v);
      if (hits <= before) continue;
      before = hits;
      candidates.push_back({e, ScaledForm::kExact, 0});
    }
    if (candidates.size() >= kMaxExact) candidates.erase(candidates.begin(), candidates.end() - (kMaxExact - 1));
    candidates.push_back({exact, ScaledForm::kExact, 0});
  }
  if (shape.kind == WordKind::kFloat8 && exact >= 4) {
    if (exact < 10) {
      const unsigned e = SmallestExponent(shape, sample, ScaledForm::kRounded, exact, exact - 1);
      if (e < exact - 1) candidates.push_back({e, ScaledForm::kRounded, exact});
    }
    const unsigned e = SmallestExponent(shape, sample, ScaledForm::kUlps, 0, 12);
    if (e < 12 && e < exact) candidates.push_back({e, ScaledForm::kUlps, 0});
  }
  double best_cost = -1;
  bool found = false;
  ScaledVector other;
  for (size_t i = 0; i < candidates.size(); i++) {
    const Candidate c = candidates[i];
    other.exponent = static_cast<uint8_t>(c.exponent);
    other.form = c.form;
    other.digits = static_cast<uint8_t>(c.digits);
    FillScaled(shape, values, &other);
    // What is no decimal may be the next value to one.
    if (shape.kind == WordKind::kFloat8 && c.form == ScaledForm::kExact && c.exponent == exact &&
        other.exceptions.size() * kUlpsShare > values.size()) {
      candidates.push_back({exact, ScaledForm::kUlps, 0});
    }
    if (other.exceptions.size() * 4 > values.size()) continue;
    const double cost = candidates.size() == 1 ? 0 : ScaledCost(shape, values, other);
    if (found && cost >= best_cost) continue;
    best_cost = cost;
    found = true;
    std::swap(*plan, other);
  }
  return found;
}

void WriteScaledHead(const WordShape& shape, std::span<const uint64_t> values,
                     const ScaledVector& plan, base::ByteWriter* out) {
  out->U8(static_cast<uint8_t>(plan.exponent | static_cast<unsigned>(plan.form) << 4));
  if (plan.form == ScaledForm::kRounded) out->U8(plan.digits);
  if (HasCorrections(plan.form)) {
    std::vector<uint8_t> encoded;
    base::ByteWriter writer(&encoded);
    out->U8(EncodeIntegers(plan.corrections, 8, &writer));
    out->Varint(encoded.size());
    out->Bytes(encoded.data(), encoded.size());
  }
  out->Varint(plan.exceptions.size());
  size_t next = 0;
  for (const uint16_t at : plan.exceptions) {
    out->Varint(at - next);
    WriteException(shape, values[at], out);
    next = size_t{at} + 1;
  }
}

bool DecodeScaled(const WordShape& shape, base::ByteReader* in, std::span<uint64_t> out,
                  EntropyTables tables) {
  uint8_t head;
  uint8_t digits = 0;
  uint64_t corrections[kMaxVectorRows];
  if (shape.kind == WordKind::kInt || !in->ReadU8(&head) || head >> 4 > 3) return false;
  const auto form = static_cast<ScaledForm>(head >> 4);
  if (form == ScaledForm::kBits && (head & 15) != 0) return false;
  if (form == ScaledForm::kRounded && (!in->ReadU8(&digits) || digits > kMaxExponent)) return false;
  if (HasCorrections(form)) {
    uint8_t number;
    uint64_t size;
    base::ByteReader encoded;
    if (!in->ReadU8(&number) || !in->ReadVarint(&size) || !in->ReadSpan(size, &encoded)) {
      return false;
    }
    if (!DecodeWords(kIntegers, number, encoded, {corrections, out.size()})) return false;
  }
  uint64_t exceptions;
  uint16_t places[kMaxVectorRows];
  uint64_t words[kMaxVectorRows];
  if (!in->ReadVarint(&exceptions) || exceptions > out.size()) return false;
  uint64_t next = 0;
  for (uint64_t e = 0; e < exceptions; e++) {
    uint64_t gap;
    if (!in->ReadVarint(&gap) || next >= out.size() || gap >= out.size() - next) return false;
    if (!ReadException(shape, in, &words[e])) return false;
    places[e] = static_cast<uint16_t>(next + gap);
    next += gap + 1;
  }
  uint8_t number;
  if (!in->ReadU8(&number) || !DecodeIntegers(number, in, out, tables)) return false;
  const double power = kPowers[head & 15];
  if (form == ScaledForm::kBits) {
    for (const uint64_t v : out) {
      if (shape.kind == WordKind::kFloat4 && base::SignExtend(v, 4) != v) return false;
    }
    MapBits(shape, out);
    if (shape.kind == WordKind::kFloat4) {
      for (uint64_t& v : out) v &= UINT32_MAX;
    }
  } else if (form == ScaledForm::kRounded) {
    const double rounding = kPowers[digits];
    for (size_t i = 0; i < out.size(); i++) {
      const double scaled = Scale(out[i], power);
      out[i] = ToWord(shape, corrections[i] != 0 ? Rounded(scaled, rounding) : scaled);
    }
  } else {
    ScaleAll(shape, power, out);
  }
  if (form == ScaledForm::kUlps) {
    for (size_t i = 0; i < out.size(); i++) {
      out[i] += static_cast<uint64_t>(UnZigZag(corrections[i]));
    }
  }
  for (uint64_t e = 0; e < exceptions; e++) out[places[e]] = words[e];
  return true;
}

}  // namespace nodedb_ts::codec
