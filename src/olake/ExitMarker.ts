/**
 * How a writer's connector ended, as a shell around it has seen it. Its exit code alone does not tell: OLake's connectors
 * also end with 0 or 1 where the cluster stops them, and a Pod may be gone before anybody has read how it ended. Pure.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EXIT_FILE, MOUNT_PATH } from "./Workdir.ts"

export const POD_UID_VARIABLE = "OLAKE_POD_UID"

const Marker = Schema.Struct({
  /** Of the run; see PodSpec.keyOf. */
  key: Schema.String,
  /** Of the Pod. */
  uid: Schema.String,
  exitCode: Schema.Int,
  /** Whether it was told to stop before it ended. */
  stopped: Schema.Boolean
})
export type ExitMarker = typeof Marker.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Marker))

/** Undefined for a text that is no marker. */
export const parseExitMarker = (text: string): ExitMarker | undefined => Option.getOrUndefined(decode(text))

/** Whether the connector did all its work by itself. */
export const hasFinished = ({ exitCode, stopped }: ExitMarker): boolean => exitCode === 0 && !stopped

/** From there on a shell means a signal. */
const FIRST_SIGNAL = 128

/** Whether the connector came to its own end, good or bad, before anybody told it to stop or killed it. */
export const hasEndedByItself = ({ exitCode, stopped }: ExitMarker): boolean =>
  !stopped && exitCode < FIRST_SIGNAL

const FILE = `${MOUNT_PATH}/${EXIT_FILE}`

/**
 * Of any POSIX shell, and process 1 of its container. A signal ends `wait` without the connector's end; then it is waited
 * for again, and a shell that has told the exit code already says 127. Kubernetes takes `$$` and `$(...)` for its own.
 */
const SCRIPT = `
stopped=false; connector=; code=
stop() { again=yes; stopped=true; [ -z "$connector" ] || kill -TERM "$connector" 2>/dev/null; }
trap stop TERM INT
[ -x ./olake ] || { echo "there is no ./olake in $PWD" >&2; exit 127; }
[ "$stopped" = false ] || exit 143
./olake "$@" &
connector=$!
[ "$stopped" = false ] || kill -TERM "$connector"
while :; do
  again=
  wait "$connector"
  now=$?
  [ -n "$code" ] && [ "$now" -eq 127 ] || code=$now
  [ -n "$again" ] || break
done
was=$stopped
printf '{"key":"%s","uid":"%s","exitCode":%s,"stopped":%s}' "$0" "$${POD_UID_VARIABLE}" "$code" "$was" >"${FILE}.new" &&
  mv -f "${FILE}.new" "${FILE}"
exit "$code"
`.trim()

/** The container's command; the connector's arguments follow. */
export const markingCommand = (key: string): ReadonlyArray<string> => ["/bin/sh", "-c", SCRIPT, key]
