// Input: u16 rows, a table, one vector.
#include "base/words.h"
#include "codec/bitpack/bitpack.h"
#include "codec/entropy/entropy.h"
#include "fuzz/fuzz.h"
#include "fuzz/values.h"

namespace nodedb_ts::fuzz {
namespace {

bool MakeTable(std::span<const uint64_t> values, codec::EntropyEncoder* encoder) {
  codec::EntropyHistogram histogram;
  histogram.Add(values);
  return encoder->Build(histogram);
}

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint16_t rows;
  codec::EntropyDecoder decoder;
  if (!in.ReadU16(&rows) || !decoder.Read(&in)) return;
  std::vector<uint64_t> values(1 + rows % codec::kMaxVectorRows);
  std::vector<uint64_t> sums(values.size());
  base::ByteReader same = in;
  const bool summed = decoder.DecodeSums(&same, sums, sums.size(), rows);
  const bool read = decoder.Decode(&in, values);
  Require(summed == read, "sums are decoded where values are");
  if (!read) return;
  std::vector<uint64_t> added = values;
  base::SumZigZag(added.data(), added.size(), rows);
  Require(sums == added, "sums are those of the values");
  codec::EntropyEncoder encoder;
  if (!MakeTable(values, &encoder)) return;
  Bytes bytes;
  base::ByteWriter out(&bytes);
  encoder.Write(&out);
  Require(bytes.size() == encoder.TableBytes(), "a table has the size that it says");
  Require(encoder.Encode(values, &out), "values of the histogram can be encoded");
  base::ByteReader again(bytes.data(), bytes.size());
  std::vector<uint64_t> decoded(values.size());
  Require(decoder.Read(&again) && decoder.Decode(&again, decoded) && again.empty(), "what was encoded decodes");
  Require(decoded == values, "what was encoded decodes to its values");
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (int pattern = 0; pattern < kPatterns; pattern++) {
    for (const size_t rows : {1, 31, 32, 200, 1024}) {
      std::vector<uint64_t> values = Values({codec::WordKind::kInt, 8}, pattern, rows);
      if (pattern == kPatterns - 1) {
        for (uint64_t& v : values) v >>= v % 64;
      }
      codec::EntropyEncoder encoder;
      if (!MakeTable(values, &encoder)) continue;
      Bytes seed;
      base::ByteWriter out(&seed);
      out.U16(static_cast<uint16_t>(rows - 1));
      encoder.Write(&out);
      Require(encoder.Encode(values, &out), "a seed is valid");
      seeds.push_back(std::move(seed));
    }
  }
  return seeds;
}

}  // namespace

const Target kEntropy = {"entropy", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kEntropy)
