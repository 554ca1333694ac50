#!/usr/bin/env bash
# Measures nodedb_ts side by side with heap on one throwaway server, in one run, and prints Markdown.
#
#   make bench                                   everything
#   make bench PARTS="insert copy"               a subset of: insert segments batch copy sizes ingest memory
#                                                maintenance directory query tsbs tsbs-large reads
#   make bench BENCH_DATA=/path/to/sets          also real sets: NAME.csv.zst files (anywhere below the folder;
#                                                CSV without header, empty = NULL) and schema.sql beside or above
#                                                them with a CREATE TABLE NAME for each
#
# Variables: PAIRS (7) and SECONDS_EACH (10) of the INSERT runs; COPY_PAIRS (3), of ingest triples; BATCH_PAIRS (5) and
# BATCH_SECONDS (3); BATCH_SYNC (on: synchronous_commit of the batches, "on off" for both); ROWS (1728000) of the
# generated set; TSBS_ROWS (8640000) of the generated set like TSBS's; MEMORY_ROWS (10000000); SETS (names of real sets;
# default: all found); OUT (a file that gets the Markdown too); PG_CONFIG.
#
# How: heap and nodedb_ts alternate, and so does which of the two goes first; a ratio is taken within a pair,
# and the median of the ratios is printed. There is a CHECKPOINT before each timed run; autovacuum is off; apart
# from memory settings the server is configured as by default, fsync included.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/scripts/lib.sh
source "$bench/../scripts/lib.sh"

AM=${NODEDB_AM:-nodedb_ts}
PARTS=${PARTS:-insert segments batch copy sizes ingest memory maintenance directory query tsbs tsbs-large reads}
PAIRS=${PAIRS:-7}
SECONDS_EACH=${SECONDS_EACH:-10}
COPY_PAIRS=${COPY_PAIRS:-3}
BATCH_PAIRS=${BATCH_PAIRS:-5}
BATCH_SECONDS=${BATCH_SECONDS:-3}
BATCH_SYNC=${BATCH_SYNC:-on}
ROWS=${ROWS:-1728000}
TSBS_ROWS=${TSBS_ROWS:-8640000}
MEMORY_ROWS=${MEMORY_ROWS:-10000000}
DIRECTORY_SEGMENTS=${DIRECTORY_SEGMENTS:-100000}
TSBS_RUNS=${TSBS_RUNS:-20}
TSBS_ROUNDS=${TSBS_ROUNDS:-5}
TSBS_LONG_RUNS=${TSBS_LONG_RUNS:-5}
TSBS_SECONDS=${TSBS_SECONDS:-10}
TSBS_NUMBER=${TSBS_NUMBER:-1}
READ_RUNS=${READ_RUNS:-20}
BENCH_DATA=${BENCH_DATA:-}
SETS=${SETS:-}
OUT=${OUT:-/dev/null}

for part in $PARTS; do
  case $part in
    insert | segments | copy | memory | maintenance | directory | sizes | ingest | batch | query | tsbs | tsbs-large | reads) ;;
    *) nts_die "PARTS: no part is called $part" ;;
  esac
done
wanted() { [[ " $PARTS " == *" $1 "* ]]; }
# Heap's part of the large TSBS set is to be in memory as well.
if wanted tsbs-large; then SHARED_BUFFERS=${SHARED_BUFFERS:-6GB}; fi
SHARED_BUFFERS=${SHARED_BUFFERS:-1GB}
# A line of the report.
put() { printf '%s\n' "$*" | tee -a "$OUT"; }
note() { printf '      ... %s\n' "$*" >&2; }

"$NTS_ROOT/test/scripts/install-deps.sh" build
nts_temp_create
nts_build "$NTS_TEMP/build.log"
tools=(metrics_gen)
if wanted batch; then tools+=(batch_load); fi
nts_quietly "$NTS_TEMP/tools.log" "building the tools" nts_tools "${tools[@]}"
nts_private_install
nts_server_init "shared_buffers = '$SHARED_BUFFERS'" "max_wal_size = '16GB'" "checkpoint_timeout = '1h'" "autovacuum = off" \
  "work_mem = '64MB'" "max_connections = 20"
nts_server_start
if [ "$AM" = nodedb_ts ]; then nts_psql -c "CREATE EXTENSION nodedb_ts"; fi
using() { if [ "$1" = heap ]; then echo heap; else echo "$AM"; fi; }
has_function() { [ "$(nts_value "SELECT count(*) > 0 FROM pg_proc WHERE proname = '$1'")" = t ]; }

commit=$(git -C "$NTS_ROOT" rev-parse --short=12 HEAD 2>/dev/null || echo 'no commit')
if [ -n "$(git -C "$NTS_ROOT" status --porcelain 2>/dev/null || true)" ]; then commit="$commit, changed"; fi
[ "$OUT" = /dev/null ] || : >"$OUT"
put "# nodedb_ts side by side with heap"
put ""
put "- $(nts_value "SELECT split_part(version(), ' on ', 1)"), $(nproc) cores ($(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)), $(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo) memory, $(uname -sr)"
put "- commit: $commit; access method: $AM; $(date -u +%F)"
put "- shared_buffers $SHARED_BUFFERS, max_wal_size 16GB, autovacuum off, fsync on; data in $(df --output=fstype "$NTS_DATA" | tail -n 1)"

# shellcheck source=test/bench/sets.sh
source "$bench/sets.sh"
if wanted copy || wanted query || wanted sizes || wanted ingest || wanted tsbs-large; then
  load_sets
  for line in ${skips[@]+"${skips[@]}"}; do put "- $line"; done
fi

# ---- one-row INSERTs ------------------------------------------------------

# A row of a monitoring agent: what one INSERT of a collector holds.
insert_columns='ts timestamptz NOT NULL, host text NOT NULL, cpu float8, mem float8, disk_free bigint, net_in bigint'
for kind in heap ts; do
  cat >"$NTS_TEMP/home/insert_$kind.sql" <<SQL
\\set host random(1, 100)
\\set cpu random(0, 10000)
\\set mem random(0, 10000)
\\set disk random(1, 1000000000)
\\set net random(1, 1000000000)
INSERT INTO insert_$kind VALUES (now(), 'host-' || (:host)::int::text, (:cpu)::int / 100.0::float8, (:mem)::int / 100.0::float8, (:disk)::bigint * 4096, (:net)::bigint);
SQL
  chmod 644 "$NTS_TEMP/home/insert_$kind.sql"
done
make_insert_tables() {
  local kind
  for kind in heap ts; do
    nts_psql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS insert_$kind" \
      -c "CREATE TABLE insert_$kind ($insert_columns) USING $(using $kind)"
  done
}
# Transactions a second: kind, clients, synchronous_commit, seed. No more of pgbench's threads than processors: what
# is to be measured is the server, not how threads of the client take turns with it.
pgbench_rate() {
  local threads=$(($2 < $(nproc) ? $2 : $(nproc)))
  nts_psql -c CHECKPOINT
  nts_as_user env PGOPTIONS="-c synchronous_commit=$3" "$NTS_BIN/pgbench" -n -M prepared \
    -f "$NTS_TEMP/home/insert_$1.sql" -c "$2" -j "$threads" -T "$SECONDS_EACH" --random-seed="$4" >"$NTS_TEMP/pgbench.out" 2>&1 || {
    cat "$NTS_TEMP/pgbench.out" >&2
    nts_die "pgbench failed on $1"
  }
  sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$NTS_TEMP/pgbench.out"
}
if wanted insert; then
  put ""
  put "## One-row autocommit INSERTs, prepared (pgbench, at most $(nproc) threads, $PAIRS alternating pairs of $SECONDS_EACH s)"
  put ""
  put "| clients | synchronous_commit | heap, rows/s | nodedb_ts, rows/s | ratio, median | ratios of the pairs |"
  put "|---|---|---|---|---|---|"
  for clients in 1 4; do
    for sync in on off; do
      make_insert_tables
      heap=() ts=() ratios=()
      for pair in $(seq 1 "$PAIRS"); do
        order="heap ts"
        if [ $((pair % 2)) -eq 0 ]; then order="ts heap"; fi
        for kind in $order; do
          rate=$(pgbench_rate "$kind" "$clients" "$sync" "$pair")
          if [ "$kind" = heap ]; then h=$rate; else t=$rate; fi
        done
        heap+=("$h") ts+=("$t")
        ratios+=("$(awk -v a="$t" -v b="$h" 'BEGIN { printf "%.3f", a / b }')")
        note "$clients clients, synchronous_commit $sync, pair $pair of $PAIRS: heap $h, nodedb_ts $t, ${ratios[-1]}"
      done
      put "| $clients | $sync | $(printf '%s\n' "${heap[@]}" | nts_median | awk '{ printf "%d", $1 }') | $(printf '%s\n' "${ts[@]}" | nts_median | awk '{ printf "%d", $1 }') | $(printf '%s\n' "${ratios[@]}" | nts_median) | ${ratios[*]} |"
    done
  done
  for kind in heap ts; do
    count=$(nts_value "SELECT count(*) FROM insert_$kind")
    if [ "$count" = 0 ]; then nts_die "no rows in insert_$kind"; fi
  done
fi

# ---- what many small transactions leave behind -----------------------------

if wanted segments; then
  put ""
  put "## After 100 000 one-row INSERTs and ts_flush"
  put ""
  make_insert_tables
  for kind in heap ts; do
    nts_as_user env PGOPTIONS="-c synchronous_commit=off" "$NTS_BIN/pgbench" -n -M prepared \
      -f "$NTS_TEMP/home/insert_$kind.sql" -c 4 -j 4 -t 25000 --random-seed=1 >"$NTS_TEMP/pgbench.out" 2>&1 || {
      cat "$NTS_TEMP/pgbench.out" >&2
      nts_die "pgbench failed on $kind"
    }
  done
  put "| | heap | nodedb_ts | nodedb_ts / heap |"
  put "|---|---|---|---|"
  sizes() {
    local h t
    h=$(nts_value "SELECT pg_total_relation_size('insert_heap')")
    t=$(nts_value "SELECT pg_total_relation_size('insert_ts')")
    put "| bytes $1 | $h | $t | $(nts_ratio "$t" "$h") |"
  }
  sizes "before ts_flush"
  if has_function ts_flush; then
    put "| ts_flush, ms | | $(nts_time_ms "SELECT ts_flush('insert_ts')") | |"
    sizes "after ts_flush"
    nts_psql -c "VACUUM insert_ts" -c "VACUUM insert_heap"
    sizes "after VACUUM"
  else
    put "| ts_flush | skipped: no such function | | |"
  fi
  put "| rows | $(nts_value "SELECT count(*) FROM insert_heap") | $(nts_value "SELECT count(*) FROM insert_ts") | |"
  if has_function ts_segments; then
    put "| segments | | $(nts_value "SELECT count(*) FROM ts_segments('insert_ts') WHERE level >= 1") | |"
    put "| rows of the smallest segment | | $(nts_value "SELECT coalesce(min(rows)::text, 'none') FROM ts_segments('insert_ts') WHERE level >= 1") | |"
  else
    put "| segments | | skipped: no function ts_segments | |"
  fi
fi

# ---- COPY -----------------------------------------------------------------

if wanted copy; then
  put ""
  put "## COPY of a whole set in one transaction, no index ($COPY_PAIRS alternating pairs, medians)"
  put ""
  put "| set | rows | heap, s | nodedb_ts, s | time ratio | heap WAL, MB | nodedb_ts WAL, MB | WAL ratio | heap, MB | nodedb_ts, MB | size ratio |"
  put "|---|---|---|---|---|---|---|---|---|---|---|"
  for set in "${sets[@]}"; do
    heap=() ts=() ratios=() wal_heap=() wal_ts=()
    for pair in $(seq 1 "$COPY_PAIRS"); do
      make_set "$set"
      order="heap ts"
      if [ $((pair % 2)) -eq 0 ]; then order="ts heap"; fi
      for kind in $order; do
        nts_psql -c CHECKPOINT
        lsn=$(nts_value "SELECT pg_current_wal_insert_lsn()")
        ms=$(nts_time_ms "COPY s_$kind.$set FROM '$data/$set.csv' CSV")
        wal=$(nts_value "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')")
        if [ "$kind" = heap ]; then h=$ms && wal_heap+=("$wal"); else t=$ms && wal_ts+=("$wal"); fi
      done
      heap+=("$h") ts+=("$t")
      ratios+=("$(awk -v a="$t" -v b="$h" 'BEGIN { printf "%.3f", a / b }')")
      note "$set, pair $pair of $COPY_PAIRS: heap $h ms, nodedb_ts $t ms, ${ratios[-1]}"
    done
    h=$(printf '%s\n' "${heap[@]}" | nts_median) t=$(printf '%s\n' "${ts[@]}" | nts_median)
    wh=$(printf '%s\n' "${wal_heap[@]}" | nts_median) wt=$(printf '%s\n' "${wal_ts[@]}" | nts_median)
    sh=$(nts_value "SELECT pg_total_relation_size('s_heap.$set')") st=$(nts_value "SELECT pg_total_relation_size('s_ts.$set')")
    rows=$(nts_value "SELECT count(*) FROM s_heap.$set")
    if [ "$rows" != "$(nts_value "SELECT count(*) FROM s_ts.$set")" ]; then nts_die "$set: the numbers of rows differ"; fi
    put "| $set | $rows | $(awk -v v="$h" 'BEGIN { printf "%.2f", v / 1000 }') | $(awk -v v="$t" 'BEGIN { printf "%.2f", v / 1000 }') | $(printf '%s\n' "${ratios[@]}" | nts_median) | $(nts_mb "$wh") | $(nts_mb "$wt") | $(awk -v a="$wt" -v b="$wh" 'BEGIN { printf "%.3f", a / b }') | $(nts_mb "$sh") | $(nts_mb "$st") | $(awk -v a="$st" -v b="$sh" 'BEGIN { printf "%.3f", a / b }') |"
  done
fi

# ---- memory ---------------------------------------------------------------

# Private memory of process $1 in kB: anonymous pages; shared buffers are not among them.
private_kb() { awk '/^RssAnon:/ { print $2 }' "/proc/$1/status" 2>/dev/null || true; }
# The session of the background job $1, which sleeps first, until it ends: its memory before and at its peak, in kB.
watch_memory() {
  local job=$1 what=$2 pid='' now
  for _ in $(seq 1 100); do
    pid=$(nts_value "SELECT pid FROM pg_stat_activity WHERE application_name = 'bench_memory' AND query LIKE 'SELECT pg_sleep%'")
    if [ -n "$pid" ]; then break; fi
    sleep 0.05
  done
  if [ -z "$pid" ]; then
    cat "$NTS_TEMP/memory.out" >&2
    nts_die "$what: the session did not start"
  fi
  base=$(private_kb "$pid") peak=0
  while kill -0 "$job" 2>/dev/null; do
    now=$(private_kb "$pid")
    if [ -n "$now" ] && [ "$now" -gt "$peak" ]; then peak=$now; fi
    sleep 0.02
  done
  wait "$job" || {
    cat "$NTS_TEMP/memory.out" >&2
    nts_die "$what failed"
  }
}
if wanted memory; then
  put ""
  put "## Private memory of a backend that loads $(nts_thousands "$MEMORY_ROWS") rows in one transaction"
  put ""
  put "| | before, MB | peak, MB | growth, MB | seconds |"
  put "|---|---|---|---|---|"
  # The setting exists in a session once the library is loaded there.
  if [ "$AM" = nodedb_ts ]; then load="LOAD 'nodedb_ts'"; else load="SELECT WHERE false"; fi
  budget=$(nts_psql -At -c "$load" -c "SELECT pg_size_bytes(coalesce(current_setting('nodedb_ts.memory_budget', true), '0'))")
  for kind in heap ts; do
    make_one="CREATE TABLE memory_$kind ($NTS_METRICS_COLUMNS) USING $(using $kind)"
    nts_psql -c "$make_one"
    note "loading into memory_$kind"
    start=$(nts_now)
    "$NTS_ROOT/build/tools/metrics_gen" --rows "$MEMORY_ROWS" --hosts 1000 --no-header |
      nts_as_user env PGAPPNAME=bench_memory "$NTS_BIN/psql" -X -q -v ON_ERROR_STOP=1 \
        -c "SELECT count(*) FROM memory_$kind" -c "SELECT pg_sleep(1)" -c "COPY memory_$kind FROM STDIN CSV" >"$NTS_TEMP/memory.out" 2>&1 &
    loader=$!
    watch_memory "$loader" "loading into memory_$kind"
    put "| $(using $kind) | $(nts_mb $((base * 1024))) | $(nts_mb $((peak * 1024))) | $(nts_mb $(((peak - base) * 1024))) | $(nts_since "$start") |"
    if [ "$(nts_value "SELECT count(*) FROM memory_$kind")" != "$MEMORY_ROWS" ]; then nts_die "memory_$kind: rows are missing"; fi
    nts_psql -c "DROP TABLE memory_$kind" -c CHECKPOINT
  done
  put ""
  if [ "$budget" -gt 0 ]; then
    put "- nodedb_ts.memory_budget: $(nts_mb "$budget") MB; budget + 64 MiB: $(nts_mb $((budget + 67108864))) MB; peak / that: $(nts_ratio $((peak * 1024)) $((budget + 67108864)))"
  else
    put "- nodedb_ts.memory_budget: skipped, there is no such setting"
  fi
fi

# ---- maintenance ------------------------------------------------------------

# One statement in a session of its own; prints a line of the table. What, rows, statement.
measure_maintenance() {
  local what=$1 rows=$2 ms
  nts_psql -c CHECKPOINT
  nts_as_user env PGAPPNAME=bench_memory "$NTS_BIN/psql" -X -q -v ON_ERROR_STOP=1 -c "SELECT count(*) FROM pg_class" \
    -c "SELECT pg_sleep(1)" -c '\timing on' -c "$3" >"$NTS_TEMP/memory.out" 2>&1 &
  watch_memory $! "$what"
  ms=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$NTS_TEMP/memory.out" | tail -n 1)
  put "| $what | $ms | $(awk -v r="$rows" -v m="$ms" 'BEGIN { printf "%d", r / m * 1000 }') | $(nts_mb $(((peak - base) * 1024))) | $(nts_value "SELECT count(*) FROM ts_segments('maintenance')") | $(nts_mb "$(nts_value "SELECT l0_bytes + l1_bytes + l2_bytes FROM ts_table_stats('maintenance')")") |"
}
if wanted maintenance && has_function ts_table_stats; then
  put ""
  put "## Maintenance of the generated set, $(nts_thousands "$ROWS") rows in transactions of 8 000 (maintenance_work_mem $(nts_value 'SHOW maintenance_work_mem'))"
  put ""
  put "| | ms | rows/s | memory growth, MB | segments after | live MB after |"
  put "|---|---|---|---|---|---|"
  nts_psql -c "CREATE TABLE maintenance ($NTS_METRICS_COLUMNS) USING $AM"
  mkdir "$NTS_TEMP/home/parts"
  (cd "$NTS_TEMP/home/parts" && "$NTS_ROOT/build/tools/metrics_gen" --rows "$ROWS" --no-header | split -a 4 -l 8000)
  chmod -R a+rX "$NTS_TEMP/home/parts"
  printf "COPY maintenance FROM '%s' CSV;\n" "$NTS_TEMP"/home/parts/* >"$NTS_TEMP/home/maintenance.sql"
  chmod a+r "$NTS_TEMP/home/maintenance.sql"
  # all of it in L0: no session flushes by itself
  PGOPTIONS="-c nodedb_ts.max_delta_size=0" nts_psql -f "$NTS_TEMP/home/maintenance.sql"
  rm -r "$NTS_TEMP/home/parts"
  measure_maintenance "ts_flush, L0 to L1" "$ROWS" "SELECT ts_flush('maintenance')"
  if has_function ts_compact; then
    measure_maintenance "ts_compact, L1 to L2" "$ROWS" "SELECT * FROM ts_compact('maintenance')"
    measure_maintenance "ts_compact, nothing to do" "$ROWS" "SELECT * FROM ts_compact('maintenance')"
  fi
  as_of=$(nts_value "SELECT quote_literal(min(ts) + interval '2 days') FROM maintenance")
  measure_maintenance "ts_enforce_retention, the first day" "$((ROWS / 2))" "SELECT ts_enforce_retention('maintenance', interval '1 day', $as_of)"
  nts_psql -c "DROP TABLE maintenance"
fi

# ---- parts with files of their own ------------------------------------------

# shellcheck source=test/bench/duckdb.sh
source "$bench/duckdb.sh"
# shellcheck source=test/bench/directory.sh
if wanted directory; then source "$bench/directory.sh"; fi
# shellcheck source=test/bench/sizes.sh
if wanted sizes; then source "$bench/sizes.sh"; fi
# shellcheck source=test/bench/ingest.sh
if wanted ingest; then source "$bench/ingest.sh"; fi
# shellcheck source=test/bench/batch.sh
if wanted batch; then source "$bench/batch.sh"; fi

# ---- queries --------------------------------------------------------------

if wanted query; then
  put ""
  put "## Queries on the generated set, $(nts_thousands "$ROWS") rows (median of 5, ms; no index, results compared)"
  put ""
  put "| query | heap | nodedb_ts | nodedb_ts / heap |"
  put "|---|---|---|---|"
  make_set metrics
  for kind in heap ts; do
    nts_psql -c "COPY s_$kind.metrics FROM '$data/metrics.csv' CSV" -c "VACUUM ANALYZE s_$kind.metrics"
  done
  last=$(nts_value "SELECT quote_literal(max(ts) - interval '1 hour') FROM s_heap.metrics")
  middle=$(nts_value "SELECT quote_literal(min(ts) + (max(ts) - min(ts)) / 2) FROM s_heap.metrics")
  # Floating-point sums depend on the order of addition: compared to nine digits.
  while IFS='|' read -r name sql; do
    if [ -z "$name" ]; then continue; fi
    sql=${sql//LAST/$last}
    sql=${sql//MIDDLE/$middle}
    a=() b=()
    for round in 1 2 3 4 5; do
      order="heap ts"
      if [ $((round % 2)) -eq 0 ]; then order="ts heap"; fi
      for kind in $order; do
        ms=$(nts_time_ms "${sql//TABLE/s_$kind.metrics}" </dev/null)
        if [ "$kind" = heap ]; then a+=("$ms"); else b+=("$ms"); fi
      done
    done
    if [ "$(nts_value "${sql//TABLE/s_heap.metrics}" </dev/null | cksum)" != "$(nts_value "${sql//TABLE/s_ts.metrics}" </dev/null | cksum)" ]; then
      nts_die "the results of \"$name\" differ"
    fi
    ma=$(printf '%s\n' "${a[@]}" | nts_median) mb=$(printf '%s\n' "${b[@]}" | nts_median)
    put "| $name | $ma | $mb | $(nts_ratio "$mb" "$ma") |"
  done <<'SQL'
count(*)|SELECT count(*) FROM TABLE
min and max of the time|SELECT min(ts), max(ts) FROM TABLE
average of one column|SELECT to_char(avg(cpu), '9.99999999EEEE') FROM TABLE
last hour, average per host|SELECT host, to_char(avg(cpu), '9.99999999EEEE') FROM TABLE WHERE ts > LAST GROUP BY 1 ORDER BY 1
last hour, ten highest hosts|SELECT host, max(cpu) FROM TABLE WHERE ts > LAST GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10
one host, one hour|SELECT ts, cpu, mem FROM TABLE WHERE host = 'host-042' AND ts >= MIDDLE AND ts < MIDDLE::timestamptz + interval '1 hour' ORDER BY 1
one host, per hour|SELECT date_trunc('hour', ts), min(cpu), max(cpu) FROM TABLE WHERE host = 'host-042' GROUP BY 1 ORDER BY 1
per hour, all hosts|SELECT date_trunc('hour', ts), to_char(avg(cpu), '9.99999999EEEE'), max(mem) FROM TABLE GROUP BY 1 ORDER BY 1
per hour and host|SELECT date_trunc('hour', ts), host, to_char(avg(cpu), '9.99999999EEEE') FROM TABLE GROUP BY 1, 2 ORDER BY 1, 2
newest row of each host|SELECT DISTINCT ON (host) host, ts, cpu FROM TABLE WHERE ts > LAST ORDER BY host, ts DESC
sum of a counter where another is high|SELECT count(*), sum(net_in) FROM TABLE WHERE cpu > 90
SQL
fi

# shellcheck source=test/bench/tsbs.sh
if wanted tsbs || wanted tsbs-large; then source "$bench/tsbs.sh"; fi
if wanted reads; then
  # shellcheck source=test/bench/reads.sh
  source "$bench/reads.sh"
  run_reads
fi

put ""
nts_server_stop
