#!/usr/bin/env bash
# Runs every test in a temporary folder: `make check`.
#
# Stages: build boundaries units units-sanitize regress isolation tap. The servers are throwaway ones (see
# lib.sh); an installed cluster is never touched. A failing stage does not stop the next; the last line reads
# `N passed, N failed, N skipped`, and the exit code is 0 only if something passed and nothing failed.
#
# Variables: STAGES="units regress" (a subset), REGRESS="basic types" and ISOLATION, TAP (names of tests),
# KILL_ROUNDS and others are handed to the TAP tests, PG_CONFIG, KEEP=1 (leave the temporary folder).
# What tests wrote (results, differences, logs) is left in build/check.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STAGES=${STAGES:-boundaries units units-sanitize regress isolation tap}
for stage in $STAGES; do
  case $stage in
    build | boundaries | units | units-sanitize | regress | isolation | tap) ;;
    *) nts_die "STAGES: no stage is called $stage" ;;
  esac
done
wanted() { [[ " $STAGES " == *" $1 "* ]]; }

started=$(nts_now)
passed=0 failed=0 skipped=0
summary=()
failures=()
kept=$NTS_ROOT/build/check

# Adds the figures of a stage: name, passed, failed, skipped, start.
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  summary+=("$(printf '   %-16s %7s passed %5s failed %5s skipped %8s s' "$1" "$2" "$3" "$4" "$(nts_since "$5")")")
}
finish() {
  nts_step "Summary ($(nts_since "$started") s)"
  if [ ${#summary[@]} -gt 0 ]; then printf '%s\n' "${summary[@]}"; fi
  if [ ${#failures[@]} -gt 0 ]; then
    nts_say "failed:"
    printf '      %s\n' "${failures[@]}"
  fi
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  if [ "$failed" -ne 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
  exit 0
}
matching() { grep -cE "$1" "$2" || true; }

nts_step "What is needed"
"$NTS_ROOT/test/scripts/install-deps.sh" check
nts_temp_create
rm -rf "$kept"
mkdir -p "$kept"
nts_say "$("$PG_CONFIG" --version), $(nproc) cores; everything goes to $NTS_TEMP"

# ---- boundaries -----------------------------------------------------------

if wanted boundaries; then
  nts_step "Boundaries"
  start=$(nts_now)
  if "$NTS_ROOT/test/scripts/check-boundaries.sh" >"$kept/boundaries.log" 2>&1; then
    nts_say "includes and calls stay within their rooms"
    count boundaries 1 0 0 "$start"
  else
    sed 's/^/      /' "$kept/boundaries.log"
    failures+=("boundaries")
    count boundaries 0 1 0 "$start"
  fi
fi

# ---- GoogleTest -----------------------------------------------------------

# Runs the units; $1: stage name, $2...: options of units.sh.
run_units() {
  local name=$1 log=$kept/$1.log start ok bad skip rc=0 test
  shift
  nts_step "GoogleTest units of the core${1:+, with AddressSanitizer and UndefinedBehaviorSanitizer}"
  start=$(nts_now)
  # What is built is shown, what is run goes to the log: it is long.
  "$NTS_ROOT/test/scripts/units.sh" "$@" --gtest_color=no 2>&1 | tee "$log" |
    awk '/^\[=+\] Running/ { print "   " $0; quiet = 1 } /warning:/ || !quiet { print; fflush() }' || rc=$?
  ok=$(matching '^\[       OK \] ' "$log")
  bad=$(matching '^\[  FAILED  \] .*\([0-9]+ ms\)$' "$log")
  skip=$(matching '^\[  SKIPPED \] .*\([0-9]+ ms\)$' "$log")
  if [ "$bad" -gt 0 ]; then
    # From each failing case's start to its end.
    awk '/^\[ RUN/ { text = "" } { text = text "      " $0 "\n" } /^\[  FAILED  \].*ms\)$/ { printf "%s", text }' "$log" | head -n 200
    while IFS= read -r test; do failures+=("$name: $test"); done \
      < <(sed -nE 's/^\[  FAILED  \] (.*) \([0-9]+ ms\)$/\1/p' "$log")
  fi
  if [ "$rc" -ne 0 ] && ! grep -qE '^\[=+\] [0-9]+ tests? from .* ran' "$log"; then
    # It did not build, or died in the middle.
    bad=$((bad + 1))
    test=$(sed -n 's/^\[ RUN      \] //p' "$log" | tail -n 1)
    failures+=("$name: ${test:-no test ran}${test:+ ended the program}")
    # A program that died says why behind the last line of GoogleTest.
    awk '/^\[ (RUN|      OK) /{ text = "" } { text = text "      " $0 "\n" } END { printf "%s", text }' "$log" | head -n 60
  fi
  nts_say "$ok passed, $bad failed, $skip skipped"
  count "$name" "$ok" "$bad" "$skip" "$start"
}
if wanted units; then run_units units; fi
if wanted units-sanitize; then run_units units-sanitize --sanitize; fi

# ---- the extension --------------------------------------------------------

if wanted build || wanted regress || wanted isolation || wanted tap; then
  nts_step "The extension"
  start=$(nts_now)
  # The log is kept while the folder is; a build that fails fails everything after it.
  if nts_build "$kept/build.log"; then
    nts_private_install
    nts_say "installed into a private copy of PostgreSQL"
  else
    failures+=("build")
    count build 0 1 0 "$start"
    finish
  fi
fi

# Tests write beside their inputs; the checkout may be unreadable for the unprivileged user.
work=$NTS_TEMP/run/work
mkdir "$work"
cp -r "$NTS_ROOT/sql" "$NTS_ROOT/expected" "$NTS_ROOT/test" "$work/" 2>/dev/null || true
# "heap is right": each isolation spec pair-NAME runs on heap tables, too, as heap-pair-NAME, and must print the same.
for spec in "$work"/test/isolation/specs/pair-*.spec; do
  [ -e "$spec" ] || continue
  name=$(basename "$spec" .spec)
  sed 's/USING nodedb_ts/USING heap/' "$spec" >"$work/test/isolation/specs/heap-$name.spec"
  cp "$work/test/isolation/expected/$name.out" "$work/test/isolation/expected/heap-$name.out" 2>/dev/null || true
done
if [ -n "$NTS_USER" ]; then chown -R "$NTS_USER" "$work"; fi
cat >"$NTS_TEMP/regress.conf" <<'CONF'
fsync = off
log_error_verbosity = default
max_prepared_transactions = 10
log_statement = none
CONF

# Runs pg_regress or pg_isolation_regress: stage, program, input folder, options and tests...
# Both print one line a test: "test NAME ... ok   12 ms" ("not ok 1 - NAME" from PostgreSQL 16 on).
run_regress() {
  local name=$1 program=$2 input=$3 out=$NTS_TEMP/run/$1 log=$kept/$1.log rc=0 start ok bad skip test
  shift 3
  start=$(nts_now)
  mkdir "$out"
  if [ -n "$NTS_USER" ]; then chown "$NTS_USER" "$out"; fi
  nts_as_user "$NTS_PGXS_TEST/$program" --bindir="$NTS_BIN" --inputdir="$input" --outputdir="$out" \
    --temp-instance="$out/instance" --temp-config="$NTS_TEMP/regress.conf" --no-locale --encoding=UTF8 \
    --load-extension=nodedb_ts --dbname="nodedb_ts_$name" "$@" 2>&1 | tee "$log" |
    awk '/^(test|ok|not ok) /{ print "   " $0; fflush() }' || rc=$?
  ok=$(matching '^(test .* \.\.\. ok|ok )' "$log")
  bad=$(matching '^(test .* \.\.\. FAILED|not ok )' "$log")
  skip=$(matching '^test .* (\.\.\. failed \(ignored\)|\.\.\. skipped)' "$log")
  mkdir -p "$kept/$name"
  cp -r "$out/results" "$out/regression.diffs" "$out/regression.out" "$out/log" "$kept/$name/" 2>/dev/null || true
  if [ "$bad" -gt 0 ]; then
    nts_say "differences (in full in build/check/$name/regression.diffs):"
    tail -n 100 "$out/regression.diffs" 2>/dev/null | sed 's/^/      /' || true
    while IFS= read -r test; do failures+=("$name: $test"); done \
      < <(sed -nE 's/^test ([^ ]+) .*FAILED.*/\1/p; s/^not ok [0-9]+ +[-+] +([^ ]+).*/\1/p' "$log")
    if grep -qE 'TRAP:|was terminated by signal|PANIC:' "$out/log/postmaster.log" 2>/dev/null; then
      nts_say "the server's log says:"
      grep -nE 'TRAP:|was terminated by signal|PANIC:' "$out/log/postmaster.log" | head -n 10 | sed 's/^/      /'
    fi
  elif [ "$rc" -ne 0 ]; then
    bad=1
    failures+=("$name: could not run")
    tail -n 40 "$log" "$out/log/"*.log 2>/dev/null | sed 's/^/      /' || true
  fi
  count "$name" "$ok" "$bad" "$skip" "$start"
}

if wanted regress; then
  nts_step "pg_regress"
  read -r -a tests <<<"${REGRESS:-$(cd "$work/sql" && find . -maxdepth 1 -name '*.sql' ! -name 'nodedb_ts--*' | sed 's:^\./::; s:\.sql$::' | sort | tr '\n' ' ')}"
  if [ ${#tests[@]} -eq 0 ]; then nts_say "there are none"; else run_regress regress regress/pg_regress "$work" "${tests[@]}"; fi
fi

if wanted isolation; then
  nts_step "Isolation"
  read -r -a tests <<<"${ISOLATION:-$(find "$work/test/isolation/specs" -name '*.spec' 2>/dev/null | sed 's:.*/::; s:\.spec$::' | sort | tr '\n' ' ')}"
  if [ ${#tests[@]} -eq 0 ]; then
    nts_say "there are none"
  else
    run_regress isolation isolation/pg_isolation_regress "$work/test/isolation" "${tests[@]}"
  fi
fi

# ---- TAP ------------------------------------------------------------------

if wanted tap; then
  nts_step "TAP"
  start=$(nts_now)
  stage_ok=0 stage_bad=0 stage_skip=0
  nts_quietly "$kept/tools.log" "building the tools" nts_tools reaper metrics_gen || {
    failures+=("tap: could not build its tools")
    count tap 0 1 0 "$start"
    finish
  }
  cp "$NTS_ROOT/build/tools/reaper" "$NTS_ROOT/build/tools/metrics_gen" "$NTS_TEMP/"
  chmod 755 "$NTS_TEMP/reaper" "$NTS_TEMP/metrics_gen"
  mkdir -p "$kept/tap"
  read -r -a tests <<<"${TAP:-$(find "$work/test/t" -maxdepth 1 -name '*.pl' 2>/dev/null | sed 's:.*/::; s:\.pl$::' | sort | tr '\n' ' ')}"
  if [ ${#tests[@]} -eq 0 ]; then nts_say "there are none"; fi
  for test in ${tests[@]+"${tests[@]}"}; do
    test=${test%.pl}
    log=$kept/tap/$test.log rc=0
    test_start=$(nts_now)
    printf '   %-28s ' "$test"
    mkdir -p "$NTS_TEMP/run/tap/$test"
    if [ -n "$NTS_USER" ]; then chown -R "$NTS_USER" "$NTS_TEMP/run/tap"; fi
    # As PGXS sets them (TESTDIR on 15, the other two from 16 on). METRICS_GEN: the generator of metrics.
    nts_as_user env TESTDIR="$NTS_TEMP/run/tap/$test" TESTDATADIR="$NTS_TEMP/run/tap/$test/tmp_check" \
      TESTLOGDIR="$NTS_TEMP/run/tap/$test/tmp_check/log" PG_REGRESS="$NTS_PGXS_TEST/regress/pg_regress" \
      PGPORT=65432 METRICS_GEN="$NTS_TEMP/metrics_gen" TMPDIR="${TMPDIR:-/tmp}" \
      "$NTS_TEMP/reaper" prove --verbose --merge --nocolor -I "$NTS_PGXS_TEST/perl" -I "$work/test/t" \
      "$work/test/t/$test.pl" >"$log" 2>&1 || rc=$?
    # Assertions of the top level; those of subtests are indented.
    ok=$(grep -E '^ok [0-9]+' "$log" | grep -cvE '# (SKIP|skip|TODO)' || true)
    bad=$(grep -E '^not ok [0-9]+' "$log" | grep -cvE '# TODO' || true)
    skip=$(grep -cE '^ok [0-9]+.*# (SKIP|skip)|^1\.\.0 # (SKIP|skip)|^1\.\.0$|\.\. skipped: ' "$log" || true)
    # A script that dies fails without saying so in an assertion.
    if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    printf '%5s passed %4s failed %4s skipped %8s s\n' "$ok" "$bad" "$skip" "$(nts_since "$test_start")"
    if [ "$bad" -gt 0 ]; then
      failures+=("tap: $test")
      grep -nE -A 12 '^not ok|^ *#   Failed' "$log" | head -n 80 | sed 's/^/      /' || true
      nts_say "the end of its output (in full in build/check/tap/$test.log):"
      tail -n 25 "$log" | sed 's/^/      /'
      mkdir -p "$kept/tap/$test"
      cp -r "$NTS_TEMP/run/tap/$test/tmp_check/log/." "$kept/tap/$test/" 2>/dev/null || true
    elif [ "$skip" -gt 0 ]; then
      sed -nE 's/^ok .*# (SKIP|skip) *//p; s/^.* \.\. skipped: //p' "$log" | sort | uniq -c | sed 's/^/      skipped: /'
    fi
    stage_ok=$((stage_ok + ok)) stage_bad=$((stage_bad + bad)) stage_skip=$((stage_skip + skip))
    # A script that was killed leaves its servers behind. Data directories are large.
    nts_kill_servers_below "$NTS_TEMP/run/tap/$test"
    if [ -z "${KEEP:-}" ]; then rm -rf "${NTS_TEMP:?}/run/tap/$test"; fi
  done
  count tap "$stage_ok" "$stage_bad" "$stage_skip" "$start"
fi

finish
