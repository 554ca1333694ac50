#include "codec/tokens/token_model.h"

#include <algorithm>
#include <memory>

#include "codec/tokens/model_coder.h"
#include "codec/tokens/token_coder.h"

namespace nodedb_ts::codec {
namespace {

struct DecodeIo : BinaryDecoder {
  using BinaryDecoder::BinaryDecoder;
  static constexpr bool kCountOnly = false;
};

}  // namespace

uint32_t TokenModel::StateBits(const ModelState& s) {
  return s.count > 1 ? kChoiceBits + GammaBits(s.count) : 0;
}

uint32_t TokenModel::ClassBits(const ValueClass& c) {
  if (c.kind >= kTokenUuid) return kHitBits;
  const uint32_t bits = kHitBits + (c.width_mode == kWidthMixed ? kWidthBits : 0);
  switch (c.mode) {
    case kNumberSmall: return bits + (1u << c.max_bits);
    case kNumberDirect: return bits + MagnitudeBits(c.max_bits);
    default: return bits + 1 + MagnitudeBits(c.max_bits);
  }
}

void TokenModel::PlaceBits() {
  uint32_t at = 0;
  for (ModelState& s : states_) {
    s.bits = at;
    at += StateBits(s);
  }
  for (ValueClass& c : classes_) {
    c.bits = at;
    c.bit_count = ClassBits(c);
    at += c.bit_count;
  }
  dictionary_bits_ = at;
  if (dictionary_words_ > 0) at += GammaBits(dictionary_words_);
  spelling_bits_ = at;
  at += kSpellingBits;
  initial_.assign(at, {});
}

bool TokenModel::Open(base::ByteReader in) {
  *this = TokenModel();
  DecodeIo io(in);
  auto coder = std::make_unique<ModelCoder<DecodeIo>>(this, &io, in.remaining());
  if (!coder->Code(nullptr) || !io.AtEnd()) return false;
  MakeJumps();
  return true;
}

void TokenModel::MakeJumps() {
  // Longer phrases, and what would not fit into this room, are put together when they are read.
  constexpr size_t kMaxPhraseBytes = 2048;
  const size_t limit = text_.size() + (size_t{8} << 20);
  jumps_.assign(transitions_.size(), {});
  for (const ModelState& s : states_) {
    for (uint32_t i = s.first; i < s.first + s.count; i++) {
      ModelJump& jump = jumps_[i];
      const ModelTransition* t = &transitions_[i];
      if (t->symbol == kSymbolEnd) {
        jump.next = kEndOfRow;
        continue;
      }
      jump.next = t->next;
      // Most have one word, which has its place already.
      bool copied = false;
      if (t->symbol >= kFirstWord) {
        jump.offset = words_[t->symbol - kFirstWord].offset;
        jump.size = words_[t->symbol - kFirstWord].size;
        if (s.count == 1) continue;  // part of the phrases before it
      }
      while (states_[jump.next].count == 1) {
        t = &transitions_[states_[jump.next].first];
        if (t->symbol == kSymbolEnd) {
          jump.next = kEndOfRow;
          break;
        }
        if (t->symbol < kFirstWord) break;
        const ModelWord& word = words_[t->symbol - kFirstWord];
        const size_t size = jump.size + word.size;
        if (size > kMaxPhraseBytes || text_.size() + size > limit) break;
        if (!copied) {
          const size_t from = jump.offset;
          jump.offset = static_cast<uint32_t>(text_.size());
          text_.resize(text_.size() + jump.size);
          std::copy_n(text_.begin() + static_cast<ptrdiff_t>(from), jump.size,
                      text_.begin() + jump.offset);
          copied = true;
        }
        text_.resize(text_.size() + word.size);
        std::copy_n(text_.begin() + word.offset, word.size,
                    text_.end() - static_cast<ptrdiff_t>(word.size));
        jump.size = static_cast<uint32_t>(size);
        jump.next = t->next;
      }
    }
  }
  text_.resize(text_.size() + kPhrasePadding);
}

bool TokenModel::Decode(base::ByteReader in, std::span<uint64_t> lengths, uint8_t* out,
                        uint64_t total) const {
  // Behind a pointer: a shared library asks the loader for the address of what is thread-local.
  thread_local std::unique_ptr<TokenWorkspace> kept;
  if (kept == nullptr) kept = std::make_unique<TokenWorkspace>();
  DecodeIo io(in);
  TokenCoder<DecodeIo> coder(*this, kept.get(), &io);
  uint8_t* at = out;
  const uint8_t* end = out + total;
  for (uint64_t& length : lengths) {
    const uint8_t* begin = at;
    if (!coder.DecodeRow(&at, end)) return false;
    length = static_cast<uint64_t>(at - begin);
  }
  return at == end && io.AtEnd();
}

}  // namespace nodedb_ts::codec
