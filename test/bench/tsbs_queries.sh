# shellcheck shell=bash
# shellcheck disable=SC2034  # used by tsbs.sh
# TSBS's queries for cpu-only, made for a set of any number of hosts and hours: for single runs with constants, for
# pgbench with variables. Sourced by tsbs.sh.

TSBS_ALL_TYPES="single-groupby-1-1-1 single-groupby-1-1-12 single-groupby-1-8-1 single-groupby-5-1-1 single-groupby-5-1-12
  single-groupby-5-8-1 cpu-max-all-1 cpu-max-all-8 cpu-max-all-32-24 double-groupby-1 double-groupby-5 double-groupby-all
  groupby-orderby-limit high-cpu-1 high-cpu-all lastpoint"
# What eight clients ask at once: those that a dashboard sends for some hosts.
TSBS_MIX="single-groupby-1-1-1 single-groupby-1-1-12 single-groupby-1-8-1 single-groupby-5-1-1 single-groupby-5-1-12
  single-groupby-5-8-1 cpu-max-all-1 cpu-max-all-8"

tsbs_metrics=(usage_user usage_system usage_idle usage_nice usage_iowait usage_irq usage_softirq usage_steal usage_guest
  usage_guest_nice)

# FUNCTION(metric) AS ALIAS_metric of the first $3 metrics.
tsbs_calls() {
  local function=$1 alias=$2 count=$3 i list=()
  for ((i = 0; i < count; i++)); do list+=("$function(${tsbs_metrics[i]}) AS ${alias}_${tsbs_metrics[i]}"); done
  (IFS=,; echo "${list[*]}")
}
tsbs_bucket() { echo "date_bin('$1 seconds', time, timestamptz '2000-01-01 00:00:00+00')"; }

# Hosts that a query of type $1 names, and hours that it looks at (0: none named).
tsbs_host_count() {
  case $1 in
    single-groupby-*) cut -d- -f4 <<<"$1" ;;
    cpu-max-all-*) cut -d- -f4 <<<"$1" ;;
    high-cpu-1) echo 1 ;;
    *) echo 0 ;;
  esac
}
tsbs_hours() {
  case $1 in
    single-groupby-*) cut -d- -f5 <<<"$1" ;;
    cpu-max-all-32-24) echo 24 ;;
    cpu-max-all-*) echo 8 ;;
    groupby-orderby-limit) echo 1 ;;
    lastpoint) echo 0 ;;
    *) echo 12 ;;
  esac
}

# The SQL of type $1; $2: the list of hosts, $3 and $4: the bounds of time, SQL expressions.
tsbs_sql() {
  local type=$1 hosts=$2 from=$3 to=$4 within count
  within="time >= $from AND time < $to"
  case $type in
    single-groupby-*)
      echo "SELECT $(tsbs_bucket 60) AS minute, $(tsbs_calls max max "$(cut -d- -f3 <<<"$type")") FROM cpu" \
        "WHERE hostname IN ($hosts) AND $within GROUP BY minute ORDER BY minute ASC;" ;;
    cpu-max-all-*)
      echo "SELECT $(tsbs_bucket 3600) AS hour, $(tsbs_calls max max 10) FROM cpu" \
        "WHERE hostname IN ($hosts) AND $within GROUP BY hour ORDER BY hour;" ;;
    double-groupby-*)
      count=${type##*-}
      if [ "$count" = all ]; then count=10; fi
      echo "SELECT $(tsbs_bucket 3600) AS hour, hostname, $(tsbs_calls avg mean "$count") FROM cpu" \
        "WHERE $within GROUP BY 1, 2 ORDER BY hour, hostname;" ;;
    groupby-orderby-limit)
      echo "SELECT $(tsbs_bucket 60) AS minute, max(usage_user) FROM cpu WHERE time < $to" \
        "GROUP BY minute ORDER BY minute DESC LIMIT 5;" ;;
    high-cpu-1) echo "SELECT * FROM cpu WHERE usage_user > 90.0 AND $within AND hostname IN ($hosts);" ;;
    high-cpu-all) echo "SELECT * FROM cpu WHERE usage_user > 90.0 AND $within;" ;;
    lastpoint) echo "SELECT DISTINCT ON (hostname) * FROM cpu ORDER BY hostname, time DESC;" ;;
    *) nts_die "TSBS has no query type $type" ;;
  esac
}

# The SQL of type $1 with hosts of $2 and a start in a set of $3 hours that begins at $TSBS_START, drawn with seed $4.
# A window that is longer than the set covers all of it.
tsbs_drawn_query() {
  local type=$1 hosts=$2 hours=$3 seed=$4 drawn start length
  length=$(($(tsbs_hours "$type") * 3600))
  # awk's srand takes the seed as it is; nearby seeds draw alike at first.
  drawn=$(awk -v seed=$((seed * 7919 + ${#type} * 104729)) -v want="$(tsbs_host_count "$type")" -v hosts="$hosts" \
    -v spare=$((hours * 3600 - length)) 'BEGIN {
      srand(seed); rand()
      start = spare > 0 ? int(rand() * spare) : 0
      for (n = 0; n < want && n < hosts; ) { h = int(rand() * hosts); if (!(h in seen)) { seen[h]; list = list (n++ ? "," : "") "'\''host_" h "'\''" } }
      print start, list }')
  start=$((TSBS_START + ${drawn%% *}))
  tsbs_sql "$type" "${drawn#* }" "$(tsbs_instant "$start")" "$(tsbs_instant $((start + length)))"
}
tsbs_instant() { date -u -d "@$1" "+'%F %T+00'"; }

# The same as a script for pgbench.
tsbs_pgbench_script() {
  local type=$1 hosts=$2 hours=$3 length spare i list=()
  length=$(($(tsbs_hours "$type") * 3600))
  spare=$((hours * 3600 > length ? hours * 3600 - length : 0))
  echo "\\set start $TSBS_START + random(0, $spare)"
  echo "\\set stop :start + $length"
  for ((i = 1; i <= $(tsbs_host_count "$type"); i++)); do
    echo "\\set h$i random(0, $((hosts - 1)))"
    list+=("'host_:h$i'")
  done
  tsbs_sql "$type" "$(IFS=,; echo "${list[*]}")" "to_timestamp(:start)" "to_timestamp(:stop)"
}
