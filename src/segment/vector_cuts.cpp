#include "segment/vector_cuts.h"

#include <algorithm>

#include "segment/format.h"

namespace nodedb_ts::segment {
namespace {

// Each divides the one before, so that a vector of one period lies in one of every longer period. Longer ones than a day are
// no use: days are what most tables' segments are cut by.
constexpr int64_t kPeriodSeconds[] = {86400, 43200, 21600, 10800, 3600, 1800, 900, 300, 60, 30, 15, 5, 1};
// On average. With 288 rows (a day of one every 5 minutes) the segments of a narrow table grew by 6 %.
constexpr size_t kLeastPeriodRows = 300;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

void CutEvenly(size_t n, std::vector<uint32_t>* vector_rows) {
  for (size_t vectors = (n + kMaxVectorRows - 1) / kMaxVectorRows; n > 0; vectors--) {
    const size_t share = n / vectors;
    vector_rows->push_back(static_cast<uint32_t>(share));
    n -= share;
  }
}

bool CutByPeriod(std::span<const uint64_t> times, std::span<const uint8_t> nulls, int64_t units_per_second,
                 std::vector<uint32_t>* vector_rows) {
  const auto timeless = static_cast<size_t>(std::find(nulls.begin(), nulls.end(), 0) - nulls.begin());
  const std::span<const uint64_t> timed = times.subspan(timeless);
  if (timed.empty()) return false;
  const uint64_t span = timed.back() - timed.front();
  int64_t period = 0;
  double rows = 0;  // of a period
  for (const int64_t seconds : kPeriodSeconds) {
    if (__builtin_mul_overflow(seconds, units_per_second, &period)) continue;
    rows = static_cast<double>(timed.size()) * static_cast<double>(period) / (static_cast<double>(span) + 1);
    if (rows <= kMaxVectorRows) break;
  }
  if (rows < kLeastPeriodRows) return false;
  const size_t before = vector_rows->size();
  if (timeless > 0) CutEvenly(timeless, vector_rows);
  for (size_t r = 0; r < timed.size();) {
    // The first row of the next period: looked for near by, then by halves.
    const int64_t number = FloorDivide(static_cast<int64_t>(timed[r]), period);
    const auto later = [number, period](uint64_t time) { return FloorDivide(static_cast<int64_t>(time), period) > number; };
    size_t step = 1;
    while (r + step < timed.size() && !later(timed[r + step])) step *= 2;
    const auto last = timed.begin() + static_cast<ptrdiff_t>(std::min(r + step, timed.size()));
    const auto end = std::partition_point(timed.begin() + static_cast<ptrdiff_t>(r + step / 2), last,
                                          [&later](uint64_t time) { return !later(time); });
    const auto next = static_cast<size_t>(end - timed.begin());
    CutEvenly(next - r, vector_rows);
    r = next;
  }
  // The first and the last one may be short, as may those beside gaps.
  if (times.size() >= kLeastPeriodRows / 2 * (vector_rows->size() - before)) return true;
  vector_rows->resize(before);
  return false;
}

}  // namespace nodedb_ts::segment
