// model_coder.h - the bytes of a TokenModel, in either direction. Inside of this folder only.
#ifndef NODEDB_TS_CODEC_TOKENS_MODEL_CODER_H
#define NODEDB_TS_CODEC_TOKENS_MODEL_CODER_H

#include <cmath>
#include <vector>

#include "codec/tokens/token_coder.h"

namespace nodedb_ts::codec {

// What a model may take: a multiple of its bytes, which bounds what hostile bytes can ask for.
struct ModelLimits {
  uint64_t words, text, states, transitions, classes, bits;
};
inline ModelLimits LimitsOf(uint64_t stored) {
  const auto at_most = [&](uint64_t factor, uint64_t most) {
    return std::min(stored * factor + 1024, most);
  };
  return {at_most(16, 1u << 22), at_most(256, 1u << 24), at_most(32, 1u << 21),
          at_most(32, 1u << 22), at_most(16, 1u << 16),  kSpellingBits + at_most(1024, 1u << 23)};
}

inline uint64_t Mix64(uint64_t v) {
  v ^= v >> 32;
  v *= 0x9E3779B97F4A7C15;
  v ^= v >> 29;
  v *= 0xBF58476D1CE4E5B9;
  return v ^ v >> 32;
}

// A context as a key, one symbol after the other, the last one first. Never 0.
inline constexpr uint64_t kNoContext = 0x5BD1E995;
inline uint64_t LongerKey(uint64_t key, uint32_t symbol) {
  return Mix64(key * 0x100000001B3 + symbol) | 1;
}
inline uint64_t ContextKey(const uint32_t* context, uint32_t order) {
  uint64_t key = kNoContext;
  for (uint32_t i = 0; i < order; i++) key = LongerKey(key, context[i]);
  return key;
}
// Keys of all orders up to `order`: keys[o] is that of the last o symbols.
inline void ContextKeys(const uint32_t* context, uint32_t order, uint64_t* keys) {
  keys[0] = kNoContext;
  for (uint32_t i = 0; i < order; i++) keys[i + 1] = LongerKey(keys[i], context[i]);
}

// Keys to numbers; open addressing.
class KeyMap {
 public:
  KeyMap() : slots_(1024) {}
  // The number of the key, set to `fresh` when it is not there.
  uint32_t* Find(uint64_t key, uint32_t fresh) {
    size_t at = key >> shift_;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].key == 0) {
      if ((size_ + 1) * 2 > slots_.size()) {
        Grow();
        return Find(key, fresh);
      }
      size_++;
      slots_[at] = {key, fresh};
    }
    return &slots_[at].number;
  }
  // NULL when it is not there.
  uint32_t* Get(uint64_t key) {
    size_t at = key >> shift_;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return slots_[at].key == 0 ? nullptr : &slots_[at].number;
  }
  size_t size() const { return size_; }
  void Prefetch(uint64_t key) const { __builtin_prefetch(&slots_[key >> shift_]); }
  template <typename F>
  void ForEach(F&& f) const {
    for (const Slot& s : slots_) {
      if (s.key != 0) f(s.key, s.number);
    }
  }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t number = 0;
  };
  void Grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.size() * 2, {});
    shift_--;
    for (const Slot& s : old) {
      if (s.key == 0) continue;
      size_t at = s.key >> shift_;
      while (slots_[at].key != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = s;
    }
  }
  std::vector<Slot> slots_;
  unsigned shift_ = 54;
  size_t size_ = 0;
};

// What a transition leaves in the context of the next state.
inline uint32_t ContextSymbol(bool wide, uint32_t symbol, uint8_t word_kind) {
  if (symbol >= kFirstWord) {
    if (IsValueToken(word_kind)) return word_kind;
    return wide && word_kind == kTokenWord ? uint32_t{kSymbolDictionary} : symbol;
  }
  return symbol == kSymbolRaw ? uint32_t{kSymbolDictionary} : symbol;
}

// Puts a symbol in front of a context; returns the order.
inline uint32_t PushContext(const uint32_t* context, uint32_t order, uint32_t symbol,
                            uint32_t* pushed) {
  const uint32_t n = std::min(order + 1, kMaxOrder);
  pushed[0] = symbol;
  for (uint32_t i = 1; i < n; i++) pushed[i] = context[i - 1];
  return n;
}

// The initial probability of a bit in 15 steps; 0: it has none.
inline constexpr unsigned kStartSteps = 15;
inline Bit StartOf(uint32_t step) {
  static constexpr uint16_t kProbabilities[kStartSteps + 1] = {
      32768, 60, 161, 438, 1179, 3108, 7812, 17625, 32768, 47911, 57724, 62428, 64357, 65098, 65375, 65476};
  Bit bit;
  bit.p = kProbabilities[step];
  bit.n = step == 0 ? 0 : 10;
  return bit;
}

template <typename Io>
class ModelCoder {
 public:
  // stored: bytes of the model, when decoding.
  ModelCoder(TokenModel* model, Io* io, uint64_t stored)
      : m_(*model), io_(*io), limits_(LimitsOf(stored)) {}

  // starts: a step for each adaptive bit; filled when decoding.
  bool Code(std::vector<uint8_t>* starts) {
    return Words() && States() && Places() && Starts(starts);
  }

 private:
  bool Places() {
    if constexpr (Io::kDecode) {
      uint64_t bits = GammaBits(m_.dictionary_words_ + 1) + kSpellingBits;
      for (const ModelState& s : m_.states_) bits += m_.StateBits(s);
      for (const ValueClass& c : m_.classes_) bits += TokenModel::ClassBits(c);
      if (bits > limits_.bits) return false;
      m_.PlaceBits();
    }
    return true;
  }

  uint64_t Number(Bit* bits, unsigned max_bits, uint64_t v) {
    return CodeMagnitude(io_, bits, max_bits, v);
  }

  bool Words() {
    uint64_t count = io_.Raw(m_.words_.size(), 24);
    m_.dictionary_words_ = static_cast<uint32_t>(io_.Raw(m_.dictionary_words_, 24));
    if constexpr (Io::kDecode) {
      if (count > limits_.words || m_.dictionary_words_ > count) return false;
    }
    std::vector<Bit> kinds(256);
    std::vector<Bit> letters(1u << 18);
    uint8_t kind_before = 0;
    for (uint64_t i = 0; i < count; i++) {
      ModelWord word;
      if constexpr (!Io::kDecode) word = m_.words_[i];
      word.kind = static_cast<uint8_t>(CodeTree(io_, &kinds[kind_before * 16], 4, word.kind));
      kind_before = word.kind;
      if constexpr (Io::kDecode) word.offset = static_cast<uint32_t>(m_.text_.size());
      uint32_t h1 = 0, h2 = word.kind;
      for (size_t j = 0;; j++) {
        uint32_t context = (h1 | h2 << 8) * 0x9E3779B1u;
        const auto slot = [&](uint32_t node) {
          return &letters[((context + node) * 0x85EBCA6Bu) >> 14];
        };
        if (j > 0 && io_.Code(slot(0), j == word.size)) break;
        uint32_t node = 1;
        const uint32_t c =
            Io::kDecode ? 0 : static_cast<uint8_t>(m_.text_[word.offset + j]);
        for (unsigned b = 8; b-- > 0;) node = node << 1 | io_.Code(slot(node), (c >> b) & 1);
        h2 = h1;
        h1 = node & 255;
        if constexpr (Io::kDecode) {
          if (m_.text_.size() >= limits_.text || io_.Exhausted()) return false;
          m_.text_.push_back(static_cast<char>(h1));
          word.size++;
        }
      }
      if constexpr (Io::kDecode) m_.words_.push_back(word);
    }
    known_ = m_.dictionary_words_;
    return true;
  }

  bool Symbol(const ModelState& s, uint32_t* symbol) {
    const uint32_t last = s.order > 0 ? s.context[0] : 0;
    const uint8_t last_kind =
        last >= kFirstWord ? m_.words_[last - kFirstWord].kind : static_cast<uint8_t>(last);
    uint32_t* guesses[2] = {s.order > 1 ? guesses_.Find(ContextKey(s.context, 2), 0) : nullptr,
                            nullptr};
    const uint32_t guess2 = guesses[0] != nullptr ? *guesses[0] : 0;
    const uint32_t guess1 = *guesses_.Find(ContextKey(s.context, s.order > 0), 0);
    bool known = false;
    if (guess2 != 0 && io_.Code(&guess_bits_[0], *symbol == guess2)) {
      *symbol = guess2;
      known = true;
    }
    if (!known && guess1 != 0 && guess1 != guess2 &&
        io_.Code(&guess_bits_[1 + (guess2 != 0)], *symbol == guess1)) {
      *symbol = guess1;
      known = true;
    }
    if (!known) {
      uint32_t kind = 2;
      if (!Io::kDecode && *symbol >= kFirstWord) kind = *symbol - kFirstWord < known_ ? 1 : 0;
      kind = CodeTree(io_, &kind_bits_[last_kind * 4], 2, kind);
      if (kind == 0) {
        if (known_ >= m_.words_.size()) return false;
        *symbol = kFirstWord + known_++;
      } else if (kind == 1) {
        const uint64_t back = Number(old_bits_, 24, known_ - 1 - (*symbol - kFirstWord));
        if (back >= known_) return false;
        *symbol = kFirstWord + known_ - 1 - static_cast<uint32_t>(back);
      } else {
        *symbol = CodeTree(io_, &pseudo_bits_[last_kind * 16], 4, *symbol);
        if (*symbol == 0 || *symbol > kSymbolRaw) return false;
        if (*symbol == kSymbolDictionary && m_.dictionary_words_ == 0) return false;
      }
    }
    if (s.order > 1) *guesses_.Find(ContextKey(s.context, 2), 0) = *symbol;
    *guesses_.Find(ContextKey(s.context, s.order > 0), 0) = *symbol;
    return true;
  }

  // The state behind a transition: that of the longest context that is a state.
  bool Next(const ModelState& s, ModelTransition* t) {
    if (t->symbol == kSymbolEnd) {
      t->next = TokenCoder<Io>::kStartState;
      return true;
    }
    const uint8_t kind = t->symbol >= kFirstWord ? m_.words_[t->symbol - kFirstWord].kind : uint8_t{0};
    uint32_t context[kMaxOrder];
    const uint32_t longest = PushContext(s.context, s.order, ContextSymbol(s.wide, t->symbol, kind), context);
    uint64_t keys[kMaxOrder + 1];
    ContextKeys(context, longest, keys);
    for (uint32_t order = longest; order > 0; order--) {
      uint32_t* state = created_.Find(keys[order], kUnknown);
      if (*state == kAbsent) continue;
      if (*state != kUnknown) {
        t->next = *state;
        return true;
      }
      const bool exists = !Io::kDecode && m_.states_[t->next].order == order;
      if (io_.Code(&exist_bits_[order * 8 + longest], exists)) {
        *state = created_count_++;
        if constexpr (Io::kDecode) {
          if (m_.states_.size() >= limits_.states) return false;
          ModelState next;
          next.order = static_cast<uint8_t>(order);
          std::copy_n(context, order, next.context);
          m_.states_.push_back(next);
        }
        t->next = *state;
        return true;
      }
      *state = kAbsent;
    }
    t->next = 0;
    return true;
  }

  bool States() {
    if constexpr (Io::kDecode) {
      m_.states_.resize(2);
      m_.states_[1].order = 1;
    }
    *created_.Find(ContextKey(m_.states_[1].context, 1), kUnknown) = 1;
    created_count_ = 2;
    size_t class_number = 0;
    for (size_t i = 0; i < m_.states_.size(); i++) {
      ModelState s = m_.states_[i];
      s.count = static_cast<uint32_t>(Number(count_bits_, 22, s.count));
      s.wide = io_.Code(&wide_bits_[s.count > 1], s.wide);
      if constexpr (Io::kDecode) {
        s.first = static_cast<uint32_t>(m_.transitions_.size());
        if (s.first + uint64_t{s.count} > limits_.transitions || io_.Exhausted()) return false;
        m_.states_[i] = s;
      }
      for (uint32_t k = 0; k < s.count; k++) {
        ModelTransition t;
        if constexpr (!Io::kDecode) t = m_.transitions_[s.first + k];
        if (!Symbol(s, &t.symbol) || !Next(s, &t)) return false;
        if (t.symbol < kFirstWord && t.symbol != kSymbolEnd) {
          if constexpr (Io::kDecode) {
            if (m_.classes_.size() >= limits_.classes) return false;
            t.value_class = static_cast<uint32_t>(class_number);
            m_.classes_.emplace_back();
            m_.classes_.back().kind = static_cast<uint8_t>(t.symbol);
          }
          if (!Class(&m_.classes_[class_number++])) return false;
        }
        if constexpr (Io::kDecode) {
          if (io_.Exhausted()) return false;
          m_.transitions_.push_back(t);
        }
      }
    }
    return true;
  }

  bool Class(ValueClass* c) {
    if (c->kind >= kTokenUuid) return true;
    Bit* bits = &class_bits_[c->kind * 256];
    Bit* few = &mode_bits_[c->kind * 64];
    c->mode = static_cast<uint8_t>(CodeTree(io_, few, 2, c->mode));
    c->max_bits = static_cast<uint8_t>(
        CodeTree(io_, bits + (c->mode == kNumberDelta ? 128 : 0), 7, c->max_bits));
    c->width_mode = static_cast<uint8_t>(CodeTree(io_, few + 4, 2, c->width_mode));
    if (c->width_mode == kWidthFixed) {
      c->width = static_cast<uint8_t>(CodeTree(io_, few + 8, 5, c->width));
    }
    if (c->mode > kNumberSmall || c->max_bits > (c->mode == kNumberSmall ? 8 : 64)) return false;
    return c->width_mode <= kWidthMixed;
  }

  bool Starts(std::vector<uint8_t>* starts) {
    if constexpr (Io::kDecode) {
      m_.initial_.assign(m_.initial_.size(), {});
    }
    const size_t size = m_.initial_.size();
    const size_t kBlock = 16;
    uint32_t before = 0;
    for (size_t at = 0; at < size; at += kBlock) {
      const size_t end = std::min(size, at + kBlock);
      bool any = false;
      if constexpr (!Io::kDecode) {
        for (size_t i = at; i < end; i++) any |= (*starts)[i] != 0;
      }
      any = io_.Code(&any_bits_[any_before_], any);
      any_before_ = (any_before_ << 1 | any) & 7;
      if (!any) continue;
      for (size_t i = at; i < end; i++) {
        const uint32_t step =
            CodeTree(io_, &start_bits_[before * 16], 4, Io::kDecode ? 0 : (*starts)[i]);
        before = step;
        m_.initial_[i] = StartOf(step);
      }
      if constexpr (Io::kDecode) {
        if (io_.Exhausted()) return false;
      }
    }
    return true;
  }

  static constexpr uint32_t kUnknown = UINT32_MAX;
  static constexpr uint32_t kAbsent = UINT32_MAX - 1;

  TokenModel& m_;
  Io& io_;
  const ModelLimits limits_;
  uint32_t known_ = 0;  // words that transitions may name
  uint32_t created_count_ = 0;
  KeyMap created_;
  KeyMap guesses_;
  Bit guess_bits_[4];
  Bit kind_bits_[64];
  Bit pseudo_bits_[256];
  Bit old_bits_[512];
  Bit count_bits_[512];
  Bit wide_bits_[2];
  Bit exist_bits_[64];
  Bit class_bits_[16 * 256];
  Bit mode_bits_[16 * 64];
  Bit start_bits_[256];
  Bit any_bits_[8];
  uint32_t any_before_ = 0;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_MODEL_CODER_H
