import { ProcessChild, ProcessTable } from "@coppice/process"
import { assert, describe, it } from "@effect/vitest"
import { Supervisor } from "coppice"
import { Effect } from "effect"
import { ChildProcess } from "effect/process"
import { readdirSync } from "node:fs"
import { run } from "./support/children.ts"

/** What a start might leave behind. Node closes what has ended a moment later. */
const resources = Effect.map(Effect.delay(ProcessTable.all, "100 millis"), (table) => ({
  descriptors: readdirSync("/proc/self/fd").length,
  handles: process.getActiveResourcesInfo().toSorted(),
  listeners: process.eventNames().map((name) => [name, process.listenerCount(name)]),
  zombies: table.filter(({ parent, zombie }) => zombie && parent === process.pid).length
}))

/** A process that ends at once is started so many times, and no more. */
const starts = Effect.fnUntraced(function*(count: number) {
  const app = yield* Supervisor.make("app", {
    strategy: "one-for-one",
    intensity: count - 1,
    period: "1 hour",
    children: [ProcessChild.make("true", ChildProcess.make("/bin/true"))]
  })
  const { restarts } = yield* Effect.flip(app.await)
  assert.strictEqual(restarts, count)
}, Effect.scoped)

describe("ten thousand starts", () => {
  it.live("leave no descriptor, no handle, no listener and no zombie behind", () =>
    run(() =>
      Effect.gen(function*() {
        yield* starts(20)
        const before = yield* resources
        yield* starts(10_000)
        assert.deepStrictEqual(yield* resources, before)
      })
    ), 300_000)
})
