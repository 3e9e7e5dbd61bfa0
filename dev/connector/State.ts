/** OLake's state: how far each stream has been read. Pure; an unknown stream's entry is kept as it came. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Stream } from "./catalog/Catalog.ts"

const STATE_VERSION = 7

const Entry = Schema.Struct({
  stream: Schema.String,
  namespace: Schema.String,
  sync_mode: Schema.String,
  state: Schema.Record(Schema.String, Schema.Unknown)
})

export const State = Schema.Struct({
  type: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("STREAM"))),
  version: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(STATE_VERSION))),
  streams: Schema.Array(Entry).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})
export type State = typeof State.Type

export const empty: State = { type: "STREAM", version: STATE_VERSION, streams: [] }

const isOf = (stream: Stream) => (entry: typeof Entry.Type) =>
  entry.stream === stream.name && entry.namespace === stream.namespace

export const cursorOf = (state: State, stream: Stream, field: string): string | undefined => {
  const value = state.streams.find(isOf(stream))?.state[field]
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined
}

/** Whole numbers stay numbers as long as JSON holds them exactly. */
const toJson = (value: string, isInteger: boolean): string | number =>
  isInteger && Number.isSafeInteger(Number(value)) ? Number(value) : value

export const advance = (
  state: State,
  stream: Stream,
  cursor: { readonly field: string; readonly value: string; readonly isInteger: boolean }
): State => {
  const entry = {
    stream: stream.name,
    namespace: stream.namespace,
    sync_mode: stream.sync_mode,
    state: { [cursor.field]: toJson(cursor.value, cursor.isInteger) }
  }
  const isSame = isOf(stream)
  return {
    ...state,
    streams: state.streams.some(isSame)
      ? state.streams.map((old) => (isSame(old) ? entry : old))
      : [...state.streams, entry]
  }
}
