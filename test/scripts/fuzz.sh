#!/usr/bin/env bash
# Runs libFuzzer on everything that reads stored bytes, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   make fuzz                         every target for DURATION (60) seconds
#   make fuzz TARGETS="words chunks"  a subset; test/fuzz/<target>.cpp
#
# Inputs are kept in build/fuzz/corpus; one that breaks something is named crash-* in build/fuzz. Commit it as
# test/fuzz/corpus/<target>/<what it broke>: the unit tests run those. No PostgreSQL is involved.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DURATION=${DURATION:-60}
FUZZ_CXX=${FUZZ_CXX:-clang++}
build=$NTS_ROOT/build/fuzz
if ! command -v "$FUZZ_CXX" >/dev/null; then
  nts_die "$FUZZ_CXX is missing: libFuzzer comes with clang (apt-get install clang). The unit tests run the same targets without it"
fi
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  "$FUZZ_CXX" -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null; then
  nts_die "$FUZZ_CXX cannot link libFuzzer: its run-time library is missing (apt-get install libclang-rt-14-dev, for clang 14)"
fi
mkdir -p "$build"
nts_quietly "$build/configure.log" "configuring" cmake -S "$NTS_ROOT" -B "$build" -DFUZZ=ON -DCMAKE_CXX_COMPILER="$FUZZ_CXX"
nts_quietly "$build/build.log" "building the fuzzers" cmake --build "$build" --target fuzzers -j "$(nproc)"
"$build/write_seeds" "$build/seeds"
TARGETS=${TARGETS:-$(cd "$build/seeds" && echo *)}
for target in $TARGETS; do
  mkdir -p "$build/corpus/$target"
  known=$NTS_ROOT/test/fuzz/corpus/$target
  folders=("$build/corpus/$target" "$build/seeds/$target")
  if [ -d "$known" ]; then folders+=("$known"); fi
  nts_say "fuzzing $target for $DURATION s"
  (cd "$build" && "./fuzz_$target" -max_total_time="$DURATION" -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -verbosity=0 "${folders[@]}")
done
