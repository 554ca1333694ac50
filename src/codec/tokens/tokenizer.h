// tokenizer.h - cuts text into words, separators and numbers.
#ifndef NODEDB_TS_CODEC_TOKENS_TOKENIZER_H
#define NODEDB_TS_CODEC_TOKENS_TOKENIZER_H

#include <cstddef>
#include <cstdint>

namespace nodedb_ts::codec {

// Kinds of tokens and, below kFirstWord, symbols of the model. Stored: never renumber.
enum TokenKind : uint8_t {
  kSymbolStart = 0,     // before a row
  kSymbolEnd = 1,       // of a row
  kTokenDecimal = 2,    // 1..19 digits
  kTokenHexLower = 3,   // 1..16 hexadecimal digits
  kTokenHexUpper = 4,
  kTokenTime = 5,       // hh:mm:ss
  kTokenTimeDot = 6,    // hh:mm:ss.mmm
  kTokenTimeComma = 7,  // hh:mm:ss,mmm
  kTokenTimeColon = 8,  // hh:mm:ss:mmm
  kTokenUuid = 9,       // 8-4-4-4-12 lower case hexadecimal digits
  kSymbolDictionary = 10,  // a word by its number; in contexts: any word
  kSymbolRaw = 11,         // a word that is spelled
  kTokenWord = 12,         // letters, _ and bytes from 128
  kTokenSeparator = 13,    // all others
  kFirstWord = 16,
};

inline bool IsValueToken(uint8_t kind) { return kind >= kTokenDecimal && kind <= kTokenUuid; }

// A value token: a number and its digits; a time in seconds or milliseconds; both halves of a UUID.
struct TokenValue {
  uint64_t a = 0;
  uint64_t b = 0;
  bool operator==(const TokenValue&) const = default;
};

// The longest text of a value token.
inline constexpr size_t kMaxValueText = 36;

// Bytes of the token at `at`, 1 .. end - at. begin: of the row.
size_t NextToken(const char* begin, const char* at, const char* end, TokenKind* kind);
// REQUIRES the text of a value token.
TokenValue ParseValue(TokenKind kind, const char* text, size_t size);
// Writes the text, at most kMaxValueText bytes; returns its size, 0 for impossible values.
size_t FormatValue(uint8_t kind, const TokenValue& value, char* out);
// Digits of the shortest form.
unsigned NaturalDigits(uint8_t kind, uint64_t number);

}  // namespace nodedb_ts::codec

#endif  // NODEDB_TS_CODEC_TOKENS_TOKENIZER_H
