#include "codec/tokens/tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>

namespace nodedb_ts::codec {
namespace {

constexpr size_t kMaxDecimalDigits = 19;
constexpr size_t kMaxHexDigits = 16;
constexpr size_t kMinHexRun = 4;     // shorter ones are words that happen to be hexadecimal
constexpr size_t kMaxSeparator = 16;
constexpr size_t kMaxPieces = 4;     // of letters and digits; a run of more is one word

enum CharClass : uint8_t { kOther = 0, kDigit = 1, kLowerHex = 2, kUpperHex = 4, kLetter = 8 };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (int c = '0'; c <= '9'; c++) classes[static_cast<size_t>(c)] = kDigit;
  for (int c = 'a'; c <= 'z'; c++) classes[static_cast<size_t>(c)] = c <= 'f' ? kLowerHex : kLetter;
  for (int c = 'A'; c <= 'Z'; c++) classes[static_cast<size_t>(c)] = c <= 'F' ? kUpperHex : kLetter;
  classes['_'] = kLetter;
  for (size_t c = 128; c < 256; c++) classes[c] = kLetter;
  return classes;
}();

uint8_t ClassOf(char c) { return kClasses[static_cast<uint8_t>(c)]; }
bool IsDigit(char c) { return ClassOf(c) == kDigit; }

bool TwoDigits(const char* p, unsigned below) {
  return IsDigit(p[0]) && IsDigit(p[1]) &&
         static_cast<unsigned>(p[0] - '0') * 10 + static_cast<unsigned>(p[1] - '0') < below;
}

size_t TimeToken(const char* at, const char* end, TokenKind* kind) {
  const size_t size = static_cast<size_t>(end - at);
  if (size < 8 || at[2] != ':' || at[5] != ':') return 0;
  if (!TwoDigits(at, 24) || !TwoDigits(at + 3, 60) || !TwoDigits(at + 6, 60)) return 0;
  if (size > 8 && IsDigit(at[8])) return 0;
  *kind = kTokenTime;
  if (size < 12 || !IsDigit(at[9]) || !IsDigit(at[10]) || !IsDigit(at[11])) return 8;
  if (size > 12 && IsDigit(at[12])) return 8;
  switch (at[8]) {
    case '.': *kind = kTokenTimeDot; return 12;
    case ',': *kind = kTokenTimeComma; return 12;
    case ':': *kind = kTokenTimeColon; return 12;
    default: return 8;
  }
}

bool IsUuid(const char* at, const char* end) {
  if (end - at < 36) return false;
  for (size_t i = 0; i < 36; i++) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (at[i] != '-') return false;
    } else if (!(ClassOf(at[i]) & (kDigit | kLowerHex))) {
      return false;
    }
  }
  return end - at == 36 || ClassOf(at[36]) == kOther;
}

}  // namespace

size_t NextToken(const char* begin, const char* at, const char* end, TokenKind* kind) {
  if (ClassOf(*at) == kOther) {
    const char* p = at + 1;
    const char* stop = at + std::min<size_t>(kMaxSeparator, static_cast<size_t>(end - at));
    while (p < stop && ClassOf(*p) == kOther) p++;
    *kind = kTokenSeparator;
    return static_cast<size_t>(p - at);
  }
  uint8_t seen = 0;
  const char* run = at;
  size_t pieces = 0;
  bool was_digit = false;
  const char* first_end = nullptr;  // of the first piece
  for (; run < end; run++) {
    const uint8_t c = ClassOf(*run);
    if (c == kOther) break;
    const bool digit = c == kDigit;
    if (pieces == 0 || digit != was_digit) {
      if (pieces == 1) first_end = run;
      pieces++;
      was_digit = digit;
    }
    seen |= c;
  }
  const size_t size = static_cast<size_t>(run - at);
  if (pieces == 1) first_end = run;
  if (!(seen & kDigit)) {
    *kind = kTokenWord;
    if (size == 8 && seen == kLowerHex && IsUuid(at, end)) {
      *kind = kTokenUuid;
      return 36;
    }
    return size;
  }
  if (size == 2 && run < end && *run == ':') {
    const size_t time = TimeToken(at, end, kind);
    if (time > 0) return time;
  }
  const bool lower = !(seen & ~(kDigit | kLowerHex));
  const bool upper = !(seen & ~(kDigit | kUpperHex));
  if (size == 8 && lower && IsUuid(at, end)) {
    *kind = kTokenUuid;
    return 36;
  }
  const bool after_0x = at - begin >= 2 && at[-1] == 'x' && at[-2] == '0';
  if ((lower || upper) && (after_0x || ((seen & ~kDigit) && size >= kMinHexRun))) {
    *kind = lower ? kTokenHexLower : kTokenHexUpper;
    return std::min(size, kMaxHexDigits);
  }
  if (IsDigit(*at)) {
    if (at[0] == '0' && size > 2 && at[1] == 'x') {
      *kind = kTokenWord;
      return 2;
    }
    const size_t digits = static_cast<size_t>(first_end - at);
    if (pieces <= kMaxPieces) {
      *kind = kTokenDecimal;
      return std::min(digits, kMaxDecimalDigits);
    }
  }
  *kind = kTokenWord;
  return pieces > kMaxPieces ? size : static_cast<size_t>(first_end - at);
}

namespace {

uint64_t ParseHex(const char* text, size_t size) {
  uint64_t v = 0;
  for (size_t i = 0; i < size; i++) {
    const char c = text[i];
    v = v << 4 | static_cast<uint64_t>(IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return v;
}

uint64_t ParseDecimal(const char* text, size_t size) {
  uint64_t v = 0;
  for (size_t i = 0; i < size; i++) v = v * 10 + static_cast<uint64_t>(text[i] - '0');
  return v;
}

void FormatHex(uint64_t v, size_t digits, char ten, char* out) {
  for (size_t i = digits; i-- > 0; v >>= 4) {
    const char d = static_cast<char>(v & 15);
    out[i] = static_cast<char>(d < 10 ? '0' + d : ten + d - 10);
  }
}

void FormatDecimal(uint64_t v, size_t digits, char* out) {
  for (size_t i = digits; i-- > 0; v /= 10) out[i] = static_cast<char>('0' + v % 10);
}

}  // namespace

TokenValue ParseValue(TokenKind kind, const char* text, size_t size) {
  switch (kind) {
    case kTokenDecimal: return {ParseDecimal(text, size), size};
    case kTokenHexLower:
    case kTokenHexUpper: return {ParseHex(text, size), size};
    case kTokenUuid:
      return {ParseHex(text, 8) << 32 | ParseHex(text + 9, 4) << 16 | ParseHex(text + 14, 4),
              ParseHex(text + 19, 4) << 48 | ParseHex(text + 24, 12)};
    default: {
      uint64_t v = ParseDecimal(text, 2) * 3600 + ParseDecimal(text + 3, 2) * 60 +
                   ParseDecimal(text + 6, 2);
      if (size == 12) v = v * 1000 + ParseDecimal(text + 9, 3);
      return {v, 0};
    }
  }
}

size_t FormatValue(uint8_t kind, const TokenValue& value, char* out) {
  uint64_t v = value.a;
  switch (kind) {
    case kTokenDecimal:
      if (value.b == 0 || value.b > kMaxDecimalDigits) return 0;
      FormatDecimal(v, value.b, out);
      return value.b;
    case kTokenHexLower:
    case kTokenHexUpper:
      if (value.b == 0 || value.b > kMaxHexDigits) return 0;
      FormatHex(v, value.b, kind == kTokenHexLower ? 'a' : 'A', out);
      return value.b;
    case kTokenUuid:
      FormatHex(v >> 32, 8, 'a', out);
      FormatHex(v >> 16, 4, 'a', out + 9);
      FormatHex(v, 4, 'a', out + 14);
      FormatHex(value.b >> 48, 4, 'a', out + 19);
      FormatHex(value.b, 12, 'a', out + 24);
      out[8] = out[13] = out[18] = out[23] = '-';
      return 36;
    default: {
      size_t size = 8;
      if (kind != kTokenTime) {
        FormatDecimal(v % 1000, 3, out + 9);
        out[8] = kind == kTokenTimeDot ? '.' : kind == kTokenTimeComma ? ',' : ':';
        v /= 1000;
        size = 12;
      }
      if (v >= 86400) return 0;
      FormatDecimal(v / 3600, 2, out);
      FormatDecimal(v / 60 % 60, 2, out + 3);
      FormatDecimal(v % 60, 2, out + 6);
      out[2] = out[5] = ':';
      return size;
    }
  }
}

unsigned NaturalDigits(uint8_t kind, uint64_t number) {
  if (kind != kTokenDecimal) return std::max(1u, (static_cast<unsigned>(std::bit_width(number)) + 3) / 4);
  unsigned digits = 1;
  for (; number >= 10; number /= 10) digits++;
  return digits;
}

}  // namespace nodedb_ts::codec
