# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# Part directory of run.sh: what a table of DIRECTORY_SEGMENTS (100000) tiny segments costs the planner and a query for a
# narrow time, beside heap with a btree on the time.
#
# One INSERT makes a segment of each row, since their buckets are too far from each other to be joined. Times are the
# server's own ("Planning Time", "Execution Time"), medians of 21 on one connection after a first one. After a change: a
# row is added and flushed before each of 5 plans, on the same connection.

# Times of statement $1, each of $2 times after statement $3: $NTS_TEMP/directory.plan and .run get milliseconds.
directory_times() {
  local sql=$1 times=$2 before=$3 i
  for ((i = 0; i < times; i++)); do printf '%s\n' "$before" "EXPLAIN (ANALYZE, TIMING OFF) $sql;"; done >"$NTS_TEMP/home/directory.sql"
  chmod 644 "$NTS_TEMP/home/directory.sql"
  nts_as_user "$NTS_BIN/psql" -X -q -At -f "$NTS_TEMP/home/directory.sql" >"$NTS_TEMP/directory.out"
  sed -n 's/^Planning Time: \([0-9.]*\) ms/\1/p' "$NTS_TEMP/directory.out" >"$NTS_TEMP/directory.plan"
  sed -n 's/^Execution Time: \([0-9.]*\) ms/\1/p' "$NTS_TEMP/directory.out" >"$NTS_TEMP/directory.run"
}

run_directory() {
  local segments=$DIRECTORY_SEGMENTS kind table sql change plan run first middle=$((DIRECTORY_SEGMENTS / 2 * 10000))
  for kind in heap ts; do
    nts_psql -c "CREATE TABLE directory_$kind (t bigint NOT NULL, v int) USING $(using "$kind")"
  done
  nts_psql -c "SELECT ts_set_options('directory_ts', time_column => 't', integer_bucket => 10)" >/dev/null
  nts_psql -c "CREATE INDEX ON directory_heap (t)"
  note "$segments segments"
  for kind in heap ts; do
    table=directory_$kind
    nts_psql -c "INSERT INTO $table SELECT k * 10000::bigint, k FROM generate_series(1, $segments) k"
    nts_psql -c "VACUUM ANALYZE $table"
  done
  put ""
  put "## $(nts_thousands "$(nts_value "SELECT count(*) FROM ts_segments('directory_ts')")") segments: planning, and 6 rows of a narrow time, ms (medians)"
  put ""
  put "| | planning | execution | first planning of a connection | planning after a change |"
  put "|---|---|---|---|---|"
  for kind in heap ts; do
    table=directory_$kind
    sql="SELECT v FROM $table WHERE t BETWEEN $middle AND $((middle + 50000))"
    change="INSERT INTO $table VALUES (-1, 0);"
    if [ "$kind" = ts ]; then change+=" SELECT ts_flush('$table');"; fi
    directory_times "$sql" 22 ''
    first=$(head -n 1 "$NTS_TEMP/directory.plan")
    plan=$(tail -n +2 "$NTS_TEMP/directory.plan" | nts_median)
    run=$(tail -n +2 "$NTS_TEMP/directory.run" | nts_median)
    directory_times "$sql" 6 "$change"
    put "| ${table#directory_} | $plan | $run | $first | $(tail -n +2 "$NTS_TEMP/directory.plan" | nts_median) |"
  done
  nts_psql -c "DROP TABLE directory_heap, directory_ts"
}

run_directory
