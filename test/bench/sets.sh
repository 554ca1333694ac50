# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# The data sets of the bench; sourced by run.sh.
#
# load_sets leaves in $data a NAME.csv and a NAME.sql (CREATE TABLE) for each of `sets` (the generated metrics and
# the real sets below BENCH_DATA) and, where a part wants it, for `tsbs`; `skips` says what is not there and why.

nts_psql -c "CREATE SCHEMA s_heap" -c "CREATE SCHEMA s_ts"
data=$NTS_TEMP/run/data_sets
mkdir "$data"
sets=()
skips=()

# Makes table $2.$1 of a set with access method $3, from the CREATE TABLE in $data/$1.sql.
make_table() {
  nts_psql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS $2.$1" \
    -c "SET default_table_access_method = $3" -c "SET search_path = $2, public" -c "$(cat "$data/$1.sql")"
}
# Makes both tables of a set.
make_set() {
  make_table "$1" s_heap heap
  make_table "$1" s_ts "$AM"
}

load_real_sets() {
  local schema known set file
  if [ -z "$BENCH_DATA" ]; then
    skips+=("real sets: skipped, BENCH_DATA is not set")
    return
  elif [ ! -d "$BENCH_DATA" ]; then
    skips+=("real sets: skipped, BENCH_DATA=$BENCH_DATA is not a folder")
    return
  elif ! command -v zstd >/dev/null; then
    skips+=("real sets: skipped, the program zstd is not installed")
    return
  fi
  schema=$(find "$BENCH_DATA" -name schema.sql | head -n 1)
  if [ -z "$schema" ]; then
    skips+=("real sets: skipped, no schema.sql below $BENCH_DATA")
    return
  fi
  # The tables that schema.sql makes: each statement runs to its semicolon.
  known=$(sed -nE 's/^CREATE TABLE ([a-z_0-9]+) .*/\1/p' "$schema")
  for set in ${SETS:-$known}; do
    # A file may be named for its table with more behind it (planetlab: planetlab_cpu.csv.zst).
    file=$(find "$BENCH_DATA" -name "$set.csv.zst" -o -name "${set}_*.csv.zst" | sort | head -n 1)
    awk -v name="$set" '$0 ~ "^CREATE TABLE " name " " { on = 1 } on { print } on && /;[[:space:]]*$/ { exit }' "$schema" >"$data/$set.sql"
    if [ -z "$file" ]; then
      skips+=("$set: skipped, no $set.csv.zst below $BENCH_DATA")
    elif [ ! -s "$data/$set.sql" ]; then
      skips+=("$set: skipped, no CREATE TABLE $set in $schema")
    else
      zstd -dcq "$file" >"$data/$set.csv"
      sets+=("$set")
    fi
  done
}

# The big set: TSBS_ROWS rows of TSBS_ROWS / 2160 hosts, so six hours however many rows.
load_tsbs() {
  local hosts=$((TSBS_ROWS / 2160))
  if [ "$hosts" -eq 0 ]; then
    skips+=("tsbs: skipped, TSBS_ROWS is less than 2 160, a host's six hours")
    return
  fi
  note "generating $(nts_thousands "$TSBS_ROWS") rows of $hosts hosts like TSBS's"
  "$NTS_ROOT/build/tools/metrics_gen" --tsbs --hosts "$hosts" --rows "$TSBS_ROWS" --no-header >"$data/tsbs.csv"
  echo "CREATE TABLE tsbs ($NTS_TSBS_COLUMNS)" >"$data/tsbs.sql"
}

load_sets() {
  if [ "$PARTS" = tsbs-large ]; then
    load_tsbs
    return
  fi
  note "generating $(nts_thousands "$ROWS") rows"
  "$NTS_ROOT/build/tools/metrics_gen" --rows "$ROWS" --no-header >"$data/metrics.csv"
  echo "CREATE TABLE metrics ($NTS_METRICS_COLUMNS)" >"$data/metrics.sql"
  sets=(metrics)
  # Part ingest alone takes but one of the real sets.
  if [ -z "$SETS" ] && ! wanted copy && ! wanted sizes; then SETS=cpu; fi
  load_real_sets
  if wanted sizes || wanted ingest || wanted tsbs-large; then load_tsbs; fi
}

# ---- tables of nodedb_ts ------------------------------------------------------

# Fills $1 from heap table $2, 100 pages of it in each transaction, and leaves all rows in L0.
load_in_batches() {
  PGOPTIONS="-c nodedb_ts.max_delta_size=0" nts_psql <<SQL
DO \$\$
DECLARE pages bigint := pg_relation_size('$2') / current_setting('block_size')::int;
BEGIN
  FOR page IN 0 .. pages BY 100 LOOP
    INSERT INTO $1 SELECT * FROM $2
    WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 100)::tid;
    COMMIT;
  END LOOP;
END \$\$;
SQL
}

# The statement that compacts all of table $1: "before" takes what the time column's type does.
compact_statement() {
  local type
  type=$(nts_value "SELECT coalesce((SELECT format_type(atttypid, NULL) FROM pg_attribute, ts_options('$1') o
    WHERE attrelid = '$1'::regclass AND attname = o.time_column), '')")
  case $type in
    '') echo "SELECT * FROM ts_compact('$1')" ;;
    bigint | integer | smallint) echo "SELECT * FROM ts_compact('$1', before => 9223372036854775807)" ;;
    *) echo "SELECT * FROM ts_compact('$1', before => 'infinity')" ;;
  esac
}

live_bytes() { nts_value "SELECT l0_bytes + l1_bytes + l2_bytes FROM ts_table_stats('$1')"; }
rows_per_second() { awk -v r="$1" -v m="$2" 'BEGIN { if (r > 0 && m > 0) printf "%d", r / m * 1000; else print "-" }'; }
