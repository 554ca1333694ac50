// token_coder.h - codes rows with a TokenModel, in either direction. Inside of this folder only.
#ifndef NODEDB_TS_CODEC_TOKENS_TOKEN_CODER_H
#define NODEDB_TS_CODEC_TOKENS_TOKEN_CODER_H

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "codec/tokens/token_model.h"

namespace nodedb_ts::codec {

inline constexpr size_t kRecentValues = 4;
inline constexpr size_t kPlaces = 4096;  // slots for values by their place in the row
inline constexpr size_t kPaths = 8192;
#ifndef DECS
#define DECS 3
#endif
inline constexpr int kDecisions = DECS;
inline constexpr size_t kPhrasePadding = 32;
inline constexpr unsigned kHitFlags = 13;
inline constexpr unsigned kHitBits = 4 * kHitFlags;
inline constexpr unsigned kWidthBits = 32;
inline constexpr unsigned kChoiceBits = 12;
inline constexpr uint32_t kSpellingEnds = 65536;
inline constexpr uint32_t kSpellingBits = kSpellingEnds + 256;

// What a vector has taught. Kept between vectors: stamps say what is of this one.
struct TokenWorkspace {
  struct State {
    uint32_t stamp = 0;
    uint32_t last = 0;     // choice
    uint32_t history = 0;  // of guesses, 1 is a hit
  };
  struct Class {
    uint32_t stamp = 0;
    uint32_t row = 0;
    uint32_t place = 0;  // how many values before in this row
    uint32_t recent = 0;
    TokenValue values[kRecentValues];
  };
  struct Place {
    uint32_t stamp = 0;
    uint32_t key = 0;
    TokenValue value;
  };
  struct Path {
    uint32_t stamp = 0;
    uint32_t state = 0;
    uint32_t choice = 0;
    uint32_t trust = 0;
  };
  struct ValuePath {
    uint32_t stamp = 0;
    uint32_t number = 0;
    uint32_t trust = 0;
    TokenValue value;
  };
  std::vector<Path> paths;
  std::vector<ValuePath> value_paths;
  std::vector<Bit> bits;
  std::vector<State> states;
  std::vector<uint32_t> followers;  // of each transition: the choice that came next in its state
  std::vector<Class> classes;
  std::vector<Place> places;
  uint32_t spelling[256] = {};
  uint32_t dictionary = 0;
  uint32_t stamp = 0;

  void Begin(size_t bit_count, size_t state_count, size_t transition_count, size_t class_count) {
    if (++stamp == 0) {  // every 2^32 vectors
      *this = TokenWorkspace();
      stamp = 1;
    }
    if (bits.size() < bit_count) bits.resize(bit_count);
    if (states.size() < state_count) states.resize(state_count);
    if (followers.size() < transition_count) followers.resize(transition_count);
    if (classes.size() < class_count) classes.resize(class_count);
    places.resize(kPlaces);
    paths.resize(kPaths);
    value_paths.resize(kPaths);
  }
};

// A token for the encoder.
struct TokenInfo {
  const char* text = nullptr;
  uint32_t size = 0;
  uint8_t kind = 0;
  uint32_t word = kNone32;  // in the dictionary
  TokenValue value;
};

template <typename Io>
class TokenCoder {
 public:
  TokenCoder(const TokenModel& model, TokenWorkspace* workspace, Io* io)
      : m_(model), w_(*workspace), io_(*io) {
    w_.Begin(m_.initial_.size(), m_.states_.size(), m_.transitions_.size(), m_.classes_.size());
  }

  // transitions: of each token, the last is the row's end. Returns their number.
  size_t EncodeRow(const uint32_t* transitions, const uint32_t* tokens, const TokenInfo* infos) {
    BeginRow();
    uint32_t s = kStartState;
    for (size_t i = 0;; i++) {
      const ModelState& state = m_.states_[s];
      if (state.count > 1) Choose(s, state, transitions[i] - state.first);
      const ModelTransition& t = m_.transitions_[transitions[i]];
      if (t.symbol == kSymbolEnd) return i + 1;
      if (t.symbol < kFirstWord) {
        const TokenInfo& info = infos[tokens[i]];
        TokenValue value = info.value;
        if (t.symbol == kSymbolDictionary) value = {info.word, 0};
        if (t.symbol == kSymbolRaw) value = {tokens[i], 0};
        Value(t.value_class, &value, info.text, info.size);
      }
      s = t.next;
    }
  }

  // Moves *out behind the row. False when the bytes are wrong.
  bool DecodeRow(uint8_t** out, const uint8_t* end) {
    BeginRow();
    uint32_t s = kStartState;
    out_ = *out;
    end_ = end;
    while (true) {
      const ModelState& state = m_.states_[s];
      uint32_t choice = 0;
      if (state.count > 1) {
        choice = Choose(s, state, 0);
        if (io_.Exhausted()) return false;
      }
      if (choice >= state.count) return false;
      const uint32_t symbol = m_.transitions_[state.first + choice].symbol;
      if (symbol < kFirstWord && symbol != kSymbolEnd) {
        TokenValue value;
        if (!Value(m_.transitions_[state.first + choice].value_class, &value, nullptr, 0)) return false;
        if (symbol == kSymbolDictionary) {
          if (value.a >= m_.words_.size()) return false;
          const ModelWord& word = m_.words_[value.a];
          if (!Put(m_.text_.data() + word.offset, word.size)) return false;
        } else if (symbol != kSymbolRaw) {
          char text[kMaxValueText];
          const bool room = end_ - out_ >= static_cast<ptrdiff_t>(kMaxValueText);
          const size_t size = FormatValue(static_cast<uint8_t>(symbol), value,
                                          room ? reinterpret_cast<char*>(out_) : text);
          if (size == 0) return false;
          if (room) {
            out_ += size;
          } else if (!Put(text, size)) {
            return false;
          }
        }
      }
      const ModelJump& jump = m_.jumps_[state.first + choice];
      if (!PutPhrase(jump)) return false;
      if (jump.next == kEndOfRow) {
        *out = out_;
        return true;
      }
      s = jump.next;
    }
  }

  static constexpr uint32_t kStartState = 1;

 private:
  void BeginRow() {
    row_++;
    last_hit_ = 3;
    decisions_[0] = decisions_[1] = decisions_[2] = 0;
  }

  void Decide(uint64_t what) {
    decisions_[2] = decisions_[1];
    decisions_[1] = decisions_[0];
    decisions_[0] = static_cast<uint32_t>(what * 0x9E3779B1u + 1);
  }
  size_t PathSlot(uint32_t s) const {
    uint32_t h = s;
    for (int i = 0; i < kDecisions; i++) h = (h ^ decisions_[i]) * 0x85EBCA6Bu, h ^= h >> 15;
    return h & (kPaths - 1);
  }

  bool Put(const char* text, size_t size) {
    if (static_cast<size_t>(end_ - out_) < size) return false;
    std::memcpy(out_, text, size);
    out_ += size;
    return true;
  }
  bool PutPhrase(const ModelJump& jump) {
    const char* text = m_.text_.data() + jump.offset;
    // Short ones as a whole: what is behind them is overwritten.
    if (jump.size <= kPhrasePadding && end_ - out_ >= static_cast<ptrdiff_t>(kPhrasePadding)) {
      std::memcpy(out_, text, kPhrasePadding);
      out_ += jump.size;
      return true;
    }
    return Put(text, jump.size);
  }

  Bit* Refresh(uint32_t first, uint32_t count) {
    Bit* bits = w_.bits.data() + first;
    if constexpr (!Io::kCountOnly) {
      std::memcpy(static_cast<void*>(bits), m_.initial_.data() + first, count * sizeof(Bit));
    }
    return bits;
  }

  // Guess first: what followed last time on the choice made last time in this state.
  uint32_t Choose(uint32_t s, const ModelState& state, uint32_t choice) {
    TokenWorkspace::State& dyn = w_.states[s];
    Bit* bits = w_.bits.data() + state.bits;
    uint32_t* followers = w_.followers.data() + state.first;
    if (dyn.stamp != w_.stamp) {
      Refresh(state.bits, m_.StateBits(state));
      std::fill_n(followers, state.count, kNone32);
      dyn = {w_.stamp, kNone32, 0};
    }
    // What came after the same decisions in an earlier row, then what came last time after the
    // choice before.
    TokenWorkspace::Path& path = w_.paths[PathSlot(s)];
    const bool remembered = path.stamp == w_.stamp && path.state == s && path.choice < state.count;
    uint32_t guess = kNone32;
    if (dyn.last != kNone32) {
      guess = followers[dyn.last];
      if (guess == kNone32) guess = dyn.last;
    }
    bool hit = false;
    if (remembered) {
      hit = io_.Code(bits + 4 + path.trust * 2 + (guess == path.choice), choice == path.choice);
      if (hit) {
        choice = path.choice;
        path.trust += path.trust < 3;
      } else {
        path.trust = 0;
      }
    }
    if (!hit) {
      if (guess != kNone32 && !(remembered && guess == path.choice)) {
        hit = io_.Code(bits + dyn.history, choice == guess);
        dyn.history = (dyn.history << 1 | hit) & 3;
        if (hit) choice = guess;
      }
      if (!hit) choice = CodeGamma(io_, bits + kChoiceBits, state.count, choice);
      if (choice >= state.count) return choice;
      if (!remembered || path.choice != choice) path = {w_.stamp, s, choice, 0};
    }
    if (dyn.last != kNone32) followers[dyn.last] = choice;
    Decide(choice);
    dyn.last = choice;
    return choice;
  }

  // Words that were spelled twice are the same, so the decoder has to look at them.
  static bool Same(const ValueClass& c, const TokenValue& x, const TokenValue& y) {
    if (x == y) return true;
    if (!Io::kDecode || c.kind != kSymbolRaw) return false;
    return x.b == y.b && std::memcmp(reinterpret_cast<const void*>(x.a),
                                     reinterpret_cast<const void*>(y.a), x.b) == 0;
  }

  bool Value(uint32_t number, TokenValue* value, const char* text, size_t size) {
    const ValueClass& c = m_.classes_[number];
    TokenWorkspace::Class& dyn = w_.classes[number];
    Bit* bits = w_.bits.data() + c.bits;
    if (dyn.stamp != w_.stamp) {
      Refresh(c.bits, c.bit_count);
      dyn.stamp = w_.stamp;
      dyn.row = 0;
      dyn.recent = 0;
    }
    dyn.place = dyn.row == row_ ? dyn.place + 1 : 0;
    dyn.row = row_;
    const uint32_t key = number * 256 + std::min<uint32_t>(dyn.place, 255);
    TokenWorkspace::Place& place = w_.places[(key * 0x9E3779B1u) >> 20];
    const bool placed = place.stamp == w_.stamp && place.key == key;
    TokenWorkspace::ValuePath& path = w_.value_paths[PathSlot(number)];
    const bool remembered = path.stamp == w_.stamp && path.number == number;
    TokenValue before;
    uint32_t hit = 2;
    size_t at = dyn.recent;  // in the list
    Bit* flags = bits + last_hit_ * kHitFlags;
    const bool have_before = placed || dyn.recent > 0;
    if (have_before) before = placed ? place.value : dyn.values[0];
    bool found = false;
    bool expected = false;
    if (remembered) {
      expected = have_before && Same(c, before, path.value);
      if (io_.Code(flags + 5 + path.trust * 2 + expected, *value == path.value)) {
        *value = path.value;
        found = true;
        hit = 0;
      }
    }
    if (!found && have_before && !expected && io_.Code(flags, *value == before)) {
      *value = before;
      found = true;
      hit = 0;
    }
    if (!found) {
      for (size_t i = 0; i < dyn.recent; i++) {
        if (Same(c, dyn.values[i], before) || (remembered && Same(c, dyn.values[i], path.value))) {
          continue;
        }
        if (io_.Code(flags + 1 + i, *value == dyn.values[i])) {
          hit = 1;
          *value = dyn.values[i];
          break;
        }
      }
    }
    if (hit < 2) {
      for (at = 0; at < dyn.recent && !Same(c, dyn.values[at], *value); at++) {}
    }
    if constexpr (Io::kCountOnly) io_.Saw(number, hit, *value, before);
    if (hit == 2) {
      if constexpr (!Io::kCountOnly) {
        if (!Fresh(c, bits + kHitBits, value, before, text, size)) return false;
      }
      at = dyn.recent;
    } else if constexpr (Io::kDecode) {
      if (c.kind == kSymbolRaw && !Put(reinterpret_cast<const char*>(value->a), value->b)) {
        return false;
      }
    }
    // To the front of the list.
    if (at == dyn.recent) {
      if (dyn.recent < kRecentValues) dyn.recent++;
      at = dyn.recent - 1;
    }
    for (; at > 0; at--) dyn.values[at] = dyn.values[at - 1];
    dyn.values[0] = *value;
    place = {w_.stamp, key, *value};
    // A guess that was wrong is replaced.
    if (!remembered) {
      path = {w_.stamp, number, 0, *value};
    } else if (Same(c, path.value, *value)) {
      path.trust += path.trust < 3;
    } else {
      path.value = *value;
      path.trust = 0;
    }
    last_hit_ = hit;
    if constexpr (Io::kDecode) {
      Decide(c.kind == kSymbolRaw ? value->b : value->a);
    } else {
      Decide(c.kind == kSymbolRaw ? size : value->a);
    }
    return true;
  }

  // A value that is not among the recent ones.
  bool Fresh(const ValueClass& c, Bit* bits, TokenValue* value, const TokenValue& before,
             const char* text, size_t size) {
    switch (c.kind) {
      case kSymbolDictionary:
        if (w_.dictionary != w_.stamp) {
          w_.dictionary = w_.stamp;
          Refresh(m_.dictionary_bits_, GammaBits(m_.dictionary_words_));
        }
        value->a = CodeGamma(io_, w_.bits.data() + m_.dictionary_bits_, m_.dictionary_words_,
                             static_cast<uint32_t>(value->a));
        return value->a < m_.dictionary_words_;
      case kSymbolRaw: return Spell(value, text, size);
      case kTokenUuid:
        value->a = io_.Raw(value->a, 64);
        value->b = io_.Raw(value->b, 64);
        return true;
      default: break;
    }
    if (c.width_mode == kWidthMixed) {
      value->b = CodeTree(io_, bits, 5, static_cast<uint32_t>(value->b));
      bits += kWidthBits;
    }
    switch (c.mode) {
      case kNumberSmall:
        value->a = CodeTree(io_, bits, c.max_bits, static_cast<uint32_t>(value->a));
        break;
      case kNumberDirect: value->a = CodeMagnitude(io_, bits, c.max_bits, value->a); break;
      default: {
        const uint64_t delta = value->a - before.a;
        const bool negative = io_.Code(bits, static_cast<int64_t>(delta) < 0);
        const uint64_t size_of = CodeMagnitude(io_, bits + 1, c.max_bits, negative ? 0 - delta : delta);
        value->a = before.a + (negative ? 0 - size_of : size_of);
        break;
      }
    }
    if (Io::kDecode && c.width_mode != kWidthMixed) {
      value->b = c.width_mode == kWidthFixed ? c.width : NaturalDigits(c.kind, value->a);
    }
    return true;
  }

  Bit* SpellingBits(uint8_t before) {
    if (w_.spelling[before] != w_.stamp) {
      w_.spelling[before] = w_.stamp;
      Refresh(m_.spelling_bits_ + before * 256, 256);
      Refresh(m_.spelling_bits_ + kSpellingEnds + before, 1);
    }
    return w_.bits.data() + m_.spelling_bits_;
  }

  // Characters after the one before; an end is possible behind the first one.
  bool Spell(TokenValue* value, const char* text, size_t size) {
    uint8_t before = 0;
    uint8_t* const start = out_;
    for (size_t i = 0;; i++) {
      Bit* bits = SpellingBits(before);
      if (i > 0 && io_.Code(bits + kSpellingEnds + before, i == size)) break;
      const uint32_t c = Io::kDecode ? 0 : static_cast<uint8_t>(text[i]);
      before = static_cast<uint8_t>(CodeTree(io_, bits + before * 256, 8, c));
      if constexpr (Io::kDecode) {
        if (out_ == end_ || io_.Exhausted()) return false;
        *out_++ = before;
      }
    }
    if constexpr (Io::kDecode) {
      *value = {reinterpret_cast<uintptr_t>(start), static_cast<uint64_t>(out_ - start)};
    }
    return true;
  }

  const TokenModel& m_;
  TokenWorkspace& w_;
  Io& io_;
  uint32_t row_ = 0;
  uint32_t last_hit_ = 3;
  uint32_t decisions_[3] = {};
  uint8_t* out_ = nullptr;
  const uint8_t* end_ = nullptr;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_TOKEN_CODER_H
