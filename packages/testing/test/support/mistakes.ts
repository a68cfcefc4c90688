import { Model } from "@coppice/testing"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A rule, and the place in the model where it is broken. */
export interface Mistake {
  readonly rule: string
  readonly right: string
  readonly wrong: string
}

const source = readFileSync(new URL("../../src/Model.ts", import.meta.url), "utf8")

/** The model with one mistake in it. */
export const withMistake = ({ right, rule, wrong }: Mistake): Effect.Effect<typeof Model.predict> =>
  Effect.promise(async () => {
    assert.strictEqual(source.split(right).length, 2, `${rule}: not found once in the model: ${right}`)
    const folder = mkdtempSync(join(tmpdir(), "coppice-model-"))
    try {
      const file = join(folder, "Model.ts")
      writeFileSync(file, source.replace(right, wrong))
      const mistaken: typeof Model = await import(/* @vite-ignore */ file)
      return mistaken.predict
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

/** Mistakes one could make. */
export const mistakes: ReadonlyArray<Mistake & { readonly nodes: number; readonly steps: number }> = [
  {
    rule: "T1: children are stopped in reverse order",
    right: "children.toReversed()",
    wrong: "children",
    nodes: 3,
    steps: 1
  },
  {
    rule: "S3: a start that fails stops what has started",
    right: `this.stopAll(supervisor.children)
      this.tell({ ev: "sup_start_failed"`,
    wrong: `this.tell({ ev: "sup_start_failed"`,
    nodes: 3,
    steps: 0
  },
  {
    rule: "R2: a transient child that left cleanly is not restarted",
    right: `restart === "transient" && !isClean`,
    wrong: `restart === "transient"`,
    nodes: 2,
    steps: 1
  },
  {
    rule: "I1: as many restarts as the intensity pass",
    right: "> spec.intensity",
    wrong: ">= spec.intensity",
    nodes: 2,
    steps: 1
  },
  {
    rule: "I3: the window is closed",
    right: "time >= this.now",
    wrong: "time > this.now",
    nodes: 2,
    steps: 3
  },
  {
    rule: "I8: a restarted supervisor starts counting at zero",
    right: "{ spec, child, children: [], restarts: [] }",
    wrong:
      "{ spec, child, children: [], get restarts() { return child.kept ?? [] }, set restarts(to) { child.kept = to } }",
    nodes: 3,
    steps: 3
  },
  {
    rule: "F2: each try is counted",
    right: "supervisor.restarts = [...supervisor.restarts, this.now]",
    wrong: `if (this.events.at(-1)?.ev !== "start_failed") supervisor.restarts = [...supervisor.restarts, this.now]`,
    nodes: 2,
    steps: 1
  },
  {
    rule: "F5: the child whose start failed is the one that is restarted now",
    right: "failed = this.tryRestart(supervisor, failed)",
    wrong: "failed = this.tryRestart(supervisor, failed) && child",
    nodes: 3,
    steps: 1
  },
  {
    rule: "G3: earlier siblings are untouched under rest_for_one",
    right: "children.slice(children.indexOf(child))",
    wrong: "children",
    nodes: 3,
    steps: 1
  },
  {
    rule: "G4: temporary children of a restarted group are forgotten",
    right: `affected.filter((other) => other.spec.restart !== "temporary")`,
    wrong: "affected",
    nodes: 3,
    steps: 1
  },
  {
    rule: "U2: a transient supervisor that gave up is not restarted",
    right: "this.left(supervisor.child, true)",
    wrong: "this.left(supervisor.child, false)",
    nodes: 3,
    steps: 1
  },
  {
    rule: "A1: any significant child that leaves ends its supervisor",
    right: `case "any_significant":
      return true`,
    wrong: `case "any_significant":
      return false`,
    nodes: 2,
    steps: 1
  },
  {
    rule: "A2: all significant children have to be down",
    right: "children.every((child) => !child.spec.significant || child.process === undefined)",
    wrong: "true",
    nodes: 3,
    steps: 1
  },
  {
    rule: "C5: a terminated child stays listed",
    right: `this.stopAll([child])
    this.keepUnlessTemporary(supervisor, child)`,
    wrong: `this.stopAll([child])
    this.forget(supervisor, child)`,
    nodes: 2,
    steps: 1
  }
]
