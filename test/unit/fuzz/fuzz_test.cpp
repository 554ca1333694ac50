// The fuzz targets without libFuzzer: all seeds, and mutations of them from a fixed seed.
#include "fuzz/fuzz.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace nodedb_ts::fuzz {
namespace {

void Mutate(const std::vector<Bytes>& seeds, Bytes* bytes, std::mt19937_64* random) {
  for (uint64_t changes = 1 + (*random)() % 4; changes > 0 && !bytes->empty(); changes--) {
    const size_t at = (*random)() % bytes->size();
    switch ((*random)() % 8) {
      case 0: bytes->resize(at); break;
      case 1: (*bytes)[at] = 0xff; break;
      case 2: (*bytes)[at] = 0; break;
      case 3: bytes->insert(bytes->begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>((*random)())); break;
      case 4: (*bytes)[at % 16 % bytes->size()] = static_cast<uint8_t>((*random)()); break;
      case 5: {  // the end of another seed
        const Bytes& other = seeds[(*random)() % seeds.size()];
        if (other.size() <= at) break;
        bytes->resize(at);
        bytes->insert(bytes->end(), other.begin() + static_cast<ptrdiff_t>(at), other.end());
        break;
      }
      default: (*bytes)[at] ^= static_cast<uint8_t>(1u << (*random)() % 8);
    }
  }
}

class Fuzz : public testing::TestWithParam<const Target*> {};

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz,
                         testing::Values(&kWords, &kEntropy, &kScaled, &kDictionary, &kFsst, &kChunks, &kEncoders, &kFooters,
                                         &kTrained),
                         [](const auto& info) { return std::string(info.param->name); });

TEST_P(Fuzz, SeedsAndTheirMutations) {
  const std::vector<Bytes> seeds = GetParam()->seeds();
  ASSERT_FALSE(seeds.empty());
  for (const Bytes& seed : seeds) GetParam()->run(seed);
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; i++) {
    Bytes bytes = seeds[random() % seeds.size()];
    Mutate(seeds, &bytes, &random);
    GetParam()->run(bytes);
  }
}

// Inputs that once broke something: test/fuzz/corpus/<target>/.
TEST_P(Fuzz, KnownInputs) {
  const std::filesystem::path directory =
      std::filesystem::path(NODEDB_TS_SOURCE_DIR) / "test/fuzz/corpus" / GetParam()->name;
  if (!std::filesystem::exists(directory)) return;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    GetParam()->run(Bytes(bytes.begin(), bytes.end()));
  }
}

}  // namespace
}  // namespace nodedb_ts::fuzz
