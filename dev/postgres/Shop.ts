/** A small shop's database: three tables of deterministic rows for the connector to move. */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { Postgres } from "./Postgres.ts"

export const SHOP_DATABASE = "shop"
/** Rows made by `createShop`, by table. */
export const SHOP_ROWS = { customers: 500, products: 100, orders: 3000 } as const

/** A client of one of the server's databases. */
export const sqlLayer = (database?: string, maxConnections = 2) =>
  Layer.unwrap(
    Effect.map(Postgres, (server) =>
      PgClient.layer({
        host: server.host,
        port: server.port,
        username: server.user,
        password: Redacted.make(server.password),
        database: database ?? server.database,
        maxConnections
      })
    )
  )

const TABLES = [
  `CREATE TABLE customers (
     id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text, created_at timestamptz NOT NULL)`,
  `CREATE TABLE products (
     id integer PRIMARY KEY, title text NOT NULL, price numeric(10, 2) NOT NULL, tags jsonb NOT NULL)`,
  `CREATE TABLE orders (
     id bigint PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id),
     product_id integer NOT NULL REFERENCES products (id), quantity smallint NOT NULL,
     note text, ordered_at timestamptz NOT NULL)`
]

const START = "timestamptz '2026-01-01 00:00:00+00'"

const fill = (rows: typeof SHOP_ROWS): ReadonlyArray<string> => [
  `INSERT INTO customers
   SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', (ARRAY['Pune', 'Berlin', 'Lima', NULL])[1 + i % 4],
          ${START} + i * interval '1 hour'
   FROM generate_series(1, ${rows.customers}) i`,
  `INSERT INTO products
   SELECT i, 'Product ' || i, (i * 37 % 10000) / 100.0, jsonb_build_array('tag' || i % 7, 'größe-' || i % 3)
   FROM generate_series(1, ${rows.products}) i`,
  insertOrders(1, rows.orders)
]

const insertOrders = (first: number, last: number): string =>
  `INSERT INTO orders
   SELECT i, 1 + i * 7919 % ${SHOP_ROWS.customers}, 1 + i * 104729 % ${SHOP_ROWS.products}, 1 + i % 5,
          CASE WHEN i % 10 = 0 THEN 'note "' || i || '"' END, ${START} + i * interval '1 minute'
   FROM generate_series(${first}, ${last}) i`

const inShop = <A, E>(run: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  SqlClient.SqlClient.pipe(Effect.flatMap(run), Effect.provide(sqlLayer(SHOP_DATABASE)))

/** Creates the database with its tables and rows. */
export const createShop = Effect.gen(function* () {
  yield* SqlClient.SqlClient.pipe(
    Effect.flatMap((sql) => sql`CREATE DATABASE ${sql(SHOP_DATABASE)}`),
    Effect.provide(sqlLayer())
  )
  yield* inShop((sql) =>
    Effect.forEach([...TABLES, ...fill(SHOP_ROWS)], (statement) => sql.unsafe(statement), { discard: true })
  )
})

/** Places more orders behind those that are there. */
export const addOrders = (count: number) =>
  inShop((sql) =>
    Effect.gen(function* () {
      const [row] = yield* sql<{
        readonly last: number
      }>`SELECT coalesce(max(id), 0)::int AS last FROM orders`
      const last = row?.last ?? 0
      yield* sql.unsafe(insertOrders(last + 1, last + count))
    })
  )

/** The source form of OLake's UI for the shop; `host` as the connector's Pod sees the server. */
export const shopSource = (server: Postgres["Service"], extra: Readonly<Record<string, unknown>> = {}) => ({
  host: server.host,
  port: server.port,
  database: SHOP_DATABASE,
  username: server.user,
  password: server.password,
  ssl: { mode: "disable" },
  ...extra
})

/** A catalog that selects the given tables, each by its id. */
export const shopCatalog = (tables: ReadonlyArray<keyof typeof SHOP_ROWS>) => ({
  selected_streams: {
    public: tables.map((name) => ({ stream_name: name, partition_regex: "", normalization: false }))
  },
  streams: tables.map((name) => ({
    stream: {
      name,
      namespace: "public",
      type_schema: { properties: { id: { type: ["integer"] } } },
      supported_sync_modes: ["full_refresh", "incremental"],
      source_defined_primary_key: ["id"],
      available_cursor_fields: ["id"],
      sync_mode: "incremental",
      cursor_field: "id"
    }
  }))
})
