#!/usr/bin/env bash
# Compares level 2's choice of codecs for words with trying everything, and floats with plain ALP and zstd.
#
#   make bench-oracle BENCH_DATA=/path/to/sets     as for `make bench`: NAME.csv.zst files and schema.sql
#
# Variables: SETS (names; default: all found); EVERY (8): every so many row groups are looked at; DOUBLES
# (alp_doubles): sets whose float8 columns are compared with ALP, ALP-RD, Chimp128 and zstd, each series on its own.
set -euo pipefail
# shellcheck source=test/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

BENCH_DATA=${BENCH_DATA:-}
SETS=${SETS:-}
EVERY=${EVERY:-8}
DOUBLES=${DOUBLES:-alp_doubles}
if [ -z "$BENCH_DATA" ]; then nts_die "BENCH_DATA: name the folder of the sets"; fi
schema=$(find "$BENCH_DATA" -name schema.sql | head -n 1)
if [ -z "$schema" ]; then nts_die "there is no schema.sql in $BENCH_DATA"; fi

# The letters that the oracle takes for the columns of a table.
types_of() {
  sed 's/--.*//' "$schema" | tr '\n' ' ' | tr ';' '\n' | sed -n "s/.*CREATE TABLE $1[a-z_]* *(\(.*\)).*/\1/p" | head -n 1 |
    tr ',' '\n' | awk '{
      t = $2
      if (t ~ /^timestamp/) c = "t"; else if (t == "date") c = "d"; else if (t == "bigint") c = "8"
      else if (t ~ /^int/) c = "4"; else if (t == "smallint") c = "2"; else if (t ~ /^(float8|double)/) c = "f"
      else c = "s"
      printf "%s", c
    }'
}

build=$NTS_ROOT/build/units
"$NTS_ROOT/test/scripts/install-deps.sh" check
mkdir -p "$build"
nts_quietly "$build/configure.log" "configuring" cmake -S "$NTS_ROOT" -B "$build" -DSANITIZE=OFF
nts_quietly "$build/oracle.log" "building the core and codec_oracle" \
  cmake --build "$build" --target codec_oracle -j "$(nproc)"

mapfile -t files < <(find "$BENCH_DATA" -name '*.csv.zst' | sort)
each() {  # options of the oracle
  local file name types
  for file in "${files[@]}"; do
    name=$(basename "$file" .csv.zst)
    if [ -n "$SETS" ] && [[ " $SETS " != *" $name "* ]]; then continue; fi
    if [ "$1" = --doubles ] && [[ " $DOUBLES " != *" $name "* ]]; then continue; fi
    types=$(types_of "$name")
    if [ -z "$types" ]; then types=$(types_of "${name%_*}"); fi
    if [ -z "$types" ]; then nts_die "no table in schema.sql for $name"; fi
    zstd -dcq "$file" | "$build/codec_oracle" "$1" "$name" "$types"
  done
}

printf '\n| set | column | chosen | oracle | chosen / oracle | codecs |\n|---|---|---|---|---|---|\n'
each --every="$EVERY"
printf '\n| doubles | values | ALP | ALP-RD | Chimp128 | zstd -3 | ours | ours / best | codecs |\n|---|---|---|---|---|---|---|---|---|\n'
each --doubles
