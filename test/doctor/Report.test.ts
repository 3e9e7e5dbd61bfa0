import { assert, describe, expect, it } from "@effect/vitest"
import type { Finding } from "../../src/doctor/Check.ts"
import { reportOf, toJson, toText } from "../../src/doctor/Report.ts"

const findings: ReadonlyArray<Finding> = [
  { check: "configuration", status: "ok", found: "every variable is valid" },
  { check: "temporal.workers", status: "warning", found: "no worker polls", fix: "Start the worker" },
  {
    check: "kubernetes.nodes",
    status: "problem",
    found: "no node takes job 7 (a=b)\nno node takes job 8 (a=c)",
    fix: "kubectl label node NODE a=b"
  },
  { check: "kubernetes.claim", status: "skipped", found: "may not read it", fix: "kubectl get pvc" },
  { check: "postgres.clock", status: "skipped", found: "needs postgres.server" }
]

describe("the report", () => {
  it("as text", () =>
    expect(toText(reportOf(findings))).toMatchInlineSnapshot(`
    "ok       configuration     every variable is valid
    warning  temporal.workers  no worker polls
                               -> Start the worker
    problem  kubernetes.nodes  no node takes job 7 (a=b)
                               no node takes job 8 (a=c)
                               -> kubectl label node NODE a=b
    skipped  kubernetes.claim  may not read it
                               -> kubectl get pvc
    skipped  postgres.clock    needs postgres.server

    1 ok, 1 warning, 1 problem, 2 skipped"
  `))

  it("as JSON", () =>
    expect(toJson(reportOf(findings))).toMatchInlineSnapshot(`
    "{
      "status": "problem",
      "counts": {
        "ok": 1,
        "warning": 1,
        "problem": 1,
        "skipped": 2
      },
      "findings": [
        {
          "check": "configuration",
          "status": "ok",
          "found": "every variable is valid"
        },
        {
          "check": "temporal.workers",
          "status": "warning",
          "found": "no worker polls",
          "fix": "Start the worker"
        },
        {
          "check": "kubernetes.nodes",
          "status": "problem",
          "found": "no node takes job 7 (a=b)\\nno node takes job 8 (a=c)",
          "fix": "kubectl label node NODE a=b"
        },
        {
          "check": "kubernetes.claim",
          "status": "skipped",
          "found": "may not read it",
          "fix": "kubectl get pvc"
        },
        {
          "check": "postgres.clock",
          "status": "skipped",
          "found": "needs postgres.server"
        }
      ]
    }"
  `))

  it("is as bad as its worst finding; a skipped one is not bad", () => {
    const statusOf = (...given: ReadonlyArray<Finding["status"]>) =>
      reportOf(given.map((status) => ({ check: "c", status, found: "f" }))).status
    assert.strictEqual(statusOf("ok", "skipped"), "ok")
    assert.strictEqual(statusOf("ok", "warning", "skipped"), "warning")
    assert.strictEqual(statusOf("problem", "warning", "ok"), "problem")
  })
})
