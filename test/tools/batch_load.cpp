// Loads rows in transactions of a given size, as collectors do, and prints how fast.
//
//   batch_load --table NAME --method values|unnest|copy|binary [--batch N] [--clients N] [--seconds N] [--first N]
//
// values   a prepared INSERT ... VALUES of all rows, each value a parameter (batches of at most 10 000 rows)
// unnest   a prepared INSERT ... SELECT * FROM unnest(...), each column an array
// copy     COPY FROM STDIN, text
// binary   COPY FROM STDIN, binary
//
// The table has the columns ts timestamptz, host text, cpu float8, mem float8, disk_free bigint, net_in bigint.
// Each client reports on 100 hosts of its own, one row of each at a time, ten seconds apart, starting with the tick
// --first: so a table that several runs load goes on in time. What is sent depends on the options alone, not on
// chance. Connects by the environment (PGHOST, PGOPTIONS ...). Prints rows committed, seconds, rows a second and
// the next --first.
//
// link: pq

#include <atomic>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <libpq-fe.h>

namespace {

constexpr int kHosts = 100;
constexpr int kColumns = 6;
constexpr int64_t kIntervalSeconds = 10;
constexpr int64_t kStart = 1704067200;       // 2024-01-01 00:00:00 UTC
constexpr int64_t kPostgresEpoch = 946684800;  // 2000-01-01 00:00:00 UTC

struct Options {
  std::string table;
  std::string method;
  int64_t batch = 100;
  int64_t clients = 1;
  int64_t seconds = 5;
  int64_t first = 0;
};

struct Row {
  int64_t unix_seconds;
  int host;
  int cpu;  // hundredths
  int mem;  // hundredths
  int64_t disk_free;
  int64_t net_in;
};

[[noreturn]] void Fail(const std::string& what) {
  fprintf(stderr, "batch_load: %s\n", what.c_str());
  exit(1);
}

// The rows of one client, one after another.
class Source {
 public:
  Source(int client, int64_t first_tick) : state_(0x9e3779b97f4a7c15u * (client + 1)), tick_(first_tick) {
    for (int i = 0; i < kHosts; i++) {
      Row& row = rows_[i];
      row.host = client * kHosts + i;
      row.cpu = static_cast<int>(Next() % 10000);
      row.mem = static_cast<int>(Next() % 10000);
      row.disk_free = static_cast<int64_t>(Next() % 100000000) * 4096;
      row.net_in = static_cast<int64_t>(Next() >> 30);
    }
  }
  const Row& Take() {
    Row& row = rows_[at_];
    row.unix_seconds = kStart + tick_ * kIntervalSeconds;
    const uint64_t bits = Next();
    row.cpu = Bounded(row.cpu + static_cast<int>(bits % 201) - 100);
    if ((bits >> 16) % 3 == 0) row.mem = Bounded(row.mem + static_cast<int>((bits >> 20) % 21) - 10);
    if ((bits >> 28) % 2 == 0) row.disk_free -= static_cast<int64_t>((bits >> 30) % 64) * 4096;
    if (row.disk_free < 0) row.disk_free = int64_t{400} << 30;
    row.net_in += static_cast<int64_t>((bits >> 40) % 1000000);
    if (++at_ == kHosts) {
      at_ = 0;
      tick_++;
    }
    return row;
  }
  int64_t tick() const { return at_ == 0 ? tick_ : tick_ + 1; }

 private:
  uint64_t Next() {  // SplitMix64, as in metrics_gen
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  static int Bounded(int value) { return value < 0 ? 0 : value > 10000 ? 10000 : value; }

  uint64_t state_;
  int64_t tick_;
  int at_ = 0;
  Row rows_[kHosts];
};

void PutInteger(std::string& out, int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void PutHundredths(std::string& out, int value) {
  PutInteger(out, value / 100);
  out += '.';
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

void PutTwo(std::string& out, int64_t value) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

void PutTime(std::string& out, int64_t unix_seconds) {
  // Days and years by the library: once a tick would do, but this is not what is measured.
  const std::chrono::sys_days day{std::chrono::days{unix_seconds / 86400}};
  const std::chrono::year_month_day date{day};
  PutInteger(out, static_cast<int>(date.year()));
  out += '-';
  PutTwo(out, static_cast<unsigned>(date.month()));
  out += '-';
  PutTwo(out, static_cast<unsigned>(date.day()));
  out += ' ';
  PutTwo(out, unix_seconds % 86400 / 3600);
  out += ':';
  PutTwo(out, unix_seconds / 60 % 60);
  out += ':';
  PutTwo(out, unix_seconds % 60);
  out += "+00";
}

void PutHost(std::string& out, int host) {
  out += "host-";
  PutInteger(out, host);
}

// One column of a row as text.
void PutColumn(std::string& out, const Row& row, int column) {
  switch (column) {
    case 0: PutTime(out, row.unix_seconds); break;
    case 1: PutHost(out, row.host); break;
    case 2: PutHundredths(out, row.cpu); break;
    case 3: PutHundredths(out, row.mem); break;
    case 4: PutInteger(out, row.disk_free); break;
    case 5: PutInteger(out, row.net_in); break;
  }
}

void PutBigEndian(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void PutBinaryDouble(std::string& out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  PutBigEndian(out, 8, 4);
  PutBigEndian(out, bits, 8);
}

// One row of COPY BINARY.
void PutBinaryRow(std::string& out, const Row& row, std::string& scratch) {
  PutBigEndian(out, kColumns, 2);
  PutBigEndian(out, 8, 4);
  PutBigEndian(out, static_cast<uint64_t>((row.unix_seconds - kPostgresEpoch) * 1000000), 8);
  scratch.clear();
  PutHost(scratch, row.host);
  PutBigEndian(out, scratch.size(), 4);
  out += scratch;
  PutBinaryDouble(out, row.cpu / 100.0);
  PutBinaryDouble(out, row.mem / 100.0);
  PutBigEndian(out, 8, 4);
  PutBigEndian(out, static_cast<uint64_t>(row.disk_free), 8);
  PutBigEndian(out, 8, 4);
  PutBigEndian(out, static_cast<uint64_t>(row.net_in), 8);
}

void Expect(PGconn* connection, PGresult* result, ExecStatusType status) {
  if (PQresultStatus(result) != status) Fail(PQerrorMessage(connection));
  PQclear(result);
}

class Client {
 public:
  Client(const Options& options, int number)
      : options_(options), source_(number, options.first), connection_(PQconnectdb("")) {
    if (PQstatus(connection_) != CONNECTION_OK) Fail(PQerrorMessage(connection_));
    Prepare();
  }
  ~Client() { PQfinish(connection_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send() {
    if (options_.method == "values") SendValues();
    else if (options_.method == "unnest") SendUnnest();
    else SendCopy(options_.method == "binary");
    rows_ += options_.batch;
  }
  int64_t rows() const { return rows_; }
  int64_t tick() const { return source_.tick(); }

 private:
  void Prepare() {
    if (options_.method == "values") {
      std::string sql = "INSERT INTO " + options_.table + " VALUES ";
      for (int64_t i = 0; i < options_.batch; i++) {
        sql += i == 0 ? "(" : ", (";
        for (int c = 0; c < kColumns; c++) sql += (c == 0 ? "$" : ", $") + std::to_string(i * kColumns + c + 1);
        sql += ")";
      }
      Expect(connection_, PQprepare(connection_, "batch", sql.c_str(), 0, nullptr), PGRES_COMMAND_OK);
      offsets_.resize(static_cast<size_t>(options_.batch) * kColumns);
      parameters_.resize(offsets_.size());
    } else if (options_.method == "unnest") {
      const std::string sql = "INSERT INTO " + options_.table +
                              " SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::float8[], $4::float8[],"
                              " $5::bigint[], $6::bigint[])";
      Expect(connection_, PQprepare(connection_, "batch", sql.c_str(), 0, nullptr), PGRES_COMMAND_OK);
    } else {
      copy_ = "COPY " + options_.table + " FROM STDIN" + (options_.method == "binary" ? " (FORMAT binary)" : "");
    }
  }

  void Execute(int count, const char* const* parameters) {
    Expect(connection_, PQexecPrepared(connection_, "batch", count, parameters, nullptr, nullptr, 0),
           PGRES_COMMAND_OK);
  }

  void SendValues() {
    buffer_.clear();
    size_t at = 0;
    for (int64_t i = 0; i < options_.batch; i++) {
      const Row& row = source_.Take();
      for (int c = 0; c < kColumns; c++) {
        offsets_[at++] = buffer_.size();
        PutColumn(buffer_, row, c);
        buffer_ += '\0';
      }
    }
    for (size_t i = 0; i < at; i++) parameters_[i] = buffer_.data() + offsets_[i];
    Execute(static_cast<int>(at), parameters_.data());
  }

  void SendUnnest() {
    for (std::string& array : arrays_) array = "{";
    for (int64_t i = 0; i < options_.batch; i++) {
      const Row& row = source_.Take();
      for (int c = 0; c < kColumns; c++) {
        if (i > 0) arrays_[c] += ',';
        // A time has a space and a sign in it, which an array literal takes as they are.
        PutColumn(arrays_[c], row, c);
      }
    }
    const char* parameters[kColumns];
    for (int c = 0; c < kColumns; c++) {
      arrays_[c] += '}';
      parameters[c] = arrays_[c].c_str();
    }
    Execute(kColumns, parameters);
  }

  void SendCopy(bool binary) {
    buffer_.clear();
    if (binary) {
      buffer_.append("PGCOPY\n\377\r\n\0", 11);
      PutBigEndian(buffer_, 0, 4);
      PutBigEndian(buffer_, 0, 4);
    }
    for (int64_t i = 0; i < options_.batch; i++) {
      const Row& row = source_.Take();
      if (binary) {
        PutBinaryRow(buffer_, row, scratch_);
        continue;
      }
      for (int c = 0; c < kColumns; c++) {
        PutColumn(buffer_, row, c);
        buffer_ += c + 1 < kColumns ? '\t' : '\n';
      }
    }
    if (binary) PutBigEndian(buffer_, 0xffff, 2);
    Expect(connection_, PQexec(connection_, copy_.c_str()), PGRES_COPY_IN);
    if (PQputCopyData(connection_, buffer_.data(), static_cast<int>(buffer_.size())) != 1 ||
        PQputCopyEnd(connection_, nullptr) != 1)
      Fail(PQerrorMessage(connection_));
    Expect(connection_, PQgetResult(connection_), PGRES_COMMAND_OK);
    while (PGresult* result = PQgetResult(connection_)) PQclear(result);
  }

  const Options& options_;
  Source source_;
  PGconn* connection_;
  int64_t rows_ = 0;
  std::string copy_;
  std::string buffer_;
  std::string scratch_;
  std::string arrays_[kColumns];
  std::vector<size_t> offsets_;
  std::vector<const char*> parameters_;
};

int64_t NumberArgument(const std::string& name, const char* text, int64_t low, int64_t high) {
  char* end = nullptr;
  const int64_t value = text == nullptr ? low - 1 : strtoll(text, &end, 10);
  if (text == nullptr || *text == '\0' || *end != '\0' || value < low || value > high)
    Fail(name + " needs a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--table" && value != nullptr) options.table = value;
    else if (name == "--method" && value != nullptr) options.method = value;
    else if (name == "--batch") options.batch = NumberArgument(name, value, 1, 1000000);
    else if (name == "--clients") options.clients = NumberArgument(name, value, 1, 100);
    else if (name == "--seconds") options.seconds = NumberArgument(name, value, 1, 86400);
    else if (name == "--first") options.first = NumberArgument(name, value, 0, int64_t{1} << 40);
    else Fail("unknown option or no value: " + name);
  }
  if (options.table.empty()) Fail("--table is missing");
  if (options.method != "values" && options.method != "unnest" && options.method != "copy" &&
      options.method != "binary")
    Fail("--method is values, unnest, copy or binary");
  // The protocol counts parameters in 16 bits.
  if (options.method == "values" && options.batch > 10000)
    Fail("--method values takes batches of at most 10000 rows");

  std::vector<std::thread> threads;
  std::vector<int64_t> rows(static_cast<size_t>(options.clients));
  std::vector<int64_t> ticks(rows.size());
  std::atomic<int64_t> ready{0};
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};
  for (size_t i = 0; i < rows.size(); i++) {
    threads.emplace_back([&, i] {
      Client client(options, static_cast<int>(i));
      ready++;
      while (!go) std::this_thread::sleep_for(std::chrono::microseconds(100));
      while (!stop) client.Send();
      rows[i] = client.rows();
      ticks[i] = client.tick();
    });
  }
  while (ready < options.clients) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto start = std::chrono::steady_clock::now();
  go = true;
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  int64_t total = 0;
  int64_t next = options.first;
  for (size_t i = 0; i < rows.size(); i++) {
    total += rows[i];
    if (ticks[i] > next) next = ticks[i];
  }
  printf("%" PRId64 " %.3f %.0f %" PRId64 "\n", total, seconds, static_cast<double>(total) / seconds, next);
  return 0;
}
