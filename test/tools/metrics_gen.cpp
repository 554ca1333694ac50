// Writes a seeded, realistic set of server metrics as CSV with a header line.
//
//   metrics_gen [--tsbs] [--rows N] [--hosts N] [--seed N] [--interval SECONDS] [--start UNIX_SECONDS]
//               [--jitter-ms N] [--gap-percent P] [--no-header]
//
// Every interval each host reports one row, in the same order. The shapes are those of real agents:
// percentages with two decimals that walk, byte counters that only grow and start again after a restart,
// free space in steps, error counts that are mostly zero, a sensor that some hosts lack. The same options
// give the same bytes on every machine: all arithmetic is on integers.
//
// --tsbs writes rows of the shape of the Time Series Benchmark Suite's "cpu-only" instead: ten tags as text, ten
// metrics that are whole numbers from 0 to 100, each the whole part of a walk whose steps are normal with standard
// deviation 1. Without further options: 4 000 hosts, six hours, a row every 10 s from 2016-01-01, 8 640 000 rows.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 .. bound-1; the bias is of no importance here.
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound)); }
  // Sum of four uniform values: a bell over -range .. range.
  int64_t Bell(int64_t range) {
    int64_t sum = 0;
    for (int i = 0; i < 4; i++) sum += Below(2 * range + 1) - range;
    return sum / 4;
  }

 private:
  uint64_t state_;
};

constexpr int64_t kPage = 4096;
constexpr const char* kRegions[] = {"eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1"};
constexpr const char* kServices[] = {"api",   "auth",  "billing", "cache", "db",     "gateway",
                                     "ingest", "queue", "search",  "web",   "worker", "reports"};

// What a row and the order of rows are made by.
struct Options {
  int64_t rows = 1000000;
  int64_t host_count = 100;
  int64_t seed = 1;
  int64_t interval = 10;
  int64_t start = 1704067200;  // 2024-01-01 00:00:00 UTC
  int64_t jitter_ms = 0;
  int64_t gap_percent = 0;
  bool header = true;
  bool tsbs = false;
};

struct Host {
  std::string tags;       // ",host,region,service,"
  int64_t cpu = 0;        // hundredths of a percent
  int64_t cpu_base = 0;   // what the walk is drawn to
  int64_t mem = 0;        // hundredths of a percent
  int64_t disk_free = 0;  // bytes
  int64_t disk_size = 0;
  int64_t net_in = 0;     // bytes, counter
  int64_t net_out = 0;
  int64_t rate = 0;       // bytes an interval
  int64_t temperature = 0;  // tenths of a degree
  bool has_sensor = true;
};

int64_t Clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

char* PutDigits(char* out, int64_t value, int width) {
  for (int i = width - 1; i >= 0; i--) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + width;
}

char* PutInteger(char* out, int64_t value) {
  char digits[24];
  int count = 0;
  if (value < 0) {
    *out++ = '-';
    value = -value;
  }
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) *out++ = digits[--count];
  return out;
}

char* PutText(char* out, const std::string& text) {
  memcpy(out, text.data(), text.size());
  return out + text.size();
}

// value / 10^decimals, without trailing zeros (as an agent prints a double).
char* PutDecimal(char* out, int64_t value, int decimals) {
  if (value < 0) {
    *out++ = '-';
    value = -value;
  }
  int64_t unit = 1;
  for (int i = 0; i < decimals; i++) unit *= 10;
  out = PutInteger(out, value / unit);
  int64_t fraction = value % unit;
  if (fraction == 0) return out;
  while (fraction % 10 == 0) {
    fraction /= 10;
    decimals--;
  }
  *out++ = '.';
  return PutDigits(out, fraction, decimals);
}

// Civil date from days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
void CivilFromDays(int64_t days, int64_t* year, int64_t* month, int64_t* day) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  *day = doy - (153 * mp + 2) / 5 + 1;
  *month = mp < 10 ? mp + 3 : mp - 9;
  *year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

char* PutTimestamp(char* out, int64_t unix_ms) {
  const int64_t seconds = unix_ms / 1000;
  const int64_t in_day = seconds % 86400;
  int64_t year, month, day;
  CivilFromDays(seconds / 86400, &year, &month, &day);
  out = PutDigits(out, year, 4);
  *out++ = '-';
  out = PutDigits(out, month, 2);
  *out++ = '-';
  out = PutDigits(out, day, 2);
  *out++ = ' ';
  out = PutDigits(out, in_day / 3600, 2);
  *out++ = ':';
  out = PutDigits(out, in_day / 60 % 60, 2);
  *out++ = ':';
  out = PutDigits(out, in_day % 60, 2);
  if (unix_ms % 1000 != 0) {
    *out++ = '.';
    out = PutDigits(out, unix_ms % 1000, 3);
  }
  memcpy(out, "+00", 3);
  return out + 3;
}

void Init(Host& host, int64_t number, Random& random) {
  char name[64];
  snprintf(name, sizeof name, "host-%03" PRId64, number);
  const char* region = kRegions[random.Below(std::size(kRegions))];
  const char* service = kServices[random.Below(std::size(kServices))];
  host.tags = std::string(",") + name + "," + region + "," + service + ",";
  host.cpu_base = 500 + random.Below(5000);
  host.cpu = host.cpu_base;
  host.mem = 2000 + random.Below(6000);
  host.disk_size = (int64_t{100} << 30) * (1 + random.Below(8));
  host.disk_free = host.disk_size / 100 * (20 + random.Below(60)) / kPage * kPage;
  host.net_in = random.Below(int64_t{1} << 40);
  host.net_out = random.Below(int64_t{1} << 40);
  host.rate = 20000 + random.Below(5000000);
  host.temperature = 350 + random.Below(250);
  host.has_sensor = random.Below(10) != 0;
}

void Step(Host& host, Random& random) {
  // A walk drawn back to the host's own level, with a burst now and then.
  host.cpu += random.Bell(300) + (host.cpu_base - host.cpu) / 20;
  if (random.Below(2000) == 0) host.cpu += 4000;
  host.cpu = Clamp(host.cpu, 0, 10000);
  // Memory moves only sometimes.
  if (random.Below(3) == 0) host.mem = Clamp(host.mem + random.Bell(30), 100, 9900);
  // Logs and data fill the disk in pages; a clean-up frees a part of it.
  if (random.Below(2) == 0) host.disk_free -= kPage * random.Below(1 + host.cpu / 20);
  if (host.disk_free < host.disk_size / 20 || random.Below(20000) == 0)
    host.disk_free += host.disk_size / 100 * (5 + random.Below(20)) / kPage * kPage;
  host.disk_free = Clamp(host.disk_free, 0, host.disk_size / kPage * kPage);
  // Traffic follows the load.
  host.net_in += host.rate * (100 + host.cpu / 10) / 100 + random.Below(host.rate / 4 + 1);
  host.net_out += host.rate * (50 + host.cpu / 20) / 100 + random.Below(host.rate / 8 + 1);
  if (random.Below(200000) == 0) host.net_in = host.net_out = 0;  // restarted
  if (random.Below(4) == 0) host.temperature = Clamp(host.temperature + random.Bell(6), 200, 950);
}

int64_t Errors(const Host& host, Random& random) {
  const int64_t roll = random.Below(1000);
  if (roll < 980 - host.cpu / 500) return 0;
  return roll < 998 ? 1 + random.Below(3) : 5 + random.Below(40);
}

// A row's part behind the time.
char* PutRow(char* out, const Host& host, Random& random) {
  out = PutText(out, host.tags);
  out = PutDecimal(out, host.cpu, 2);
  *out++ = ',';
  out = PutDecimal(out, host.mem, 2);
  *out++ = ',';
  out = PutInteger(out, host.disk_free);
  *out++ = ',';
  out = PutInteger(out, host.net_in);
  *out++ = ',';
  out = PutInteger(out, host.net_out);
  *out++ = ',';
  out = PutInteger(out, Errors(host, random));
  *out++ = ',';
  if (host.has_sensor && random.Below(100) != 0) out = PutDecimal(out, host.temperature, 1);
  return out;
}

// ---- --tsbs -----------------------------------------------------------------

constexpr int kTsbsMetrics = 10;
constexpr int64_t kTsbsUnit = 65536;  // a metric of 1

struct Region {
  const char* name;
  const char* zones;
};
constexpr Region kTsbsRegions[] = {
    {"us-east-1", "abce"},    {"us-west-1", "ab"},      {"us-west-2", "abc"},
    {"eu-west-1", "abc"},     {"eu-central-1", "ab"},   {"ap-southeast-1", "ab"},
    {"ap-southeast-2", "ab"}, {"ap-northeast-1", "ac"}, {"sa-east-1", "abc"}};
constexpr const char* kTsbsSystems[] = {"Ubuntu15.10", "Ubuntu16.10", "Ubuntu16.04LTS"};
constexpr const char* kTsbsTeams[] = {"SF", "NYC", "LON", "CHI"};
constexpr const char* kTsbsEnvironments[] = {"production", "staging", "test"};

struct TsbsHost {
  std::string tags;
  int64_t metrics[kTsbsMetrics];  // in units of 1 / kTsbsUnit
};

void Init(TsbsHost& host, int64_t number, Random& random) {
  char tags[192];
  const Region& region = kTsbsRegions[random.Below(std::size(kTsbsRegions))];
  const char zone = region.zones[random.Below(static_cast<int64_t>(strlen(region.zones)))];
  const int rack = static_cast<int>(random.Below(100));
  const char* system = kTsbsSystems[random.Below(std::size(kTsbsSystems))];
  const char* arch = random.Below(2) == 0 ? "x64" : "x86";
  const char* team = kTsbsTeams[random.Below(std::size(kTsbsTeams))];
  const int service = static_cast<int>(random.Below(20));
  const int version = static_cast<int>(random.Below(2));
  const char* environment = kTsbsEnvironments[random.Below(std::size(kTsbsEnvironments))];
  snprintf(tags, sizeof tags, ",host_%" PRId64 ",%s,%s%c,%d,%s,%s,%s,%d,%d,%s", number, region.name, region.name,
           zone, rack, system, arch, team, service, version, environment);
  host.tags = tags;
  for (int64_t& metric : host.metrics) metric = random.Below(100 * kTsbsUnit + 1);
}

void Step(TsbsHost& host, Random& random) {
  for (int64_t& metric : host.metrics) {
    // The sum of twelve uniform values less its mean is close to normal and has the variance of one unit.
    int64_t step = -6 * kTsbsUnit;
    for (int i = 0; i < 3; i++) {
      const uint64_t bits = random.Next();
      step += static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    }
    metric = Clamp(metric + step, 0, 100 * kTsbsUnit);
  }
}

char* PutRow(char* out, const TsbsHost& host, Random&) {
  out = PutText(out, host.tags);
  for (const int64_t metric : host.metrics) {
    *out++ = ',';
    out = PutInteger(out, metric / kTsbsUnit);
  }
  return out;
}

// ---- both -------------------------------------------------------------------

// Makes the hosts and writes all rows: every interval one of each host. False when writing fails.
template <typename H>
bool WriteRows(const Options& options) {
  Random random(static_cast<uint64_t>(options.seed));
  std::vector<H> hosts(static_cast<size_t>(options.host_count));
  for (size_t i = 0; i < hosts.size(); i++) Init(hosts[i], static_cast<int64_t>(i), random);

  std::vector<char> buffer(1 << 20);
  size_t used = 0;
  int64_t written = 0;
  for (int64_t tick = 0; written < options.rows; tick++) {
    for (size_t h = 0; h < hosts.size() && written < options.rows; h++) {
      H& host = hosts[h];
      Step(host, random);
      if (options.gap_percent > 0 && random.Below(100) < options.gap_percent) continue;
      if (buffer.size() - used < 512) {
        if (fwrite(buffer.data(), 1, used, stdout) != used) return false;
        used = 0;
      }
      char* out = buffer.data() + used;
      const int64_t jitter = options.jitter_ms > 0 ? random.Below(options.jitter_ms + 1) : 0;
      out = PutTimestamp(out, (options.start + tick * options.interval) * 1000 + jitter);
      out = PutRow(out, host, random);
      *out++ = '\n';
      used = static_cast<size_t>(out - buffer.data());
      written++;
    }
  }
  return fwrite(buffer.data(), 1, used, stdout) == used && fflush(stdout) == 0;
}

int64_t NumberArgument(const char* name, const char* text, int64_t low, int64_t high) {
  char* end = nullptr;
  const int64_t value = text == nullptr ? low - 1 : strtoll(text, &end, 10);
  if (text == nullptr || *text == '\0' || *end != '\0' || value < low || value > high) {
    fprintf(stderr, "metrics_gen: %s needs a whole number from %" PRId64 " to %" PRId64 "\n", name, low, high);
    exit(2);
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    // The defaults of --tsbs, which other options may change: so it is looked for first.
    if (strcmp(argv[i], "--tsbs") != 0) continue;
    options.tsbs = true;
    options.rows = 8640000;
    options.host_count = 4000;
    options.start = 1451606400;  // 2016-01-01 00:00:00 UTC
  }

  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--no-header") {
      options.header = false;
      continue;
    }
    if (name == "--tsbs") continue;
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    if (name == "--rows") options.rows = NumberArgument("--rows", value, 0, int64_t{1} << 50);
    else if (name == "--hosts") options.host_count = NumberArgument("--hosts", value, 1, 10000000);
    else if (name == "--seed") options.seed = NumberArgument("--seed", value, 0, INT64_MAX);
    else if (name == "--interval") options.interval = NumberArgument("--interval", value, 1, 86400);
    else if (name == "--start") options.start = NumberArgument("--start", value, 0, int64_t{1} << 37);
    else if (name == "--jitter-ms") options.jitter_ms = NumberArgument("--jitter-ms", value, 0, 86400000);
    else if (name == "--gap-percent") options.gap_percent = NumberArgument("--gap-percent", value, 0, 99);
    else {
      fprintf(stderr, "metrics_gen: unknown option %s\n", name.c_str());
      return 2;
    }
  }

  if (options.header) {
    puts(options.tsbs ? "time,hostname,region,datacenter,rack,os,arch,team,service,service_version,service_environment,"
                        "usage_user,usage_system,usage_idle,usage_nice,usage_iowait,usage_irq,usage_softirq,"
                        "usage_steal,usage_guest,usage_guest_nice"
                      : "ts,host,region,service,cpu,mem,disk_free,net_in,net_out,errors,temperature");
  }
  return (options.tsbs ? WriteRows<TsbsHost>(options) : WriteRows<Host>(options)) ? 0 : 1;
}
