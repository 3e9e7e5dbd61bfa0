/** OLake's configured catalog, `streams.json`: what exists and what is selected to move. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Strings = Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))

export const Stream = Schema.Struct({
  name: Schema.String,
  namespace: Schema.String,
  type_schema: Schema.optionalKey(Schema.Unknown),
  supported_sync_modes: Strings,
  source_defined_primary_key: Strings,
  available_cursor_fields: Strings,
  sync_mode: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("full_refresh"))),
  cursor_field: Schema.optionalKey(Schema.String)
})
export type Stream = typeof Stream.Type

export const Selected = Schema.Struct({ stream_name: Schema.String })

export const Catalog = Schema.Struct({
  selected_streams: Schema.Record(Schema.String, Schema.Array(Schema.Any)),
  streams: Schema.Array(Schema.Struct({ stream: Stream }))
})
export type Catalog = typeof Catalog.Type

const selectedName = (entry: unknown): string | undefined =>
  Schema.is(Selected)(entry) ? entry.stream_name : undefined

const same = (a: Stream, b: Stream) => a.name === b.name && a.namespace === b.namespace

/** The selected streams in the catalog's order, and the names selected that it does not hold. */
export const selection = (
  catalog: Catalog
): { readonly streams: ReadonlyArray<Stream>; readonly missing: ReadonlyArray<string> } => {
  const wanted = Object.entries(catalog.selected_streams).flatMap(([namespace, entries]) =>
    entries.map((entry) => `${namespace}.${selectedName(entry) ?? "?"}`)
  )
  const streams = catalog.streams
    .map((entry) => entry.stream)
    .filter((stream) => wanted.includes(`${stream.namespace}.${stream.name}`))
  const found = new Set(streams.map((stream) => `${stream.namespace}.${stream.name}`))
  return { streams, missing: wanted.filter((name) => !found.has(name)) }
}

/** Everything discovered is selected, as OLake proposes it. */
export const propose = (streams: ReadonlyArray<Stream>): Catalog => ({
  selected_streams: Object.fromEntries(
    [...Map.groupBy(streams, (stream) => stream.namespace)].map(([namespace, group]) => [
      namespace,
      group.map((stream) => ({
        partition_regex: "",
        stream_name: stream.name,
        normalization: false,
        append_mode: false
      }))
    ])
  ),
  streams: streams.map((stream) => ({ stream }))
})

/** Keeps the choices of an earlier catalog for the streams that still exist. */
export const merge = (fresh: Catalog, old: Catalog): Catalog => {
  const streams = fresh.streams.map(({ stream }) => {
    const before = old.streams.find((entry) => same(entry.stream, stream))?.stream
    if (before === undefined) return { stream }
    const cursor = before.cursor_field ?? stream.cursor_field
    return {
      stream: {
        ...stream,
        sync_mode: before.sync_mode,
        ...(cursor === undefined ? {} : { cursor_field: cursor })
      }
    }
  })
  const exists = (namespace: string, entry: unknown) =>
    streams.some(({ stream }) => stream.namespace === namespace && stream.name === selectedName(entry))
  const selected_streams = Object.fromEntries(
    Object.entries(old.selected_streams).map(([namespace, entries]) => [
      namespace,
      entries.filter((entry) => exists(namespace, entry))
    ])
  )
  return { selected_streams, streams }
}
