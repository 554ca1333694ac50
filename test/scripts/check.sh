#!/usr/bin/env bash
# Runs every test in a temporary folder: `make check`.
#
# Stages: build boundaries units units-sanitize regress isolation tap. The servers are throwaway ones (see
# lib.sh); an installed cluster is never touched. A failing stage does not stop the next; the last line reads
# `N passed, N failed, N skipped`, and the exit code is 0 only if something passed and nothing failed.
#
# First everything is built, on all cores. Then stages and TAP tests run side by side, JOBS (one for each core, 4 at
# most) at a time, since most of them wait much; each has servers, folders and a log of its own, and is reported when
# it has ended. A TAP test that measures time or memory says `# check: alone` in its source: it comes last, by itself.
#
# Variables: STAGES="units regress" (a subset), REGRESS="basic types" and ISOLATION, TAP (names of tests), JOBS=1,
# KILL_ROUNDS and others are handed to the TAP tests, PG_CONFIG, KEEP=1 (leave the temporary folder).
# What tests wrote (results, differences, logs) is left in build/check.
# Functions are handed to `job`, which calls them in a subshell and brings back what they counted.
# shellcheck disable=SC2317,SC2030,SC2031
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
JOBS=${JOBS:-$(($(nproc) < 4 ? $(nproc) : 4))}
if ! [[ $JOBS =~ ^[1-9][0-9]*$ ]]; then nts_die "JOBS: $JOBS is not a number of jobs"; fi
wanted() { [[ " $STAGES " == *" $1 "* ]]; }

started=$(nts_now)
passed=0 failed=0 skipped=0
failures=()
kept=$NTS_ROOT/build/check
# By name of the stage: passed, failed, skipped; when it began and how many seconds it took.
declare -A stage_passed=() stage_failed=() stage_skipped=() stage_start=() stage_seconds=()

# Adds the figures of a stage, or of a part of it: name, passed, failed, skipped, start.
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  stage_passed[$1]=$((${stage_passed[$1]:-0} + $2))
  stage_failed[$1]=$((${stage_failed[$1]:-0} + $3))
  stage_skipped[$1]=$((${stage_skipped[$1]:-0} + $4))
  stage_start[$1]=${stage_start[$1]:-$5}
  stage_seconds[$1]=$(nts_since "${stage_start[$1]}")
}
finish() {
  nts_step "Summary ($(nts_since "$started") s)"
  local name
  for name in boundaries units units-sanitize build regress isolation tap; do
    if [ -z "${stage_seconds[$name]:-}" ]; then continue; fi
    printf '   %-16s %7s passed %5s failed %5s skipped %8s s\n' "$name" "${stage_passed[$name]}" \
      "${stage_failed[$name]}" "${stage_skipped[$name]}" "${stage_seconds[$name]}"
  done
  if [ ${#failures[@]} -gt 0 ]; then
    nts_say "failed:"
    printf '      %s\n' "${failures[@]}"
  fi
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  if [ "$failed" -ne 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
  exit 0
}
# Adds the first $1 lines of $2 to what is said of a failure at the end, which may be all that somebody sees.
first_lines() {
  local line
  while IFS= read -r line; do failures+=("   ${line:0:300}"); done < <(head -n "$1" <<<"$2")
}
matching() { grep -cE "$1" "$2" || true; }

# ---- jobs in the background ------------------------------------------------

declare -A job_stage=() job_name=() job_start=()
shown=

# Starts a job once there is room: stage, heading, name of the job, function and arguments. The function reports what
# it counts by `count STAGE ...` and in `failures`; both are handed over in files, since it runs in a subshell.
job() {
  local stage=$1 heading=$2 name=$3 out=$NTS_TEMP/jobs/$3 pid
  shift 3
  while [ ${#job_name[@]} -ge "$JOBS" ]; do job_wait; done
  stage_start[$stage]=${stage_start[$stage]:-$(nts_now)}
  printf '%s' "$heading" >"$out.heading"
  (
    passed=0 failed=0 skipped=0 failures=()
    "$@"
    printf '%s\n' ${failures[@]+"${failures[@]}"} >"$out.failures"
    printf '%s %s %s\n' "$passed" "$failed" "$skipped" >"$out.count"
  ) >"$out.out" 2>&1 &
  pid=$!
  job_stage[$pid]=$stage job_name[$pid]=$name job_start[$pid]=$(nts_now)
}
# Waits for a job to end, shows what it printed, adds what it counted.
job_wait() {
  local pid stage name out heading failure counts
  while :; do
    for pid in "${!job_name[@]}"; do
      if ! kill -0 "$pid" 2>/dev/null; then break 2; fi
    done
    sleep 0.1
  done
  wait "$pid" || true
  stage=${job_stage[$pid]} name=${job_name[$pid]} out=$NTS_TEMP/jobs/${job_name[$pid]}
  heading=$(cat "$out.heading")
  if [ "$heading" != "$shown" ]; then nts_step "$heading"; fi
  shown=$heading
  cat "$out.out"
  if [ -e "$out.count" ]; then
    read -r -a counts <"$out.count"
    while IFS= read -r failure; do
      if [ -n "$failure" ]; then failures+=("$failure"); fi
    done <"$out.failures"
  else
    nts_say "$name ended before it had counted"
    counts=(0 1 0)
    failures+=("$stage: $name could not run")
  fi
  count "$stage" "${counts[@]}" "${job_start[$pid]}"
  unset "job_stage[$pid]" "job_name[$pid]" "job_start[$pid]"
}
jobs_wait_all() { while [ ${#job_name[@]} -gt 0 ]; do job_wait; done; }

nts_step "What is needed"
"$NTS_ROOT/test/scripts/install-deps.sh" check
nts_temp_create
rm -rf "$kept"
mkdir -p "$kept" "$NTS_TEMP/jobs"
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

# Builds the units; $1: stage name, $2...: options of units.sh. That there is no program is counted by run_units.
build_units() {
  local name=$1
  shift
  nts_step "Building the GoogleTest units of the core${1:+, with AddressSanitizer and UndefinedBehaviorSanitizer}"
  "$NTS_ROOT/test/scripts/units.sh" "$@" --only-build || rm -f "$NTS_ROOT/build/$name/nodedb_ts_units"
}
build_start=$(nts_now)
if wanted units; then build_units units; fi
if wanted units-sanitize; then build_units units-sanitize --sanitize; fi

# Runs the units; $1: stage name, $2...: options of units.sh.
run_units() {
  local name=$1 log=$kept/$1.log start ok bad skip rc=0 test
  shift
  start=$(nts_now)
  # What is run goes to the log: it is long.
  "$NTS_ROOT/test/scripts/units.sh" "$@" --only-run --gtest_color=no >"$log" 2>&1 || rc=$?
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

# ---- the extension --------------------------------------------------------

if wanted build || wanted regress || wanted isolation || wanted tap; then
  nts_step "Building the extension"
  # The log is kept while the folder is. A build that fails fails all tests that need a server.
  if nts_build "$kept/build.log" &&
    { ! wanted tap || nts_quietly "$kept/tools.log" "building the tools of TAP tests" nts_tools reaper metrics_gen; }; then
    nts_private_install
    nts_say "installed into a private copy of PostgreSQL"
  else
    failures+=("build")
    count build 0 1 0 "$build_start"
    STAGES=$(tr ' ' '\n' <<<"$STAGES" | grep -xvE 'regress|isolation|tap' | tr '\n' ' ' || true)
  fi
fi
count build 0 0 0 "$build_start"

nts_step "Tests, $JOBS at a time"
# The longest jobs come first.
if wanted units-sanitize; then
  job units-sanitize "GoogleTest units of the core, with AddressSanitizer and UndefinedBehaviorSanitizer" units-sanitize \
    run_units units-sanitize --sanitize
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
    --load-extension=nodedb_ts --dbname="nodedb_ts_$name" "$@" >"$log" 2>&1 || rc=$?
  sed -nE 's/^(test|ok|not ok) /   &/p' "$log"
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
    first_lines 20 "$(grep -E '^[-+]' "$out/regression.diffs" 2>/dev/null)"
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
  read -r -a tests <<<"${REGRESS:-$(cd "$work/sql" && find . -maxdepth 1 -name '*.sql' ! -name 'nodedb_ts--*' | sed 's:^\./::; s:\.sql$::' | sort | tr '\n' ' ')}"
  if [ ${#tests[@]} -gt 0 ]; then
    job regress "pg_regress" regress run_regress regress regress/pg_regress "$work" "${tests[@]}"
  fi
fi

if wanted isolation; then
  read -r -a tests <<<"${ISOLATION:-$(find "$work/test/isolation/specs" -name '*.spec' 2>/dev/null | sed 's:.*/::; s:\.spec$::' | sort | tr '\n' ' ')}"
  if [ ${#tests[@]} -gt 0 ]; then
    job isolation "Isolation" isolation run_regress isolation isolation/pg_isolation_regress "$work/test/isolation" \
      "${tests[@]}"
  fi
fi

if wanted units; then job units "GoogleTest units of the core" units run_units units; fi

# ---- TAP ------------------------------------------------------------------

# Runs one TAP test.
run_tap() {
  local test=$1 log=$kept/tap/$1.log out=$NTS_TEMP/run/tap/$1 rc=0 start ok bad skip
  start=$(nts_now)
  mkdir -p "$out"
  if [ -n "$NTS_USER" ]; then chown -R "$NTS_USER" "$out"; fi
  # As PGXS sets them (TESTDIR on 15, the other two from 16 on). METRICS_GEN: the generator of metrics.
  nts_as_user env TESTDIR="$out" TESTDATADIR="$out/tmp_check" TESTLOGDIR="$out/tmp_check/log" \
    PG_REGRESS="$NTS_PGXS_TEST/regress/pg_regress" PG_TEST_PORT_DIR="$NTS_TEMP/run/ports" PGPORT=65432 \
    METRICS_GEN="$NTS_TEMP/metrics_gen" TMPDIR="${TMPDIR:-/tmp}" \
    "$NTS_TEMP/reaper" prove --verbose --merge --nocolor -I "$NTS_PGXS_TEST/perl" -I "$work/test/t" \
    "$work/test/t/$test.pl" >"$log" 2>&1 || rc=$?
  # Assertions of the top level; those of subtests are indented.
  ok=$(grep -E '^ok [0-9]+' "$log" | grep -cvE '# (SKIP|skip|TODO)' || true)
  bad=$(grep -E '^not ok [0-9]+' "$log" | grep -cvE '# TODO' || true)
  skip=$(grep -cE '^ok [0-9]+.*# (SKIP|skip)|^1\.\.0 # (SKIP|skip)|^1\.\.0$|\.\. skipped: ' "$log" || true)
  # A script that dies fails without saying so in an assertion.
  if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  printf '   %-28s %5s passed %4s failed %4s skipped %8s s\n' "$test" "$ok" "$bad" "$skip" "$(nts_since "$start")"
  # What a test counts: rounds, statements compared, flips, differences.
  sed -n 's/^# figures: /      /p' "$log"
  if [ "$bad" -gt 0 ]; then
    failures+=("tap: $test")
    first_lines 12 "$(grep -E -A 10 '^not ok' "$log" | grep -E '^not ok|^ *#' || tail -n 5 "$log")"
    grep -nE -A 12 '^not ok|^ *#   Failed' "$log" | head -n 80 | sed 's/^/      /' || true
    nts_say "the end of its output (in full in build/check/tap/$test.log):"
    tail -n 25 "$log" | sed 's/^/      /'
    mkdir -p "$kept/tap/$test"
    cp -r "$out/tmp_check/log/." "$kept/tap/$test/" 2>/dev/null || true
  elif [ "$skip" -gt 0 ]; then
    sed -nE 's/^ok .*# (SKIP|skip) *//p; s/^.* \.\. skipped: //p' "$log" | sort | uniq -c | sed 's/^/      skipped: /'
  fi
  count tap "$ok" "$bad" "$skip" "$start"
  # A script that was killed leaves its servers behind. Data directories are large.
  nts_kill_servers_below "$out"
  if [ -z "${KEEP:-}" ]; then rm -rf "${out:?}"; fi
}

if wanted tap; then
  cp "$NTS_ROOT/build/tools/reaper" "$NTS_ROOT/build/tools/metrics_gen" "$NTS_TEMP/"
  chmod 755 "$NTS_TEMP/reaper" "$NTS_TEMP/metrics_gen"
  mkdir -p "$kept/tap" "$NTS_TEMP/run/tap" "$NTS_TEMP/run/ports"
  if [ -n "$NTS_USER" ]; then chown "$NTS_USER" "$NTS_TEMP/run/tap" "$NTS_TEMP/run/ports"; fi
  read -r -a tests <<<"${TAP:-$(find "$work/test/t" -maxdepth 1 -name '*.pl' 2>/dev/null | sed 's:.*/::; s:\.pl$::' | sort | tr '\n' ' ')}"
  alone=()
  for test in ${tests[@]+"${tests[@]}"}; do
    test=${test%.pl}
    if grep -qs '^# check: alone' "$work/test/t/$test.pl"; then
      alone+=("$test")
    else
      job tap TAP "$test" run_tap "$test"
    fi
  done
  jobs_wait_all
  for test in ${alone[@]+"${alone[@]}"}; do
    job tap TAP "$test" run_tap "$test"
    jobs_wait_all
  done
fi

jobs_wait_all
finish
