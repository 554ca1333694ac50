// Reads CSV with a header line from standard input and prints what its table looks like, one
// "key<TAB>value" a line:
//   columns  a list for CREATE TABLE
//   rows     records after the header
//   time     the first column with times       (quoted names; left out when there is none)
//   label    the first text column with few different values
//   number   the first column with fractions, else the first with whole numbers
//
// A column gets the narrowest type that fits all its values: bigint, numeric (whole numbers too long for
// bigint), double precision, date, timestamptz, boolean, else text. An empty value is NULL. Numbers with
// leading zeros stay text. The whole file is read, so that a later value cannot surprise COPY.

#include <array>
#include <cctype>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

constexpr size_t kMaxLabels = 10000;
constexpr size_t kMaxName = 63;

// A set of types that a value can be read as.
enum : unsigned { kBigint = 1, kNumeric = 2, kDouble = 4, kDate = 8, kTimestamp = 16, kBoolean = 32 };
constexpr unsigned kAll = 63;

[[noreturn]] void Fail(const std::string& message) {
  fprintf(stderr, "%s\n", message.c_str());
  exit(1);
}

class Reader {
 public:
  // Reads one record; false at the end of the input.
  bool Next(std::vector<std::string>& fields) {
    fields.clear();
    int c = Get();
    if (c == EOF) return false;
    std::string field;
    bool quoted = false;
    for (;; c = Get()) {
      if (quoted) {
        if (c == EOF) Fail("a quoted value does not end");
        if (c == '"') {
          if (Peek() == '"') field.push_back(static_cast<char>(Get()));
          else quoted = false;
        } else {
          field.push_back(static_cast<char>(c));
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',') {
        fields.push_back(std::move(field));
        field.clear();
      } else if (c == '\n' || c == EOF) {
        if (!field.empty() && field.back() == '\r') field.pop_back();
        fields.push_back(std::move(field));
        return true;
      } else {
        field.push_back(static_cast<char>(c));
      }
    }
  }

 private:
  int Peek() {
    if (at_ == used_) {
      used_ = fread(buffer_.data(), 1, buffer_.size(), stdin);
      at_ = 0;
      if (used_ == 0) return EOF;
    }
    return static_cast<unsigned char>(buffer_[at_]);
  }
  int Get() {
    const int c = Peek();
    if (c != EOF) at_++;
    return c;
  }

  std::array<char, 1 << 16> buffer_;
  size_t at_ = 0;
  size_t used_ = 0;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

size_t SkipDigits(std::string_view text, size_t at) {
  while (at < text.size() && IsDigit(text[at])) at++;
  return at;
}

bool EqualsIgnoreCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); i++)
    if (tolower(static_cast<unsigned char>(text[i])) != lower[i]) return false;
  return true;
}

unsigned NumberTypes(std::string_view text) {
  size_t at = text[0] == '-' || text[0] == '+' ? 1 : 0;
  const std::string_view bare = text.substr(at);
  if (EqualsIgnoreCase(bare, "nan") || EqualsIgnoreCase(bare, "inf") || EqualsIgnoreCase(bare, "infinity"))
    return kDouble;
  const size_t whole = SkipDigits(text, at);
  const size_t digits = whole - at;
  if (digits > 1 && text[at] == '0') return 0;
  if (whole == text.size()) {
    if (digits == 0) return 0;
    return digits <= 18 ? kBigint | kNumeric | kDouble : kNumeric | kDouble;
  }
  at = whole;
  size_t fraction = 0;
  if (text[at] == '.') {
    const size_t end = SkipDigits(text, at + 1);
    fraction = end - at - 1;
    at = end;
  }
  if (digits + fraction == 0) return 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    at++;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) at++;
    const size_t end = SkipDigits(text, at);
    if (end == at) return 0;
    at = end;
  }
  return at == text.size() ? kDouble : 0u;
}

// Matches `pattern` at the start: 0 stands for a digit, everything else for itself.
bool StartsLike(std::string_view text, std::string_view pattern) {
  if (text.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); i++)
    if (pattern[i] == '0' ? !IsDigit(text[i]) : text[i] != pattern[i]) return false;
  return true;
}

// YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]][[ ]zone]], zone: Z, UTC, +HH, +HH:MM, +HHMM
unsigned TimeTypes(std::string_view text) {
  if (!StartsLike(text, "0000-00-00")) return 0;
  text.remove_prefix(10);
  if (text.empty()) return kDate | kTimestamp;
  if (text[0] != ' ' && text[0] != 'T') return 0;
  text.remove_prefix(1);
  if (!StartsLike(text, "00:00")) return 0;
  text.remove_prefix(5);
  if (StartsLike(text, ":00")) {
    text.remove_prefix(3);
    if (!text.empty() && text[0] == '.') text.remove_prefix(SkipDigits(text, 1));
  }
  if (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  if (text.empty() || text == "Z" || text == "UTC") return kTimestamp;
  if (text[0] != '+' && text[0] != '-') return 0;
  text.remove_prefix(1);
  const bool zone = (text.size() == 2 && StartsLike(text, "00")) ||
                    (text.size() == 4 && StartsLike(text, "0000")) ||
                    (text.size() == 5 && StartsLike(text, "00:00"));
  return zone ? kTimestamp : 0u;
}

unsigned TypesOf(std::string_view text) {
  if (IsDigit(text[0]) && text.size() >= 10 && text[4] == '-') return TimeTypes(text);
  if (EqualsIgnoreCase(text, "t") || EqualsIgnoreCase(text, "f") || EqualsIgnoreCase(text, "true") ||
      EqualsIgnoreCase(text, "false"))
    return kBoolean;
  return NumberTypes(text);
}

struct Column {
  std::string name;  // quoted
  unsigned types = kAll;
  bool any = false;
  bool many_labels = false;
  std::unordered_set<std::string> labels;

  void Add(const std::string& value) {
    any = true;
    if (types != 0) types &= TypesOf(value);
    if (many_labels) return;
    labels.insert(value);
    if (labels.size() > kMaxLabels) {
      many_labels = true;
      labels.clear();
    }
  }

  const char* Type() const {
    if (!any) return "text";
    if (types & kBigint) return "bigint";
    if (types & kNumeric) return "numeric";
    if (types & kDouble) return "double precision";
    if (types & kDate) return "date";
    if (types & kTimestamp) return "timestamptz";
    if (types & kBoolean) return "boolean";
    return "text";
  }
};

std::vector<Column> ReadHeader(Reader& reader) {
  std::vector<std::string> names;
  if (!reader.Next(names)) Fail("the file is empty; its first line must name the columns");
  if (names[0].rfind("\xef\xbb\xbf", 0) == 0) names[0].erase(0, 3);
  std::vector<Column> columns;
  std::unordered_set<std::string> seen;
  bool all_numbers = true;
  for (const std::string& name : names) {
    if (name.empty()) Fail("the first line must name the columns; one name in it is empty");
    if (name.size() > kMaxName) Fail("column name " + name + " is longer than 63 bytes");
    if (!seen.insert(name).second) Fail("column name " + name + " occurs twice");
    if (TypesOf(name) == 0) all_numbers = false;
    Column column;
    column.name = "\"";
    for (char c : name) column.name += c == '"' ? std::string("\"\"") : std::string(1, c);
    column.name += "\"";
    columns.push_back(std::move(column));
  }
  if (all_numbers) Fail("the first line holds values; it must name the columns");
  return columns;
}

}  // namespace

int main() {
  static Reader reader;
  std::vector<Column> columns = ReadHeader(reader);
  std::vector<std::string> record;
  uint64_t rows = 0;
  while (reader.Next(record)) {
    rows++;
    if (record.size() != columns.size())
      Fail("row " + std::to_string(rows) + " has " + std::to_string(record.size()) + " values, the header names " +
           std::to_string(columns.size()));
    for (size_t i = 0; i < record.size(); i++)
      if (!record[i].empty()) columns[i].Add(record[i]);
  }

  std::string list, time, label, fraction, whole;
  for (const Column& column : columns) {
    const std::string_view type = column.Type();
    if (!list.empty()) list += ", ";
    list += column.name + " " + std::string(type);
    if (time.empty() && (type == "timestamptz" || type == "date")) time = column.name;
    if (label.empty() && type == "text" && column.any && !column.many_labels) label = column.name;
    if (fraction.empty() && type == "double precision") fraction = column.name;
    if (whole.empty() && (type == "bigint" || type == "numeric")) whole = column.name;
  }
  printf("columns\t%s\nrows\t%" PRIu64 "\n", list.c_str(), rows);
  if (!time.empty()) printf("time\t%s\n", time.c_str());
  if (!label.empty()) printf("label\t%s\n", label.c_str());
  if (!fraction.empty() || !whole.empty()) printf("number\t%s\n", (fraction.empty() ? whole : fraction).c_str());
  return 0;
}
