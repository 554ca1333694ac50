// Trained dictionaries: learning, the bytes of a set, segments that refer to one, and what happens without it.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "codec/zstd/trained.h"
#include "nodedb_ts/core.h"
#include "segment/dictionary_set.h"
#include "segment_checks.h"
#include "table_source.h"

namespace nodedb_ts::test {
namespace {

struct CloseDictionaries {
  void operator()(NtsDictionaries* d) const { nts_dictionaries_close(d); }
};
using DictionariesHandle = std::unique_ptr<NtsDictionaries, CloseDictionaries>;
struct FreeTrainer {
  void operator()(NtsTrainer* t) const { nts_trainer_free(t); }
};
using TrainerHandle = std::unique_ptr<NtsTrainer, FreeTrainer>;

// Paths of names that come again and again, but each of them rarely in one vector: what a dictionary is good for.
std::string Line(std::mt19937_64* random) {
  std::string line = "GET ";
  for (int i = 0; i < 3; i++) {
    std::mt19937_64 name((*random)() % 3000);
    line += '/';
    for (uint64_t letters = name(), n = 0; n < 9; n++, letters /= 26) line += static_cast<char>('a' + letters % 26);
  }
  return line + "?n=" + std::to_string((*random)() % 1000);
}

std::vector<std::string> Lines(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> lines;
  for (size_t i = 0; i < count; i++) lines.push_back(Line(&random));
  return lines;
}

void AddVectors(NtsTrainer* trainer, const std::vector<std::string>& values, size_t rows = 1024) {
  NtsStatus status = {};
  for (size_t at = 0; at < values.size(); at += rows) {
    std::vector<NtsSlice> slices;
    for (size_t i = at; i < std::min(at + rows, values.size()); i++) {
      slices.push_back({reinterpret_cast<const uint8_t*>(values[i].data()), values[i].size()});
    }
    ASSERT_EQ(NTS_OK, nts_trainer_add(trainer, slices.data(), static_cast<uint32_t>(slices.size()), &status));
  }
}

TrainerHandle MakeTrainer(const NtsColumn& column) {
  NtsStatus status = {};
  TrainerHandle trainer(nts_trainer_new(&column, &status));
  EXPECT_NE(nullptr, trainer) << status.message;
  return trainer;
}

NtsTraining Train(NtsTrainer* trainer) {
  NtsTraining training;
  NtsStatus status = {};
  EXPECT_EQ(NTS_OK, nts_trainer_train(trainer, &training, &status)) << status.message;
  return training;
}

std::vector<uint8_t> Write(NtsTrainer* trainer, uint32_t id, uint32_t column,
                           const NtsDictionaries* older = nullptr, std::vector<uint8_t> keep = {}) {
  const std::unique_ptr<bool[]> flags(new bool[keep.size() + 1]);
  for (size_t i = 0; i < keep.size(); i++) flags[i] = keep[i] != 0;
  const uint8_t* bytes;
  size_t length;
  NtsStatus status = {};
  EXPECT_EQ(NTS_OK, nts_trainer_write(trainer, id, column, older, flags.get(), static_cast<uint32_t>(keep.size()),
                                      &bytes, &length, &status)) << status.message;
  return {bytes, bytes + length};
}

// A set for column 1.
std::vector<uint8_t> TrainedSet(uint32_t id, uint64_t seed = 1) {
  const TrainerHandle trainer = MakeTrainer(TableSource::Var());
  AddVectors(trainer.get(), Lines(8 * 1024, seed));
  const NtsTraining training = Train(trainer.get());
  EXPECT_EQ(NTS_TRAINING_DONE, training.result);
  return Write(trainer.get(), id, 1);
}

DictionariesHandle OpenSet(const std::vector<uint8_t>& bytes) {
  NtsStatus status = {};
  DictionariesHandle set(nts_dictionaries_open(bytes.data(), bytes.size(), &status));
  EXPECT_NE(nullptr, set) << status.message;
  return set;
}

TableSource LogTable(size_t rows, uint64_t seed) {
  TableSource source(rows);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, seed);
  source.Add(TableSource::Var(), Pattern::kRandom, 10, seed);
  const std::vector<std::string> lines = Lines(rows, seed);
  for (size_t r = 0; r < rows; r++) {
    if (!source.nulls[1][r]) source.bytes[1][r] = lines[r];
  }
  return source;
}

// Rows of column 1 that decode to what was put in; -1: some vector is an error, whose code is *code.
int RightRows(NtsSegment* segment, const Built& built, const TableSource& source, NtsStatus* status) {
  NtsChunkInfo chunk;
  NtsRowGroupInfo group;
  int right = 0;
  EXPECT_EQ(NTS_OK, nts_segment_chunk(segment, 0, 1, &chunk, status));
  EXPECT_EQ(NTS_OK, nts_segment_row_group(segment, 0, &group, status));
  for (uint32_t v = 0; v < group.vectors; v++) {
    const Vector vector = ReadVector(segment, {built.bytes.data() + chunk.offset, chunk.length}, 0, 1, v);
    if (vector.code != NTS_OK) {
      *status = vector.status;
      return -1;
    }
    for (uint32_t r = 0; r < vector.rows; r++) {
      right += source.Same(1, vector.first_row + r, vector.values[r], vector.nulls[r]);
    }
  }
  return right;
}

Built BuildWith(const DictionariesHandle& set, const TableSource& source) {
  segment::SegmentBuildOptions options;
  options.dictionaries = set->set.get();
  return Build(source, options);
}

TEST(Trained, SegmentsReferToASetAndDecodeWithIt) {
  const std::vector<uint8_t> bytes = TrainedSet(77);
  DictionariesHandle set = OpenSet(bytes);
  EXPECT_EQ(77u, nts_dictionaries_id(set.get()));
  EXPECT_EQ(0u, nts_dictionaries_bytes(set.get(), 0));
  EXPECT_GT(nts_dictionaries_bytes(set.get(), 1), 1000u);
  const TableSource source = LogTable(700, 9);
  for (const uint8_t level : {1, 2}) {
    segment::SegmentBuildOptions options;
    options.level = level;
    const Built plain = Build(source, options);
    options.dictionaries = set->set.get();
    const Built built = Build(source, options);
    ASSERT_EQ(77u, built.summary.dictionaries);
    ASSERT_EQ(0u, plain.summary.dictionaries);
    EXPECT_LT(built.bytes.size() * 10, plain.bytes.size() * 9) << int{level};
    const SegmentHandle segment = Open(built, source.columns);
    NtsSegmentInfo info;
    NtsChunkInfo chunk;
    NtsStatus status = {};
    nts_segment_info(segment.get(), &info);
    EXPECT_EQ(77u, info.dictionaries);
    ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, 1, &chunk, &status));
    EXPECT_STREQ("zstd trained", nts_codec_name(chunk.codec));
    ASSERT_EQ(NTS_OK, nts_segment_use_dictionaries(segment.get(), set.get(), &status)) << status.message;
    EXPECT_EQ(700, RightRows(segment.get(), built, source, &status)) << status.message;
  }
}

TEST(Trained, ValuesOfOneWidthToo) {
  std::vector<std::string> values = Lines(8 * 1024, 3);
  for (std::string& value : values) value.resize(30);
  const TrainerHandle trainer = MakeTrainer(TableSource::Fixed(30));
  AddVectors(trainer.get(), values);
  ASSERT_EQ(NTS_TRAINING_DONE, Train(trainer.get()).result);
  const DictionariesHandle set = OpenSet(Write(trainer.get(), 8, 1));
  TableSource source(900);
  source.Add(TableSource::Int(8), Pattern::kSteps, 0, 1);
  source.Add(TableSource::Fixed(30), Pattern::kRandom, 20, 1);
  for (size_t r = 0; r < 900; r++) {
    if (!source.nulls[1][r]) source.bytes[1][r] = values[r * 7];
  }
  const Built built = BuildWith(set, source);
  ASSERT_EQ(8u, built.summary.dictionaries);
  const SegmentHandle segment = Open(built, source.columns);
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_use_dictionaries(segment.get(), set.get(), &status));
  EXPECT_EQ(900, RightRows(segment.get(), built, source, &status)) << status.message;
}

TEST(Trained, ASetOutlivesItsHandle) {
  DictionariesHandle set = OpenSet(TrainedSet(3));
  const TableSource source = LogTable(2000, 2);
  const Built built = BuildWith(set, source);
  const SegmentHandle segment = Open(built, source.columns);
  const uint64_t before = nts_segment_memory(segment.get());
  NtsStatus status = {};
  ASSERT_EQ(NTS_OK, nts_segment_use_dictionaries(segment.get(), set.get(), &status));
  set.reset();
  EXPECT_GT(nts_segment_memory(segment.get()), before + 10000);
  EXPECT_EQ(2000, RightRows(segment.get(), built, source, &status)) << status.message;
}

TEST(Trained, AFlushKeepsItsSet) {
  DictionariesHandle set = OpenSet(TrainedSet(21));
  const NtsColumn columns[] = {TableSource::Int(8), TableSource::Var()};
  const NtsSchema schema = {columns, 2, 0, 0};
  const NtsManagerOptions manager_options = {64 << 20, 1.0, 1000};
  NtsStatus status = {};
  NtsManager* manager = nts_manager_new(&manager_options, &status);
  ASSERT_NE(nullptr, manager);
  NtsPart* part = nts_part_new(manager, &schema, &status);
  ASSERT_NE(nullptr, part);
  const std::vector<std::string> lines = Lines(9000, 6);
  for (uint64_t i = 0; i < lines.size(); i++) {
    const NtsValue values[2] = {
        {i, 0, 0}, {reinterpret_cast<uintptr_t>(lines[i].data()), static_cast<uint32_t>(lines[i].size()), 0}};
    int result;
    ASSERT_EQ(NTS_OK, nts_part_append(part, values, NTS_NO_ROW_ID, 0, &result, &status));
  }
  NtsFlushOptions options = {8000, 65535, 1, 1, 4000000, 256 << 20, false, 1, set.get()};
  for (const uint32_t want : {21u, 0u}) {  // the second time it fails and begins anew, without
    ASSERT_EQ(NTS_OK, nts_flush_begin(part, &options, &status));
    set.reset();
    options.dictionaries = nullptr;
    NtsOutput output;
    ASSERT_EQ(NTS_OK, nts_flush_next(part, &output, &status)) << status.message;
    ASSERT_EQ(NTS_OUTPUT_SEGMENT, output.kind);
    EXPECT_EQ(9000u, output.rows);
    EXPECT_EQ(want, output.dictionaries);
    nts_flush_end(part, false);
  }
  nts_manager_free(manager);
}

TEST(Trained, WithoutItsSetASegmentSaysSo) {
  DictionariesHandle set = OpenSet(TrainedSet(5));
  const TableSource source = LogTable(700, 4);
  const Built built = BuildWith(set, source);
  const SegmentHandle segment = Open(built, source.columns);
  NtsStatus status = {};
  EXPECT_EQ(-1, RightRows(segment.get(), built, source, &status));
  EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
  EXPECT_STREQ("column chunk: its trained dictionary is missing", status.message);
  // another id
  const DictionariesHandle other = OpenSet(TrainedSet(6));
  EXPECT_EQ(NTS_ERR_CORRUPT, nts_segment_use_dictionaries(segment.get(), other.get(), &status));
  // another dictionary under the same id: frames know the one that they were made with
  const DictionariesHandle impostor = OpenSet(TrainedSet(5, 1234));
  ASSERT_EQ(NTS_OK, nts_segment_use_dictionaries(segment.get(), impostor.get(), &status));
  EXPECT_EQ(-1, RightRows(segment.get(), built, source, &status));
  EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
}

TEST(Trained, ASetTakesOverWhatIsKept) {
  const std::vector<uint8_t> first = TrainedSet(1);
  const DictionariesHandle older = OpenSet(first);
  const TrainerHandle trainer = MakeTrainer(TableSource::Var());
  AddVectors(trainer.get(), Lines(8 * 1024, 50));
  ASSERT_EQ(NTS_TRAINING_DONE, Train(trainer.get()).result);
  const DictionariesHandle both = OpenSet(Write(trainer.get(), 2, 4, older.get(), {1, 1, 1, 1, 1}));
  EXPECT_EQ(2u, nts_dictionaries_id(both.get()));
  EXPECT_EQ(nts_dictionaries_bytes(older.get(), 1), nts_dictionaries_bytes(both.get(), 1));
  EXPECT_GT(nts_dictionaries_bytes(both.get(), 4), 0u);
  const DictionariesHandle one = OpenSet(Write(trainer.get(), 3, 4, older.get(), {1, 0, 1, 1, 1}));
  EXPECT_EQ(0u, nts_dictionaries_bytes(one.get(), 1));
  const DictionariesHandle replaced = OpenSet(Write(trainer.get(), 4, 1, older.get(), {1, 1}));
  EXPECT_EQ(nts_dictionaries_bytes(both.get(), 4), nts_dictionaries_bytes(replaced.get(), 1));
}

TEST(Trained, TheSameValuesGiveTheSameBytes) { EXPECT_EQ(TrainedSet(9), TrainedSet(9)); }

TEST(Trained, TooFewValuesAndNoGainAreTold) {
  const TrainerHandle few = MakeTrainer(TableSource::Var());
  EXPECT_EQ(NTS_TRAINING_TOO_FEW, Train(few.get()).result);
  AddVectors(few.get(), Lines(500, 1));
  EXPECT_EQ(NTS_TRAINING_TOO_FEW, Train(few.get()).result);
  const uint8_t* bytes;
  size_t length;
  NtsStatus status = {};
  EXPECT_EQ(NTS_ERR_BUG, nts_trainer_write(few.get(), 1, 0, nullptr, nullptr, 0, &bytes, &length, &status));

  const TrainerHandle noise = MakeTrainer(TableSource::Fixed(16));
  std::mt19937_64 random(3);
  std::vector<std::string> values(8192, std::string(16, '\0'));
  for (std::string& v : values) {
    for (char& c : v) c = static_cast<char>(random());
  }
  AddVectors(noise.get(), values);
  NtsTraining training = Train(noise.get());
  EXPECT_EQ(NTS_TRAINING_NO_GAIN, training.result);
  EXPECT_GT(training.test_values, 1000u);

  const TrainerHandle labels = MakeTrainer(TableSource::Var());
  for (size_t i = 0; i < values.size(); i++) values[i] = "a name of some length, number " + std::to_string(random() % 50);
  AddVectors(labels.get(), values);
  training = Train(labels.get());
  EXPECT_EQ(NTS_TRAINING_NO_GAIN, training.result);  // codes of a dictionary of the chunk
  EXPECT_LT(training.plain_bytes, training.test_bytes / 10);

  const NtsColumn number = TableSource::Int(8);
  EXPECT_EQ(nullptr, nts_trainer_new(&number, &status));
}

TEST(Trained, LongValuesAndManyVectorsStayInBounds) {
  const TrainerHandle trainer = MakeTrainer(TableSource::Var());
  std::vector<std::string> values = Lines(300, 1);
  for (int i = 0; i < 300; i += 3) values[static_cast<size_t>(i)] = std::string(100000, static_cast<char>('a' + i % 26));
  values[7].clear();
  AddVectors(trainer.get(), values, 1);
  const NtsTraining training = Train(trainer.get());
  EXPECT_LE(training.sample_bytes, uint64_t{4} << 20);
  EXPECT_LE(training.test_bytes, uint64_t{4} << 20);
  EXPECT_LE(training.test_values, 64u);
}

TEST(Trained, HostileSetsAreRefused) {
  const std::vector<uint8_t> bytes = TrainedSet(12);
  NtsStatus status = {};
  for (size_t length : {size_t{0}, size_t{3}, size_t{4}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_EQ(nullptr, nts_dictionaries_open(bytes.data(), length, &status));
    EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
  }
  std::mt19937_64 random(1);
  int opened = 0;
  for (int i = 0; i < 400; i++) {
    std::vector<uint8_t> damaged = bytes;
    // with a checksum that fits, so that what is behind it is looked at; half of them in the head
    const size_t reach = i % 2 ? damaged.size() - 4 : 40;
    damaged[random() % reach] ^= static_cast<uint8_t>(1u << random() % 8);
    const uint32_t crc = nts_crc32c(0, damaged.data(), damaged.size() - 4);
    std::memcpy(damaged.data() + damaged.size() - 4, &crc, 4);
    const DictionariesHandle set(nts_dictionaries_open(damaged.data(), damaged.size(), &status));
    opened += set != nullptr;
    if (set == nullptr) {
      EXPECT_TRUE(status.code == NTS_ERR_CORRUPT || status.code == NTS_ERR_UNSUPPORTED);
    }
  }
  EXPECT_LT(opened, 400);
}

// Dictionaries of 1 MB: a trained one, and bytes in front of which it stands.
TEST(Trained, ASetIsBounded) {
  const DictionariesHandle trained = OpenSet(TrainedSet(1));
  const std::span<const uint8_t> head = trained->set->Find(1)->content();
  std::vector<uint8_t> large(head.begin(), head.end());
  large.resize(1 << 20);
  std::map<uint32_t, std::span<const uint8_t>> contents;
  for (uint32_t column = 0; column < 15; column++) contents[column] = large;
  std::vector<uint8_t> bytes;
  ASSERT_TRUE(segment::WriteDictionarySet(2, contents, &bytes).ok());
  const DictionariesHandle older = OpenSet(bytes);
  const TrainerHandle trainer = MakeTrainer(TableSource::Var());
  AddVectors(trainer.get(), Lines(8 * 1024, 50));
  ASSERT_EQ(NTS_TRAINING_DONE, Train(trainer.get()).result);
  const std::vector<uint8_t> fits = Write(trainer.get(), 3, 15, older.get(), std::vector<uint8_t>(15, 1));
  ASSERT_NE(nullptr, OpenSet(fits));
  // one more: neither written nor, when somebody has, read
  contents[15] = large;
  ASSERT_TRUE(segment::WriteDictionarySet(2, contents, &bytes).ok());
  const DictionariesHandle full = OpenSet(bytes);
  const std::unique_ptr<bool[]> keep(new bool[16]);
  std::fill(keep.get(), keep.get() + 16, true);
  const uint8_t* written;
  size_t length;
  NtsStatus status = {};
  EXPECT_EQ(NTS_ERR_LIMIT, nts_trainer_write(trainer.get(), 3, 16, full.get(), keep.get(), 16, &written, &length, &status));
  // but one of those that are there can be had anew
  EXPECT_EQ(NTS_OK, nts_trainer_write(trainer.get(), 3, 15, full.get(), keep.get(), 16, &written, &length, &status));
  std::vector<uint8_t> more(bytes.begin(), bytes.end() - 4);
  std::vector<uint8_t> one;
  ASSERT_TRUE(segment::WriteDictionarySet(2, {{16, large}}, &one).ok());
  more.insert(more.end(), one.begin() + 13, one.end());  // behind the count
  more[12] = 17;
  const uint32_t crc = nts_crc32c(0, more.data(), more.size() - 4);
  std::memcpy(more.data() + more.size() - 4, &crc, 4);
  EXPECT_EQ(nullptr, nts_dictionaries_open(more.data(), more.size(), &status));
  EXPECT_EQ(NTS_ERR_CORRUPT, status.code);
  EXPECT_STREQ("trained dictionaries: bad frame", status.message);
}

// Wrong tables are damage, no memory is not. The system gives no more from here on: what is too large to lie in what the
// process has already cannot be had.
TEST(Trained, WithoutMemoryNothingIsDamaged) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer needs memory of its own";
#endif
  const DictionariesHandle trained = OpenSet(TrainedSet(1));
  const std::span<const uint8_t> head = trained->set->Find(1)->content();
  std::vector<uint8_t> large(head.begin(), head.end());
  large.resize(size_t{128} << 20);
  std::vector<uint8_t> wrong = large;
  wrong[9] ^= 0xff;
  EXPECT_EQ(nullptr, codec::TrainedDictionary::Open(std::move(wrong)));
  struct rlimit before;
  ASSERT_EQ(0, getrlimit(RLIMIT_AS, &before));
  const struct rlimit none = {size_t{1} << 20, before.rlim_max};
  ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
  bool refused = false;
  bool damaged = false;
  try {
    damaged = codec::TrainedDictionary::Open(std::move(large)) == nullptr;
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  ASSERT_EQ(0, setrlimit(RLIMIT_AS, &before));
  EXPECT_FALSE(damaged);
  EXPECT_TRUE(refused);
}

TEST(Trained, DamagedVectorsAreRefusedOrDecodeInBounds) {
  const DictionariesHandle set = OpenSet(TrainedSet(5));
  const TableSource source = LogTable(3000, 4);
  const Built built = BuildWith(set, source);
  const SegmentHandle segment = Open(built, source.columns);
  NtsStatus status = {};
  NtsChunkInfo chunk;
  ASSERT_EQ(NTS_OK, nts_segment_use_dictionaries(segment.get(), set.get(), &status));
  ASSERT_EQ(NTS_OK, nts_segment_chunk(segment.get(), 0, 1, &chunk, &status));
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 500; i++) {
    std::vector<uint8_t> bytes(built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset),
                               built.bytes.begin() + static_cast<ptrdiff_t>(chunk.offset + chunk.length));
    bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
    for (uint32_t v = 0; v < 3; v++) refused += ReadVector(segment.get(), bytes, 0, 1, v).code == NTS_ERR_CORRUPT;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace nodedb_ts::test
