/** What the connector reads of OLake's source and destination forms; other keys are let pass. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const SourceConfig = Schema.Struct({
  host: Schema.String,
  port: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(5432))),
  database: Schema.String,
  username: Schema.String,
  password: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
  ssl: Schema.optionalKey(Schema.Struct({ mode: Schema.String })),
  /** Slows a sync down so that it can be watched. */
  throttle_rows_per_second: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  chunk_size: Schema.Int.check(Schema.isGreaterThan(0)).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(1000))
  )
})
export type SourceConfig = typeof SourceConfig.Type

export const DestinationConfig = Schema.Struct({
  type: Schema.String,
  writer: Schema.Struct({ local_path: Schema.optionalKey(Schema.String) })
})
export type DestinationConfig = typeof DestinationConfig.Type

/** The forms that OLake's UI would draw. */
export const SPEC = {
  jsonschema: {
    title: "Postgres",
    type: "object",
    required: ["host", "port", "database", "username", "password"],
    properties: {
      host: { type: "string", title: "Postgres Host" },
      port: { type: "integer", title: "Postgres Port", default: 5432 },
      database: { type: "string", title: "Database Name" },
      username: { type: "string", title: "Username" },
      password: { type: "string", title: "Password", format: "password" },
      throttle_rows_per_second: { type: "number", title: "Rows per second" },
      chunk_size: { type: "integer", title: "Rows per chunk", default: 1000 }
    }
  },
  uischema: "{}"
}
