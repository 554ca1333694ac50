// token_encoder.h - learns a TokenModel from a chunk's strings and codes its vectors with it.
#ifndef NODEDB_TS_CODEC_TOKENS_TOKEN_ENCODER_H
#define NODEDB_TS_CODEC_TOKENS_TOKEN_ENCODER_H

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "codec/tokens/token_coder.h"
#include "codec/tokens/token_model.h"

namespace nodedb_ts::codec {

class TokenEncoder {
 public:
  // values: the strings of all vectors, none NULL; vector_values: how many each vector has. Borrows
  // the values until the last Encode. False: too little of this repeats, or it would take too much.
  bool Learn(std::span<const std::string_view> values, std::span<const uint32_t> vector_values);
  // The shared part.
  const std::vector<uint8_t>& shared() const { return shared_; }
  // Appends a vector, whose strings have `total` bytes.
  void Encode(size_t vector, std::vector<uint8_t>* out);

 private:
  struct Pair {  // of a state and a token that follows
    uint32_t state;
    uint32_t token;
    uint32_t count;
    uint32_t next;
    bool literal;
  };
  struct Node {  // a state
    uint32_t order = 0;
    uint32_t context[kMaxOrder] = {};
    bool wide = false;
    uint32_t last_token = kNone32;  // a hint
    uint32_t last_pair = 0;
    uint32_t values[kSymbolRaw + 1];  // places in uses_ of what is no word
  };
  struct Use {  // of a transition
    uint32_t state;
    uint32_t symbol;  // as in ModelTransition, words by token
    uint32_t next;
    uint32_t count;
  };
  class Contexts;

  bool Tokenize(std::span<const std::string_view> values, std::span<const uint32_t> vector_values);
  bool FindWideContexts(Contexts* contexts);
  bool CountContexts(Contexts* contexts);
  bool WalkLiterally(Contexts* contexts);
  void ChooseLiterals();
  void Walk(Contexts* contexts);
  void MakeModel();
  void NumberStates();
  void ChooseModes();
  void Train();
  bool WriteShared();

  uint32_t MakeNode(Contexts* contexts, const uint32_t* context, uint32_t order);
  uint32_t NextNode(Contexts* contexts, uint32_t node, uint32_t symbol);

  std::vector<TokenInfo> infos_;    // of distinct tokens; the first one is the end of a row
  std::vector<uint32_t> counts_;
  std::vector<uint32_t> tokens_;    // of all rows, each with its end
  std::vector<uint32_t> steps_;     // transition of each token
  std::vector<size_t> vector_ends_; // in tokens_
  std::vector<uint32_t> vector_values_;
  std::vector<Node> nodes_;
  std::vector<Pair> pairs_;
  std::vector<Use> uses_;
  TokenModel model_;
  TokenWorkspace workspace_;
  std::vector<uint8_t> starts_;
  std::vector<uint8_t> shared_;
};

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_TOKEN_ENCODER_H
