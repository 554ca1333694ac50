// Input: u8 shape and form, u8 exponent, u8 digits, the floats. Each goes through that form and through what
// PlanScaled finds; then the input is read as a vector.
#include "codec/bitpack/bitpack.h"
#include "codec/scaled/scaled.h"
#include "fuzz/fuzz.h"
#include "fuzz/values.h"

namespace nodedb_ts::fuzz {
namespace {

using codec::ScaledVector;
using codec::WordShape;

void RoundTrip(const WordShape& shape, const std::vector<uint64_t>& words, const ScaledVector& plan) {
  Require(plan.integers.size() == words.size(), "a plan has an integer for each value");
  Bytes bytes;
  base::ByteWriter out(&bytes);
  codec::WriteScaledHead(shape, words, plan, &out);
  const size_t number_at = bytes.size();
  out.U8(0);
  bytes[number_at] = codec::EncodeIntegers(plan.integers, 8, &out);
  std::vector<uint64_t> again(words.size());
  base::ByteReader in(bytes.data(), bytes.size());
  Require(codec::DecodeScaled(shape, &in, again, {}) && in.empty(), "a scaled vector decodes");
  Require(again == words, "a scaled vector decodes to its words");
}

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint8_t head;
  uint8_t exponent;
  uint8_t digits;
  if (!in.ReadU8(&head) || !in.ReadU8(&exponent) || !in.ReadU8(&digits)) return;
  const WordShape shape = kShapes[1 + head % 2];
  const base::ByteReader rest = in;
  std::vector<uint64_t> words;
  for (uint64_t word; words.size() < codec::kMaxVectorRows && in.ReadWidth(shape.width, &word);) words.push_back(word);
  if (!words.empty()) {
    ScaledVector plan;
    if (codec::PlanScaled(shape, words, &plan)) RoundTrip(shape, words, plan);
    plan.form = static_cast<codec::ScaledForm>(head / 2 % 4);
    plan.exponent = exponent % 16;
    plan.digits = digits % 16;
    codec::FillScaled(shape, words, &plan);
    RoundTrip(shape, words, plan);
  }
  std::vector<uint64_t> out(1 + (exponent | digits << 8) % codec::kMaxVectorRows);
  if (codec::DecodeWords(shape, codec::kScaled, rest, out)) {
    ScaledVector plan;
    if (codec::PlanScaled(shape, out, &plan)) RoundTrip(shape, out, plan);
  }
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (size_t s = 1; s <= 2; s++) {
    for (int pattern = 0; pattern < kPatterns; pattern++) {
      for (const uint8_t form : {0, 1, 2, 3}) {
        const size_t rows = 40;
        const std::vector<uint64_t> words = Values(kShapes[s], pattern, rows);
        Bytes seed;
        base::ByteWriter out(&seed);
        out.U8(static_cast<uint8_t>(s - 1 + 2 * form));
        out.U8(static_cast<uint8_t>(pattern));
        out.U8(static_cast<uint8_t>(pattern + 3));
        for (const uint64_t w : words) out.Width(w, kShapes[s].width);
        seeds.push_back(seed);
        ScaledVector plan;
        plan.form = static_cast<codec::ScaledForm>(form);
        plan.exponent = 2;
        plan.digits = 6;
        codec::FillScaled(kShapes[s], words, &plan);
        seed.clear();
        out.U8(static_cast<uint8_t>(s - 1));
        out.U8(static_cast<uint8_t>(rows - 1));
        out.U8(0);
        codec::WriteScaledHead(kShapes[s], words, plan, &out);
        const size_t number_at = seed.size();
        out.U8(0);
        seed[number_at] = codec::EncodeIntegers(plan.integers, 8, &out);
        seeds.push_back(seed);
      }
    }
  }
  return seeds;
}

}  // namespace

const Target kScaled = {"scaled", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kScaled)
