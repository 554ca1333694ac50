#!/usr/bin/env bash
# The main job from nothing, in a temporary folder: builds the extension, starts a PostgreSQL of its own,
# loads a million and more rows of metrics into heap and into nodedb_ts, compares sizes and queries, kills
# the server with SIGKILL in the middle of a load, starts it again and counts. Nothing installed is touched
# except that missing packages are installed through apt (as root; otherwise it says what to install).
#
#   make demo                       the generated set
#   make demo DATA=metrics.csv      your own CSV with a header line (.gz and .zst too)
#
# Variables: ROWS, HOSTS, SEED (of the generated set), PG_CONFIG, KEEP=1 (leave the temporary folder).
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

AM=${NODEDB_AM:-nodedb_ts}
DATA=${DATA:-}
ROWS=${ROWS:-1728000}
HOSTS=${HOSTS:-100}
SEED=${SEED:-1}
started=$(nts_now)

if [ -n "$DATA" ] && [ ! -r "$DATA" ]; then nts_die "DATA=$DATA: no such file, or not readable"; fi

nts_step "1. What is needed"
"$NTS_ROOT/test/scripts/install-deps.sh" build
nts_temp_create
nts_say "$("$PG_CONFIG" --version), $(g++ -dumpfullversion -dumpversion | sed 's/^/g++ /'), $(nproc) cores; everything goes to $NTS_TEMP"

nts_step "2. Build"
nts_build "$NTS_TEMP/build.log"
nts_quietly "$NTS_TEMP/tools.log" "building the data tools" nts_tools metrics_gen csv_schema

nts_step "3. A server of its own"
nts_private_install
nts_server_init "shared_buffers = '256MB'" "max_wal_size = '4GB'" "checkpoint_timeout = '30min'"
nts_server_start
nts_say "started on a Unix socket in $PGHOST, durable as by default (fsync, synchronous_commit and full_page_writes on)"
if [ "$AM" = nodedb_ts ]; then
  nts_psql -c "CREATE EXTENSION nodedb_ts"
  nts_say "CREATE EXTENSION nodedb_ts  ($(nts_value "SELECT extversion FROM pg_extension WHERE extname = 'nodedb_ts'"))"
fi

nts_step "4. The data"
if [ -n "$DATA" ]; then
  file=$DATA
  nts_cat "$file" | "$NTS_ROOT/build/tools/csv_schema" >"$NTS_TEMP/schema" || nts_die "cannot use $DATA (see the line above)"
  schema() { sed -n "s/^$1\t//p" "$NTS_TEMP/schema"; }
  columns=$(schema columns) time_column=$(schema time) label=$(schema label) number=$(schema number)
  ROWS=$(schema rows)
  if [ "$ROWS" = 0 ]; then nts_die "$DATA has a header line and no rows"; fi
  case $columns in
    *[\;$'\t\|']*) nts_die "$DATA does not look like CSV with commas; its columns would be: $columns" ;;
  esac
  nts_say "$DATA: $(nts_thousands "$ROWS") rows"
  nts_say "columns: $columns"
else
  file=$NTS_TEMP/metrics.csv
  generate() { "$NTS_ROOT/build/tools/metrics_gen" --rows "$ROWS" --hosts "$HOSTS" --seed "$SEED" >"$file"; }
  nts_quietly "$NTS_TEMP/generate.log" "generating $(nts_thousands "$ROWS") rows of $HOSTS hosts, one each 10 s, seed $SEED" \
    generate
  columns=$NTS_METRICS_COLUMNS time_column=ts label=host number=cpu
  sed -n '1,3p' "$file" | sed 's/^/      /'
fi
for kind in heap ts; do
  using=$AM
  if [ "$kind" = heap ]; then using=heap; fi
  nts_psql -c "CREATE TABLE metrics_$kind ($columns) USING $using"
done
nts_say "CREATE TABLE metrics_heap (...);  CREATE TABLE metrics_ts (...) USING $AM;"

nts_step "5. Load: one COPY into each"
# Shows the progress of the COPY that runs in process $1.
show_progress() {
  local rows shown=0
  while kill -0 "$1" 2>/dev/null; do
    sleep 0.5
    rows=$(nts_value "SELECT tuples_processed FROM pg_stat_progress_copy LIMIT 1" 2>/dev/null || true)
    if [ -z "$rows" ]; then continue; fi
    if [ -t 1 ]; then
      printf '\r   %-12s %s rows' "$2" "$(nts_thousands "$rows")"
    elif [ $((rows - shown)) -ge 5000000 ]; then
      shown=$rows
      printf '   %-12s %s rows\n' "$2" "$(nts_thousands "$rows")"
    fi
  done
  if [ -t 1 ]; then printf '\r%60s\r' ''; fi
}

declare -A load_s wal_bytes table_bytes
load() {
  local table=$1 copy start lsn
  nts_psql -c CHECKPOINT
  lsn=$(nts_value "SELECT pg_current_wal_insert_lsn()")
  start=$(nts_now)
  {
    nts_cat "$file" | nts_psql -c "SET timezone = 'UTC'" -c "COPY $table FROM STDIN (FORMAT csv, HEADER true)" 2>"$NTS_TEMP/copy.err"
    # Here, since the progress display looks only twice a second.
    nts_since "$start" >"$NTS_TEMP/copy.seconds"
  } &
  copy=$!
  show_progress "$copy" "$table"
  wait "$copy" || {
    cat "$NTS_TEMP/copy.err" >&2
    nts_die "COPY into $table failed"
  }
  load_s[$table]=$(cat "$NTS_TEMP/copy.seconds")
  wal_bytes[$table]=$(nts_value "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')::bigint")
}
load metrics_heap
load metrics_ts
for table in metrics_heap metrics_ts; do
  nts_psql -c "VACUUM (ANALYZE) $table"
  table_bytes[$table]=$(nts_value "SELECT pg_total_relation_size('$table')")
done
row() { printf '   %-28s %14s %14s %10s\n' "$@"; }
row '' heap nodedb_ts 'heap / ts'
row 'load time, s' "${load_s[metrics_heap]}" "${load_s[metrics_ts]}" "$(nts_ratio "${load_s[metrics_heap]}" "${load_s[metrics_ts]}")"
row 'rows a second' "$(awk -v r="$ROWS" -v s="${load_s[metrics_heap]}" 'BEGIN { printf "%d", (s > 0) ? r / s : 0 }')" \
  "$(awk -v r="$ROWS" -v s="${load_s[metrics_ts]}" 'BEGIN { printf "%d", (s > 0) ? r / s : 0 }')" ''
row 'table on disk, MB' "$(nts_mb "${table_bytes[metrics_heap]}")" "$(nts_mb "${table_bytes[metrics_ts]}")" \
  "$(nts_ratio "${table_bytes[metrics_heap]}" "${table_bytes[metrics_ts]}")"
row 'WAL written, MB' "$(nts_mb "${wal_bytes[metrics_heap]}")" "$(nts_mb "${wal_bytes[metrics_ts]}")" \
  "$(nts_ratio "${wal_bytes[metrics_heap]}" "${wal_bytes[metrics_ts]}")"
row 'bytes a row' \
  "$(awk -v b="${table_bytes[metrics_heap]}" -v r="$ROWS" 'BEGIN { printf "%.1f", (r > 0) ? b / r : 0 }')" \
  "$(awk -v b="${table_bytes[metrics_ts]}" -v r="$ROWS" 'BEGIN { printf "%.1f", (r > 0) ? b / r : 0 }')" ''

nts_step "6. Queries (median of 3, ms; neither table has an index)"
names=() queries=()
query() {
  names+=("$1")
  queries+=("$2")
}
# TABLE stands for the table's name. Averages are compared to nine digits: the order of additions differs.
query "number of rows" "SELECT count(*) FROM TABLE"
if [ -n "$time_column" ]; then
  t=$time_column
  # A literal, as an application would send it.
  from=$(nts_value "SELECT quote_literal(max($t) - interval '1 hour') FROM metrics_heap")
  middle=$(nts_value "SELECT quote_literal(min($t) + (max($t) - min($t)) / 2) FROM metrics_heap")
  query "oldest and newest" "SELECT min($t), max($t) FROM TABLE"
  if [ -n "$number" ]; then
    query "per hour, whole table" "SELECT date_trunc('hour', $t), to_char(avg($number), '9.99999999EEEE'), max($number) FROM TABLE GROUP BY 1 ORDER BY 1"
    if [ -n "$label" ]; then
      query "last hour, average per $label" "SELECT $label, to_char(avg($number), '9.99999999EEEE') FROM TABLE WHERE $t > $from GROUP BY 1 ORDER BY 1"
      query "last hour, ten highest" "SELECT $label, max($number) FROM TABLE WHERE $t > $from GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 10"
      one=$(nts_value "SELECT quote_literal(min($label)) FROM metrics_heap")
      query "one $label, one hour" "SELECT $t, $number FROM TABLE WHERE $label = $one AND $t >= $middle AND $t < $middle::timestamptz + interval '1 hour' ORDER BY 1, 2"
      query "one $label, per hour" "SELECT date_trunc('hour', $t), min($number), max($number) FROM TABLE WHERE $label = $one GROUP BY 1 ORDER BY 1"
    fi
  fi
fi
row '' heap nodedb_ts 'heap / ts'
different=0
for i in "${!queries[@]}"; do
  a=() b=()
  for _ in 1 2 3; do
    a+=("$(nts_time_ms "${queries[$i]//TABLE/metrics_heap}")")
    b+=("$(nts_time_ms "${queries[$i]//TABLE/metrics_ts}")")
  done
  ma=$(printf '%s\n' "${a[@]}" | nts_median) mb=$(printf '%s\n' "${b[@]}" | nts_median)
  row "${names[$i]//\"/}" "$ma" "$mb" "$(nts_ratio "$ma" "$mb")"
  if [ "$(nts_value "${queries[$i]//TABLE/metrics_heap}" | cksum)" != "$(nts_value "${queries[$i]//TABLE/metrics_ts}" | cksum)" ]; then
    printf '   %sthe results of this query differ%s\n' "$NTS_RED" "$NTS_PLAIN"
    different=1
  fi
done
if [ $different -ne 0 ]; then nts_die "heap and nodedb_ts disagree"; fi
nts_say "the results of all queries are the same on both"

nts_step "7. kill -9"
# Does not depend on the order of rows.
checksum="SELECT count(*) || ' rows, checksum ' || coalesce(sum(hashtextextended(m::text, 0)), 0) FROM metrics_ts m"
more=$((ROWS < 1000 ? ROWS : 1000)) unfinished=$((ROWS < 200000 ? ROWS : 200000))
nts_psql -c "INSERT INTO metrics_ts SELECT * FROM metrics_heap LIMIT $more"
nts_say "$(nts_thousands $more) rows more, committed by an INSERT"
before=$(nts_value "$checksum")
nts_say "before: $before"
# Rows that are being written when the server dies must not be there afterwards.
nts_psql -c "BEGIN" -c "INSERT INTO metrics_ts SELECT * FROM metrics_heap LIMIT $unfinished" \
  -c "SELECT pg_sleep(600)" >"$NTS_TEMP/uncommitted.log" 2>&1 &
uncommitted=$!
for _ in $(seq 1 600); do
  if [ "$(nts_value "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'")" != 0 ]; then break; fi
  if ! kill -0 "$uncommitted" 2>/dev/null; then
    cat "$NTS_TEMP/uncommitted.log" >&2
    nts_die "the second session failed"
  fi
  sleep 0.1
done
nts_say "a second session has inserted $(nts_thousands $unfinished) rows and not committed"
postmaster=$NTS_POSTMASTER
nts_server_kill9
wait "$uncommitted" 2>/dev/null || true
nts_say "SIGKILL to the server (process $postmaster) and all its children"
start=$(nts_now)
nts_server_start
nts_say "started again, recovered in $(nts_since "$start") s"
after=$(nts_value "$checksum")
nts_say "after:  $after"
if [ "$before" != "$after" ]; then nts_die "the table is not what it was before the crash"; fi
nts_say "${NTS_GREEN}every committed row is there, and no other${NTS_PLAIN}"

nts_step "Done in $(nts_since "$started") s; the server and $NTS_TEMP are removed"
nts_server_stop
