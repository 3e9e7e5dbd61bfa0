/** From scheduled to ready to start: volumes, image and environment, each tried until it is there. */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ConfigProblem, type Env, expand, type Lookup, resolve } from "./Environment.ts"
import { type Mounts, prepare, rewrite } from "./Mounts.ts"
import { makePause, type Node, NODE_NAME, report, setStatus, type Stay } from "./Node.ts"
import { timestamp } from "./api/Objects.ts"
import { type Container, specOf } from "./Pod.ts"
import type { Command } from "./PodProcess.ts"
import * as PodStatus from "./PodStatus.ts"

/** Tries until there is a value, reporting after each try why there is none. */
export const until = <A>(
  node: Node,
  check: Effect.Effect<A | undefined>,
  whyNot: (attempt: number) => Effect.Effect<void>
): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (let attempt = 0; ; attempt++) {
      const value = yield* check
      if (value !== undefined) return value
      yield* whyNot(attempt)
      yield* makePause(node.timing.retrying)
    }
  })

/** Paths of the container become paths of this host, in arguments and environment alike. */
const commandOf = (
  container: Container,
  entrypoint: ReadonlyArray<string>,
  env: Env,
  mounts: Mounts,
  cwd: string
): Command => {
  const words = (list: ReadonlyArray<string> | undefined) =>
    (list ?? []).map((word) => rewrite(expand(word, env), mounts))
  return {
    argv: [
      ...(container.command === undefined ? entrypoint : words(container.command)),
      ...words(container.args)
    ],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: cwd,
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, rewrite(value, mounts)])),
      LOCAL_PODS_MOUNTS: JSON.stringify(mounts)
    },
    cwd
  }
}

/** The image's working directory; its entrypoint is `./olake` there, as in OLake's images. */
const imageHome = async (scratch: string, image: string, entrypoint: ReadonlyArray<string>) => {
  const home = join(scratch, "images", image.replaceAll(/[^\w.-]/g, "_"))
  const program = join(home, "olake")
  if (existsSync(program)) return home
  await mkdir(home, { recursive: true })
  const words = entrypoint.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
  // Whole or not at all: Pods of one image begin at the same time.
  const written = join(home, `olake-${randomUUID()}`)
  await writeFile(written, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 })
  await rename(written, program)
  return home
}

export const preparation = Effect.fnUntraced(function* (node: Node, stay: Stay) {
  const { pod } = stay
  const spec = specOf(pod)
  const container = spec.containers[0]
  const lookup: Lookup = (resource, name) => node.store.find(resource, pod.metadata.namespace, name)
  const waiting = (state: PodStatus.ContainerState) => report(node, stay, "Pending", state)
  yield* setStatus(node, pod, PodStatus.scheduled(timestamp()), NODE_NAME)
  yield* waiting({ waiting: { reason: "ContainerCreating" } })
  yield* makePause(node.timing.creating)
  const mounts = yield* until(
    node,
    Effect.promise(() =>
      prepare(spec, container, `${node.scratch}/${pod.metadata.uid}`, node.claims, lookup)
    ),
    () => Effect.void
  )
  const entrypoint = yield* until(
    node,
    Effect.sync(() => node.entrypoint(container.image)),
    (attempt) => waiting(PodStatus.imagePull(container.image, attempt % 2 === 1))
  )
  let message = ""
  const env = yield* until(
    node,
    Effect.sync(() => {
      try {
        return resolve(pod, container, lookup)
      } catch (error) {
        if (!(error instanceof ConfigProblem)) throw error
        message = error.message
        return undefined
      }
    }),
    () => waiting({ waiting: { reason: "CreateContainerConfigError", message } })
  )
  const home = yield* Effect.promise(() => imageHome(node.scratch, container.image, entrypoint))
  return commandOf(container, entrypoint, env, mounts, home)
})
