#!/usr/bin/env bash
# The random twin of heap (test/t/Twin.pm) with kills, for as long as asked: `make torture DURATION=30` (minutes).
#
# Several sessions run the same random statements on nodedb_ts and on heap tables; now and then a backend or the
# postmaster gets SIGKILL or the server is shut down at once, in the middle of statements. After every step the
# tables must be equal in each session's snapshot, after every restart in a new one. It stops at the first difference
# and prints the seed, the rows and the last statements; what the server wrote is left in build/torture.
#
# A quarter of the time goes to failures of every kind at every named place (test/t/013_crash_points.pl), in any order.
#
# Variables: DURATION (10), FAULT_SEED and FAULT_VISITS (5; see there), TWIN_SEED and TWIN_ROUND (replay), TWIN_STEPS
# (statements a round, 250), TWIN_TRACE=1 (print all of them), KEEP=1 (leave the temporary folder), PG_CONFIG.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DURATION=${DURATION:-10}
seconds=$(awk -v m="$DURATION" 'BEGIN { s = int(m * 60); if (s < 1) exit 1; print s }') ||
  nts_die "DURATION: $DURATION is not a number of minutes"
kept=$NTS_ROOT/build/torture

nts_step "What is needed"
"$NTS_ROOT/test/scripts/install-deps.sh" check
nts_temp_create
rm -rf "$kept"
mkdir -p "$kept"
nts_step "The extension"
nts_build "$kept/build.log"
nts_private_install
nts_quietly "$kept/tools.log" "building the tools" nts_tools reaper
cp "$NTS_ROOT/build/tools/reaper" "$NTS_TEMP/"
chmod 755 "$NTS_TEMP/reaper"

nts_step "Torture, $DURATION minutes"
work=$NTS_TEMP/run/work
mkdir "$work"
cp -r "$NTS_ROOT/test" "$work/"
if [ -n "$NTS_USER" ]; then chown -R "$NTS_USER" "$work"; fi

# Runs a TAP test and shows its notes; $1: name, the rest: its variables. What it printed is in build/torture/NAME.log.
run_test() {
  local name=$1 out=$NTS_TEMP/run/$1 rc=0
  shift
  mkdir "$out"
  if [ -n "$NTS_USER" ]; then chown "$NTS_USER" "$out"; fi
  nts_as_user env TESTDIR="$out" TESTDATADIR="$out/tmp_check" TESTLOGDIR="$out/tmp_check/log" \
    PG_REGRESS="$NTS_PGXS_TEST/regress/pg_regress" PGPORT=65432 TMPDIR="${TMPDIR:-/tmp}" "$@" \
    "$NTS_TEMP/reaper" prove --verbose --merge --nocolor -I "$NTS_PGXS_TEST/perl" "$work/test/t/$name.pl" 2>&1 |
    tee "$kept/$name.log" | awk '/^# / { print "   " substr($0, 3); fflush() }' || rc=$?
  cp -r "$out/tmp_check/log/." "$kept/" 2>/dev/null || true
  nts_kill_servers_below "$out"
  return "$rc"
}

rc=0
# A quarter of the time, unless a round of the twin is to be seen again.
faults=$((seconds / 4))
if [ -n "${TWIN_ROUND:-}" ]; then faults=0; fi
if [ "$faults" -gt 0 ]; then
  run_test 013_crash_points FAULT_KINDS=all FAULT_VISITS="${FAULT_VISITS:-5}" FAULT_SEED="${FAULT_SEED:-$RANDOM}" \
    FAULT_SECONDS="$faults" || rc=$?
  nts_say "failing at a named place: $(grep -cE '^ok .* at .*, visit ' "$kept/013_crash_points.log" || true) times right," \
    "$(grep -cE '^not ok ' "$kept/013_crash_points.log" || true) times wrong"
fi
run_test 020_twin TWIN_KILLS=1 TWIN_SECONDS="$((seconds - faults))" || rc=$?
result=$(grep -E '^# seed .* differences = ' "$kept/020_twin.log" | tail -n 1 | cut -c3-)
nts_step "${result:-it did not come to its end}"
if [ "$rc" -ne 0 ]; then
  nts_say "failed; output and server log are in build/torture"
  exit 1
fi
