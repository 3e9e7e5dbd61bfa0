#!/bin/sh
# Stands in for an OLake connector: takes its command line, and behaves as the "scenario" of its config file says.
# Arguments, files and lines are those of OLake's own connectors.

command=$1
arguments=$*
config_file=
destination_file=
streams_file=
available_file=
selected_file=
difference_file=
converts=
while [ $# -gt 0 ]; do
  case $1 in
    --config) config_file=$2; shift ;;
    --destination) destination_file=$2; shift ;;
    --streams | --catalog) streams_file=$2; shift ;;
    --available-streams) available_file=$2; shift ;;
    --selected-streams) selected_file=$2; shift ;;
    --difference | --difference-selected-streams) difference_file=$2; shift ;;
    --difference-available-streams) shift ;;
    --convert-streams) converts=yes ;;
  esac
  shift
done
main_file=${config_file:-$destination_file}
if [ -n "$main_file" ]; then folder=$(dirname "$main_file"); else folder=.; fi
log_folder=$folder/logs/sync_$(date -u +%Y-%m-%d_%H-%M-%S)
mkdir -p "$log_folder"

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
text_field() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p" "$main_file" | head -n 1; }
number_field() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\([0-9][0-9]*\).*/\1/p" "$main_file" | head -n 1; }

# log LEVEL JSON-MESSAGE: a line of olake.log
log() { printf '{"level":"%s","message":%s,"time":"%s"}\n' "$1" "$2" "$(now)" >>"$log_folder/olake.log"; }

info() {
  log info "$1"
  printf '\033[90m%s\033[0m \033[32mINFO\033[0m %s\n' "$(now)" "$2"
}

# fatal TEXT [JSON-TEXT]: the last line of a failed run
fatal() {
  log fatal "${2:-\"$1\"}"
  printf '\033[90m%s\033[0m \033[31mFATAL\033[0m %s\n' "$(now)" "$1"
}

connection_succeeded() {
  info '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}' \
    '{"connectionStatus":{"status":"SUCCEEDED"},"type":"CONNECTION_STATUS"}'
}

connection_failed() {
  message='"password authentication failed for user \"shop\""'
  info "{\"type\":\"CONNECTION_STATUS\",\"connectionStatus\":{\"status\":\"FAILED\",\"message\":$message}}" \
    "{\"connectionStatus\":{\"message\":$message,\"status\":\"FAILED\"},\"type\":\"CONNECTION_STATUS\"}"
}

# The two files of a split catalog, into a folder.
write_split() {
  printf '{"streams":[{"stream":%s}]}' "$2" >"$1/available_streams.json"
  printf '{"selected_streams":{"public":[{"stream_name":"orders","sync_mode":"cdc"}]}}' >"$1/selected_streams.json"
}

write_catalog() {
  stream='{"name":"orders","namespace":"public","type_schema":{"properties":{"id":{"type":["integer"]}}},"supported_sync_modes":["full_refresh","cdc"],"source_defined_primary_key":["id"],"sync_mode":"cdc"}'
  printf '{"selected_streams":{},"streams":[{"stream":%s}]}' "$stream" >"$folder/streams.json"
  write_split "$folder" "$stream"
  info "\"discovered 1 stream\"" "discovered 1 stream"
}

# write_state LSN: the position is a number that no double can hold
write_state() {
  printf '{"type":"STREAM","version":7,"streams":[{"stream":"orders","namespace":"public","sync_mode":"cdc","state":{"position":9007199254740993,"lsn":"%s"}}]}' "$1" >"$folder/state.json"
}

write_stats() {
  printf '{"Writer Threads":1,"Synced Records":3,"Bytes Read":96,"Speed":"3.00 rps","Seconds Elapsed":"1.00","Estimated Remaining Time":"0 s","Memory Usage Bytes":1048576,"CPU Utilization":1}' >"$folder/stats.json"
}

# Keys of encryption are nobody's business.
log debug "\"called with: $(printf '%s' "$arguments" | sed 's/--encryption-key [^ ]*/--encryption-key .../; s/"/\\"/g')\""

# What the second file of streams has and the first has not, roughly; beside the first.
write_difference() {
  cp "$difference_file" "$(dirname "${streams_file:-$selected_file}")/difference_streams.json"
}

# A catalog is whole or split, and its files are there.
check_catalog() {
  if [ -n "$streams_file" ] && [ -n "$available_file$selected_file" ]; then
    fatal "--streams goes with neither --available-streams nor --selected-streams"
    exit 1
  fi
  for file in "$streams_file" "$available_file" "$selected_file"; do
    if [ -n "$file" ] && [ ! -s "$file" ]; then
      fatal "failed to read $(basename "$file")"
      exit 1
    fi
  done
}

# An index that outlives the run: its volume says how many runs it has had, and this one adds itself.
open_index() {
  if [ -z "$OLAKE_INDEX_DB_DIR" ]; then return; fi
  runs=$(cat "$OLAKE_INDEX_DB_DIR/runs" 2>/dev/null | wc -l)
  echo "$folder" >>"$OLAKE_INDEX_DB_DIR/runs"
  log info "\"index of $((runs)) runs before, cache $OLAKE_INDEX_DB_CACHE_SIZE, files $OLAKE_INDEX_DB_MAX_OPEN_FILES\""
}

check_catalog
case $command in sync | clear-destination) open_index ;; esac

scenario=ok
if [ -n "$main_file" ]; then scenario=$(text_field scenario); fi
if [ "$scenario" = ok ]; then
  case $command in
    discover) if [ -n "$difference_file" ]; then scenario=ok-difference; elif [ -n "$converts" ]; then scenario=ok-convert; else scenario=ok-discover; fi ;;
    check | sync) scenario=ok-$command ;;
    clear-destination) scenario=ok-sync ;;
    spec) scenario=ok-spec ;;
  esac
fi

case $scenario in
  ok-spec) echo '{"jsonschema":{},"uischema":{}}' ;;
  ok-difference) write_difference ;;
  ok-convert) write_split "$(dirname "$streams_file")" '{"name":"orders","namespace":"public"}' ;;
  ok-check) connection_succeeded ;;
  ok-discover) write_catalog ;;
  ok-sync)
    write_stats
    write_state 0/1
    info '"sync completed"' "sync completed"
    ;;
  failed-check-exit-0) connection_failed ;;
  failed-check-exit-1)
    connection_failed
    fatal 'failed to check: password authentication failed for user "shop"' \
      '"failed to check: password authentication failed for user \"shop\""'
    exit 1
    ;;
  exit-1)
    fatal "could not open the replication slot"
    exit 1
    ;;
  half-state)
    write_state 0/1
    state=$(head -c 40 "$folder/state.json")
    printf '%s' "$state" >"$folder/state.json"
    fatal "interrupted while the state was written"
    exit 1
    ;;
  oom)
    # As process 1, so that its end is the container's. Bounded: without a memory limit it is refused at 2 GiB.
    info "\"reading orders\"" "reading orders"
    ulimit -v 2097152
    exec tail /dev/zero
    ;;
  fill-disk)
    # More than the limit that a test's namespace sets; the kubelet looks every ten seconds.
    write_state 0/1
    head -c 67108864 /dev/zero >/tmp/filler
    sleep 3600
    ;;
  sleep)
    trap 'sleep 1; write_state 0/2; info "\"stopped at a checkpoint\"" "stopped at a checkpoint"; exit 0' TERM
    write_state 0/1
    info '"sync started"' "sync started"
    seconds=$(number_field seconds)
    sleep "${seconds:-3600}" &
    wait $!
    write_state 0/3
    code=$(number_field exit)
    if [ -n "$code" ]; then
      fatal "could not open the replication slot"
      exit "$code"
    fi
    ;;
  count)
    # Counts on from its state. Each step stands in writers.log with the machine's clock, for whoever looks for second
    # writers and for steps that were lost.
    counter=$(sed -n 's/.*"counter": *\([0-9]*\).*/\1/p' "$folder/state.json")
    counter=${counter:-0}
    step() {
      read -r uptime _ </proc/uptime
      printf '%s %s %s\n' "$uptime" "$1" "$counter" >>"$folder/writers.log"
    }
    save() { printf '{"counter":%s}' "$counter" >"$folder/state.json"; }
    step begin
    save
    trap 'save; step end; exit 0' TERM
    left=$(number_field steps)
    while [ "${left:-1}" -gt 0 ]; do
      counter=$((counter + 1))
      save
      step beat
      left=$((left - 1))
      sleep 0.5 &
      wait $!
    done
    step end
    ;;
  no-output | no-catalog) ;;
  *)
    fatal "unknown scenario: $scenario"
    exit 1
    ;;
esac
