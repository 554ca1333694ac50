// Speed of the codecs: one vector of 1024 values in cache, one core.
//
//   make bench-codecs [BENCH_OPTIONS='--benchmark_filter=Entropy']
//
// items_per_second are values. Counters: "bytes" of the vector, "table" bytes of an entropy table,
// "bits" per value of a chunk of 64 vectors with their table. Of byte strings, bytes_per_second are those
// of the values, "share" what of them is stored.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "codec/bitpack/bitpack.h"
#include "codec/entropy/entropy.h"
#include "codec/fsst/fsst.h"
#include "codec/registry/registry.h"
#include "codec/zstd/zstd.h"

namespace nodedb_ts::codec {
namespace {

using Words = std::vector<uint64_t>;

constexpr size_t kRows = kMaxVectorRows;
constexpr size_t kVectors = 64;

Words Fill(size_t n, const std::function<uint64_t(std::mt19937_64&)>& draw) {
  std::mt19937_64 random(1);
  Words words(n);
  for (uint64_t& v : words) v = draw(random);
  return words;
}

uint64_t Rounded(std::mt19937_64& random, double deviation) {
  return base::ZigZag(std::llround(std::normal_distribution<double>(0, deviation)(random)));
}

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// ---- the entropy coder --------------------------------------------------------------------------

struct Chunk {
  Words words;
  EntropyEncoder encoder;
  std::vector<uint8_t> table;
  std::vector<std::vector<uint8_t>> vectors;

  std::span<const uint64_t> Vector(size_t i) const { return {words.data() + i * kRows, kRows}; }
};

Chunk MakeChunk(const Words& words) {
  Chunk chunk{words, {}, {}, {}};
  EntropyHistogram histogram;
  histogram.Add(words);
  if (!chunk.encoder.Build(histogram)) Fail("no table");
  base::ByteWriter table(&chunk.table);
  chunk.encoder.Write(&table);
  for (size_t i = 0; i < kVectors; i++) {
    base::ByteWriter out(&chunk.vectors.emplace_back());
    if (!chunk.encoder.Encode(chunk.Vector(i), &out)) Fail("not encoded");
  }
  return chunk;
}

void Report(benchmark::State& state, const Chunk& chunk) {
  size_t bytes = chunk.table.size();
  for (const auto& v : chunk.vectors) bytes += v.size();
  state.counters["bytes"] = static_cast<double>(chunk.vectors[0].size());
  state.counters["table"] = static_cast<double>(chunk.table.size());
  state.counters["log"] = chunk.encoder.counts().log;
  state.counters["bits"] = static_cast<double>(bytes) * 8 / (kVectors * kRows);
}

void EntropyDecode(benchmark::State& state, const Words& words) {
  const Chunk chunk = MakeChunk(words);
  EntropyDecoder decoder;
  base::ByteReader table(chunk.table.data(), chunk.table.size());
  if (!decoder.Read(&table)) Fail("table not read");
  Words out(kRows);
  size_t i = 0;
  for (auto _ : state) {
    const std::vector<uint8_t>& bytes = chunk.vectors[i++ % kVectors];
    base::ByteReader in(bytes.data(), bytes.size());
    if (!decoder.Decode(&in, out)) Fail("not decoded");
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  if (i > 0 && !std::ranges::equal(out, chunk.Vector((i - 1) % kVectors))) Fail("decoded wrongly");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
  Report(state, chunk);
}

void EntropyEncode(benchmark::State& state, const Words& words) {
  const Chunk chunk = MakeChunk(words);
  std::vector<uint8_t> bytes;
  size_t i = 0;
  for (auto _ : state) {
    bytes.clear();
    base::ByteWriter out(&bytes);
    if (!chunk.encoder.Encode(chunk.Vector(i++ % kVectors), &out)) Fail("not encoded");
    benchmark::DoNotOptimize(bytes.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
}

void EntropyEstimate(benchmark::State& state, const Words& words) {
  const Chunk chunk = MakeChunk(words);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(chunk.encoder.EstimateBytes(chunk.Vector(i++ % kVectors)));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
}

void EntropyParse(benchmark::State& state, const Words& words) {
  const Chunk chunk = MakeChunk(words);
  for (auto _ : state) {
    EntropyDecoder decoder;
    base::ByteReader in(chunk.table.data(), chunk.table.size());
    if (!decoder.Read(&in)) Fail("table not read");
    benchmark::DoNotOptimize(decoder);
  }
  Report(state, chunk);
}

// What reading one value takes: the table, then its vector.
void EntropyPoint(benchmark::State& state, const Words& words) {
  const Chunk chunk = MakeChunk(words);
  Words out(kRows);
  size_t i = 0;
  for (auto _ : state) {
    EntropyDecoder decoder;
    base::ByteReader table(chunk.table.data(), chunk.table.size());
    const std::vector<uint8_t>& bytes = chunk.vectors[i++ % kVectors];
    base::ByteReader in(bytes.data(), bytes.size());
    if (!decoder.Read(&table) || !decoder.Decode(&in, out)) Fail("not decoded");
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}

void EntropyBuild(benchmark::State& state, const Words& words) {
  EntropyHistogram histogram;
  histogram.Add(words);
  EntropyEncoder encoder;
  for (auto _ : state) {
    if (!encoder.Build(histogram)) Fail("no table");
    benchmark::DoNotOptimize(encoder);
  }
}

void EntropyCount(benchmark::State& state, const Words& words) {
  EntropyHistogram histogram;
  size_t i = 0;
  for (auto _ : state) {
    histogram.Clear();
    histogram.Add(std::span(words).subspan(i++ % kVectors * kRows, kRows));
    benchmark::DoNotOptimize(histogram);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
}

void EntropyBits(benchmark::State& state, const Words& words) {
  EntropyHistogram histogram;
  histogram.Add(words);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.Bits());
}

// ---- codecs of the registry ---------------------------------------------------------------------

void WordsDecode(benchmark::State& state, const WordShape& shape, uint8_t number,
                 const Words& words) {
  std::vector<uint8_t> bytes;
  base::ByteWriter writer(&bytes);
  FindWordCodec(number)->encode(shape, words, &writer);
  Words out(words.size());
  for (auto _ : state) {
    if (!DecodeWords(shape, number, base::ByteReader(bytes.data(), bytes.size()), out)) {
      Fail("not decoded");
    }
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  if (out != words) Fail("decoded wrongly");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(words.size()));
  state.counters["bytes"] = static_cast<double>(bytes.size());
}

void WordsEncode(benchmark::State& state, const WordShape& shape, uint8_t number,
                 const Words& words) {
  const WordCodec* codec = FindWordCodec(number);
  std::vector<uint8_t> bytes;
  for (auto _ : state) {
    bytes.clear();
    base::ByteWriter writer(&bytes);
    codec->encode(shape, words, &writer);
    benchmark::DoNotOptimize(bytes.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(words.size()));
}

void RegisterEntropy() {
  const size_t n = kVectors * kRows;
  const std::pair<const char*, Words> sets[] = {
      {"steps3", Fill(n, [](auto& r) { return std::min<uint64_t>(Rounded(r, 1.1), 6); })},
      {"rare", Fill(n, [](auto& r) { return r() % 20 == 0 ? 1 + r() % 3 : 0; })},
      {"geometric", Fill(n, [](auto& r) { return std::geometric_distribution<uint64_t>(0.2)(r); })},
      {"codes100", Fill(n, [](auto& r) { return Rounded(r, 17); })},
      {"normal1000", Fill(n, [](auto& r) { return Rounded(r, 1000); })},
      {"outliers", Fill(n, [](auto& r) { return r() % 50 ? Rounded(r, 2) : r() >> (r() % 40 + 20); })},
      {"random", Fill(n, [](auto& r) { return r(); })},
  };
  for (const auto& set : sets) {
    const auto add = [&](const char* what, void (*run)(benchmark::State&, const Words&)) {
      const Words words = set.second;
      benchmark::RegisterBenchmark((std::string("Entropy") + what + "/" + set.first).c_str(),
                                   [=](benchmark::State& state) { run(state, words); });
    };
    add("Decode", EntropyDecode);
    add("Encode", EntropyEncode);
    add("Estimate", EntropyEstimate);
    add("Parse", EntropyParse);
    add("Point", EntropyPoint);
    add("Count", EntropyCount);
    add("Bits", EntropyBits);
    add("Build", EntropyBuild);
  }
}

void RegisterWords() {
  const WordShape int8{WordKind::kInt, 8};
  const WordShape float8{WordKind::kFloat8, 8};
  const auto add = [](const char* name, const WordShape& shape, uint8_t number, const Words& words) {
    benchmark::RegisterBenchmark((std::string("WordsDecode/") + name).c_str(),
                                 [=](benchmark::State& s) { WordsDecode(s, shape, number, words); });
    benchmark::RegisterBenchmark((std::string("WordsEncode/") + name).c_str(),
                                 [=](benchmark::State& s) { WordsEncode(s, shape, number, words); });
  };
  uint64_t sum = 0;
  const auto walk = Fill(kRows, [&](auto& r) { return sum += 1000 + r() % 8; });
  double level = 50;
  const auto decimals = Fill(kRows, [&](auto& r) {
    level += std::normal_distribution<double>(0, 1)(r);
    return std::bit_cast<uint64_t>(std::round(level * 100) / 100);
  });
  const auto floats = Fill(kRows, [&](auto& r) {
    level += std::normal_distribution<double>(0, 1)(r);
    return std::bit_cast<uint64_t>(level);
  });
  add("frame", int8, kFrame, Fill(kRows, [](auto& r) { return 1'000'000 + r() % 1000; }));
  add("frame_outliers", int8, kFrame, Fill(kRows, [](auto& r) { return r() % 50 ? r() % 8 : r() >> 1; }));
  add("delta", int8, kDelta, walk);
  uint64_t rate = 0;
  uint64_t total = 0;
  add("delta_of_delta", int8, kDeltaOfDelta, Fill(kRows, [&](auto& r) { return total += rate += r() % 8; }));
  add("decimal", float8, kDecimal, decimals);
  add("gorilla", float8, kGorilla, floats);
  add("gorilla_repeats", float8, kGorilla, Fill(kRows, [](auto& r) {
        return std::bit_cast<uint64_t>(r() % 10 ? 1.5 : static_cast<double>(r() % 4));
      }));
  // Codes of a dictionary are integers of any codec, mostly frames.
  add("dictionary_codes", int8, kFrame, Fill(kRows, [](auto& r) { return r() % 100; }));
}

// ---- byte strings -------------------------------------------------------------------------------

// Vectors of values, and symbols learned from them all.
struct Texts {
  std::vector<std::string> values;
  std::string joined;
  FsstEncoder symbols;

  std::vector<std::string_view> Vector(size_t i) const {
    return {values.begin() + static_cast<ptrdiff_t>(i * kRows), values.begin() + static_cast<ptrdiff_t>((i + 1) * kRows)};
  }
  std::span<const uint8_t> Sample() const {
    return {reinterpret_cast<const uint8_t*>(joined.data()), std::min(joined.size(), kFsstSampleBytes)};
  }
};

Texts MakeTexts(const std::function<std::string(std::mt19937_64&)>& draw) {
  std::mt19937_64 random(1);
  Texts texts;
  for (size_t i = 0; i < 4 * kRows; i++) {
    texts.values.push_back(draw(random));
    texts.joined += texts.values.back();
  }
  if (!texts.symbols.Learn(texts.Sample())) Fail("nothing learned");
  return texts;
}

void BytesDecode(benchmark::State& state, const Texts& texts, uint8_t number) {
  FsstDecoder decoder;
  std::vector<uint8_t> table;
  base::ByteWriter table_out(&table);
  texts.symbols.WriteTable(&table_out);
  if (!decoder.Open({table.data(), table.size()})) Fail("table not read");
  BytesEncoder encoder(1);
  if (number == kBytesFsst) encoder.UseSymbols(&texts.symbols);
  std::vector<std::vector<uint8_t>> vectors(4);
  size_t stored = 0;
  for (size_t i = 0; i < 4; i++) {
    base::ByteWriter out(&vectors[i]);
    if (encoder.Encode(0, texts.Vector(i), &out) != number) Fail("another codec");
    stored += vectors[i].size();
  }
  std::vector<uint8_t> text(texts.joined.size());
  uint64_t lengths[kRows];
  size_t i = 0;
  int64_t bytes = 0;
  for (auto _ : state) {
    const std::vector<uint8_t>& in = vectors[i++ % 4];
    BytesVector vector;
    if (!OpenBytes(0, number, {in.data(), in.size()}, {nullptr, &decoder}, lengths, &vector) ||
        !CopyBytes(vector, text.data())) {
      Fail("not decoded");
    }
    bytes += static_cast<int64_t>(vector.total);
    benchmark::DoNotOptimize(text.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
  state.counters["share"] = static_cast<double>(stored) / static_cast<double>(texts.joined.size());
}

void BytesEncode(benchmark::State& state, const Texts& texts, uint8_t number) {
  BytesEncoder encoder(1);
  if (number == kBytesFsst) encoder.UseSymbols(&texts.symbols);
  std::vector<uint8_t> stored;
  size_t i = 0;
  for (auto _ : state) {
    stored.clear();
    base::ByteWriter out(&stored);
    encoder.Encode(0, texts.Vector(i++ % 4), &out);
    benchmark::DoNotOptimize(stored.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(i * texts.joined.size() / 4));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRows));
}

void FsstLearn(benchmark::State& state, const Texts& texts) {
  FsstEncoder symbols;
  for (auto _ : state) {
    if (!symbols.Learn(texts.Sample())) Fail("nothing learned");
    benchmark::DoNotOptimize(symbols);
  }
}

void RegisterBytes() {
  const auto hex = [](uint64_t v, int digits) {
    char text[20];
    std::snprintf(text, sizeof(text), "%0*llx", digits, static_cast<unsigned long long>(v));
    return std::string(text, static_cast<size_t>(digits));
  };
  const std::pair<const char*, std::function<std::string(std::mt19937_64&)>> sets[] = {
      {"addresses", [](auto& r) {
         return "10." + std::to_string(r() % 4) + "." + std::to_string(r() % 256) + "." + std::to_string(r() % 256);
       }},
      {"devices", [](auto& r) {
         return "sensor-" + std::to_string(100000 + r() % 900000) + "-" + static_cast<char>('A' + r() % 4);
       }},
      {"urls", [](auto& r) {
         return "https://www.example.com/items/" + std::to_string(r() % 100000) + "?page=" + std::to_string(r() % 20);
       }},
      {"uuids", [hex](auto& r) {
         return hex(r() >> 32, 8) + "-" + hex(r() >> 48, 4) + "-" + hex(r() >> 48, 4) + "-" + hex(r() >> 48, 4) + "-" + hex(r() >> 16, 12);
       }},
  };
  for (const auto& set : sets) {
    const auto texts = std::make_shared<Texts>(MakeTexts(set.second));
    const std::string name = set.first;
    for (const uint8_t number : {kBytesFsst, kBytesZstd}) {
      const std::string of = std::string(CodecName(number)) + "/" + name;
      benchmark::RegisterBenchmark(("BytesDecode/" + of).c_str(),
                                   [=](benchmark::State& s) { BytesDecode(s, *texts, number); });
      benchmark::RegisterBenchmark(("BytesEncode/" + of).c_str(),
                                   [=](benchmark::State& s) { BytesEncode(s, *texts, number); });
    }
    benchmark::RegisterBenchmark(("FsstLearn/" + name).c_str(), [=](benchmark::State& s) { FsstLearn(s, *texts); });
  }
}

}  // namespace
}  // namespace nodedb_ts::codec

int main(int argc, char** argv) {
  nodedb_ts::codec::RegisterEntropy();
  nodedb_ts::codec::RegisterWords();
  nodedb_ts::codec::RegisterBytes();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
