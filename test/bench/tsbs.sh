# shellcheck shell=bash
# The part "tsbs" of run.sh: TSBS's queries on its cpu set, heap with its usual indexes beside nodedb_ts.
#
# BENCH_DATA must hold cpu.csv.zst with a folder queries/ beside it (TYPE__N.sql, plain SQL on a table cpu). Each
# query runs TSBS_RUNS (20) times on one connection after a first time that is shown beside; the floor is the same SQL
# on an empty table. Results are compared, order aside.

# Median of milliseconds, and the first one: schema, file of SQL. Sets tsbs_ms, tsbs_first.
tsbs_time() {
  local schema=$1 sql=$2 run script="$NTS_TEMP/home/tsbs.sql"
  {
    echo "\\timing on"
    echo "\\o /dev/null"
    for ((run = 0; run <= TSBS_RUNS; run++)); do cat "$sql"; echo; done
  } >"$script"
  chmod 644 "$script"
  nts_as_user env PGOPTIONS="-c search_path=$schema" "$NTS_BIN/psql" -X -q -f "$script" >"$NTS_TEMP/tsbs.out" 2>&1
  sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$NTS_TEMP/tsbs.out" >"$NTS_TEMP/tsbs.ms"
  [ "$(wc -l <"$NTS_TEMP/tsbs.ms")" -eq $((TSBS_RUNS + 1)) ] || { cat "$NTS_TEMP/tsbs.out" >&2; nts_die "a query of $sql failed"; }
  tsbs_first=$(head -n 1 "$NTS_TEMP/tsbs.ms")
  tsbs_ms=$(tail -n +2 "$NTS_TEMP/tsbs.ms" | nts_median)
}
tsbs_rows() {
  nts_as_user env PGOPTIONS="-c search_path=$1" "$NTS_BIN/psql" -X -q -At -f "$2" | sort | cksum
}
run_tsbs() {
  local cpu queries types type file kind create query
  cpu=$(find "$BENCH_DATA" -name 'cpu.csv.zst' 2>/dev/null | head -n 1)
  queries=$(dirname "$cpu")/queries
  put ""
  if [ -z "$cpu" ] || [ ! -d "$queries" ]; then
    put "- tsbs skipped: no cpu.csv.zst with queries beside it in BENCH_DATA"
    return
  fi
  create="time timestamptz NOT NULL, hostname text, region text, datacenter text, rack text, os text, arch text, team text,
    service text, service_version text, service_environment text, usage_user bigint, usage_system bigint, usage_idle bigint,
    usage_nice bigint, usage_iowait bigint, usage_irq bigint, usage_softirq bigint, usage_steal bigint, usage_guest bigint,
    usage_guest_nice bigint"
  for kind in heap ts empty; do
    nts_psql -c "CREATE SCHEMA q_$kind" -c "CREATE TABLE q_$kind.cpu ($create) USING $(using "${kind/empty/heap}")"
  done
  note "loading TSBS's cpu set"
  for kind in heap ts; do
    zstd -dcq "$cpu" | nts_psql -c "COPY q_$kind.cpu FROM STDIN CSV"
  done
  nts_psql -c "CREATE INDEX ON q_heap.cpu (hostname, time)" -c "CREATE INDEX ON q_heap.cpu (time)"
  nts_psql -c "SELECT ts_flush('q_ts.cpu')" -c "SELECT count(*) FROM ts_compact('q_ts.cpu', before => 'infinity')" >/dev/null
  nts_psql -c "VACUUM ANALYZE q_heap.cpu" -c "VACUUM q_ts.cpu" -c "VACUUM ANALYZE q_ts.cpu"
  put "## TSBS queries, cpu-only, $(nts_value "SELECT count(*) FROM q_heap.cpu") rows, ms (medians of $TSBS_RUNS on one connection; first run beside)"
  put ""
  put "| type | heap + btree | (first) | nodedb_ts | (first) | floor | heap ÷ nodedb_ts |"
  put "|---|---|---|---|---|---|---|"
  types=$(cd "$queries" && printf '%s\n' *__1.sql | sed 's/__1.sql//')
  for type in ${TSBS_TYPES:-$types}; do
    note "$type"
    file="$NTS_TEMP/home/tsbs_query.sql"
    query="$queries/${type}__${TSBS_NUMBER}.sql"
    cp "$query" "$file"
    chmod 644 "$file"
    if [ "$(tsbs_rows q_heap "$file")" != "$(tsbs_rows q_ts "$file")" ]; then nts_die "the results of $type differ"; fi
    local heap_ms heap_first ts_ms ts_first
    tsbs_time q_heap "$file"; heap_ms=$tsbs_ms heap_first=$tsbs_first
    tsbs_time q_ts "$file"; ts_ms=$tsbs_ms ts_first=$tsbs_first
    tsbs_time q_empty "$file"
    put "| $type | $heap_ms | $heap_first | $ts_ms | $ts_first | $tsbs_ms | $(nts_ratio "$heap_ms" "$ts_ms") |"
  done
}
