// Input: u8 shape, u8 codec, u16 rows, u16 bytes of tables, tables, one vector.
#include "codec/bitpack/bitpack.h"
#include "codec/shared/word_chunk.h"
#include "fuzz/fuzz.h"
#include "fuzz/values.h"

namespace nodedb_ts::fuzz {
namespace {

using codec::EntropyDecoder;
using codec::WordShape;

void RoundTrip(const WordShape& shape, const std::vector<uint64_t>& words) {
  codec::WordChunkEncoder encoder(shape);
  encoder.Add(words);
  encoder.Add(words);
  encoder.Plan();
  Bytes tables;
  base::ByteWriter table_writer(&tables);
  std::vector<EntropyDecoder> decoders;
  if (encoder.tables() > 0) {
    encoder.WriteTables(&table_writer);
    base::ByteReader in(tables.data(), tables.size());
    Require(codec::ReadTables(&in, &decoders) && in.empty(), "written tables can be read");
  }
  for (size_t v = 0; v < 2; v++) {
    Bytes bytes;
    base::ByteWriter out(&bytes);
    const uint8_t number = encoder.EncodeVector(v, &out);
    std::vector<uint64_t> again(words.size());
    Require(codec::DecodeWords(shape, number, {bytes.data(), bytes.size()}, again, decoders),
            "an encoded vector decodes");
    Require(again == words, "an encoded vector decodes to its words");
  }
}

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint8_t shape_number;
  uint8_t number;
  uint16_t rows;
  uint16_t table_bytes;
  base::ByteReader stored_tables;
  if (!in.ReadU8(&shape_number) || !in.ReadU8(&number) || !in.ReadU16(&rows) || !in.ReadU16(&table_bytes)) return;
  if (!in.ReadSpan(table_bytes, &stored_tables)) return;
  const WordShape shape = kShapes[shape_number % kShapeCount];
  std::vector<EntropyDecoder> tables;
  if (!stored_tables.empty() && !codec::ReadTables(&stored_tables, &tables)) tables.clear();
  std::vector<uint64_t> words(1 + rows % codec::kMaxVectorRows);
  if (!codec::DecodeWords(shape, number & 63, in, words, tables)) return;
  RoundTrip(shape, words);
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (size_t s = 0; s < kShapeCount; s++) {
    for (int pattern = 0; pattern < kPatterns; pattern++) {
      for (const size_t rows : {1, 17, 300}) {
        const std::vector<uint64_t> words = Values(kShapes[s], pattern, rows);
        const auto add = [&](uint8_t number, const Bytes& tables, const Bytes& vector) {
          Bytes seed;
          base::ByteWriter out(&seed);
          out.U8(static_cast<uint8_t>(s));
          out.U8(number);
          out.U16(static_cast<uint16_t>(rows - 1));
          out.U16(static_cast<uint16_t>(tables.size()));
          out.Bytes(tables.data(), tables.size());
          out.Bytes(vector.data(), vector.size());
          seeds.push_back(std::move(seed));
        };
        codec::WordChunkEncoder encoder(kShapes[s]);
        for (int i = 0; i < 20; i++) encoder.Add(words);
        encoder.Plan();
        Bytes tables;
        Bytes vector;
        base::ByteWriter table_writer(&tables);
        base::ByteWriter out(&vector);
        if (encoder.tables() > 0) encoder.WriteTables(&table_writer);
        const uint8_t number = encoder.EncodeVector(0, &out);
        add(number, tables, vector);
        if (rows != 17) continue;
        for (uint8_t other = 1; other < 32; other++) {
          const codec::WordCodec* alone = codec::FindWordCodec(other);
          const bool floats = other == codec::kGorilla || other == codec::kDecimal;
          if (alone == nullptr || (other == codec::kConstant && pattern != 0)) continue;
          if (floats && kShapes[s].kind == codec::WordKind::kInt) continue;
          vector.clear();
          alone->encode(kShapes[s], words, &out);
          add(other, {}, vector);
        }
      }
    }
  }
  return seeds;
}

}  // namespace

const Target kWords = {"words", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kWords)
