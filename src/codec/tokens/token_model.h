// token_model.h - a Markov model of the tokens of a chunk, and the coding of rows with it.
//
// A state is what the last few tokens were; its transitions are the tokens that follow there in the
// chunk. A transition is a word of the dictionary or stands for values of a kind (numbers, words that
// are rare), whose coding a value class describes. See README.md.
#ifndef NODEDB_TS_CODEC_TOKENS_TOKEN_MODEL_H
#define NODEDB_TS_CODEC_TOKENS_TOKEN_MODEL_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/byte_reader.h"
#include "codec/tokens/binary_coder.h"
#include "codec/tokens/tokenizer.h"

namespace nodedb_ts::codec {

inline constexpr uint32_t kMaxOrder = 6;  // tokens that a state remembers
inline constexpr uint32_t kNone32 = UINT32_MAX;
inline constexpr uint32_t kEndOfRow = UINT32_MAX;

// Modes of number classes.
enum NumberMode : uint8_t { kNumberDirect = 0, kNumberDelta = 1, kNumberSmall = 2 };
enum WidthMode : uint8_t { kWidthNatural = 0, kWidthFixed = 1, kWidthMixed = 2 };

struct ModelWord {
  uint32_t offset = 0;  // in the text
  uint32_t size = 0;
  uint8_t kind = 0;
};

struct ModelTransition {
  uint32_t symbol = 0;  // kFirstWord + word, or a TokenKind
  uint32_t next = 0;
  uint32_t value_class = kNone32;
};

struct ModelState {
  uint32_t first = 0;  // transition
  uint32_t count = 0;
  uint32_t bits = 0;   // first of its adaptive bits
  bool wide = false;   // any word makes the same context
  uint8_t order = 0;
  uint32_t context[kMaxOrder] = {};  // symbols, the last one first
};

// The text from a transition on while no choice and no value comes, and the state behind it.
struct ModelJump {
  uint32_t offset = 0;
  uint32_t size = 0;
  uint32_t next = 0;  // kEndOfRow: the row ends there
};

struct ValueClass {
  uint8_t kind = 0;
  uint8_t mode = 0;
  uint8_t max_bits = 0;
  uint8_t width_mode = 0;
  uint8_t width = 0;
  uint32_t bits = 0;      // first of its adaptive bits
  uint32_t bit_count = 0;
};

// The shared part of a chunk, parsed. Immutable after Open.
class TokenModel {
 public:
  [[nodiscard]] bool Open(base::ByteReader in);
  // A vector's rows: their bytes to out[0..total), their lengths.
  [[nodiscard]] bool Decode(base::ByteReader in, std::span<uint64_t> lengths, uint8_t* out,
                            uint64_t total) const;

 private:
  friend class TokenEncoder;
  template <typename Io>
  friend class TokenCoder;
  template <typename Io>
  friend class ModelCoder;

  static uint32_t StateBits(const ModelState& s);
  static uint32_t ClassBits(const ValueClass& c);
  void MakeJumps();
  void PlaceBits();  // decides where every state's and class's bits are

  uint32_t dictionary_words_ = 0;  // the first words may be named by number
  std::vector<ModelWord> words_;
  std::vector<char> text_;  // of words, behind them of longer phrases
  std::vector<ModelState> states_;
  std::vector<ModelTransition> transitions_;
  std::vector<ModelJump> jumps_;  // of each transition; decoder only
  std::vector<ValueClass> classes_;
  std::vector<Bit> initial_;  // of all adaptive bits
  uint32_t dictionary_bits_ = 0;
  uint32_t spelling_bits_ = 0;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_TOKEN_MODEL_H
