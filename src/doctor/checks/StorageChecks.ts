/** The shared storage: mounted, and writable for this process. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { WorkerConfig } from "../../Config.ts"
import { SharedStorage } from "../../storage/SharedStorage.ts"
import { type Check, ok, warning } from "../Check.ts"

/** Below it a sync's logs and checkpoints soon find no room. */
const LITTLE = 1024 ** 3

const sizeOf = (bytes: number): string =>
  bytes < LITTLE ? `${Math.floor(bytes / 1024 ** 2)} MiB` : `${Math.floor(bytes / LITTLE)} GiB`

export const storageChecks = ({
  storage: { path },
  jobs,
  kubernetes: { namespace }
}: WorkerConfig["Service"]): ReadonlyArray<Check<SharedStorage>> => [
  {
    name: "storage.writable",
    limit: Duration.minutes(1),
    run: Effect.flatMap(SharedStorage, ({ tryWrite }) => tryWrite).pipe(
      Effect.map((free) =>
        free < LITTLE
          ? warning(
              `${path} is writable, but only ${sizeOf(free)} are free`,
              "Enlarge the volume, or set LOG_RETENTION_PERIOD"
            )
          : ok(`${path} is writable, ${sizeOf(free)} are free`)
      )
    ),
    remedy: `Mount claim ${jobs.pvcName} into the worker at SHARED_STORAGE_PATH=${path}, writable for its user (securityContext.fsGroup); to look: kubectl -n ${namespace} exec deployment/olake-workers -- ls -ld ${path}`
  }
]
