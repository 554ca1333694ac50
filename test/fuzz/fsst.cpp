// Input: u16 bytes of the table, u16 size of the text, the table, codes; and what is left is text to encode.
#include <algorithm>
#include <string>

#include "codec/fsst/fsst.h"
#include "fuzz/fuzz.h"

namespace nodedb_ts::fuzz {
namespace {

void RoundTrip(std::span<const uint8_t> text) {
  codec::FsstEncoder encoder;
  Require(encoder.Learn(text) == !text.empty(), "all but nothing can be learned from");
  Bytes table;
  base::ByteWriter out(&table);
  encoder.WriteTable(&out);
  codec::FsstDecoder decoder;
  Require(decoder.Open({table.data(), table.size()}), "a table that was written can be read");
  Bytes padded(text.begin(), text.end());
  padded.resize(text.size() + 8);
  Bytes codes;
  Require(encoder.Encode(padded.data(), text.size(), 2 * text.size() + 2, &codes), "there is room for escapes");
  Bytes back(text.size());
  Require(decoder.Decode({codes.data(), codes.size()}, back.data(), back.size()), "codes that were written can be read");
  Require(std::equal(back.begin(), back.end(), text.begin()), "what was encoded comes back");
}

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint16_t table_bytes;
  uint16_t size;
  base::ByteReader table;
  codec::FsstDecoder decoder;
  if (!in.ReadU16(&table_bytes) || !in.ReadU16(&size)) return;
  RoundTrip({in.at(), std::min<size_t>(in.remaining(), 4096)});
  if (!in.ReadSpan(table_bytes, &table) || !decoder.Open(table)) return;
  const Bytes codes(in.at(), in.at() + in.remaining());  // where a sanitizer sees its end
  const auto decode = [&](size_t n) {
    Bytes text(n);
    if (decoder.Decode({codes.data(), codes.size()}, text.data(), n)) RoundTrip(text);
  };
  decode(size);
  // The true size, which mutations of the codes change.
  size_t all = 0;
  uint8_t lengths[256] = {};
  size_t symbol = 0;
  for (size_t length = 1; length <= 8; length++) {
    for (size_t i = 0; i < table.at()[length - 1]; i++) lengths[symbol++] = static_cast<uint8_t>(length);
  }
  for (size_t i = 0; i < codes.size(); i++) {
    const bool escape = codes[i] == codec::kFsstEscape;
    all += escape ? 1 : lengths[codes[i]];
    i += escape;
  }
  if (all <= 65536) decode(all);
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const size_t rows : {1, 20, 300}) {
    std::string text;
    for (size_t i = 0; i < rows; i++) text += "sensor-" + std::to_string(i * 7919 % 1000) + (i % 9 ? "/up" : "/DOWN!");
    codec::FsstEncoder encoder;
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    encoder.Learn({bytes, text.size() / 2 + 1});
    Bytes table;
    base::ByteWriter table_out(&table);
    encoder.WriteTable(&table_out);
    Bytes padded(bytes, bytes + text.size());
    padded.resize(text.size() + 8);
    Bytes codes;
    (void)encoder.Encode(padded.data(), text.size(), 2 * text.size() + 2, &codes);
    Bytes seed;
    base::ByteWriter out(&seed);
    out.U16(static_cast<uint16_t>(table.size()));
    out.U16(static_cast<uint16_t>(text.size()));
    out.Bytes(table.data(), table.size());
    out.Bytes(codes.data(), codes.size());
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace

const Target kFsst = {"fsst", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kFsst)
