/** `npm run chart-readme`: writes the table of values into helm/README.md. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { withTable } from "./values.ts"

const chart = join(import.meta.dirname, "../../helm")
const readme = join(chart, "README.md")

writeFileSync(
  readme,
  withTable(readFileSync(readme, "utf8"), readFileSync(join(chart, "values.yaml"), "utf8"))
)
