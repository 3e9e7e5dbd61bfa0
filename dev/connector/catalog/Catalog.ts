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

/** `available_streams.json`: what exists. */
export const Available = Schema.Struct({ streams: Catalog.fields.streams })

/** `selected_streams.json`: what moves, and how. */
export const Selection = Schema.Struct({ selected_streams: Catalog.fields.selected_streams })

const Choice = Schema.Struct({
  stream_name: Schema.String,
  sync_mode: Schema.optionalKey(Schema.String),
  cursor_field: Schema.optionalKey(Schema.String)
})

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

/** The same catalog as two files: how a stream moves stands beside its selection. */
export const split = ({ streams, selected_streams }: Catalog) => {
  const choiceOf = (namespace: string, entry: unknown) => {
    const stream = streams.find(
      (one) => one.stream.namespace === namespace && one.stream.name === selectedName(entry)
    )?.stream
    const cursor = stream?.cursor_field
    return {
      ...Object(entry),
      ...(stream === undefined ? {} : { sync_mode: stream.sync_mode }),
      ...(cursor === undefined ? {} : { cursor_field: cursor })
    }
  }
  const selected = Object.entries(selected_streams).map(([namespace, entries]) => [
    namespace,
    entries.map((entry) => choiceOf(namespace, entry))
  ])
  return { available: { streams }, selected: { selected_streams: Object.fromEntries(selected) } }
}

/** Two files as one catalog. */
export const whole = (
  { streams }: typeof Available.Type,
  { selected_streams }: typeof Selection.Type
): Catalog => ({
  selected_streams,
  streams: streams.map(({ stream }) => {
    const entries = selected_streams[stream.namespace] ?? []
    const choice = entries.filter(Schema.is(Choice)).find(({ stream_name }) => stream_name === stream.name)
    const cursor = choice?.cursor_field ?? stream.cursor_field
    return {
      stream: {
        ...stream,
        sync_mode: choice?.sync_mode ?? stream.sync_mode,
        ...(cursor === undefined ? {} : { cursor_field: cursor })
      }
    }
  })
})
