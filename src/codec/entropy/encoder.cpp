// Makes tables and encodes with them.
#include <algorithm>
#include <cstring>

#include "codec/bitpack/bitpack.h"
#include "codec/entropy/entropy.h"
#include "codec/entropy/token.h"

namespace nodedb_ts::codec {

using entropy::kNoSymbol;

namespace {

constexpr uint64_t kOne = EntropyHistogram::kOne;

struct Weighted {
  uint64_t weight;
  uint32_t index;
  // For heaps; by index where weights are equal, so that the order is always the same.
  bool operator<(const Weighted& o) const {
    return weight != o.weight ? weight < o.weight : index > o.index;
  }
};

// Gives each of n tokens a count >= 1, sum 2^log, that makes the cost of all values least.
// REQUIRES n <= 2^log.
void Normalize(const uint64_t* values, uint32_t n, uint64_t total, unsigned log, uint16_t* counts) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    counts[i] = static_cast<uint16_t>(std::max<uint64_t>(1, (values[i] << log) / total));
    sum += counts[i];
  }
  const uint32_t size = 1u << log;
  if (sum == size) return;
  // One state more saves, one less costs, this much; the smallest cost is the greatest ~cost.
  const bool add = sum < size;
  const auto weight = [&](uint32_t i) -> uint64_t {
    if (add) return values[i] * (entropy::Log2(counts[i] + 1u) - entropy::Log2(counts[i]));
    return ~(values[i] * (entropy::Log2(counts[i]) - entropy::Log2(counts[i] - 1u)));
  };
  std::array<Weighted, kEntropyMaxTokens> heap;
  uint32_t heap_size = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (add || counts[i] > 1) heap[heap_size++] = {weight(i), i};
  }
  std::make_heap(heap.begin(), heap.begin() + heap_size);
  for (; sum != size; sum += add ? 1u : -1u) {
    std::pop_heap(heap.begin(), heap.begin() + heap_size);
    const uint32_t i = heap[heap_size - 1].index;
    counts[i] = static_cast<uint16_t>(add ? counts[i] + 1 : counts[i] - 1);
    heap_size--;
    if (!add && counts[i] == 1) continue;
    heap[heap_size++] = {weight(i), i};
    std::push_heap(heap.begin(), heap.begin() + heap_size);
  }
}

// Bits are stored eight bytes at a time, those behind the last one too.
class BitOut {
 public:
  explicit BitOut(uint8_t* out) : begin_(out), at_(out) {}
  void Put(uint64_t bits, unsigned count) {  // count 0..56, no bits above count
    pending_ |= bits << filled_;
    filled_ += count;
    base::StoreLe<uint64_t>(at_, pending_);
    at_ += filled_ / 8;
    pending_ >>= filled_ & ~7u;  // never 64: at most 7 + 56
    filled_ %= 8;
  }
  size_t Finish() { return static_cast<size_t>(at_ - begin_) + (filled_ > 0); }

 private:
  uint8_t* begin_;
  uint8_t* at_;
  uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

// In 1 / 512 of the cost, for what a reader of one vector pays: 2^9 states take it about half a
// microsecond to make.
constexpr uint8_t kLogPrice[kEntropyMaxLog + 1] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 5};

constexpr size_t kMaxBytes =
    (4 * kEntropyMaxLog + kMaxVectorRows * (kEntropyMaxLog + 63)) / 8 + 1 + sizeof(uint64_t);

}  // namespace

bool EntropyEncoder::Build(const EntropyHistogram& histogram) {
  table_.clear();
  if (histogram.count() == 0) return false;
  counts_.split = histogram.Choose().split;
  // Bins to tokens; both are in the order of values.
  uint64_t values[kEntropyMaxTokens];
  uint64_t plain_bits = 0;
  uint32_t n = 0;
  symbol_of_bin_.fill(kNoSymbol);
  for (size_t bin = 0; bin < kEntropyBins; bin++) {
    if (histogram.bins()[bin] == 0) continue;
    const size_t token = entropy::TokenOfBin(bin, counts_.split);
    if (n == 0 || counts_.token[n - 1] != token) {
      if (n == kEntropyMaxTokens) return false;
      counts_.token[n] = static_cast<uint16_t>(token);
      values[n++] = 0;
    }
    values[n - 1] += histogram.bins()[bin];
    plain_bits += histogram.bins()[bin] * uint64_t{entropy::RawBits(token, counts_.split)} * kOne;
  }
  counts_.size = n;
  // Values of no bin that came up may share a token with some that did.
  for (size_t bin = 0; bin < kEntropyBins; bin++) {
    const auto begin = counts_.token.begin();
    const size_t token = entropy::TokenOfBin(bin, counts_.split);
    const auto at = std::lower_bound(begin, begin + n, token);
    if (at != begin + n && *at == token) symbol_of_bin_[bin] = static_cast<uint16_t>(at - begin);
  }

  const uint64_t total = histogram.count();
  const uint64_t vectors = (total + kMaxVectorRows - 1) / kMaxVectorRows;
  uint64_t least = UINT64_MAX;
  EntropyCounts trial = counts_;
  const unsigned first = n == 1 ? 0 : base::BitWidth(n - 1);
  const unsigned last = n == 1 ? 0 : kEntropyMaxLog;
  for (unsigned log = first; log <= last; log++) {
    trial.log = static_cast<uint8_t>(log);
    Normalize(values, n, total, log, trial.count.data());
    uint64_t values_cost = plain_bits;
    for (uint32_t i = 0; i < n; i++) {
      values_cost += values[i] * (log * kOne - entropy::Log2(trial.count[i]));
    }
    // A vector's states cost, but the last value of each stream comes with its state.
    const uint64_t stream_cost =
        vectors * log * kOne - std::min(vectors * log * kOne, values_cost * vectors / total);
    std::vector<uint8_t> bytes;
    base::ByteWriter out(&bytes);
    for (const unsigned streams : {4, 2, 1}) {
      uint64_t cost = values_cost + streams * stream_cost;
      // Fewer streams decode more slowly, more states take time to make: not for too little.
      cost += cost / 96 * (4 / streams - 1) + cost / 512 * kLogPrice[log];
      if (cost >= least) continue;
      trial.streams = static_cast<uint8_t>(streams);
      bytes.clear();
      trial.Write(&out);
      cost += bytes.size() * 8 * kOne;
      if (cost >= least) continue;
      least = cost;
      counts_ = trial;
      table_ = bytes;
    }
  }
  MakeStates();
  return true;
}

void EntropyEncoder::MakeStates() {
  const unsigned log = counts_.log;
  const uint32_t size = 1u << log;
  const uint32_t step = entropy::SpreadStep(log);
  uint8_t symbol_at[size_t{1} << kEntropyMaxLog];
  uint32_t filled[kEntropyMaxTokens];
  uint32_t sum = 0;
  for (uint32_t i = 0; i < counts_.size; i++) {
    const uint32_t count = counts_.count[i];
    for (uint32_t j = 0; j < count; j++) {
      symbol_at[(sum + j) * step & (size - 1)] = static_cast<uint8_t>(i);
    }
    // States at or above count << most give `most` bits, others one less.
    const unsigned most = log - (base::BitWidth(count) - 1);
    Symbol& s = symbols_[i];
    s.add_bits = (most << 16) - (count << most);
    s.add_state = static_cast<int32_t>(sum) - static_cast<int32_t>(count);
    s.raw = static_cast<uint8_t>(entropy::RawBits(counts_.token[i], counts_.split));
    s.cost = static_cast<uint32_t>(log * kOne - entropy::Log2(count) + s.raw * kOne);
    filled[i] = sum;
    sum += count;
  }
  for (uint32_t i = size; i-- > 0;) symbols_[symbol_at[i]].start = static_cast<uint16_t>(i);
  for (uint32_t i = 0; i < size; i++) states_[filled[symbol_at[i]]++] = static_cast<uint16_t>(i);
}

size_t EntropyEncoder::EstimateBytes(std::span<const uint64_t> values) const {
  const size_t n = values.size();
  const size_t streams = n < entropy::kOneStreamBelow ? 1 : counts_.streams;
  uint64_t cost = streams * counts_.log * kOne;
  for (size_t i = 0; i < n; i++) {
    const uint16_t symbol = symbol_of_bin_[entropy::BinOf(values[i])];
    if (symbol == kNoSymbol) return SIZE_MAX;
    // The last ones are the states that the decoder ends with.
    cost += i + streams < n ? symbols_[symbol].cost : symbols_[symbol].raw * kOne;
  }
  return static_cast<size_t>((cost + 8 * kOne - 1) / (8 * kOne));
}

size_t EntropyEncoder::EstimateBytes(std::span<const EntropyBin> bins, size_t values) const {
  if (values == 0) return 0;
  const size_t streams = values < entropy::kOneStreamBelow ? 1 : counts_.streams;
  uint64_t tokens = 0;
  uint64_t raw = 0;
  for (const EntropyBin& b : bins) {
    const uint16_t number = symbol_of_bin_[b.bin];
    if (number == kNoSymbol) return SIZE_MAX;
    const Symbol& s = symbols_[number];
    tokens += uint64_t{s.cost} * b.count;
    raw += uint64_t{s.raw} * b.count;
  }
  raw *= kOne;
  tokens -= raw;
  // The last ones are the states that the decoder ends with.
  tokens -= tokens * std::min(streams, values) / values;
  return static_cast<size_t>((streams * counts_.log * kOne + tokens + raw + 8 * kOne - 1) / (8 * kOne));
}

// The encoder goes backwards: what the decoder reads first is made last.
template <size_t kStreams>
void EntropyEncoder::EncodeTokens(const uint16_t* symbols, size_t n, uint32_t* emitted,
                                  uint32_t* first_states) const {
  const uint32_t size = 1u << counts_.log;
  uint32_t state[kStreams] = {};
  size_t i = n;
  while (i > n - kStreams) {
    i--;
    state[i % kStreams] = symbols_[symbols[i]].start;
  }
  const auto step = [&](uint32_t* at) {
    i--;
    const Symbol& s = symbols_[symbols[i]];
    const uint32_t x = *at + size;
    const uint32_t bits = (x + s.add_bits) >> 16;
    emitted[i] = (x & ((1u << bits) - 1)) | bits << 16;
    *at = states_[static_cast<size_t>(static_cast<int32_t>(x >> bits) + s.add_state)];
  };
  while (i % kStreams != 0) step(&state[i % kStreams - 1]);
  while (i > 0) {
    for (size_t k = kStreams; k-- > 0;) step(&state[k]);
  }
  std::copy(state, state + kStreams, first_states);
}

bool EntropyEncoder::Encode(std::span<const uint64_t> values, base::ByteWriter* out) const {
  const size_t n = values.size();
  uint16_t symbols[kMaxVectorRows];
  bool known = true;
  for (size_t i = 0; i < n; i++) {
    symbols[i] = symbol_of_bin_[entropy::BinOf(values[i])];
    known &= symbols[i] != kNoSymbol;
  }
  if (!known) return false;
  const size_t streams = n < entropy::kOneStreamBelow ? 1 : counts_.streams;
  uint32_t emitted[kMaxVectorRows];  // bits, and their number above the 16th
  uint32_t state[4];
  switch (streams) {
    case 1: EncodeTokens<1>(symbols, n, emitted, state); break;
    case 2: EncodeTokens<2>(symbols, n, emitted, state); break;
    default: EncodeTokens<4>(symbols, n, emitted, state); break;
  }
  uint8_t bytes[kMaxBytes];
  BitOut bit_out(bytes);
  for (size_t i = 0; i < streams; i++) bit_out.Put(state[i], counts_.log);
  const size_t steps = n - streams;
  size_t i = 0;
  for (; i + 4 <= steps; i += 4) {  // together at most 4 * kEntropyMaxLog bits
    uint64_t four = 0;
    unsigned count = 0;
    for (size_t j = i; j < i + 4; j++) {
      four |= uint64_t{emitted[j] & 0xFFFF} << count;
      count += emitted[j] >> 16;
    }
    bit_out.Put(four, count);
  }
  for (; i < steps; i++) bit_out.Put(emitted[i] & 0xFFFF, emitted[i] >> 16);
  const unsigned max_raw = counts_.MaxRawBits();
  if (max_raw > 0) {
    for (i = 0; i < n; i++) {
      const unsigned raw = symbols_[symbols[i]].raw;
      const uint64_t v = values[i] & ~(~uint64_t{0} << raw);
      if (max_raw <= 56) {
        bit_out.Put(v, raw);
      } else {
        bit_out.Put(v & UINT32_MAX, std::min(raw, 32u));
        bit_out.Put(v >> 32, raw - std::min(raw, 32u));
      }
    }
  }
  out->Bytes(bytes, bit_out.Finish());
  return true;
}

}  // namespace nodedb_ts::codec
