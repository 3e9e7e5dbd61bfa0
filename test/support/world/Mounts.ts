/** Real mounts, each of which hides what is under it until it is taken away. Linux as root. */
import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { promisify } from "node:util"

const exec = promisify(execFile)

/** Why there can be none, for the name of a suite that is skipped. */
export const noMounts =
  process.platform !== "linux" || process.getuid?.() !== 0 ? "mounts need Linux and root" : undefined

const run = (program: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => exec(program, [...args])).pipe(Effect.asVoid)

/** The uppermost mount of that folder, whoever still uses it. */
export const unmount = (folder: string) => run("umount", "--lazy", folder)

const whileMounted =
  (mount: Effect.Effect<void>, folder: string) =>
  <A, E, R>(use: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      mount,
      () => use,
      () => unmount(folder)
    )

/** The folder shows what `source` has. */
export const bind = (source: string, folder: string) => run("mount", "--bind", source, folder)

/** A volume without a free byte. */
export const whileFull = (folder: string) =>
  whileMounted(
    Effect.andThen(
      run("mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "none", folder),
      Effect.sync(() => {
        try {
          fs.writeFileSync(`${folder}/telemetry`, Buffer.alloc(1 << 20))
        } catch {
          // As much as there is room for is written.
        }
      })
    ),
    folder
  )

/** For a folder that is a mount. */
export const whileReadOnly =
  (folder: string) =>
  <A, E, R>(use: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      run("mount", "-o", "remount,bind,ro", folder),
      () => use,
      () => run("mount", "-o", "remount,bind,rw", folder)
    )

/** For a folder that is a mount of `source`. */
export const whileUnmounted =
  (source: string, folder: string) =>
  <A, E, R>(use: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      unmount(folder),
      () => use,
      () => bind(source, folder)
    )

/** Why no mount can be made to hang. */
export const noHangs =
  noMounts ?? (fs.existsSync("/dev/fuse") ? undefined : "a mount that hangs needs /dev/fuse")

/** A file system in user space that nobody serves: every call waits, until it is given up. */
export const whileHung =
  (folder: string) =>
  <A, E, R>(use: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.promise(async () => {
        const fuse = fs.openSync("/dev/fuse", "r+")
        const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other"
        const mount = spawn("mount", ["-i", "-t", "fuse", "-o", options, "none", folder], {
          stdio: ["ignore", "inherit", "inherit", fuse]
        })
        await once(mount, "exit")
        return fuse
      }),
      () => use,
      // Without its other end the kernel ends every call that waits.
      (fuse) =>
        Effect.andThen(
          Effect.sync(() => fs.closeSync(fuse)),
          unmount(folder)
        )
    )
