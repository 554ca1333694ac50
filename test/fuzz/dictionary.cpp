// Input: u8 width, the dictionary.
#include "codec/dictionary/dictionary.h"
#include "fuzz/fuzz.h"

namespace nodedb_ts::fuzz {
namespace {

void Run(std::span<const uint8_t> input) {
  base::ByteReader in(input.data(), input.size());
  uint8_t width;
  codec::Dictionary dictionary;
  if (!in.ReadU8(&width) || !dictionary.Open(in, width)) return;
  uint64_t sum = 0;
  for (uint64_t code = 0; code < dictionary.size(); code++) {
    const uint8_t* bytes;
    uint64_t length;
    if (!dictionary.Get(code, &bytes, &length)) continue;
    Require(bytes >= input.data() && length <= static_cast<uint64_t>(input.data() + input.size() - bytes),
            "an entry lies within the dictionary");
    for (uint64_t i = 0; i < length; i++) sum += bytes[i];
  }
  if (width == 1 || width == 2 || width == 4 || width == 8) {
    std::vector<uint64_t> codes = {0, dictionary.size() / 2, dictionary.size() - 1};
    Require(dictionary.size() == 0 || dictionary.Words(codes), "codes of entries have words");
    std::vector<uint64_t> beyond = {dictionary.size()};
    Require(!dictionary.Words(beyond), "a code beyond the entries has no word");
  }
  volatile uint64_t sink = sum;  // so that the bytes are read
  (void)sink;
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const uint32_t width : {1, 2, 4, 8}) {
    Bytes seed = {static_cast<uint8_t>(width)};
    base::ByteWriter out(&seed);
    codec::WriteDictionary(std::vector<uint64_t>{1, 2, 3, 100, 7}, width, &out);
    seeds.push_back(std::move(seed));
  }
  for (const uint32_t width : {0, 3}) {
    Bytes seed = {static_cast<uint8_t>(width)};
    base::ByteWriter out(&seed);
    codec::WriteDictionary(std::vector<std::string_view>{"abc", "def", "xyz"}, width, &out);
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace

const Target kDictionary = {"dictionary", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kDictionary)
