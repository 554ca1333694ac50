#!/usr/bin/env bash
# Installs what is missing to build and test nodedb_ts: install-deps.sh [build|check]
#
# build: what `make`, `make demo` and `make bench` need. check (the default): also what the tests need.
# As root on a Debian-like machine it runs apt-get; otherwise it prints the command and fails. Where
# everything is there it does nothing. PG_CONFIG may name a PostgreSQL that did not come from apt: then
# nothing of PostgreSQL is installed.
#
# Debian's postgresql package makes and starts a cluster of its own. Nothing here needs one, so while this
# script installs the package that is switched off, unless the machine already has a setting for it.
set -euo pipefail

what=${1:-check}
case $what in
  build | check) ;;
  *)
    echo "usage: install-deps.sh [build|check]" >&2
    exit 2
    ;;
esac

PG_CONFIG=${PG_CONFIG:-pg_config}
PG_MAJOR=${PG_MAJOR:-15}

missing=()
need() { missing+=("$1"); }
has_program() { command -v "$1" >/dev/null 2>&1; }
# Asks the compiler, so that any include path it knows counts.
has_header() { has_program g++ && printf '#include <%s>\n' "$1" | g++ -E -x c++ - >/dev/null 2>&1; }

has_program make || need make
has_program gcc || need gcc
has_program g++ || need g++
has_header zstd.h || need libzstd-dev

# pg_config comes with libpq-dev too: what counts is the server's headers and programs.
if ! has_program "$PG_CONFIG" || [ ! -f "$("$PG_CONFIG" --includedir-server)/postgres.h" ] ||
  [ ! -f "$("$PG_CONFIG" --pgxs)" ]; then
  need "postgresql-server-dev-$PG_MAJOR"
fi
if ! has_program "$PG_CONFIG" || [ ! -x "$("$PG_CONFIG" --bindir)/postgres" ] ||
  [ ! -x "$("$PG_CONFIG" --bindir)/initdb" ]; then
  need "postgresql-$PG_MAJOR"
fi

if [ "$what" = check ]; then
  has_program cmake || need cmake
  # Debian's package has the built library; the header alone is not enough.
  has_header gtest/gtest.h || need libgtest-dev
  has_program prove || need perl
  perl -MIPC::Run -e 1 2>/dev/null || need libipc-run-perl
  perl -MDBD::Pg -e 1 2>/dev/null || need libdbd-pg-perl
  perl -MTest::More -e 1 2>/dev/null || need perl
  # For one test, which is skipped without it; only beside Debian's own server.
  libdir=$("$PG_CONFIG" --pkglibdir 2>/dev/null || echo "/usr/lib/postgresql/$PG_MAJOR/lib")
  case $libdir in
    "/usr/lib/postgresql/$PG_MAJOR/lib") [ -e "$libdir/pg_cron.so" ] || need "postgresql-$PG_MAJOR-cron" ;;
  esac
fi

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

command_line="apt-get install -y --no-install-recommends ${missing[*]}"

if ! has_program apt-get; then
  echo "missing: ${missing[*]} (names of Debian packages)" >&2
  echo "This is not a Debian-like machine; install their equivalents, or set PG_CONFIG if PostgreSQL is elsewhere." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "missing: ${missing[*]}" >&2
  echo "Run this as root, then start again:" >&2
  echo "    apt-get update && $command_line" >&2
  case " ${missing[*]} " in
    *" postgresql-$PG_MAJOR "*)
      echo "(Debian then makes and starts a cluster 'main'; set create_main_cluster = false in" >&2
      echo "/etc/postgresql-common/createcluster.conf before, if you want none.)" >&2
      ;;
  esac
  exit 1
fi

echo "   missing: ${missing[*]}"
echo "   $command_line"
export DEBIAN_FRONTEND=noninteractive

log=$(mktemp)
conf=/etc/postgresql-common/createcluster.conf
conf_saved=
finish() {
  # The machine's setting, exactly as the package brought it.
  if [ -n "$conf_saved" ]; then
    cp -p "$conf_saved" "$conf"
    rm -f "$conf_saved"
    conf_saved=
  fi
  rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

apt() {
  local start=$SECONDS pid ticks=0
  printf '   %s ' "$1"
  shift
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ticks=$((ticks + 1))
    [ $((ticks % 10)) -eq 0 ] && printf '.'
  done
  if ! wait "$pid"; then
    printf ' failed:\n'
    tail -n 30 "$log" >&2
    echo "apt-get failed; what was to be installed: ${missing[*]}" >&2
    exit 1
  fi
  printf ' %s s\n' "$((SECONDS - start))"
}

apt "updating the package lists" apt-get update
case " ${missing[*]} " in
  *" postgresql-$PG_MAJOR "*)
    apt "installing postgresql-common" apt-get install -y --no-install-recommends postgresql-common
    if [ -f "$conf" ] && ! grep -Eq '^[[:space:]]*create_main_cluster' "$conf" "${conf%.conf}.d"/*.conf 2>/dev/null; then
      conf_saved=$(mktemp)
      cp -p "$conf" "$conf_saved"
      printf '\ncreate_main_cluster = false\n' >>"$conf"
    fi
    ;;
esac
apt "installing the rest" apt-get install -y --no-install-recommends "${missing[@]}"
