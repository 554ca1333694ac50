# shellcheck shell=bash
# DuckDB beside: from npm (@duckdb/node-api), into the temporary folder. Sourced by run.sh.

# Sets duckdb_version, or duckdb_skip to why there is none.
install_duckdb() {
  if [ -n "${duckdb_version:-}${duckdb_skip:-}" ]; then return; fi
  duckdb_version='' duckdb_skip=''
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    duckdb_skip="npm and node are not installed"
    return
  fi
  note "installing DuckDB with npm"
  mkdir "$NTS_TEMP/duckdb"
  if ! (cd "$NTS_TEMP/duckdb" && timeout 600 npm install --no-audit --no-fund --loglevel=error --fetch-retries=1 \
    --fetch-timeout=60000 @duckdb/node-api) >"$NTS_TEMP/npm.log" 2>&1; then
    duckdb_skip="npm install @duckdb/node-api failed: $(grep -m 1 . "$NTS_TEMP/npm.log" || echo 'it took too long')"
    return
  fi
  # A module is looked for from where the script is.
  cp "$bench/duckdb.mjs" "$NTS_TEMP/duckdb/"
  duckdb_version=$(node "$NTS_TEMP/duckdb/duckdb.mjs" version 2>"$NTS_TEMP/duckdb.log") ||
    duckdb_skip="DuckDB does not run: $(grep -m 1 . "$NTS_TEMP/duckdb.log" || true)"
}
