#!/usr/bin/env bash
# Builds and runs the micro benchmarks of the codecs: codecs.sh [options of Google Benchmark]
# No PostgreSQL is involved. Options may stand in BENCH_OPTIONS, too.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

build=$NTS_ROOT/build/units
"$NTS_ROOT/test/scripts/install-deps.sh" check
mkdir -p "$build"
nts_quietly "$build/configure.log" "configuring" cmake -S "$NTS_ROOT" -B "$build" -DSANITIZE=OFF
if [[ $(cmake --build "$build" --target help) != *codec_bench* ]]; then
  nts_die "Google Benchmark is missing: apt-get install libbenchmark-dev"
fi
nts_quietly "$build/bench.log" "building the core and codec_bench" \
  cmake --build "$build" --target codec_bench -j "$(nproc)"
# shellcheck disable=SC2086  # several options
exec "$build/codec_bench" ${BENCH_OPTIONS:-} "$@"
