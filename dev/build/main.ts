/** `npm run build`: dist/main.js (the worker), dist/workflow-bundle.js, and dist/lib (the library with its types). */
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker"
import { build, transform } from "esbuild"
import { spawnSync } from "node:child_process"
import { chmod, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { leaveOut } from "./leaveOut.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const dist = `${root}dist`

await rm(dist, { recursive: true, force: true })

const compiler = fileURLToPath(import.meta.resolve("typescript/package.json")).replace(
  "package.json",
  "bin/tsc"
)
const types = spawnSync(process.execPath, [compiler, "-p", `${root}tsconfig.build.json`], {
  stdio: "inherit"
})
if (types.status !== 0) process.exit(types.status ?? 1)

await build({
  entryPoints: [`${root}src/main.ts`],
  outfile: `${dist}/main.js`,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22",
  // Native parts, a sandbox that reads its own files, and what few need: these stay packages.
  external: ["@temporalio/*", "@aws-sdk/*"],
  plugins: [leaveOut],
  legalComments: "none",
  // V8 keeps a source with one wide character as two bytes a character: 4 MiB less without comments, in ASCII.
  charset: "ascii",
  minifySyntax: true,
  minifyWhitespace: true,
  banner: {
    js: `import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);`
  },
  logLevel: "warning"
})
await chmod(`${dist}/main.js`, 0o755)

const { code } = await bundleWorkflowCode({
  workflowsPath: `${dist}/lib/workflow/workflows.js`,
  logger: new DefaultLogger("WARN")
})
const lean = await transform(code, {
  charset: "ascii",
  legalComments: "none",
  minifyWhitespace: true,
  sourcemap: "external",
  sourcesContent: false,
  sourcefile: "workflows.js"
})
// The SDK asks for a map that names its file; nobody reads the sources in it.
const map = Buffer.from(JSON.stringify({ ...JSON.parse(lean.map), file: "workflows.js" })).toString("base64")
await writeFile(
  `${dist}/workflow-bundle.js`,
  `${lean.code}//# sourceMappingURL=data:application/json;base64,${map}\n`
)
