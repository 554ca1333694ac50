#include "exec/exact.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "codec/numeric/numeric.h"

namespace nodedb_ts::exec {
namespace {

using Wide = __int128;
using Bytes = std::array<uint8_t, codec::kMaxScaledNumericBytes>;

Wide Value(const NtsWideSum& sum) { return (static_cast<Wide>(sum.high) << 64) | sum.low; }

constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();
const uint8_t kNanBytes[] = {0x00, 0xC0};

// The bytes of k / 10^scale.
class Numerics {
 public:
  explicit Numerics(const std::vector<codec::ScaledNumeric>& numbers) : bytes_(numbers.size()) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      slices_.push_back({bytes_[i].data(), codec::WriteNumeric(numbers[i], bytes_[i].data())});
    }
  }
  std::vector<NtsSlice>& slices() { return slices_; }

 private:
  std::vector<Bytes> bytes_;
  std::vector<NtsSlice> slices_;
};

TEST(ExactSums, NumericsOfSeveralScales) {
  Numerics numbers({{150, 2}, {-2, 0}, {0, 0}, {12345, 4}, {700, 2}, {-1, 4}});
  NtsExactSums sums = {};
  EXPECT_EQ(6u, SumNumerics(numbers.slices(), true, &sums));
  EXPECT_EQ(4u, sums.scale);
  EXPECT_EQ(2u, sums.scale_count);
  EXPECT_EQ(6u, sums.count);
  EXPECT_EQ(15000 - 20000 + 12345 + 70000 - 1, static_cast<int64_t>(Value(sums.sum)));
  EXPECT_EQ(15000LL * 15000 + 20000LL * 20000 + 12345LL * 12345 + 70000LL * 70000 + 1,
            static_cast<int64_t>(Value(sums.squares)));
}

TEST(ExactSums, RandomNumericsAreThoseOfALoop) {
  std::mt19937_64 random(3);
  std::vector<codec::ScaledNumeric> list;
  Wide sum = 0, squares = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto scale = static_cast<uint16_t>(random() % 7);
    const int64_t k = static_cast<int64_t>(random()) >> (30 + random() % 33);
    list.push_back({k, scale});
    Wide at_six = k;
    for (unsigned s = scale; s < 6; ++s) at_six *= 10;
    sum += at_six;
    squares += at_six * at_six;
  }
  list.push_back({0, 6});
  Numerics numbers(list);
  NtsExactSums sums = {};
  ASSERT_EQ(list.size(), SumNumerics(numbers.slices(), true, &sums));
  EXPECT_TRUE(sum == Value(sums.sum));
  EXPECT_TRUE(squares == Value(sums.squares));
}

TEST(ExactSums, StopsBeforeWhatDoesNotFit) {
  Numerics numbers({{1, 0}, {2, 0}, {kGreatest, 0}, {5, 1}, {7, 30}});
  NtsExactSums sums = {};
  const std::span<NtsSlice> all(numbers.slices());
  // 10 * kGreatest is beyond 64 bits, but only the sum is scaled.
  EXPECT_EQ(4u, SumNumerics(all, false, &sums));
  EXPECT_TRUE((Wide{kGreatest} + 3) * 10 + 5 == Value(sums.sum));
  EXPECT_EQ(0u, SumNumerics(all.subspan(2, 1), false, &sums));  // a tenth of kGreatest would fit
  EXPECT_EQ(0u, SumNumerics(all.subspan(4), false, &sums));     // 29 digits more
  EXPECT_EQ(1u, sums.scale);
  EXPECT_EQ(4u, sums.count);
  numbers.slices()[1] = {kNanBytes, 2};
  sums = {};
  EXPECT_EQ(1u, SumNumerics(all, true, &sums));
  EXPECT_EQ(1u, sums.count);
  EXPECT_EQ(0u, SumNumerics(all.subspan(1), true, &sums));
}

TEST(ExactSums, StopsBeforeSquaresOverflow) {
  NtsExactSums sums = {};
  const std::vector<uint64_t> words(5, static_cast<uint64_t>(std::numeric_limits<int64_t>::min()));
  // Two times 2^126 is 2^127, one too many.
  EXPECT_EQ(1u, SumSquares(words.data(), nullptr, words.size(), &sums));
  EXPECT_EQ(1u, sums.count);
  EXPECT_TRUE(Value(sums.squares) == Wide{1} << 126);
  EXPECT_TRUE(Value(sums.sum) == std::numeric_limits<int64_t>::min());
  EXPECT_EQ(0u, SumSquares(words.data(), nullptr, words.size(), &sums));
  Numerics large({{kGreatest, 3}, {kGreatest, 3}, {kGreatest, 3}});
  sums = {};
  EXPECT_EQ(2u, SumNumerics(large.slices(), true, &sums));
  EXPECT_EQ(3u, SumNumerics(large.slices(), false, &sums));
}

TEST(ExactSums, SquaresOfInts) {
  const std::vector<int64_t> values = {3, -4, 99, 1'000'000'007, 0, -2'147'483'648};
  const std::vector<uint8_t> nulls = {0, 0, 1, 0, 0, 0};
  std::vector<uint64_t> words;
  for (const int64_t value : values) words.push_back(static_cast<uint64_t>(value));
  NtsExactSums sums = {};
  EXPECT_EQ(6u, SumSquares(words.data(), nulls.data(), words.size(), &sums));
  EXPECT_EQ(5u, sums.count);
  EXPECT_TRUE(Value(sums.sum) == Wide{-1} + 1'000'000'007 - 2'147'483'648);
  EXPECT_TRUE(Value(sums.squares) == Wide{25} + Wide{1'000'000'007} * 1'000'000'007 + (Wide{1} << 62));
}

std::string Quotient(Wide sum, uint64_t count) {
  uint8_t bytes[NTS_QUOTIENT_BYTES];
  const NtsWideSum wide = {static_cast<uint64_t>(sum), static_cast<int64_t>(sum >> 64)};
  const size_t length = QuotientNumeric(wide, count, bytes);
  if (length == 0) return "";
  // head, weight, digits to base 10 000
  std::string text;
  uint16_t head;
  std::memcpy(&head, bytes, 2);
  if ((head & 0xc000) != 0x8000) return "long";
  const int weight = static_cast<int8_t>((head & 0x7f) << 1) >> 1;
  if (head & 0x2000) text = "-";
  text += "s" + std::to_string((head >> 7) & 0x3f) + " w" + std::to_string(weight);
  for (size_t i = 2; i < length; i += 2) {
    uint16_t digit;
    std::memcpy(&digit, bytes + i, 2);
    text += " " + std::to_string(digit);
  }
  return text;
}

// What PostgreSQL's avg stores for these sums and counts.
TEST(QuotientNumeric, IsWhatNumericDivGives) {
  EXPECT_EQ("s16 w0 2", Quotient(4, 2));
  EXPECT_EQ("s20 w-1 5000", Quotient(1, 2));                     // 0.50000000000000000000
  EXPECT_EQ("s20 w-1 3333 3333 3333 3333 3333", Quotient(1, 3));
  EXPECT_EQ("s16 w0 1 6666 6666 6666 6667", Quotient(5, 3));
  EXPECT_EQ("-s16 w0 1 6666 6666 6666 6667", Quotient(-5, 3));
  EXPECT_EQ("s20 w0", Quotient(0, 7));
  EXPECT_EQ("s0 w4 922 3372 368 5477 5807", Quotient(kGreatest, 1));
  EXPECT_EQ("s0 w4 1844 6744 737 955 1615", Quotient((Wide{1} << 64) - 1, 1));
  EXPECT_EQ("", Quotient(Wide{1} << 64, 1));                     // more than 64 bits
  EXPECT_EQ("", Quotient(-(Wide{1} << 64), 1));
  EXPECT_EQ("s16 w1 1 1 5000", Quotient(20003, 2));              // the first digits are alike: one digit less is expected
}

TEST(ExtremeNumeric, TakesTheLastOfEqualOnes) {
  Numerics numbers({{15, 1}, {150, 2}, {-3, 0}, {1500, 3}, {-30, 1}, {14, 1}});
  size_t place = 99;
  EXPECT_EQ(6u, ExtremeNumeric(numbers.slices(), true, &place));
  EXPECT_EQ(3u, place);
  EXPECT_EQ(6u, ExtremeNumeric(numbers.slices(), false, &place));
  EXPECT_EQ(4u, place);
}

TEST(ExtremeNumeric, StopsBeforeWhatItCannotCompare) {
  Numerics numbers({{kGreatest, 0}, {-kGreatest, 18}, {1, 19}, {5, 0}});
  size_t place = 99;
  EXPECT_EQ(2u, ExtremeNumeric(numbers.slices(), true, &place));
  EXPECT_EQ(0u, place);
  numbers.slices()[0] = {kNanBytes, 2};
  place = 99;
  EXPECT_EQ(0u, ExtremeNumeric(numbers.slices(), true, &place));
  EXPECT_EQ(99u, place);
}

}  // namespace
}  // namespace nodedb_ts::exec
