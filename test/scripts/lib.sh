# shellcheck shell=bash
# shellcheck disable=SC2034  # variables are used by the scripts that source this
# Shared by demo.sh, check.sh and test/bench/run.sh; sourced, never run.
#
# A throwaway server: a private copy of the PostgreSQL that PG_CONFIG names, with the extension
# installed into that copy, a data directory of its own, and a Unix socket only. Everything lies in one
# temporary folder. An installed cluster, its extension directory and its configuration are never
# touched. (PostgreSQL finds its libraries and share files relative to its binary, so a copy of the three
# trees with the same relative layout is a complete installation. PostgreSQL 18 could do with
# extension_control_path.)
#
# Caller: set -euo pipefail, then `source lib.sh`, then nts_temp_create, nts_private_install, ...

NTS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
NTS_TEMP=
NTS_USER=
NTS_POSTMASTER=

# A make above us must not hand its job server and flags to the makes and tests below; nor must the
# user's own connection settings reach the throwaway server.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGDATA \
  PGOPTIONS PGSSLMODE PGTZ PGCLIENTENCODING PGAPPNAME PGCLUSTER PSQLRC
export PSQLRC=/dev/null
export LC_ALL=C.UTF-8
umask 022

# ---- talking -------------------------------------------------------------

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  NTS_BOLD=$'\e[1m' NTS_RED=$'\e[31m' NTS_GREEN=$'\e[32m' NTS_PLAIN=$'\e[0m'
else
  NTS_BOLD='' NTS_RED='' NTS_GREEN='' NTS_PLAIN=''
fi

nts_step() { printf '\n%s== %s%s\n' "$NTS_BOLD" "$*" "$NTS_PLAIN"; }
nts_say() { printf '   %s\n' "$*"; }
nts_die() {
  printf '%serror:%s %s\n' "$NTS_RED" "$NTS_PLAIN" "$*" >&2
  exit 1
}
nts_now() { date +%s.%N; }
# Seconds since $1, with one decimal.
nts_since() { awk -v a="$1" -v b="$(nts_now)" 'BEGIN { printf "%.1f", b - a }'; }

# Runs "$@" with its output in file $1; shows a line that grows while it runs, the output's tail on failure.
nts_quietly() {
  local log=$1 what=$2 start rc=0 pid ticks=0
  shift 2
  start=$(nts_now)
  printf '   %s ' "$what"
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ticks=$((ticks + 1))
    [ $((ticks % 10)) -eq 0 ] && printf '.'
  done
  wait "$pid" || rc=$?
  if [ "$rc" -ne 0 ]; then
    printf ' %sfailed%s (exit code %s); the end of its output:\n' "$NTS_RED" "$NTS_PLAIN" "$rc"
    tail -n 40 "$log" | sed 's/^/      /'
    return "$rc"
  fi
  printf ' %s s\n' "$(nts_since "$start")"
}

# ---- the temporary folder -------------------------------------------------

# Stops what was started, removes the folder. Runs on every exit, Ctrl-C included.
nts_cleanup() {
  local rc=$?
  trap - EXIT
  trap '' INT TERM HUP
  local job
  for job in $(jobs -p); do nts_kill_tree "$job"; done
  if [ -n "$NTS_TEMP" ] && [ -d "$NTS_TEMP" ]; then
    nts_kill_servers_below "$NTS_TEMP"
    if [ -n "${KEEP:-}" ]; then
      printf '   kept: %s\n' "$NTS_TEMP"
    else
      rm -rf "$NTS_TEMP" || true
    fi
  fi
  exit "$rc"
}

# Makes $NTS_TEMP, owned by the unprivileged user that servers run as, and sets the clean-up.
nts_temp_create() {
  local base=${TMPDIR:-/tmp}
  # A Unix socket's path may have 107 bytes.
  if [ ${#base} -gt 60 ]; then base=/tmp; fi
  nts_choose_user
  trap nts_cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  NTS_TEMP=$(mktemp -d "$base/nodedb_ts.XXXXXX")
  chmod 755 "$NTS_TEMP"
  mkdir "$NTS_TEMP/run" "$NTS_TEMP/home"
  if [ -n "$NTS_USER" ]; then chown "$NTS_USER" "$NTS_TEMP/run" "$NTS_TEMP/home"; fi
}

# PostgreSQL refuses to run as root; then it runs as `postgres`, or else as `nobody`.
nts_choose_user() {
  NTS_USER=
  if [ "$(id -u)" -ne 0 ]; then return; fi
  local user
  for user in postgres nobody; do
    if id -u "$user" >/dev/null 2>&1; then
      NTS_USER=$user
      return
    fi
  done
  nts_die "running as root, and there is neither a user postgres nor nobody to run the server as"
}

# Runs "$@" as the unprivileged user, in a directory it may read.
nts_as_user() { (nts_exec_as_user "$@"); }

# The same, in place of the calling (sub)shell.
nts_exec_as_user() {
  cd "$NTS_TEMP/home" || exit
  if [ -n "$NTS_USER" ]; then
    exec setpriv --reuid="$NTS_USER" --regid="$(id -g "$NTS_USER")" --clear-groups \
      env HOME="$NTS_TEMP/home" USER="$NTS_USER" LOGNAME="$NTS_USER" "$@"
  fi
  exec "$@"
}

# ---- build and private installation ---------------------------------------

# Builds the extension in the checkout; $1: log file. Shows warnings of the compiler.
nts_build() {
  local log=$1
  nts_quietly "$log" "building the extension" \
    make -C "$NTS_ROOT" --no-print-directory -j "$(nproc)" PG_CONFIG="$PG_CONFIG" all || return 1
  if grep -qE 'warning:' "$log"; then
    nts_say "compiler warnings:"
    grep -E -A 2 'warning:' "$log" | head -n 60 | sed 's/^/      /'
  fi
}

# Copies the PostgreSQL of PG_CONFIG below $NTS_TEMP/pg and installs the extension into the copy.
# Sets NTS_BIN (its programs) and NTS_PGXS_TEST (pg_regress and friends).
nts_private_install() {
  local root=$NTS_TEMP/pg dir share
  # The copy's pg_config comes first in PATH from here on; this one stays the original.
  PG_CONFIG=$(command -v "$PG_CONFIG")
  mkdir "$root"
  for dir in "$("$PG_CONFIG" --bindir)" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
    mkdir -p "$root$(dirname "$dir")"
    # Already there when one tree lies inside another.
    if [ ! -e "$root$dir" ]; then cp -rL "$dir" "$root$dir"; fi
  done
  # The copy must hold nothing of an nodedb_ts that the machine has installed.
  rm -f "$root$("$PG_CONFIG" --pkglibdir)"/nodedb_ts* "$root$("$PG_CONFIG" --sharedir)"/extension/nodedb_ts*
  make -C "$NTS_ROOT" --no-print-directory PG_CONFIG="$PG_CONFIG" DESTDIR="$root" install \
    >"$NTS_TEMP/install.log" 2>&1 || {
    tail -n 30 "$NTS_TEMP/install.log" >&2
    nts_die "make install into $root failed"
  }
  NTS_BIN=$root$("$PG_CONFIG" --bindir)
  NTS_PGXS_TEST=$root$("$PG_CONFIG" --pkglibdir)/pgxs/src/test
  export PATH="$NTS_BIN:$PATH"
  share=$(nts_as_user "$NTS_BIN/pg_config" --sharedir)
  if [ "$share" != "$root$("$PG_CONFIG" --sharedir)" ]; then
    nts_die "the private copy of PostgreSQL looks for its files in $share"
  fi
}

# ---- the server -----------------------------------------------------------

# Makes a cluster in $NTS_TEMP/run/data. Arguments: lines for postgresql.conf.
nts_server_init() {
  NTS_DATA=$NTS_TEMP/run/data
  export PGHOST=$NTS_TEMP/run PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  nts_as_user "$NTS_BIN/initdb" -D "$NTS_DATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-instructions \
    >"$NTS_TEMP/initdb.log" 2>&1 || {
    cat "$NTS_TEMP/initdb.log" >&2
    nts_die "initdb failed"
  }
  {
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" "port = $PGPORT" \
      "timezone = 'UTC'" "log_timezone = 'UTC'" "log_line_prefix = '%m [%p] '"
    if [ $# -gt 0 ]; then printf '%s\n' "$@"; fi
  } >>"$NTS_DATA/postgresql.conf"
}

# The server is a child of this script, not a daemon: so it can be waited for after SIGKILL, even where
# process 1 does not reap (a zombie would make the next start believe that the old server still runs).
# setsid keeps Ctrl-C from it; the clean-up ends it.
nts_server_start() {
  local tries=0
  (nts_exec_as_user setsid "$NTS_BIN/postgres" -D "$NTS_DATA") >>"$NTS_TEMP/server.log" 2>&1 </dev/null &
  NTS_POSTMASTER=$!
  until nts_as_user "$NTS_BIN/pg_isready" -q 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 6000 ] || ! kill -0 "$NTS_POSTMASTER" 2>/dev/null; then
      tail -n 30 "$NTS_TEMP/server.log" >&2
      nts_die "the throwaway server does not start"
    fi
    sleep 0.05
  done
}

nts_server_stop() {
  kill -INT "$NTS_POSTMASTER"
  wait "$NTS_POSTMASTER" || true
}

# Prints the ids of the processes whose parent is $1.
nts_children_of() {
  awk -v parent="$1" '/^PPid:/ && $2 == parent { split(FILENAME, part, "/"); print part[3] }' \
    /proc/[0-9]*/status 2>/dev/null || true
}

# SIGKILL for the postmaster and all its children, as when the machine dies.
nts_server_kill9() {
  local children pid
  children=$(nts_children_of "$NTS_POSTMASTER")
  kill -KILL "$NTS_POSTMASTER"
  for pid in $children; do kill -KILL "$pid" 2>/dev/null || true; done
  # The message "Killed" of the shell is not wanted.
  wait "$NTS_POSTMASTER" 2>/dev/null || true
  for pid in $children; do nts_wait_gone "$pid"; done
}

# SIGTERM for process $1 and all that came from it: a job in the background has not heard of Ctrl-C.
nts_kill_tree() {
  local children child
  children=$(nts_children_of "$1")
  kill "$1" 2>/dev/null || true
  for child in $children; do nts_kill_tree "$child"; done
}

# Waits until process $1 is gone or a zombie.
nts_wait_gone() {
  local tries=0
  while [ -e "/proc/$1/status" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then nts_die "process $1 does not end"; fi
    sleep 0.1
  done
}

# Ends every server whose data directory lies below $1: each names its postmaster in postmaster.pid. A process
# is only touched when its working directory is that data directory, so a reused id does no harm.
nts_kill_servers_below() {
  local file data pid child children
  while IFS= read -r file; do
    data=$(dirname "$file")
    pid=$(head -n 1 "$file" 2>/dev/null || true)
    if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null || true)" = "$data" ]; then
      children=$(nts_children_of "$pid")
      kill -QUIT "$pid" 2>/dev/null || true
      for _ in $(seq 1 50); do
        [ -e "/proc/$pid" ] || break
        sleep 0.1
      done
      if [ -e "/proc/$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
      for child in $children; do
        if [ "$(readlink "/proc/$child/cwd" 2>/dev/null || true)" = "$data" ]; then
          kill -KILL "$child" 2>/dev/null || true
        fi
      done
    fi
  done < <(find "$1" -name postmaster.pid 2>/dev/null || true)
}

# psql on the throwaway server: quiet, stops at the first error, no start-up file.
nts_psql() { nts_as_user "$NTS_BIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
# One value.
nts_value() { nts_psql -At -c "$1"; }

# Milliseconds that the statement $1 takes, its result thrown away; $2...: statements to run before, untimed.
nts_time_ms() {
  local statement=$1
  shift
  {
    printf '%s\n' '\o /dev/null' '\timing off'
    if [ $# -gt 0 ]; then printf '%s;\n' "$@"; fi
    printf '%s\n' '\timing on' "$statement;"
  } | nts_psql -At >"$NTS_TEMP/timing.out" 2>&1 || {
    cat "$NTS_TEMP/timing.out" >&2
    return 1
  }
  sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$NTS_TEMP/timing.out" | tail -n 1
}

# ---- data -------------------------------------------------------------------

# Compiles test/tools/NAME.cpp to build/tools/NAME for each NAME that is out of date. A program that needs more
# than the C++ library says so: `// link: pq`, found where PG_CONFIG says.
nts_tools() {
  local name source program flags
  mkdir -p "$NTS_ROOT/build/tools"
  for name in "$@"; do
    source=$NTS_ROOT/test/tools/$name.cpp program=$NTS_ROOT/build/tools/$name
    if [ -x "$program" ] && [ "$program" -nt "$source" ]; then continue; fi
    flags=()
    if grep -q '^// link: pq$' "$source"; then
      flags=(-isystem "$("$PG_CONFIG" --includedir)" -pthread "-L$("$PG_CONFIG" --libdir)" -lpq
        "-Wl,-rpath,$("$PG_CONFIG" --libdir)")
    fi
    "${CXX:-g++}" -std=c++20 -O2 -Wall -Wextra -o "$program" "$source" ${flags[@]+"${flags[@]}"} || return 1
  done
}

# The columns of what metrics_gen writes.
NTS_METRICS_COLUMNS='ts timestamptz NOT NULL, host text NOT NULL, region text, service text, cpu float8, mem float8,
  disk_free bigint, net_in bigint, net_out bigint, errors int, temperature float4'

# The columns of what metrics_gen --tsbs writes.
NTS_TSBS_COLUMNS='time timestamptz NOT NULL, hostname text, region text, datacenter text, rack text, os text, arch text,
  team text, service text, service_version text, service_environment text, usage_user bigint, usage_system bigint,
  usage_idle bigint, usage_nice bigint, usage_iowait bigint, usage_irq bigint, usage_softirq bigint,
  usage_steal bigint, usage_guest bigint, usage_guest_nice bigint'

# Writes file $1 to standard output, unpacked.
nts_cat() {
  case $1 in
    *.gz) gzip -dc -- "$1" ;;
    *.zst) zstd -dcq -- "$1" ;;
    *) cat -- "$1" ;;
  esac
}

# ---- numbers --------------------------------------------------------------

# Median of the numbers on standard input.
nts_median() {
  sort -g | awk '{ v[NR] = $1 } END { if (NR == 0) print "-"; else if (NR % 2) print v[(NR + 1) / 2]; else print (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
nts_ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b == 0) print "-"; else printf "%.2f", a / b }'; }
# 1234567 -> 1 234 567
nts_thousands() { printf '%s' "$1" | awk '{ s = $1; out = ""; while (length(s) > 3) { out = " " substr(s, length(s) - 2) out; s = substr(s, 1, length(s) - 3) } print s out }'; }
# Bytes as MB (10^6) with two decimals.
nts_mb() { awk -v b="$1" 'BEGIN { printf "%.2f", b / 1e6 }'; }
