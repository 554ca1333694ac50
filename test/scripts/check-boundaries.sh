#!/usr/bin/env bash
# Checks who includes whom and who calls what: the core knows nothing of PostgreSQL, arrows between the
# rooms point down only, errors are raised and buffers are touched only where they may be.
# Prints each offending line; exit code 1 if there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."


# Files of C and C++ below the given folders, if any.
sources() { find "$@" -type f \( -name '*.c' -o -name '*.cpp' -o -name '*.h' \) 2>/dev/null | sort || true; }

# grep over the sources of folder $2 for pattern $1, comments removed as far as one line shows them.
search() {
  local pattern=$1 file
  shift
  while IFS= read -r file; do
    sed -e 's://.*$::' -e 's:/\*.*\*/::g' -e 's:^[[:space:]]*\*.*$::' "$file" | grep -nE "$pattern" | sed "s:^:$file\::" || true
  done < <(sources "$@")
}

# Prints the title and the lines on standard input, if there are any.
report() {
  local lines
  lines=$(cat)
  if [ -n "$lines" ]; then
    printf '%s\n' "$1"
    printf '%s\n' "$lines" | sed 's/^/    /'
  fi
}

check_all() {
  # ---- the core: which rooms each room may include --------------------------

  core_rooms="base codec segment memtable compact exec capi"
  declare -A may=(
    [base]="base"
    [codec]="codec base"
    [segment]="segment codec base"
    [exec]="exec segment codec base"
    [memtable]="memtable segment codec base"
    [compact]="compact segment codec base"
    [capi]="capi memtable compact exec segment codec base"
  )
  for room in $core_rooms; do
    allowed=${may[$room]// /|}
    search '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "src/$room" |
      grep -vE "include[[:space:]]*\"(($allowed)/[^\"]*|nodedb_ts/core\.h)\"" |
      report "src/$room may include only: ${may[$room]}, nodedb_ts/core.h (as room/file.h)" || true
  done

  # Of the system: the C++ and C libraries, zstd, and what an allocation really takes. One file may ask for huge pages.
  search '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' src/base src/codec src/segment src/memtable src/compact src/exec src/capi include |
    grep -vE 'include[[:space:]]*<([a-z_0-9]+|(std|string|math|errno|limits|float|malloc|malloc/malloc|zstd|zdict|zstd_errors|cpuid|[a-z0-9]*intrin|arm_neon)[a-z]*\.h)>' |
    grep -vE '^src/base/large_memory\.cpp:[0-9]+:[[:space:]]*#[[:space:]]*include[[:space:]]*<sys/mman\.h>' |
    report "the core includes only the standard libraries and zstd" || true

  search '\b(postgres\.h|Datum|palloc|pfree|ereport|elog|errmsg|PG_TRY|MemoryContext|CHECK_FOR_INTERRUPTS)\b' \
    src/base src/codec src/segment src/memtable src/compact src/exec src/capi |
    report "the core knows nothing of PostgreSQL" || true

  search '\b(try|catch)[[:space:]]*[({]' src/base src/codec src/segment src/memtable src/compact src/exec |
    report "try and catch stand in src/capi only" || true

  search '\b(Datum|Oid|postgres\.h)\b' include |
    report "core.h is plain C: no type of PostgreSQL" || true

  # ---- the shims ------------------------------------------------------------

  search '^[[:space:]]*#[[:space:]]*include[[:space:]]*"(base|codec|segment|memtable|compact|exec|capi)/' src/pg |
    report "src/pg reaches the core through nodedb_ts/core.h only" || true

  search '^[[:space:]]*#[[:space:]]*include[[:space:]]*"(\.\./|pg/)?(am|scan|worker|maintenance)/' src/pg/storage |
    report "src/pg/storage does not include am, scan, worker or maintenance" || true

  sources src/pg | grep -E '\.cpp$' | report "src/pg is C" || true

  while IFS= read -r file; do
    sed -e 's:/\*.*\*/::g' -e 's:^[[:space:]]*\*.*$::' "$file" |
      grep -nE '\b(ReadBuffer|ReadBufferExtended|LockBuffer|MarkBufferDirty|GenericXLogStart|log_newpage[a-z_]*|ReleaseBuffer|UnlockReleaseBuffer)[[:space:]]*\(' |
      sed "s:^:$file\::" || true
  done < <(sources src/pg | grep -v '^src/pg/storage/' || true) | report "buffers and WAL are touched in src/pg/storage only" || true

  # ---- the build: no include path of PostgreSQL for the core ----------------

  if ! grep -qE '^CORE_CPPFLAGS = -Iinclude -Isrc$' Makefile; then
    echo "Makefile: the core's include path must be include/ and src/ only"
  fi
}

found=$(check_all)
if [ -n "$found" ]; then
  printf '%s\n' "$found"
  exit 1
fi
