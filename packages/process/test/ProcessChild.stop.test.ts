import { type KillTree, ProcessChild, ProcessGuard, ProcessProbe, ProcessTable } from "@coppice/process"
import { assert, describe, it, vi } from "@effect/vitest"
import { Child, ExitReason, Supervisor } from "coppice"
import { Duration, Effect, Fiber, Layer } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { current, line, node, Proc, ProcRef, run, say, sh, supervise, texts, until } from "./support/children.ts"
import { markOfTest, shell, sleeping } from "./support/family.ts"

const proc = { service: Proc, ref: ProcRef } as const

/** Those that live and bear the mark of a process. */
const family = Effect.fnUntraced(function*({ mark }: ProcessChild.Process) {
  const marked = new Set(yield* ProcessTable.marked(mark))
  return (yield* ProcessTable.all).filter(({ pid, zombie }) => marked.has(pid) && !zombie)
})

/** The family of a process, once it has so many members. */
const familyOf = (process: ProcessChild.Process, count: number) =>
  until(Effect.filterOrFail(family(process), ({ length }) => length === count))

/** What has been told when a process is stopped, once its family has so many members: then nobody of it lives. */
const stopped = (
  command: ChildProcess.StandardCommand,
  count: number,
  options: Partial<ProcessChild.ProcessOptions> = {}
) =>
  run((lines) =>
    Effect.gen(function*() {
      const app = yield* supervise(ProcessChild.make("p", command, { ...options, ...proc }))
      const process = yield* current
      yield* familyOf(process, count)
      yield* app.terminateChild("p")
      assert.deepStrictEqual(yield* family(process), [])
      return { pid: process.pid, warnings: lines.filter((line) => line.includes("killed")) }
    })
  )

describe("a stop is over when all of it is gone", () => {
  it.live("four generations of shells", () =>
    Effect.gen(function*() {
      const { warnings } = yield* stopped(sh("sh -c \"sh -c 'sh -c \\\"sleep 60; :\\\"; :'; :\"; :"), 5)
      assert.deepStrictEqual(warnings, [])
    }))

  it.live("Node with a child of its own", () =>
    stopped(node("require('child_process').spawn('sleep', ['60']); setInterval(() => {}, 1e6)"), 2))

  it.live("those that left the group, the session and their parent", () =>
    stopped(sh("(setsid sleep 61 &); (setsid sh -c 'sleep 62 & exec sleep 63' &); exec sleep 64"), 4))

  const folder = mkdtempSync(`${tmpdir()}/forker-`)
  const source = fileURLToPath(new URL("./support/forker.c", import.meta.url))
  const hasCompiler = spawnSync("cc", ["-o", `${folder}/forker`, source]).status === 0

  it.live.skipIf(!hasCompiler)(
    "a C program with deaf descendants in sessions of their own (needs cc)",
    () =>
      Effect.gen(function*() {
        const { warnings } = yield* stopped(ChildProcess.make(`${folder}/forker`, ["4"]), 5, {
          stop: [["SIGTERM", "100 millis"]]
        })
        assert.match(warnings.join(), /^Warn: app\/p: .*was killed: (\d+ \(forker\)(, )?){4}$/)
      }).pipe(Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true }))))
  )

  it.live("those that do not want to, which are named", () =>
    Effect.gen(function*() {
      const { pid, warnings } = yield* stopped(sh("sleep 61 & trap '' TERM; (exec sleep 62) & exec sleep 63"), 3, {
        stop: [["SIGTERM", "100 millis"]]
      })
      assert.strictEqual(warnings.length, 1)
      assert.match(
        warnings.join(),
        new RegExp(`^Warn: app/p: did not end when it was asked to, and was killed: .*\\b${pid} \\(sleep\\)`)
      )
      assert.strictEqual(warnings.join().match(/\(sleep\)/g)?.length, 2)
    }))

  it.live("one that is stopped by a signal, which is woken to hear", () =>
    run((lines) =>
      Effect.gen(function*() {
        const app = yield* supervise(ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), proc))
        yield* (yield* current).signal("SIGSTOP")
        yield* app.terminateChild("p")
        assert.deepStrictEqual(lines.filter((line) => line.includes("killed")), [])
      })
    ))

  it.live("a zombie that nobody reaps is nobody", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(ProcessChild.make("p", sh("sleep 0.05 & exec sleep 61"), proc))
        const process = yield* current
        yield* until(Effect.filterOrFail(
          ProcessTable.all,
          (all) => all.some(({ parent, zombie }) => parent === process.pid && zombie)
        ))
        yield* app.terminateChild("p")
        assert.deepStrictEqual(yield* family(process), [])
      })
    ))

  it.live("also when the supervisor is told to stop while the process is still starting", () =>
    run(() =>
      Effect.gen(function*() {
        for (let n = 0; n < 20; n++) {
          const app = supervise(ProcessChild.make("p", sh("sleep 60 & exec sleep 61")))
          yield* Effect.scoped(app).pipe(Effect.timeoutOption(n % 10))
        }
      })
    ))
})

describe("whatever else is said", () => {
  it.live("an orphan that is just becoming another program is found", () =>
    Effect.gen(function*() {
      // A process has no environment while it becomes another program: it is looked at in the middle of that.
      const becoming = Array.from({ length: 12 }, () => "env").join(" ")
      const script = `setsid ${becoming} sleep 61 & exit 0`
      for (let time = 0; time < 5; time++) {
        yield* run(() =>
          Effect.gen(function*() {
            const children = Array.from(
              { length: 8 },
              (_, n) =>
                ProcessChild.make(`p${n}`, sh(script), { restart: "temporary", stop: [["SIGKILL", "1 second"]] })
            )
            const app = yield* Supervisor.make("app", { strategy: "one-for-one", children })
            yield* until(Effect.filterOrFail(app.tree, ({ children }) => children.length === 0))
          })
        )
      }
    }), 30_000)

  it.live("only the signals of the stop are sent, and none by the spawner", () =>
    run(() =>
      Effect.gen(function*() {
        const worker =
          "for (const s of ['SIGUSR2', 'SIGTERM', 'SIGINT']) process.on(s, () => { console.log(s); if (s === 'SIGINT') process.exit() }); console.log('up'); setInterval(() => {}, 1e6)"
        const leader = `const { spawn } = require('child_process'); spawn(process.execPath, ['-e', ${
          JSON.stringify(worker)
        }], { stdio: 'inherit' }); process.stdin.on('data', () => process.exit(3))`
        const app = yield* supervise(
          ProcessChild.make("p", node(leader, { killSignal: "SIGUSR2" }), {
            stop: [["SIGINT", "10 seconds"]],
            restart: "temporary",
            ...proc
          })
        )
        const process = yield* current
        yield* line(process, "up")
        yield* Effect.forkScoped(say(process, "go"))
        yield* until(Effect.filterOrFail(app.tree, ({ children }) => children.length === 0))
        assert.deepStrictEqual(yield* texts(process), ["up", "SIGINT"])
      })
    ))

  it.live("a stop takes no longer than its shutdown time, and ends with nobody alive", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("p", sh("trap '' TERM; echo up; while :; do sleep 1; done"), {
            shutdown: "200 millis",
            ...proc
          })
        )
        const process = yield* current
        yield* line(process, "up")
        const [took] = yield* Effect.timed(app.terminateChild("p"))
        assert.isBelow(Duration.toMillis(took), 5000)
        assert.deepStrictEqual(yield* family(process), [])
      })
    ))

  it.live("a process is killed at once when a supervisor above it is stopped brutally", () =>
    run(() =>
      Effect.gen(function*() {
        const inner = Supervisor.layer("inner", {
          strategy: "one-for-one",
          children: [ProcessChild.make("p", sh("trap '' TERM; echo up; while :; do sleep 1; done"), proc)]
        })
        const app = yield* supervise(Child.supervisor("inner", inner, { shutdown: "brutal-kill" }))
        const process = yield* current
        yield* line(process, "up")
        yield* app.terminateChild("inner")
        const [took] = yield* Effect.timed(familyOf(process, 0))
        assert.isBelow(Duration.toMillis(took), 5000)
      })
    ))

  it.live("a check that does not end holds up no stop", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(
          ProcessChild.make("p", ChildProcess.make("sleep", ["60"]), {
            liveness: {
              ...ProcessProbe.command(sh("trap '' TERM; echo > /dev/null; while :; do sleep 1; done"), {
                timeout: "1 minute"
              }),
              interval: "10 millis"
            },
            shutdown: "brutal-kill",
            ...proc
          })
        )
        const process = yield* current
        yield* until(Effect.filterOrFail(family(process), ({ length }) => length >= 2))
        yield* app.terminateChild("p")
        yield* familyOf(process, 0)
        assert.isUndefined((yield* app.tree).children[0]?.details)
      })
    ))

  it.live("what even SIGKILL does not end is named and waited for", () =>
    run((lines) =>
      Effect.gen(function*() {
        const sleeper = ChildProcess.make("sleep", ["60"])
        const app = yield* supervise(ProcessChild.make("p", sleeper, { stop: [["SIGTERM", "10 millis"]], ...proc }))
        const { pid } = yield* current
        const deaf = vi.spyOn(process, "kill").mockImplementation(() => true)
        yield* Effect.addFinalizer(() => Effect.sync(() => deaf.mockRestore()))
        const stopping = yield* Effect.forkScoped(app.terminateChild("p"), { startImmediately: true })
        yield* until(
          Effect.filterOrFail(Effect.sync(() => lines), (lines) => lines.some((line) => line.includes("still there")))
        )
        assert.isUndefined(stopping.pollUnsafe())
        deaf.mockRestore()
        yield* Fiber.join(stopping)
        assert.deepStrictEqual(lines.filter((line) => line.includes("app/p")), [
          `Error: app/p: killed, but still there: ${pid} (sleep)`,
          "Info: app/p: has ended at last"
        ])
      })
    ))

  it.live("a process that leads no group is asked, too", () =>
    run((lines) =>
      Effect.gen(function*() {
        const sleeper = ChildProcess.make("sleep", ["60"], { detached: false })
        const app = yield* supervise(ProcessChild.make("p", sleeper, { killMode: "group", ...proc }))
        yield* current
        yield* app.terminateChild("p")
        assert.deepStrictEqual(lines.filter((line) => line.includes("killed")), [])
      })
    ))

  it.live("the guard is told of each process, and that it has gone", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const guard = Layer.succeed(ProcessGuard.ProcessGuard, {
        nextMark: Effect.succeed(markOfTest()),
        register: ({ command, path }) => Effect.sync(() => void told.push(`+ ${path} ${command}`)),
        release: () => Effect.sync(() => void told.push("-"))
      })
      yield* run(() =>
        Effect.gen(function*() {
          const app = yield* supervise(ProcessChild.make("p", ChildProcess.make("sleep", ["60"])))
          yield* app.terminateChild("p")
          yield* app.restartChild("p")
        }).pipe(Effect.scoped, Effect.provide(guard))
      )
      assert.deepStrictEqual(told, ["+ app/p sleep 60", "-", "+ app/p sleep 60", "-"])
    }))
})

describe("a stop", () => {
  /** Says what it hears, and ends at the second request. */
  const listening =
    "for (const s of ['SIGINT', 'SIGTERM', 'SIGUSR2']) process.on(s, () => { console.log(s); if (s === 'SIGTERM') process.exit() }); console.log('up'); setInterval(() => {}, 1e6)"

  const heard = (options: Partial<ProcessChild.ProcessOptions> & { readonly shutdown?: "brutal-kill" }) =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(ProcessChild.make("p", node(listening), { ...options, ...proc }))
        const process = yield* current
        yield* line(process, "up")
        yield* app.terminateChild("p")
        return (yield* texts(process)).slice(1)
      })
    )

  it.live("is a SIGTERM, unless it is said otherwise", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* heard({}), ["SIGTERM"])
    }))

  it.live("is a sequence of signals, each after its wait, and ends as soon as all is gone", () =>
    Effect.gen(function*() {
      const stop: ReadonlyArray<KillTree.StopStep> = [
        ["SIGUSR2", "100 millis"],
        ["SIGINT", "100 millis"],
        ["SIGTERM", "1 minute"],
        ["SIGINT", "1 minute"]
      ]
      assert.deepStrictEqual(yield* heard({ stop }), ["SIGUSR2", "SIGINT", "SIGTERM"])
    }))

  it.live("that is brutal says nothing", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* heard({ shutdown: "brutal-kill" }), [])
    }))

  it.live("after a kill says nothing either", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* supervise(ProcessChild.make("p", node(listening), proc))
        const first = yield* current
        yield* line(first, "up")
        yield* app.exitChild("p", ExitReason.killed)
        yield* until(Effect.filterOrFail(current, ({ incarnation }) => incarnation === 2))
        assert.deepStrictEqual((yield* first.log.recent).filter((line) => line.incarnation === 1).length, 1)
      })
    ))

  /** Who hears a SIGTERM before the leader has gone: itself, its child in the group, and one that has left it. */
  const asked = (killMode: KillTree.KillMode) =>
    run(() =>
      Effect.gen(function*() {
        const says = (name: string, last = "") =>
          `trap 'echo ${name}; ${last}exit' TERM; echo up; while :; do sleep 0.02; done`
        const script = `(${says("member")}) & setsid sh -c "${says("leaver")}" & ${
          says("leader", "sleep 0.3; echo gone; ")
        }`
        const app = yield* supervise(ProcessChild.make("p", sh(script), { killMode, ...proc }))
        const process = yield* current
        // Whoever is asked before it has set its trap says nothing.
        yield* until(Effect.filterOrFail(texts(process), (all) => all.filter((text) => text === "up").length === 3))
        yield* app.terminateChild("p")
        const words = (yield* texts(process)).filter((text) => ["leader", "leaver", "member", "gone"].includes(text))
        return words.slice(0, words.indexOf("gone")).toSorted()
      })
    )

  it.live("asks all in mode tree, the group in mode group, and the leader in mode leader", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* asked("tree"), ["leader", "leaver", "member"])
      assert.deepStrictEqual(yield* asked("group"), ["leader", "member"])
      assert.deepStrictEqual(yield* asked("leader"), ["leader"])
    }))
})

describe("a process that is not ours", () => {
  it.live("is never sent anything, whatever a spawner says", () =>
    Effect.gen(function*() {
      // Somebody else's: its parent has gone.
      const mark = markOfTest()
      yield* shell("(exec setsid sleep 60) & exit 0", mark)
      const [foreign] = yield* sleeping(mark, 1)
      const lying = Layer.effect(
        ChildProcessSpawner.ChildProcessSpawner,
        Effect.map(ChildProcessSpawner.ChildProcessSpawner, (spawner) =>
          ChildProcessSpawner.make((command) =>
            Effect.map(spawner.spawn(command), (handle) =>
              ChildProcessSpawner.makeHandle({ ...handle, pid: ChildProcessSpawner.ProcessId(foreign!.pid) }))
          ))
      )
      yield* run(() =>
        Effect.gen(function*() {
          const app = yield* supervise(ProcessChild.make("p", ChildProcess.make("sleep", ["61"]), proc))
          const process = yield* current
          assert.strictEqual(process.pid, foreign!.pid)
          yield* app.terminateChild("p")
        }).pipe(Effect.provide(lying))
      )
      assert.deepStrictEqual(
        (yield* sleeping(mark, 1)).map(({ pid }) =>
          pid
        ),
        [foreign!.pid]
      )
    }).pipe(Effect.scoped))
})

describe("a process that ends by itself", () => {
  it.live("has nothing left of it when the next one begins", () =>
    run(() =>
      Effect.gen(function*() {
        const app = yield* Supervisor.make("app", {
          strategy: "one-for-one",
          children: [
            ProcessChild.make("p", sh("(setsid sleep 61 &); sleep 62 & read x; exit 1"), {
              stop: [["SIGTERM", "1 minute"]],
              ...proc
            })
          ]
        })
        const first = yield* current
        yield* familyOf(first, 3)
        yield* first.signal("SIGKILL")
        const second = yield* until(Effect.filterOrFail(current, ({ incarnation }) => incarnation === 2))
        assert.deepStrictEqual(yield* family(first), [])
        assert.notStrictEqual(second.pid, first.pid)
        assert.strictEqual((yield* app.tree).children[0]?.restarts, 1)
      })
    ))
})
