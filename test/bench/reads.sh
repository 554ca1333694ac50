# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# The part "reads" of run.sh: how much a query reads, and how fast a column is decoded and added up.
#
# On the generated set `tsbs`, at L1 (after ts_flush) and L2 (after ts_compact): values a second and core of
# SELECT sum(bigint) without statistics (by CPU time, mean of READ_RUNS); vectors of which something is decoded by a filter on one
# host, of all; pages that a query of one host and one hour reads, of the table's (a new connection, and the same
# again). L1's segments overlap, so there the vectors of a host are counted for each segment.

reads_functions="
CREATE FUNCTION read_plan(query text) RETURNS json LANGUAGE plpgsql AS \$\$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ' || query INTO plan;
  plan := plan -> 0 -> 'Plan';
  WHILE plan ->> 'Custom Plan Provider' IS DISTINCT FROM 'nodedb_ts scan' LOOP
    plan := plan -> 'Plans' -> 0;
  END LOOP;
  RETURN plan;
END \$\$;
CREATE FUNCTION read_vectors(query text) RETURNS bigint LANGUAGE sql AS \$\$
  SELECT (p ->> 'Vectors')::bigint - (p ->> 'Vectors Pruned')::bigint - (p ->> 'Vectors Skipped')::bigint FROM read_plan(query) p \$\$;
CREATE FUNCTION read_pages(query text) RETURNS bigint LANGUAGE sql AS \$\$
  SELECT (p ->> 'Shared Hit Blocks')::bigint + (p ->> 'Shared Read Blocks')::bigint FROM read_plan(query) p \$\$;"

# Milliseconds of CPU that a statement takes, mean of READ_RUNS after a first one, on one connection without workers.
reads_ms() {
  local run
  {
    echo '\o /dev/null'
    printf '%s;\n' 'SET max_parallel_workers_per_gather = 0' 'SET jit = off' \
      'SET nodedb_ts.enable_statistics_aggregate = off' "$1" 'SET log_statement_stats = on' 'SET client_min_messages = log'
    for ((run = 0; run < READ_RUNS; run++)); do echo "$1;"; done
  } | nts_psql -At >"$NTS_TEMP/reads.out" 2>&1
  awk -v runs="$READ_RUNS" '$4 == "user," { cpu += $2 + $5 } END { printf "%.3f", cpu * 1000 / runs }' "$NTS_TEMP/reads.out"
}
# One line for each question: level as a heading of the columns' values.
reads_level() {
  local level=$1 t=s_ts.tsbs column ms all host pages
  host="SELECT usage_user FROM $t WHERE hostname = 'host_7'"
  for column in usage_user usage_guest; do
    ms=$(reads_ms "SELECT sum($column) FROM $t")
    put "| $level | sum($column): million values a second | $(awk -v n="$reads_rows" -v ms="$ms" 'BEGIN { printf "%.0f", n / ms / 1000 }') |"
  done
  all=$(nts_value "SELECT read_vectors('SELECT usage_user FROM $t')")
  put "| $level | one of $reads_hosts hosts: vectors decoded | $(nts_value "SELECT read_vectors('${host//\'/\'\'}')") of $all in $(nts_value "SELECT count(*) FROM ts_segments('$t')") segments |"
  pages="SELECT usage_user, usage_system FROM $t WHERE hostname = ''host_7'' AND time >= ''2024-01-01 02:00+00'' AND time < ''2024-01-01 03:00+00''"
  put "| $level | one host, one hour: pages read, first and again | $(nts_value "SELECT read_pages('$pages') || ' and ' || read_pages('$pages') || ' of ' || pg_relation_size('$t') / 8192") |"
}
run_reads() {
  [ -s "$data/tsbs.csv" ] || load_tsbs
  put ""
  if [ ! -s "$data/tsbs.csv" ]; then put "- reads skipped: TSBS_ROWS is too small"; return; fi
  make_table tsbs s_ts "$AM"
  nts_psql -c "$reads_functions"
  note "loading the tsbs set"
  nts_psql -c "COPY s_ts.tsbs FROM STDIN CSV" <"$data/tsbs.csv"
  nts_psql -c "SELECT ts_flush('s_ts.tsbs')" -c "ANALYZE s_ts.tsbs" >/dev/null
  reads_rows=$(nts_value "SELECT count(*) FROM s_ts.tsbs")
  reads_hosts=$((TSBS_ROWS / 2160))
  put "## What is read: tsbs, $(nts_thousands "$reads_rows") rows of $reads_hosts hosts, one core"
  put ""
  put "| level | | |"
  put "|---|---|---|"
  reads_level L1
  nts_psql -c "SELECT count(*) FROM ts_compact('s_ts.tsbs', before => 'infinity'::text)" -c "VACUUM s_ts.tsbs" -c "VACUUM ANALYZE s_ts.tsbs" >/dev/null
  reads_level L2
}
