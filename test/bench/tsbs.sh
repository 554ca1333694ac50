# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh and sets.sh
# Parts tsbs and tsbs-large of run.sh: TSBS's queries, cpu-only, on heap with its usual indexes, nodedb_ts and DuckDB.
#
# tsbs: BENCH_DATA must hold cpu.csv.zst with a folder queries/ beside it (TYPE__N.sql, plain SQL on a table cpu);
# TSBS_NUMBER (1) is N. tsbs-large: the generated set of TSBS_ROWS with queries of tsbs_queries.sh, drawn with
# TSBS_NUMBER as seed, then eight clients that draw for themselves.
#
# Each query runs TSBS_RUNS (20) times after the first on one connection (once if that took longer than 0.3 s), in
# TSBS_ROUNDS (5) rounds in turn with heap and the floor, as machines change their speed; in TSBS_LONG_RUNS (5) rounds if
# heap took longer than 0.3 s. A connection's first time is shown beside. The floor is the same SQL on an empty table and
# reading the same result from a heap table. Times are medians of the rounds' medians, the ratio is the median of the
# rounds' ratios.
# Results of heap and nodedb_ts are compared, order aside; of DuckDB's the number of rows is.

# shellcheck source=test/bench/tsbs_queries.sh
source "$bench/tsbs_queries.sh"
TSBS_START=1451606400 # 2016-01-01 00:00:00+00, where both sets begin

# What "reach" is on the large set: heap + btree's time by nodedb_ts's.
declare -A tsbs_reach=([single-groupby-1-1-1]=4.5 [single-groupby-1-1-12]=7.5 [single-groupby-1-8-1]=11
  [single-groupby-5-1-1]=5 [single-groupby-5-1-12]=7 [single-groupby-5-8-1]=8.5 [cpu-max-all-1]=4 [cpu-max-all-8]=10
  [cpu-max-all-32-24]=40 [double-groupby-1]=85 [double-groupby-5]=40 [double-groupby-all]=30
  [groupby-orderby-limit]=200 [high-cpu-1]=5 [high-cpu-all]=2.8 [lastpoint]=400)

# How often a connection runs a statement in file $2 with search_path $1 after the first time.
tsbs_runs() {
  tsbs_run_times "$1" "$2" 0
  awk -v ms="$(cat "$NTS_TEMP/tsbs.ms")" -v short="$TSBS_RUNS" 'BEGIN { print (ms > 300 ? 1 : short) }'
}
# Times it, $3 runs after the first: sets tsbs_ms to their median of milliseconds, tsbs_first.
tsbs_time() {
  tsbs_run_times "$1" "$2" "$3"
  tsbs_first=$(head -n 1 "$NTS_TEMP/tsbs.ms")
  tsbs_ms=$(tail -n +2 "$NTS_TEMP/tsbs.ms" | nts_median)
}
# One first run and $3 further ones, on one connection; $NTS_TEMP/tsbs.ms gets their milliseconds.
tsbs_run_times() {
  local schema=$1 sql=$2 runs=$3 run script="$NTS_TEMP/home/tsbs.sql"
  {
    printf '%s\n' '\timing on' '\o /dev/null'
    for ((run = 0; run <= runs; run++)); do cat "$sql"; echo; done
  } >"$script"
  chmod 644 "$script"
  nts_as_user env PGOPTIONS="-c search_path=$schema,public" "$NTS_BIN/psql" -X -q -f "$script" >"$NTS_TEMP/tsbs.out" 2>&1
  sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$NTS_TEMP/tsbs.out" >"$NTS_TEMP/tsbs.ms"
  [ "$(wc -l <"$NTS_TEMP/tsbs.ms")" -eq $((runs + 1)) ] || { cat "$NTS_TEMP/tsbs.out" >&2; nts_die "a query of $sql failed"; }
}
tsbs_result() {
  nts_as_user env PGOPTIONS="-c search_path=$1,public" "$NTS_BIN/psql" -X -q -At -f "$2" | sort
}

# Fills cpu in schemas q_heap and q_ts from what command "$@" writes; q_empty's stays empty.
tsbs_load() {
  local kind
  for kind in heap ts empty; do
    nts_psql -c "SET client_min_messages = warning" -c "DROP SCHEMA IF EXISTS q_$kind CASCADE" -c "CREATE SCHEMA q_$kind" \
      -c "CREATE TABLE q_$kind.cpu ($NTS_TSBS_COLUMNS) USING $(using "${kind/empty/heap}")"
  done
  note "loading"
  for kind in heap ts; do "$@" | nts_psql -c "COPY q_$kind.cpu FROM STDIN CSV"; done
  nts_psql -c "CREATE INDEX ON q_heap.cpu (hostname, time)" -c "CREATE INDEX ON q_heap.cpu (time)"
  nts_psql -c "SELECT ts_flush('q_ts.cpu')" -c "SELECT count(*) FROM ts_compact('q_ts.cpu', before => 'infinity')" >/dev/null
  nts_psql -c "VACUUM ANALYZE q_heap.cpu" -c "VACUUM q_ts.cpu" -c "VACUUM ANALYZE q_ts.cpu"
  nts_psql -c CHECKPOINT
}

# Measures the type whose SQL is in file $1 and whose result is in public.tsbs_result: sets heap_ms, heap_first, ts_ms,
# ts_first, floor and ratio.
tsbs_measure() {
  local sql=$1 result=$NTS_TEMP/home/tsbs_result.sql rounds=$TSBS_ROUNDS round heap_runs ts_runs result_runs
  local heap=() heap_firsts=() ts=() ts_firsts=() floors=() ratios=()
  heap_runs=$(tsbs_runs q_heap "$sql")
  ts_runs=$(tsbs_runs q_ts "$sql")
  result_runs=$(tsbs_runs q_heap "$result")
  if [ "$heap_runs" -eq 1 ]; then rounds=$TSBS_LONG_RUNS; fi
  for ((round = 0; round < rounds; round++)); do
    tsbs_time q_heap "$sql" "$heap_runs"; heap+=("$tsbs_ms") heap_firsts+=("$tsbs_first")
    tsbs_time q_ts "$sql" "$ts_runs"; ts+=("$tsbs_ms") ts_firsts+=("$tsbs_first")
    ratios+=("$(awk -v a="${heap[round]}" -v b="$tsbs_ms" 'BEGIN { printf "%.3f", a / b }')")
    tsbs_time q_empty "$sql" "$TSBS_RUNS"; floor=$tsbs_ms
    tsbs_time q_heap "$result" "$result_runs"
    floors+=("$(awk -v a="$floor" -v b="$tsbs_ms" 'BEGIN { printf "%.3f", a + b }')")
  done
  heap_ms=$(printf '%s\n' "${heap[@]}" | nts_median) heap_first=$(printf '%s\n' "${heap_firsts[@]}" | nts_median)
  ts_ms=$(printf '%s\n' "${ts[@]}" | nts_median) ts_first=$(printf '%s\n' "${ts_firsts[@]}" | nts_median)
  floor=$(printf '%s\n' "${floors[@]}" | nts_median) ratio=$(printf '%s\n' "${ratios[@]}" | nts_median)
  note "$(basename "$sql" .sql), $rounds rounds: heap ${heap[*]}; nodedb_ts ${ts[*]}; floor ${floors[*]}; ratios ${ratios[*]}"
}

# Measures the types in $1 whose SQL is in $2/TYPE.sql; $3: DuckDB's times (TYPE ROWS FIRST MEDIAN a line), or nothing;
# with $4, the wanted ratios are shown beside.
tsbs_table() {
  local types=$1 folder=$2 duckdb=$3 reach=$4 type sql rows floor line
  local heap_ms heap_first ts_ms ts_first ratio duckdb_rows duckdb_ms
  put ""
  put "| type | rows | heap + btree | (first) | nodedb_ts | (first) | floor | DuckDB | heap ÷ nodedb_ts |${reach:+ wanted | reached |}"
  put "|---|---|---|---|---|---|---|---|---|${reach:+---|---|}"
  for type in $types; do
    sql=$folder/$type.sql
    tsbs_result q_heap "$sql" >"$NTS_TEMP/tsbs.heap"
    if ! tsbs_result q_ts "$sql" | cmp -s - "$NTS_TEMP/tsbs.heap"; then nts_die "the results of $type differ"; fi
    rows=$(wc -l <"$NTS_TEMP/tsbs.heap")
    nts_psql -c "SET search_path = q_heap, public" -c "DROP TABLE IF EXISTS public.tsbs_result" \
      -c "CREATE TABLE public.tsbs_result USING heap AS $(cat "$sql")" 2>/dev/null
    echo "SELECT * FROM public.tsbs_result;" >"$NTS_TEMP/home/tsbs_result.sql"
    tsbs_measure "$sql"
    duckdb_ms=-
    if [ -s "$duckdb" ]; then
      read -r _ duckdb_rows _ duckdb_ms < <(grep "^$type " "$duckdb")
      if [ "$duckdb_rows" != "$rows" ]; then nts_die "$type: DuckDB returns $duckdb_rows rows, heap $rows"; fi
    fi
    line="| $type | $rows | $heap_ms | $heap_first | $ts_ms | $ts_first | $floor | $duckdb_ms | $ratio |"
    if [ -n "$reach" ]; then
      line+=" ${tsbs_reach[$type]} | $(awk -v ratio="$ratio" -v ts="$ts_ms" -v floor="$floor" -v want="${tsbs_reach[$type]}" \
        'BEGIN { print (ratio >= want) ? "yes" : (ts <= 1.5 * floor) ? "floor" : "no" }') |"
    fi
    put "$line"
  done
}

run_tsbs() {
  local cpu queries types type
  cpu=$(find "$BENCH_DATA" -name 'cpu.csv.zst' 2>/dev/null | head -n 1)
  queries=$(dirname "$cpu")/queries
  put ""
  if [ -z "$cpu" ] || [ ! -d "$queries" ]; then
    put "- tsbs skipped: no cpu.csv.zst with queries beside it in BENCH_DATA"
    return
  fi
  tsbs_load zstd -dcq "$cpu"
  mkdir "$NTS_TEMP/home/tsbs_small"
  types=$(cd "$queries" && printf '%s\n' *__"$TSBS_NUMBER".sql | sed 's/__.*//')
  for type in ${TSBS_TYPES:-$types}; do cp "$queries/${type}__$TSBS_NUMBER.sql" "$NTS_TEMP/home/tsbs_small/$type.sql"; done
  chmod -R a+rX "$NTS_TEMP/home/tsbs_small"
  put "## TSBS queries, cpu-only, $(nts_value "SELECT count(*) FROM q_heap.cpu") rows, ms (medians on one connection, first run beside)"
  tsbs_table "${TSBS_TYPES:-$types}" "$NTS_TEMP/home/tsbs_small" '' ''
}

# DuckDB's times of the types in $1 into $3; queries in $2, data in $data/tsbs.csv.
tsbs_duckdb() {
  local type list=()
  : >"$3"
  install_duckdb
  if [ -n "$duckdb_skip" ]; then
    put ""
    put "DuckDB: skipped, $duckdb_skip."
    return
  fi
  for type in $1; do list+=("$type=$2/$type.sql"); done
  note "DuckDB"
  rm -rf "$NTS_TEMP/duckdb/work"
  mkdir "$NTS_TEMP/duckdb/work"
  sed 's/\btsbs\b/cpu/' "$data/tsbs.sql" >"$NTS_TEMP/duckdb/cpu.sql"
  node "$NTS_TEMP/duckdb/duckdb.mjs" queries cpu "$NTS_TEMP/duckdb/cpu.sql" "$data/tsbs.csv" hostname,time \
    "$NTS_TEMP/duckdb/work" "$TSBS_LONG_RUNS" "$(nproc)" "${list[@]}" >"$3" 2>"$NTS_TEMP/duckdb.log" || {
    cat "$NTS_TEMP/duckdb.log" >&2
    nts_die "DuckDB failed"
  }
  rm -r "$NTS_TEMP/duckdb/work"
  put ""
  put "DuckDB $duckdb_version, $(nproc) threads, table sorted by hostname, time; results stay in its process."
}

# Queries a second of eight clients: search_path, pgbench's files.
tsbs_clients_rate() {
  local schema=$1
  shift
  nts_as_user env PGOPTIONS="-c search_path=$schema,public" "$NTS_BIN/pgbench" -n -c 8 -j 2 -T "$TSBS_SECONDS" --random-seed=1 \
    "$@" >"$NTS_TEMP/pgbench.out" 2>&1 || { cat "$NTS_TEMP/pgbench.out" >&2; nts_die "pgbench failed on $schema"; }
  sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$NTS_TEMP/pgbench.out"
}
tsbs_clients() {
  local hosts=$1 hours=$2 type file heap_rate ts_rate all=()
  put ""
  put "Eight clients, hosts and times drawn for each query, queries/s:"
  put ""
  put "| type | heap + btree | nodedb_ts | nodedb_ts ÷ heap |"
  put "|---|---|---|---|"
  for type in $TSBS_MIX; do
    file=$NTS_TEMP/home/clients_$type.sql
    tsbs_pgbench_script "$type" "$hosts" "$hours" >"$file"
    chmod 644 "$file"
    all+=(-f "$file")
  done
  for type in $TSBS_MIX mix; do
    note "eight clients, $type"
    set -- -f "$NTS_TEMP/home/clients_$type.sql"
    if [ "$type" = mix ]; then set -- "${all[@]}"; fi
    heap_rate=$(tsbs_clients_rate q_heap "$@")
    ts_rate=$(tsbs_clients_rate q_ts "$@")
    put "| $type | $heap_rate | $ts_rate | $(nts_ratio "$ts_rate" "$heap_rate") |"
  done
}

run_tsbs_large() {
  local hosts=$((TSBS_ROWS / 2160)) folder=$NTS_TEMP/home/tsbs_large type types=${TSBS_TYPES:-$TSBS_ALL_TYPES}
  mkdir "$folder"
  for type in $types; do tsbs_drawn_query "$type" "$hosts" 6 "$TSBS_NUMBER" >"$folder/$type.sql"; done
  chmod -R a+rX "$folder"
  put ""
  put "## TSBS queries, cpu-only, generated, $(nts_thousands "$TSBS_ROWS") rows of $hosts hosts, ms (medians on one connection, first run beside)"
  tsbs_duckdb "$types" "$folder" "$NTS_TEMP/tsbs.duckdb"
  tsbs_load cat "$data/tsbs.csv"
  tsbs_table "$types" "$folder" "$NTS_TEMP/tsbs.duckdb" reach
  tsbs_clients "$hosts" 6
}

if wanted tsbs; then run_tsbs; fi
if wanted tsbs-large; then run_tsbs_large; fi
