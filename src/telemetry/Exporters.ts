/** What only exporting needs: loaded where it is asked for. */
export * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
export * as HttpClient from "effect/http/HttpClient"
export * as Otlp from "effect/observability/Otlp"
export * as OtlpSerialization from "effect/observability/OtlpSerialization"
