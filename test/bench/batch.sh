# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# Part batch: many rows a transaction, by the ways that clients have, side by side with heap; sourced by run.sh.
#
# test/tools/batch_load.cpp sends them. Three tables run in turn: heap without index, heap with the btree on
# (host, ts) that a table of time series needs there, nodedb_ts. They go on growing for a line of the table, and the
# sessions' own flushes are part of it. At the end each table must have exactly the rows that were committed.

batch_methods='values unnest copy binary'
batch_method_name() {
  case $1 in
    values) echo "INSERT ... VALUES, prepared" ;;
    unnest) echo "INSERT ... SELECT unnest(arrays), prepared" ;;
    copy) echo "COPY, text" ;;
    binary) echo "COPY, binary" ;;
  esac
}

make_batch_tables() {
  nts_psql -c "SET client_min_messages = warning" -c "DROP TABLE IF EXISTS batch_heap, batch_index, batch_ts" \
    -c "CREATE TABLE batch_heap ($insert_columns) USING heap" -c "CREATE TABLE batch_index ($insert_columns) USING heap" \
    -c "CREATE INDEX ON batch_index (host, ts)" -c "CREATE TABLE batch_ts ($insert_columns) USING $AM"
}

# One run: kind, method, rows, clients, synchronous_commit. Sets rate; counts in batch_rows and batch_next.
run_batch() {
  local kind=$1 rows next
  nts_psql -c CHECKPOINT
  nts_as_user env PGOPTIONS="-c synchronous_commit=$5" "$NTS_TEMP/home/batch_load" --table "batch_$kind" --method "$2" \
    --batch "$3" --clients "$4" --seconds "$BATCH_SECONDS" --first "${batch_next[$kind]}" >"$NTS_TEMP/batch.out" 2>&1 || {
    cat "$NTS_TEMP/batch.out" >&2
    nts_die "batch_load failed on batch_$kind"
  }
  read -r rows _ rate next <"$NTS_TEMP/batch.out"
  batch_rows[$kind]=$((batch_rows[$kind] + rows)) batch_next[$kind]=$next
}

measure_batch() {
  local method=$1 batch=$2 clients=$3 sync=$4 round order kind rate count
  local -A now=() batch_rows=([heap]=0 [index]=0 [ts]=0) batch_next=([heap]=0 [index]=0 [ts]=0)
  local heap=() index=() ts=() to_heap=() to_index=()
  make_batch_tables
  for round in $(seq 1 "$BATCH_PAIRS"); do
    # Each of the three comes first, second and last in turn.
    case $((round % 3)) in
      1) order="heap ts index" ;;
      2) order="ts index heap" ;;
      0) order="index heap ts" ;;
    esac
    for kind in $order; do
      run_batch "$kind" "$method" "$batch" "$clients" "$sync"
      now[$kind]=$rate
    done
    heap+=("${now[heap]}") index+=("${now[index]}") ts+=("${now[ts]}")
    to_heap+=("$(awk -v a="${now[ts]}" -v b="${now[heap]}" 'BEGIN { printf "%.3f", a / b }')")
    to_index+=("$(awk -v a="${now[ts]}" -v b="${now[index]}" 'BEGIN { printf "%.3f", a / b }')")
    note "$method of $batch, $clients clients, round $round of $BATCH_PAIRS: heap ${now[heap]}, with index ${now[index]}, nodedb_ts ${now[ts]} rows/s"
  done
  for kind in heap index ts; do
    count=$(nts_value "SELECT count(*) FROM batch_$kind")
    if [ "$count" != "${batch_rows[$kind]}" ]; then nts_die "batch_$kind has $count rows, ${batch_rows[$kind]} were committed"; fi
  done
  put "| $(batch_method_name "$method") | $batch | $clients | $sync | $(printf '%s\n' "${heap[@]}" | nts_median) | $(printf '%s\n' "${index[@]}" | nts_median) | $(printf '%s\n' "${ts[@]}" | nts_median) | $(printf '%s\n' "${to_heap[@]}" | nts_median) | $(printf '%s\n' "${to_index[@]}" | nts_median) | ${to_heap[*]} | ${to_index[*]} |"
}

cp "$NTS_ROOT/build/tools/batch_load" "$NTS_TEMP/home/"
put ""
put "## Batches, one transaction each ($BATCH_PAIRS rounds in turn of $BATCH_SECONDS s, medians, rows/s)"
put ""
put "| how | rows a batch | clients | synchronous_commit | heap | heap with btree (host, ts) | nodedb_ts | nodedb_ts / heap | nodedb_ts / heap with btree | the rounds' ratios to heap | to heap with btree |"
put "|---|---|---|---|---|---|---|---|---|---|---|"
for method in $batch_methods; do
  for batch in 100 1000; do
    for clients in 1 4; do
      for sync in $BATCH_SYNC; do measure_batch "$method" "$batch" "$clients" "$sync"; done
    done
  done
done
nts_psql -c "DROP TABLE batch_heap, batch_index, batch_ts"
