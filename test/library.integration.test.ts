/** The project as a dependency: packed, installed into another project, composed with that one's own layers. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { LocalPods } from "../dev/local-pods/LocalPods.ts"
import { temporaryFolder } from "./support/Conditions.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

const run = (cwd: string, program: string, args: ReadonlyArray<string>) =>
  Effect.callback<string, Error>((resume) => {
    execFile(program, args, { cwd, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) =>
      resume(
        error === null
          ? Effect.succeed(stdout)
          : Effect.fail(new Error(`${program} ${args.join(" ")}: ${stdout}\n${stderr}`))
      )
    )
  })

describe("the library", () => {
  it.live(
    "is packed, installed elsewhere, type-checks there, and runs on the host's SqlClient and logger",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* temporaryFolder
          const packed = yield* run(root, "npm", [
            "pack",
            "--silent",
            "--ignore-scripts",
            "--pack-destination",
            folder
          ])
          const host = path.join(folder, "host")
          yield* Effect.promise(() => fs.cp(path.join(root, "test/fixtures/host"), host, { recursive: true }))
          const { dependencies } = JSON.parse(
            yield* Effect.promise(() => fs.readFile(path.join(root, "package.json"), "utf8"))
          ) as {
            dependencies: Record<string, string>
          }
          const manifest = {
            name: "host",
            private: true,
            type: "module",
            dependencies: {
              "olake-worker": `file:../${packed.trim()}`,
              effect: dependencies.effect,
              "@effect/sql-pg": dependencies["@effect/sql-pg"]
            }
          }
          yield* Effect.promise(() => fs.writeFile(path.join(host, "package.json"), JSON.stringify(manifest)))
          yield* run(host, "npm", [
            "install",
            "--prefer-offline",
            "--omit=optional",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--silent"
          ])

          const types = [
            "--noEmit",
            "--strict",
            "--exactOptionalPropertyTypes",
            "--skipLibCheck",
            "--module",
            "nodenext",
            "--target",
            "es2023"
          ]
          const typeRoots = path.join(root, "node_modules/@types")
          yield* run(host, path.join(root, "node_modules/.bin/tsc"), [
            ...types,
            "--types",
            "node",
            "--typeRoots",
            typeRoots,
            "host.ts"
          ])

          const pods = yield* Layer.build(LocalPods.layer())
          const { kubeconfigPath } = yield* LocalPods.pipe(Effect.provide(pods))
          const output = yield* run(host, process.execPath, ["host.ts", kubeconfigPath, folder])
          assert.deepStrictEqual(JSON.parse(output.trim().split("\n").at(-1) ?? ""), {
            status: "starting",
            sync: { pod: "pod-1" },
            image: "postgres",
            logged: true
          })
        })
      ),
    400_000
  )
})
