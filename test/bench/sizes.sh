# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# Part sizes: what each set takes in heap, nodedb_ts, DuckDB and Parquet, and what each column does; sourced by run.sh.
#
# DuckDB sorts by the series columns and the time: DUCKDB_SORT="set=column,column ..." names them for sets that are
# not known here; by default the table's time column. nodedb_ts is told nothing: it chooses by itself.
#
# Without DuckDB (duckdb.sh) its columns say "skipped".

sort_keys="metrics=host,ts tsbs=hostname,time cpu=hostname,time readings=name,time nab=series,ts logs=system,ts
  beijing_air=station,ts alp_doubles=dataset,idx exchange_rate=ts planetlab=host,ts pystock_prices=symbol,day
  ${DUCKDB_SORT:-}"

# What the set's rows are sorted by in DuckDB.
sort_key() {
  local pair key=
  for pair in $sort_keys; do
    if [ "${pair%%=*}" = "$1" ]; then key=${pair#*=}; fi
  done
  if [ -z "$key" ]; then key=$(nts_value "SELECT quote_ident(time_column) FROM ts_options('s_ts.$1')"); fi
  echo "$key"
}

# Sets duckdb_bytes, newest_bytes and parquet_bytes of a set that has $2 rows.
measure_duckdb() {
  local set=$1 rows=$2 key found
  duckdb_bytes=skipped newest_bytes=skipped parquet_bytes=skipped
  if [ -n "$duckdb_skip" ]; then return; fi
  key=$(sort_key "$set")
  rm -rf "$NTS_TEMP/duckdb/work"
  mkdir "$NTS_TEMP/duckdb/work"
  note "$set: DuckDB, sorted by ${key:-nothing}"
  found=$(node "$NTS_TEMP/duckdb/duckdb.mjs" sizes "$set" "$data/$set.sql" "$data/$set.csv" "$key" \
    "$NTS_TEMP/duckdb/work" 2>"$NTS_TEMP/duckdb.log") || {
    cat "$NTS_TEMP/duckdb.log" >&2
    nts_die "$set: DuckDB failed"
  }
  read -r found duckdb_bytes newest_bytes parquet_bytes <<<"$found"
  if [ "$found" != "$rows" ]; then nts_die "$set: DuckDB has $found rows, heap $rows"; fi
  rm -r "$NTS_TEMP/duckdb/work"
}

mb_or_word() { if [[ $1 =~ ^[0-9]+$ ]]; then nts_mb "$1"; else echo "$1"; fi; }

# Keeps what the columns of a set take at its present level.
keep_columns() {
  nts_psql <<SQL
INSERT INTO bench_columns
SELECT '$1', $2, a.attnum, a.attname, c.codecs, c.bytes
FROM pg_attribute a LEFT JOIN (
  SELECT name, sum(bytes) AS bytes, string_agg(codec, ', ' ORDER BY segments DESC, codec) AS codecs
  FROM (
    SELECT e.key AS name, k.codec, count(*) AS segments,
      sum((e.value->>'bytes')::bigint) FILTER (WHERE k.first) AS bytes
    FROM ts_segments('s_ts.$1') s, jsonb_each(s.columns) e,
      LATERAL (SELECT codec, ord = 1 AS first FROM unnest(string_to_array(e.value->>'codec', ', ')) WITH ORDINALITY u(codec, ord)) k
    WHERE s.level = $2
    GROUP BY 1, 2) x
  GROUP BY name) c ON c.name = a.attname
WHERE a.attrelid = 's_ts.$1'::regclass AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- directories, statistics, series: what no column has
SELECT '$1', $2, 32767, 'all else', NULL,
  sum(bytes) - sum((SELECT sum((e.value->>'bytes')::bigint) FROM jsonb_each(columns) e))
FROM ts_segments('s_ts.$1') WHERE level = $2;
SQL
}

measure_sizes() {
  local set=$1 rows flushed ms flush compact statement l1 l1_live l2 l2_live heap
  make_set "$set"
  note "$set: heap"
  nts_psql -c "COPY s_heap.$set FROM '$data/$set.csv' CSV"
  rows=$(nts_value "SELECT count(*) FROM s_heap.$set")
  heap=$(nts_value "SELECT pg_total_relation_size('s_heap.$set')")
  # A COPY as large as this writes segments by itself: ts_flush is timed on rows that came in small transactions.
  note "$set: ts_flush"
  load_in_batches "s_ts.$set" "s_heap.$set"
  flushed=$(nts_value "SELECT l0_rows FROM ts_table_stats('s_ts.$set')")
  nts_psql -c CHECKPOINT
  ms=$(nts_time_ms "SELECT ts_flush('s_ts.$set')")
  flush=$(rows_per_second "$flushed" "$ms")
  make_table "$set" s_ts "$AM"
  note "$set: nodedb_ts"
  nts_psql -c "COPY s_ts.$set FROM '$data/$set.csv' CSV" -c "DROP TABLE s_heap.$set" -c "SELECT ts_flush('s_ts.$set')" \
    -c "VACUUM s_ts.$set" -c "VACUUM s_ts.$set" >"$NTS_TEMP/sizes.out"
  l1=$(nts_value "SELECT pg_total_relation_size('s_ts.$set')") l1_live=$(live_bytes "s_ts.$set")
  keep_columns "$set" 1
  statement=$(compact_statement "s_ts.$set")
  nts_psql -c CHECKPOINT
  ms=$(nts_time_ms "$statement")
  compact=$(rows_per_second "$rows" "$ms")
  nts_psql -c "VACUUM s_ts.$set" -c "VACUUM s_ts.$set"
  l2=$(nts_value "SELECT pg_total_relation_size('s_ts.$set')") l2_live=$(live_bytes "s_ts.$set")
  keep_columns "$set" 2
  if [ "$(nts_value "SELECT count(*) FROM s_ts.$set")" != "$rows" ]; then nts_die "$set: the numbers of rows differ"; fi
  measure_duckdb "$set" "$rows"
  nts_psql -c "INSERT INTO bench_sizes VALUES ('$set', $rows)" -c "DROP TABLE s_ts.$set"
  put "| $set | $rows | $(nts_mb "$heap") | $(nts_mb "$l1") | $(nts_mb "$l1_live") | $(nts_mb "$l2") | $(nts_mb "$l2_live") | $(mb_or_word "$duckdb_bytes") | $(mb_or_word "$newest_bytes") | $(mb_or_word "$parquet_bytes") | $flush | $compact |"
}

if ! has_function ts_table_stats; then
  put ""
  put "- sizes: skipped, $AM has no function ts_table_stats"
else
  install_duckdb
  put ""
  put "## Sizes of whole sets, MB"
  put ""
  put "L1: loaded by one COPY, ts_flush; L2: after ts_compact of all of it; both after two VACUUMs. File:"
  put "pg_total_relation_size; live: what ts_table_stats counts of it. ts_flush: of the same rows in small transactions."
  if [ -n "$duckdb_skip" ]; then
    put "DuckDB and Parquet: skipped, $duckdb_skip."
  else
    put "DuckDB $duckdb_version: database file of a sorted table after CHECKPOINT, in the default and the newest storage format; Parquet: its export, zstd level 19."
  fi
  put ""
  put "| set | rows | heap | L1 file | L1 live | L2 file | L2 live | DuckDB | DuckDB, newest format | Parquet | ts_flush, rows/s | ts_compact, rows/s |"
  put "|---|---|---|---|---|---|---|---|---|---|---|---|"
  nts_psql -c "CREATE TABLE bench_columns (set text, level int, place int, name text, codecs text, bytes numeric)" \
    -c "CREATE TABLE bench_sizes (set text, rows bigint)"
  for set in "${sets[@]}" tsbs; do
    if [ -f "$data/$set.csv" ]; then measure_sizes "$set"; fi
  done
  for set in $(nts_value "SELECT set FROM bench_sizes"); do
    put ""
    put "### Columns of $set"
    put ""
    put "| column | L1 codecs | bytes | bits per value | L2 codecs | bytes | bits per value |"
    put "|---|---|---|---|---|---|---|"
    while IFS= read -r line; do put "$line"; done < <(nts_value "
      SELECT format('| %s | %s | %s | %s | %s | %s | %s |', a.name, a.codecs, a.bytes, round(8 * a.bytes / rows, 3),
        b.codecs, b.bytes, round(8 * b.bytes / rows, 3))
      FROM bench_sizes JOIN bench_columns a USING (set) LEFT JOIN bench_columns b ON b.set = a.set AND b.level = 2 AND b.place = a.place
      WHERE a.set = '$set' AND a.level = 1 ORDER BY a.place")
  done
fi
