#!/usr/bin/env bash
# Builds and runs the GoogleTest units of the core: units.sh [--sanitize] [--only-build | --only-run] [GoogleTest options]
# No PostgreSQL is involved.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sanitize=OFF
build=$NTS_ROOT/build/units
if [ "${1:-}" = --sanitize ]; then
  sanitize=ON
  build=$NTS_ROOT/build/units-sanitize
  shift
fi
only=
case ${1:-} in
  --only-build | --only-run)
    only=${1#--only-}
    shift
    ;;
esac

if [ "$only" != run ]; then
  "$NTS_ROOT/test/scripts/install-deps.sh" check
  mkdir -p "$build"
  nts_quietly "$build/configure.log" "configuring" cmake -S "$NTS_ROOT" -B "$build" -DSANITIZE=$sanitize
  nts_quietly "$build/build.log" "building the core and its units" cmake --build "$build" -j "$(nproc)"
  if grep -q 'warning:' "$build/build.log"; then
    nts_say "compiler warnings:"
    grep -E -A 2 'warning:' "$build/build.log" | head -n 60 | sed 's/^/      /'
  fi
fi
if [ "$only" = build ]; then exit; fi
if [ ! -x "$build/nodedb_ts_units" ]; then nts_die "there are no unit tests (test/unit) or no core sources"; fi
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
exec "$build/nodedb_ts_units" "$@"
