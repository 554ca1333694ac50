// Input: u8 form, then 0: a set of trained dictionaries, whose checksum is put right; 1: one dictionary, without the
// frame that a set has it in. What opens is written again, and texts are encoded with it and decoded.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "codec/registry/registry.h"
#include "codec/zstd/trained.h"
#include "codec/zstd/zstd.h"
#include "fuzz/fuzz.h"
#include "segment/dictionary_set.h"

namespace nodedb_ts::fuzz {
namespace {

using Contents = std::map<uint32_t, std::span<const uint8_t>>;

std::vector<std::string> Lines(uint32_t count, uint32_t seed) {
  static constexpr const char* kWords[] = {"request", "connection", "timeout", "user", "session", "/var/log", "error"};
  std::vector<std::string> lines;
  for (uint32_t i = 0; i < count; i++) {
    std::string line = "GET ";
    for (uint32_t w = 0; w < 6; w++) {
      line += '/' + std::string(kWords[(i * 31 + w * w * seed) % 7]) + std::to_string(i * w % 97);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

void EncodeAndDecode(const codec::TrainedDictionary& dictionary) {
  const std::vector<std::string> lines = Lines(40, 3);
  const std::vector<std::string_view> values(lines.begin(), lines.end());
  for (const uint8_t level : {1, 2}) {
    codec::BytesEncoder encoder(level);
    encoder.UseTrained(&dictionary);
    Bytes bytes;
    base::ByteWriter out(&bytes);
    const uint8_t number = encoder.Encode(0, values, &out);
    codec::SharedBytes shared;
    shared.trained = &dictionary;
    std::vector<uint64_t> lengths(values.size());
    codec::BytesVector vector;
    Require(codec::OpenBytes(0, number, {bytes.data(), bytes.size()}, shared, lengths, &vector), "what was encoded opens");
    std::string text(vector.total, '\0');
    Require(codec::CopyBytes(vector, reinterpret_cast<uint8_t*>(text.data())), "what was encoded decodes");
    size_t at = 0;
    for (const std::string& line : lines) {
      Require(text.compare(at, line.size(), line) == 0, "values come back");
      at += line.size();
    }
  }
}

void RunSet(std::span<const uint8_t> bytes) {
  std::shared_ptr<const segment::DictionarySet> set;
  if (!segment::DictionarySet::Open(bytes, &set).ok()) return;
  Require(set->id() != 0, "a set has an id");
  Contents contents;
  size_t total = 0;
  set->ForEach([&](uint32_t column, const codec::TrainedDictionary& dictionary) {
    Require(set->Find(column) == &dictionary && set->StoredBytes(column) <= bytes.size(), "a member is found");
    contents[column] = dictionary.content();
    total += dictionary.content().size();
    if (contents.size() == 1) EncodeAndDecode(dictionary);
  });
  Require(total <= NTS_DICTIONARIES_BYTES, "a set is bounded");
  Bytes again;
  Require(segment::WriteDictionarySet(set->id(), contents, &again).ok(), "a set can be written");
  std::shared_ptr<const segment::DictionarySet> reopened;
  Require(segment::DictionarySet::Open(again, &reopened).ok(), "what was written opens");
  reopened->ForEach([&](uint32_t column, const codec::TrainedDictionary& dictionary) {
    Require(std::ranges::equal(contents.at(column), dictionary.content()), "dictionaries come back");
    contents.erase(column);
  });
  Require(contents.empty(), "all of them");
}

void Run(std::span<const uint8_t> input) {
  if (input.size() < 5) return;
  Bytes set(input.begin() + 1, input.end());
  if (input[0] == 0) {
    base::StoreLe<uint32_t>(set.data() + set.size() - 4, base::Crc32c(0, set.data(), set.size() - 4));
    return RunSet(set);
  }
  Bytes written;
  Require(segment::WriteDictionarySet(1, {{0, set}}, &written).ok(), "anything can be written");
  RunSet(written);
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> contents;
  std::vector<Bytes> seeds;
  for (const uint32_t max_bytes : {512, 1024, 4096}) {
    Bytes samples;
    std::vector<size_t> sizes;
    for (const std::string& line : Lines(2000, max_bytes / 100)) {
      samples.insert(samples.end(), line.begin(), line.end());
      sizes.push_back(line.size());
    }
    contents.push_back(codec::TrainDictionary(samples, sizes, max_bytes));
    Require(!contents.back().empty(), "something is learned");
    seeds.push_back({1});
    seeds.back().insert(seeds.back().end(), contents.back().begin(), contents.back().end());
  }
  for (const Contents& members : {Contents{}, Contents{{0, contents[0]}},
                                  Contents{{1, contents[1]}, {7, contents[2]}, {1599, contents[0]}}}) {
    Bytes bytes;
    Require(segment::WriteDictionarySet(9, members, &bytes).ok(), "a seed is valid");
    seeds.push_back({0});
    seeds.back().insert(seeds.back().end(), bytes.begin(), bytes.end());
  }
  return seeds;
}

}  // namespace

const Target kTrained = {"trained", Run, Seeds};

}  // namespace nodedb_ts::fuzz

NODEDB_TS_FUZZ_TARGET(kTrained)
