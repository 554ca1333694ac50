# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# Part ingest: COPY of the TSBS sets against the least that any storage could take, and what it logs; sourced by run.sh.
#
# The least is measured with test/null_am, an access method that throws the rows away: what is left is reading,
# parsing and making rows. It is built and installed into the private copy here, and nowhere else.

install_null_am() {
  cp -r "$NTS_ROOT/test/null_am" "$NTS_TEMP/null_am"
  make -C "$NTS_TEMP/null_am" --no-print-directory PG_CONFIG="$PG_CONFIG" DESTDIR="$NTS_TEMP/pg" install \
    >"$NTS_TEMP/null_am.log" 2>&1 || {
    tail -n 30 "$NTS_TEMP/null_am.log" >&2
    nts_die "test/null_am does not build"
  }
  nts_psql -c "CREATE EXTENSION null_am" -c "CREATE SCHEMA s_null"
}

# Runs the statement $1; sets ms and wal to its time and the bytes it logged. There is a CHECKPOINT before, unless
# $2 is "on": then pages that have been logged since the last one are not logged whole again.
time_and_wal() {
  local lsn
  if [ "${2:-}" != on ]; then nts_psql -c CHECKPOINT; fi
  lsn=$(nts_value "SELECT pg_current_wal_insert_lsn()")
  ms=$(nts_time_ms "$1")
  wal=$(nts_value "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')")
}
seconds() { awk -v v="$1" 'BEGIN { printf "%.2f", v / 1000 }'; }
fraction() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3f", a / b; else print "-" }'; }
median_of() { printf '%s\n' "$@" | nts_median; }

# A line of the table of WAL: set, what, rows, bytes of what it wrote; and ms and wal as time_and_wal left them.
put_wal() { wal_lines+=("| $1 | $2 | $(nts_mb "$wal") | $(nts_mb "$4") | $(fraction "$wal" "$4") | $(rows_per_second "$3" "$ms") |"); }
segment_bytes() { nts_value "SELECT coalesce(sum(bytes), 0) FROM ts_segments('$1') WHERE level = $2"; }

measure_ingest() {
  local set=$1 triple order kind ms wal rows l0 checkpoint lsn start
  local -A of=()
  local null=() heap=() ts=() to_null=() to_heap=()
  for triple in $(seq 1 "$COPY_PAIRS"); do
    make_set "$set"
    make_table "$set" s_null null_am
    # Each of the three comes first, second and last in turn.
    case $((triple % 3)) in
      1) order="null heap ts" ;;
      2) order="ts null heap" ;;
      0) order="heap ts null" ;;
    esac
    for kind in $order; do
      time_and_wal "COPY s_$kind.$set FROM '$data/$set.csv' CSV"
      of[$kind]=$ms of[wal_$kind]=$wal
    done
    null+=("${of[null]}") heap+=("${of[heap]}") ts+=("${of[ts]}")
    to_null+=("$(fraction "${of[ts]}" "${of[null]}")")
    to_heap+=("$(fraction "${of[ts]}" "${of[heap]}")")
    note "$set, triple $triple of $COPY_PAIRS: thrown away ${of[null]} ms, heap ${of[heap]} ms, nodedb_ts ${of[ts]} ms"
  done
  rows=$(nts_value "SELECT count(*) FROM s_heap.$set")
  if [ "$rows" != "$(nts_value "SELECT count(*) FROM s_ts.$set")" ]; then nts_die "$set: the numbers of rows differ"; fi
  put "| $set | $rows | $(seconds "$(median_of "${null[@]}")") | $(seconds "$(median_of "${heap[@]}")") | $(seconds "$(median_of "${ts[@]}")") | $(median_of "${to_null[@]}") | $(median_of "${to_heap[@]}") | ${to_null[*]} | ${to_heap[*]} |"

  ms=${of[heap]} wal=${of[wal_heap]}
  put_wal "$set" "COPY into heap" "$rows" "$(nts_value "SELECT pg_total_relation_size('s_heap.$set')")"
  if ! has_function ts_table_stats; then return; fi
  ms=${of[ts]} wal=${of[wal_ts]}
  l0=$(nts_value "SELECT l0_bytes FROM ts_table_stats('s_ts.$set')")
  put_wal "$set" "COPY into nodedb_ts" "$rows" "$(($(segment_bytes "s_ts.$set" 1) + l0))"
  # The same rows from small transactions: all of them go through L0, ts_flush and ts_compact.
  for checkpoint in before none; do
    make_table "$set" s_ts "$AM"
    note "$set: small transactions"
    nts_psql -c CHECKPOINT
    lsn=$(nts_value "SELECT pg_current_wal_insert_lsn()") start=$(nts_now)
    load_in_batches "s_ts.$set" "s_heap.$set"
    ms=$(awk -v a="$start" -v b="$(nts_now)" 'BEGIN { print (b - a) * 1000 }')
    wal=$(nts_value "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')")
    if [ "$checkpoint" = before ]; then
      put_wal "$set" "small transactions into L0" "$rows" "$(nts_value "SELECT l0_bytes FROM ts_table_stats('s_ts.$set')")"
      time_and_wal "SELECT ts_flush('s_ts.$set')"
      put_wal "$set" "ts_flush right after a checkpoint" "$rows" "$(segment_bytes "s_ts.$set" 1)"
    fi
  done
  time_and_wal "SELECT ts_flush('s_ts.$set')" on
  put_wal "$set" "ts_flush" "$rows" "$(segment_bytes "s_ts.$set" 1)"
  time_and_wal "VACUUM s_ts.$set" on
  put_wal "$set" "VACUUM after it" 0 "$(segment_bytes "s_ts.$set" 1)"
  time_and_wal "$(compact_statement "s_ts.$set")" on
  put_wal "$set" "ts_compact" "$rows" "$(segment_bytes "s_ts.$set" 2)"
  nts_psql -c "DROP TABLE s_ts.$set, s_heap.$set, s_null.$set"
}

install_null_am
put ""
put "## COPY against throwing the rows away ($COPY_PAIRS rounds in turn, medians; one transaction, no index)"
put ""
put "| set | rows | thrown away, s | heap, s | nodedb_ts, s | nodedb_ts / thrown away | nodedb_ts / heap | the rounds' ratios to thrown away | to heap |"
put "|---|---|---|---|---|---|---|---|---|"
wal_lines=()
for set in tsbs cpu; do
  if [ -f "$data/$set.csv" ]; then
    measure_ingest "$set"
  else
    put "| $set | skipped: the set is not there | | | | | | | |"
  fi
done
put ""
put "## What loading and maintenance log"
put ""
put "Written: bytes of the segments, of L1 (and what COPY left in L0) or L2; of L0 and heap pages. ts_flush, VACUUM and"
put "ts_compact work on the same rows loaded in small transactions; unless said otherwise, since the last checkpoint, so"
put "that the pages of L0 which they mark as moved are not logged whole again."
put ""
put "| set | | WAL, MB | written, MB | WAL / written | rows/s |"
put "|---|---|---|---|---|---|"
for line in ${wal_lines[@]+"${wal_lines[@]}"}; do put "$line"; done
