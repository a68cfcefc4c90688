import { Ports, ProcessChild, ProcessExit, ProcessGuard, ProcessProbe } from "@coppice/process"
import { TestProcess, VirtualTime } from "@coppice/testing"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Backoff, Child, RestartPolicy, Supervisor } from "coppice"
import { Effect, Fiber, Layer, Logger, type Scope } from "effect"
import { ChildProcess } from "effect/process"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { Proc } from "./support/children.ts"

const run = <A, E>(
  scripts: TestProcess.Scripts,
  effect: Effect.Effect<A, E, Scope.Scope | ProcessChild.Needs | TestProcess.TestProcesses>
) => {
  const Live = Layer.mergeAll(
    TestProcess.layer(scripts),
    Ports.Ports.layer,
    ProcessGuard.ProcessGuard.layerNone,
    Logger.layer([])
  ).pipe(
    Layer.provideMerge(NodeServices.layer)
  )
  return VirtualTime.run(Effect.provide(Effect.scoped(effect), Live))
}

const supervise = (options: Partial<ProcessChild.Options>) =>
  Supervisor.make("app", {
    strategy: "one-for-one",
    intensity: 1000,
    children: [ProcessChild.make("job", ChildProcess.make("job"), options as {})]
  })

describe("a process child, under virtual time", () => {
  it.effect("is restarted with the waits of a policy, and fails when they are used up", () =>
    run(
      { job: (process) => Effect.delay(Effect.succeed(1), `${process.attempt} seconds`) },
      Effect.gen(function*() {
        const policy = RestartPolicy.make({ maxRestarts: 3, startupMaxRestarts: -1, initialDelayMillis: 1000 })
        const app = yield* supervise({ policy })
        const processes = yield* TestProcess.TestProcesses
        const started: Array<number> = []
        for (let second = 1; second <= 30; second++) {
          const before = (yield* processes.all).length
          yield* TestClock.adjust("1 second")
          yield* VirtualTime.settle
          if ((yield* processes.all).length > before) started.push(second)
        }
        // It runs for 1, 2, 3 and 4 seconds, and waits 1, 2 and 4 in between.
        assert.deepStrictEqual(started, [2, 6, 13])
        const [job] = (yield* app.tree).children
        assert(job !== undefined)
        assert.strictEqual(job.state, "failed")
        assert(
          job.lastExit?.reason._tag === "Failure" && job.lastExit.reason.error instanceof ProcessExit.ProcessExited
        )
        assert.strictEqual(job.lastExit.reason.error.code, 1)
      })
    ))

  it.effect("is asked by each step of its stop, and killed in the end", () =>
    run(
      { job: (process) => Effect.andThen(process.ignore("SIGTERM", "SIGINT"), Effect.never) },
      Effect.gen(function*() {
        const app = yield* supervise({ stop: [["SIGINT", "3 seconds"], ["SIGTERM", "5 seconds"]] })
        const processes = yield* TestProcess.TestProcesses
        const [job] = yield* processes.all
        const stopping = yield* Effect.forkChild(app.terminateChild("job"), { startImmediately: true })
        const seen: Array<[number, string]> = []
        for (let second = 0; second <= 8; second++) {
          yield* VirtualTime.settle
          const signals = yield* job!.signals
          if (signals.length > seen.length) seen.push([second, signals.join(" ")])
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(seen, [[0, "SIGINT"], [3, "SIGINT SIGTERM"], [8, "SIGINT SIGTERM SIGKILL"]])
        yield* VirtualTime.settle
        assert.isDefined(stopping.pollUnsafe())
      })
    ))

  it.effect("asks ten times a second whether it is ready, unless it is told otherwise", () =>
    run(
      { job: () => Effect.never },
      Effect.gen(function*() {
        let checks = 0
        const readiness = ProcessProbe.make(() =>
          Effect.suspend(() => ++checks <= 20 ? Effect.fail("no") : Effect.void)
        )
        const starting = yield* Effect.forkScoped(supervise({ readiness }))
        yield* TestClock.adjust("1999 millis")
        yield* VirtualTime.settle
        assert.deepStrictEqual([checks, starting.pollUnsafe()], [20, undefined])
        yield* TestClock.adjust("1 millis")
        yield* VirtualTime.settle
        assert.isDefined(starting.pollUnsafe())
      })
    ))

  it.effect("is waited for to be ready no longer than 90 seconds, unless it is told otherwise", () =>
    run(
      { job: () => Effect.never },
      Effect.gen(function*() {
        const readiness = ProcessProbe.make(() => Effect.fail("not yet"))
        const starting = yield* Effect.forkScoped(Effect.flip(supervise({ readiness })))
        yield* TestClock.adjust("89999 millis")
        yield* VirtualTime.settle
        assert.isUndefined(starting.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(starting)
        assert.include(error.message, "did not start within 90000 ms, and was not ready: not yet")
      })
    ))

  it.effect("waits for no clock of the machine, whoever has no environment there", () =>
    Effect.gen(function*() {
      // As one has that is just becoming another program.
      const blank = yield* Effect.acquireRelease(
        Effect.sync(() => spawn("sleep", ["60"], { env: {}, stdio: "ignore" })),
        (process) => Effect.sync(() => process.kill("SIGKILL"))
      )
      assert.strictEqual(readFileSync(`/proc/${blank.pid}/environ`, "utf8"), "")
      yield* run(
        { job: () => Effect.never },
        Effect.gen(function*() {
          const app = yield* supervise({})
          const stopping = yield* Effect.forkChild(app.terminateChild("job"), { startImmediately: true })
          yield* VirtualTime.settle
          assert.isDefined(stopping.pollUnsafe())
        })
      )
    }).pipe(Effect.scoped))

  it.effect("can be sent signals", () =>
    run(
      { job: (process) => Effect.andThen(process.ignore("SIGHUP"), Effect.never) },
      Effect.gen(function*() {
        yield* Supervisor.make("app", {
          strategy: "rest-for-one",
          children: [
            ProcessChild.make("job", ChildProcess.make("job"), { service: Proc }),
            Child.task("reload", Effect.flatMap(Proc, ({ signal }) => signal("SIGHUP")))
          ]
        })
        const processes = yield* TestProcess.TestProcesses
        const [job] = yield* processes.all
        yield* VirtualTime.settle
        assert.deepStrictEqual(yield* job!.signals, ["SIGHUP"])
      })
    ))

  it.effect("says in a line why its process cannot be started", () =>
    run(
      { job: ["EAGAIN", "EMFILE", () => Effect.never] },
      Effect.gen(function*() {
        const processes = yield* TestProcess.TestProcesses
        const app = yield* supervise({ backoff: Backoff.fixed("10 seconds"), restart: "permanent" }).pipe(Effect.flip)
        assert.match(app.message, /job could not be started: .*EAGAIN/)
        assert.deepStrictEqual(yield* processes.all, [])
      })
    ))
})
