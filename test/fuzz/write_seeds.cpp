// Writes the seeds of all targets: write_seeds DIRECTORY makes DIRECTORY/<target>/<number>.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/fuzz.h"

int main(int argc, char** argv) {
  using namespace nodedb_ts::fuzz;
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds DIRECTORY\n");
    return 2;
  }
  for (const Target* target : {&kWords, &kEntropy, &kScaled, &kDictionary, &kFsst, &kChunks, &kEncoders, &kFooters,
                               &kTrained}) {
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / target->name;
    std::filesystem::create_directories(directory);
    size_t number = 0;
    for (const Bytes& seed : target->seeds()) {
      std::ofstream out(directory / std::to_string(number++), std::ios::binary);
      out.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    }
  }
  return 0;
}
