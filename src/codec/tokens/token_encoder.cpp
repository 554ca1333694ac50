#include "codec/tokens/token_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>

#include "codec/tokens/model_coder.h"

namespace nodedb_ts::codec {
namespace {

// A context is a state when it occurs this often, a word a transition of it.
constexpr uint32_t kMinContext = 4;
constexpr uint32_t kMinLiteral = 2;
// Limits of what learning takes: text that reaches them has little structure to be found.
constexpr size_t kMaxTokens = size_t{1} << 21;  // distinct ones
constexpr size_t kMaxContexts = size_t{1} << 21;
constexpr size_t kMaxTextTokens = size_t{12} << 20;

struct EncodeIo : BinaryEncoder {
  using BinaryEncoder::BinaryEncoder;
  static constexpr bool kCountOnly = false;
};

// Counts zeros and ones of every adaptive bit.
struct CountIo {
  static constexpr bool kDecode = false;
  static constexpr bool kCountOnly = false;
  struct Counts {
    uint32_t n[2] = {};
    uint32_t vectors = 0;
    uint32_t last = 0;
  };
  const Bit* base;
  std::vector<Counts>* counts;
  uint32_t vector = 0;

  bool Code(Bit* b, bool bit) {
    Counts& c = (*counts)[static_cast<size_t>(b - base)];
    c.n[bit]++;
    if (c.last != vector) {
      c.last = vector;
      c.vectors++;
    }
    return bit;
  }
  uint64_t Raw(uint64_t v, unsigned) { return v; }
};

// Looks at values only.
struct ClassStats {
  uint64_t hits[3] = {};
  uint64_t count = 0;
  uint64_t max = 0;
  uint32_t direct[65] = {};
  uint32_t delta[65] = {};
  uint64_t first_width = 0;
  bool natural = true;
  bool same_width = true;
};
struct StatsIo {
  static constexpr bool kDecode = false;
  static constexpr bool kCountOnly = true;
  std::vector<ClassStats>* stats;
  const TokenModel* model;
  const std::vector<ValueClass>* classes;

  bool Code(Bit*, bool bit) { return bit; }
  uint64_t Raw(uint64_t v, unsigned) { return v; }
  void Saw(uint32_t number, uint32_t hit, const TokenValue& value, const TokenValue& before) {
    const uint8_t kind = (*classes)[number].kind;
    if (kind >= kTokenUuid) return;
    ClassStats& s = (*stats)[number];
    s.hits[hit]++;
    if (s.count++ == 0) s.first_width = value.b;
    s.same_width &= s.first_width == value.b;
    s.natural &= NaturalDigits(kind, value.a) == value.b;
    s.max = std::max(s.max, value.a);
    if (hit < 2) return;
    s.direct[std::bit_width(value.a)]++;
    const int64_t delta = static_cast<int64_t>(value.a - before.a);
    s.delta[std::bit_width(delta < 0 ? uint64_t{0} - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta))]++;
  }
};

inline uint64_t HashText(const char* p, size_t n, uint64_t seed) {
  uint64_t h = seed + n * 0x9E3779B97F4A7C15;
  while (n >= 8) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    h = (h ^ v) * 0xD6E8FEB86659FD93;
    h ^= h >> 32;
    p += 8;
    n -= 8;
  }
  uint64_t v = 0;
  std::memcpy(&v, p, n);
  return Mix64(h ^ v * 0x9E3779B97F4A7C15);
}

// Bits of numbers of these lengths, without what their lengths' table costs.
double LengthsBits(const uint32_t* counts, double sign) {
  double total = 0;
  double bits = 0;
  for (size_t n = 0; n <= 64; n++) total += counts[n];
  for (size_t n = 0; n <= 64; n++) {
    if (counts[n] == 0) continue;
    bits += counts[n] * (std::log2(total / counts[n]) + (n > 0 ? static_cast<double>(n - 1) + sign : 0));
  }
  return bits;
}

}  // namespace

class TokenEncoder::Contexts {
 public:
  KeyMap wide;    // order 2 contexts; 1: wide
  KeyMap counts;  // contexts of any order
  KeyMap nodes;
  KeyMap pairs;
  bool IsWide(const uint32_t* context, uint32_t order) {
    if (order < 2) return false;
    const uint32_t* w = wide.Get(ContextKey(context, 2));
    return w != nullptr && *w == 1;
  }
};

bool TokenEncoder::Tokenize(std::span<const std::string_view> values,
                            std::span<const uint32_t> vector_values) {
  infos_.assign(1, {});
  infos_[0].kind = kSymbolEnd;
  counts_.assign(1, 0);
  tokens_.clear();
  vector_ends_.clear();
  vector_values_.assign(vector_values.begin(), vector_values.end());
  size_t raw = 0;
  for (const std::string_view v : values) raw += v.size();
  tokens_.reserve(std::min(raw / 3 + values.size(), kMaxTextTokens));
  std::vector<uint32_t> slots(1 << 14, 0);
  size_t mask = slots.size() - 1;
  std::vector<uint32_t> hashes(1, 0);
  size_t next = 0;
  size_t done = 0;
  size_t distinct_bytes = 0;
  for (const uint32_t n : vector_values) {
    for (uint32_t i = 0; i < n; i++) {
      const std::string_view v = values[next++];
      const char* begin = v.data();
      const char* end = begin + v.size();
      for (const char* at = begin; at < end;) {
        TokenKind kind;
        const size_t size = NextToken(begin, at, end, &kind);
        const uint64_t hash = HashText(at, size, kind);
        const uint32_t low = static_cast<uint32_t>(hash);
        size_t slot = low & mask;
        uint32_t id;
        while ((id = slots[slot]) != 0 &&
               !(hashes[id] == low && infos_[id].size == size && infos_[id].kind == kind &&
                 std::memcmp(infos_[id].text, at, size) == 0)) {
          slot = (slot + 1) & mask;
        }
        if (id == 0) {
          id = static_cast<uint32_t>(infos_.size());
          if (id >= kMaxTokens) return false;
          TokenInfo info;
          info.text = at;
          info.size = static_cast<uint32_t>(size);
          info.kind = kind;
          if (IsValueToken(kind)) info.value = ParseValue(kind, at, size);
          distinct_bytes += size;
          infos_.push_back(info);
          hashes.push_back(low);
          counts_.push_back(0);
          slots[slot] = id;
          if (infos_.size() * 2 > slots.size()) {
            slots.assign(slots.size() * 2, 0);
            mask = slots.size() - 1;
            for (uint32_t e = 1; e < infos_.size(); e++) {
              size_t s = hashes[e] & mask;
              while (slots[s] != 0) s = (s + 1) & mask;
              slots[s] = e;
            }
          }
        }
        counts_[id]++;
        tokens_.push_back(id);
        at += size;
      }
      tokens_.push_back(0);
      done += v.size();
      if (tokens_.size() > kMaxTextTokens) return false;
    }
    // Spelling is slow, and no better than what others do.
    if (done >= (64 << 10) && distinct_bytes > done / 2) return false;
    vector_ends_.push_back(tokens_.size());
  }
  return distinct_bytes * 2 <= done;
}

// Words in these contexts are variables when what follows does not depend on them: then it is learnt
// once for all of them.
bool TokenEncoder::FindWideContexts(Contexts* contexts) {
  struct Place {
    uint32_t words = 0;
    uint32_t hits = 0;
    uint64_t last = 0;
    uint32_t pair_hits = 0;
  };
  for (int round = 0; round < 2; round++) {
    std::vector<Place> places;
    std::vector<uint64_t> keys;
    std::vector<uint64_t> follows;  // of each pair of a place and a word
    KeyMap numbers;
    KeyMap pairs;
    uint32_t context[2] = {kSymbolStart, kSymbolStart};
    for (size_t i = 0; i < tokens_.size(); i++) {
      const uint32_t token = tokens_[i];
      if (token == 0) {
        context[0] = context[1] = kSymbolStart;
        continue;
      }
      uint32_t symbol = kFirstWord + token;
      const uint8_t kind = infos_[token].kind;
      if (kind == kTokenWord) {
        const uint64_t key = ContextKey(context, 2);
        const uint32_t place = *numbers.Find(key, static_cast<uint32_t>(places.size()));
        if (place == places.size()) {
          places.emplace_back();
          keys.push_back(key);
        }
        Place& p = places[place];
        uint64_t follow = 1;
        for (size_t j = i + 1; j < i + 4 && tokens_[j] != 0; j++) {
          const TokenInfo& next = infos_[tokens_[j]];
          follow = Mix64(follow * 31 + (IsValueToken(next.kind) ? next.kind : kFirstWord + tokens_[j]));
          if (j == i + 2) break;
        }
        const uint64_t pair_key = Mix64(uint64_t{place} << 32 | token) | 1;
        const uint32_t pair = *pairs.Find(pair_key, static_cast<uint32_t>(follows.size()));
        if (pair == follows.size()) {
          if (follows.size() == kMaxContexts) return false;
          follows.push_back(0);
          p.words++;
        }
        p.hits += p.last == follow;
        p.last = follow;
        p.pair_hits += follows[pair] == follow;
        follows[pair] = follow;
        const uint32_t* wide = contexts->wide.Get(key);
        if (counts_[token] < 2 || (wide != nullptr && *wide == 1)) symbol = kSymbolDictionary;
      } else if (IsValueToken(kind)) {
        symbol = kind;
      }
      context[1] = context[0];
      context[0] = symbol;
    }
    for (size_t p = 0; p < places.size(); p++) {
      const Place& place = places[p];
      if (place.words < 8) continue;
      const int64_t gain = int64_t{place.pair_hits} - int64_t{place.hits};
      if (gain < int64_t{place.words} * 2) *contexts->wide.Find(keys[p], 1) = 1;
    }
  }
  return true;
}

// Finds the contexts that become states.
bool TokenEncoder::CountContexts(Contexts* contexts) {
  // Some tokens at a time: where a context is counted is fetched while others are looked up.
  struct Place {
    uint32_t context[kMaxOrder];
    uint32_t order;
    uint64_t key;
  };
  const auto walk = [&](auto&& visit) {
    constexpr size_t kBlock = 32;
    Place places[kBlock + 1] = {};
    places[0].order = 1;
    for (size_t at = 0; at < tokens_.size(); at += kBlock) {
      const size_t n = std::min(kBlock, tokens_.size() - at);
      for (size_t i = 0; i < n; i++) {
        Place& place = places[i];
        Place& next = places[i + 1];
        place.key = ContextKey(place.context, place.order);
        contexts->counts.Prefetch(place.key);
        const uint32_t token = tokens_[at + i];
        if (token == 0) {
          next.context[0] = kSymbolStart;
          next.order = 1;
          continue;
        }
        uint32_t symbol = kFirstWord + token;
        const uint8_t kind = infos_[token].kind;
        if (IsValueToken(kind)) {
          symbol = kind;
        } else if (counts_[token] < 2 ||
                   (kind == kTokenWord && contexts->IsWide(place.context, place.order))) {
          symbol = kSymbolDictionary;
        }
        next.order = PushContext(place.context, place.order, symbol, next.context);
      }
      for (size_t i = 0; i < n; i++) visit(places[i]);
      places[0] = places[n];
      if (contexts->counts.size() > kMaxContexts) return false;
    }
    return true;
  };
  if (!walk([&](const Place& place) { ++*contexts->counts.Find(place.key, 0); })) return false;
  KeyMap shorter;
  uint32_t known = kMaxOrder;
  walk([&](const Place& place) {
    const uint32_t order = place.order;
    if (order == 1) known = 0;
    known = std::min(known + 1, order);
    if (known == order && *contexts->counts.Get(place.key) >= kMinContext) return;
    uint32_t found = 0;
    uint64_t keys[kMaxOrder + 1];
    ContextKeys(place.context, order, keys);
    for (uint32_t o = std::min(known, order - 1); o > 0; o--) {
      const uint32_t count = ++*shorter.Find(keys[o], 0);
      if (found == 0 && count >= kMinContext) found = o;
    }
    known = found;
  });
  shorter.ForEach([&](uint64_t key, uint32_t count) {
    if (count >= kMinContext) *contexts->counts.Find(key, 0) = kMinContext;
  });
  return true;
}

uint32_t TokenEncoder::MakeNode(Contexts* contexts, const uint32_t* context, uint32_t order) {
  const uint32_t node = static_cast<uint32_t>(nodes_.size());
  nodes_.emplace_back();
  Node& n = nodes_.back();
  n.order = order;
  std::copy_n(context, order, n.context);
  n.wide = order == 0 || contexts->IsWide(context, order);
  std::fill_n(n.values, kSymbolRaw + 1, kNone32);
  return node;
}

uint32_t TokenEncoder::NextNode(Contexts* contexts, uint32_t node, uint32_t symbol) {
  uint32_t context[kMaxOrder];
  const uint32_t longest = PushContext(nodes_[node].context, nodes_[node].order, symbol, context);
  uint64_t keys[kMaxOrder + 1];
  ContextKeys(context, longest, keys);
  for (uint32_t order = longest; order > 0; order--) {
    const uint64_t key = keys[order];
    const uint32_t* count = contexts->counts.Get(key);
    if (count == nullptr || *count < kMinContext) continue;
    uint32_t* next = contexts->nodes.Find(key, kNone32);
    if (*next == kNone32) *next = MakeNode(contexts, context, order);
    return *next;
  }
  return 0;
}

// First as if every word could be a transition.
bool TokenEncoder::WalkLiterally(Contexts* contexts) {
  nodes_.clear();
  pairs_.clear();
  const uint32_t start[1] = {kSymbolStart};
  MakeNode(contexts, start, 0);
  *contexts->nodes.Find(ContextKey(start, 1), 1) = MakeNode(contexts, start, 1);
  uint32_t node = 1;
  for (const uint32_t token : tokens_) {
    uint32_t pair = nodes_[node].last_pair;
    if (nodes_[node].last_token != token) {
      pair = *contexts->pairs.Find(Mix64(uint64_t{node} << 32 | token) | 1, static_cast<uint32_t>(pairs_.size()));
      if (pair == pairs_.size()) {
        if (pair == kMaxContexts) return false;
        uint32_t next = 1;
        if (token != 0) {
          uint32_t symbol = ContextSymbol(nodes_[node].wide, kFirstWord + token, infos_[token].kind);
          if (counts_[token] < 2 && !IsValueToken(infos_[token].kind)) symbol = kSymbolDictionary;
          next = NextNode(contexts, node, symbol);
        }
        pairs_.push_back({node, token, 0, next, false});
      }
      nodes_[node].last_token = token;
      nodes_[node].last_pair = pair;
    }
    pairs_[pair].count++;
    node = pairs_[pair].next;
  }
  return true;
}

void TokenEncoder::ChooseLiterals() {
  // Numbers of few values in a state are words of it.
  struct Numbers {
    uint32_t distinct = 0;
    uint32_t count = 0;
  };
  std::vector<std::array<Numbers, kTokenUuid + 1>> numbers(nodes_.size());
  for (const Pair& p : pairs_) {
    const uint8_t kind = infos_[p.token].kind;
    if (!IsValueToken(kind)) continue;
    Numbers& n = numbers[p.state][kind];
    n.distinct++;
    n.count += p.count;
  }
  for (Pair& p : pairs_) {
    const uint8_t kind = infos_[p.token].kind;
    if (p.token == 0) {
      p.literal = true;
    } else if (IsValueToken(kind)) {
      const Numbers& n = numbers[p.state][kind];
      p.literal = n.distinct == 1 ? n.count >= 2 : n.distinct <= 6 && n.count >= n.distinct * 8;
    } else {
      p.literal = p.count >= kMinLiteral;
    }
  }
}

void TokenEncoder::Walk(Contexts* contexts) {
  uses_.clear();
  steps_.resize(tokens_.size());
  std::vector<uint32_t> pair_use(pairs_.size(), kNone32);
  for (Node& n : nodes_) n.last_token = kNone32;
  uint32_t node = 1;
  for (size_t i = 0; i < tokens_.size(); i++) {
    const uint32_t token = tokens_[i];
    Node* n = &nodes_[node];
    uint32_t use;
    if (n->last_token == token) {
      use = n->last_pair;
    } else {
      const uint32_t* pair = contexts->pairs.Get(Mix64(uint64_t{node} << 32 | token) | 1);
      if (pair != nullptr && pairs_[*pair].literal) {
        use = pair_use[*pair];
        if (use == kNone32) {
          use = pair_use[*pair] = static_cast<uint32_t>(uses_.size());
          uses_.push_back({node, token == 0 ? uint32_t{kSymbolEnd} : kFirstWord + token,
                           pairs_[*pair].next, 0});
        }
      } else {
        uint32_t symbol = infos_[token].kind;
        if (token == 0) {
          symbol = kSymbolEnd;
        } else if (!IsValueToken(infos_[token].kind)) {
          symbol = counts_[token] >= 2 ? kSymbolDictionary : kSymbolRaw;
        }
        use = n->values[symbol];
        if (use == kNone32) {
          use = n->values[symbol] = static_cast<uint32_t>(uses_.size());
          const uint32_t next =
              token == 0 ? 1 : NextNode(contexts, node, ContextSymbol(false, symbol, 0));
          n = &nodes_[node];
          uses_.push_back({node, symbol, next, 0});
        }
      }
      n->last_token = token;
      n->last_pair = use;
    }
    uses_[use].count++;
    steps_[i] = use;
    node = uses_[use].next;
  }
}

// States in the order in which they are reached, words in the order in which they are named.
void TokenEncoder::MakeModel() {
  model_ = TokenModel();
  // Words that are coded by number come first, frequent ones before others.
  std::vector<uint32_t> by_number(infos_.size(), 0);
  for (size_t i = 0; i < tokens_.size(); i++) {
    if (uses_[steps_[i]].symbol == kSymbolDictionary) by_number[tokens_[i]]++;
  }
  std::vector<uint32_t> named;
  for (uint32_t t = 0; t < infos_.size(); t++) {
    infos_[t].word = kNone32;
    if (by_number[t] > 0) named.push_back(t);
  }
  std::stable_sort(named.begin(), named.end(),
                   [&](uint32_t x, uint32_t y) { return by_number[x] > by_number[y]; });
  const auto name = [&](uint32_t token) {
    if (infos_[token].word != kNone32) return;
    infos_[token].word = static_cast<uint32_t>(model_.words_.size());
    ModelWord word;
    word.offset = static_cast<uint32_t>(model_.text_.size());
    word.size = infos_[token].size;
    word.kind = infos_[token].kind;
    model_.text_.insert(model_.text_.end(), infos_[token].text, infos_[token].text + word.size);
    model_.words_.push_back(word);
  };
  for (const uint32_t t : named) name(t);
  model_.dictionary_words_ = static_cast<uint32_t>(named.size());
  // Transitions by state, frequent ones first.
  std::vector<uint32_t> order(uses_.size());
  for (uint32_t u = 0; u < order.size(); u++) order[u] = u;
  std::sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) {
    if (uses_[x].state != uses_[y].state) return uses_[x].state < uses_[y].state;
    return uses_[x].count != uses_[y].count ? uses_[x].count > uses_[y].count : x < y;
  });
  std::vector<uint32_t> firsts(nodes_.size() + 1, 0);
  for (const Use& u : uses_) firsts[u.state + 1]++;
  for (size_t n = 0; n < nodes_.size(); n++) firsts[n + 1] += firsts[n];
  std::vector<uint32_t> number(nodes_.size(), kNone32);  // new number of each node
  std::vector<uint32_t> queue = {0, 1};
  number[0] = 0;
  number[1] = 1;
  std::vector<uint32_t> renamed(uses_.size());
  for (size_t q = 0; q < queue.size(); q++) {
    const uint32_t node = queue[q];
    ModelState s;
    s.first = static_cast<uint32_t>(model_.transitions_.size());
    s.count = firsts[node + 1] - firsts[node];
    s.wide = nodes_[node].wide;
    s.order = static_cast<uint8_t>(nodes_[node].order);
    for (uint32_t i = firsts[node]; i < firsts[node + 1]; i++) {
      const Use& use = uses_[order[i]];
      renamed[order[i]] = static_cast<uint32_t>(model_.transitions_.size());
      ModelTransition t;
      t.symbol = use.symbol;
      if (t.symbol >= kFirstWord) {
        const uint32_t token = t.symbol - kFirstWord;
        name(token);
        t.symbol = kFirstWord + infos_[token].word;
      } else if (t.symbol != kSymbolEnd) {
        t.value_class = static_cast<uint32_t>(model_.classes_.size());
        model_.classes_.emplace_back();
        model_.classes_.back().kind = static_cast<uint8_t>(t.symbol);
      }
      if (number[use.next] == kNone32) {
        number[use.next] = static_cast<uint32_t>(queue.size());
        queue.push_back(use.next);
      }
      t.next = number[use.next];
      model_.transitions_.push_back(t);
    }
    model_.states_.push_back(s);
  }
  // Contexts name words, which have numbers only now.
  for (size_t q = 0; q < queue.size(); q++) {
    const Node& node = nodes_[queue[q]];
    for (uint32_t i = 0; i < node.order; i++) {
      const uint32_t symbol = node.context[i];
      model_.states_[q].context[i] =
          symbol < kFirstWord ? symbol : kFirstWord + infos_[symbol - kFirstWord].word;
    }
  }
  for (uint32_t& step : steps_) step = renamed[step];
}

void TokenEncoder::ChooseModes() {
  std::vector<ClassStats> stats(model_.classes_.size());
  model_.PlaceBits();  // for these modes; nothing is read there yet, but the places have to be
  size_t at = 0;
  for (size_t v = 0; v < vector_ends_.size(); v++) {
    StatsIo io{&stats, &model_, &model_.classes_};
    TokenCoder<StatsIo> coder(model_, &workspace_, &io);
    while (at < vector_ends_[v]) at += coder.EncodeRow(&steps_[at], &tokens_[at], infos_.data());
  }
  for (size_t i = 0; i < stats.size(); i++) {
    ValueClass& c = model_.classes_[i];
    const ClassStats& s = stats[i];
    if (c.kind >= kTokenUuid) continue;
    const bool has_width = c.kind <= kTokenHexUpper;
    c.width_mode = !has_width || s.natural ? kWidthNatural : s.same_width ? kWidthFixed : kWidthMixed;
    if (!has_width) c.width_mode = kWidthFixed;
    c.width = has_width ? static_cast<uint8_t>(s.first_width) : uint8_t{0};
    const double direct = LengthsBits(s.direct, 0);
    const double delta = LengthsBits(s.delta, 1);
    unsigned max_delta = 0;
    for (unsigned n = 0; n <= 64; n++) {
      if (s.delta[n] > 0) max_delta = n;
    }
    if (delta < direct * 0.97) {
      c.mode = kNumberDelta;
      c.max_bits = static_cast<uint8_t>(max_delta);
    } else {
      c.mode = s.max < 256 ? kNumberSmall : kNumberDirect;
      c.max_bits = static_cast<uint8_t>(std::bit_width(s.max));
    }
  }
}

// Gives the bits that many vectors use the probability that they have in the chunk.
void TokenEncoder::Train() {
  model_.PlaceBits();
  std::vector<CountIo::Counts> counts(model_.initial_.size());
  size_t at = 0;
  for (size_t v = 0; v < vector_ends_.size(); v++) {
    workspace_.Begin(model_.initial_.size(), 0, 0, 0);
    CountIo io{workspace_.bits.data(), &counts, static_cast<uint32_t>(v + 1)};
    TokenCoder<CountIo> coder(model_, &workspace_, &io);
    while (at < vector_ends_[v]) at += coder.EncodeRow(&steps_[at], &tokens_[at], infos_.data());
  }
  starts_.assign(counts.size(), 0);
  for (size_t i = 0; i < counts.size(); i++) {
    const CountIo::Counts& c = counts[i];
    const double n = c.n[0] + c.n[1];
    if (n == 0) continue;
    const double p = (c.n[1] + 0.4) / (n + 0.8);
    // What each vector has to learn: about half a bit for each doubling of what it sees.
    const double per_vector = n / c.vectors;
    const double entropy = -(p * std::log2(p) + (1 - p) * std::log2(1 - p));
    const double gain = c.vectors * std::min(per_vector * (1 - entropy), 0.5 * std::log2(per_vector + 1) + 0.7);
    if (gain < 6) continue;
    double best = 1e300;
    uint32_t best_step = 0;
    for (uint32_t step = 1; step <= kStartSteps; step++) {
      const double q = StartOf(step).p / 65536.0;
      const double cost = -(p * std::log2(q) + (1 - p) * std::log2(1 - q));
      if (cost < best) {
        best = cost;
        best_step = step;
      }
    }
    starts_[i] = static_cast<uint8_t>(best_step);
  }
}

bool TokenEncoder::WriteShared() {
  if (model_.words_.size() >= (1u << 22)) return false;
  shared_.clear();
  EncodeIo io(&shared_);
  auto coder = std::make_unique<ModelCoder<EncodeIo>>(&model_, &io, UINT32_MAX);
  if (!coder->Code(&starts_)) return false;
  io.Finish();
  const ModelLimits limits = LimitsOf(shared_.size());
  return model_.words_.size() < limits.words && model_.text_.size() < limits.text &&
         model_.states_.size() < limits.states &&
         model_.transitions_.size() < limits.transitions &&
         model_.classes_.size() < limits.classes && model_.initial_.size() < limits.bits;
}

bool TokenEncoder::Learn(std::span<const std::string_view> values,
                         std::span<const uint32_t> vector_values) {
  if (!Tokenize(values, vector_values)) return false;
  {
    Contexts contexts;
    if (!FindWideContexts(&contexts) || !CountContexts(&contexts) || !WalkLiterally(&contexts)) {
      return false;
    }
    ChooseLiterals();
    Walk(&contexts);
  }
  MakeModel();
  ChooseModes();
  Train();
  return WriteShared();
}

void TokenEncoder::Encode(size_t vector, std::vector<uint8_t>* out) {
  EncodeIo io(out);
  TokenCoder<EncodeIo> coder(model_, &workspace_, &io);
  size_t at = vector == 0 ? 0 : vector_ends_[vector - 1];
  while (at < vector_ends_[vector]) at += coder.EncodeRow(&steps_[at], &tokens_[at], infos_.data());
  io.Finish();
}

}  // namespace nodedb_ts::codec
