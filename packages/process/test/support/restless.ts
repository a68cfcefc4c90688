/**
 * A program that starts, crashes and stops processes under a guard, without end, as its seed will have it. It is started often:
 * so it imports no more than it needs.
 */
import { killTree } from "@coppice/process/KillTree"
import { ProcessGuard } from "@coppice/process/ProcessGuard"
import * as ProcessIdentity from "@coppice/process/ProcessIdentity"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomFrom } from "./random.ts"

const scripts = [
  "sleep 71; sleep 72",
  "sleep 73 & sleep 0.05; exit 1",
  "(setsid sleep 74 &); setsid sh -c 'sleep 75 & sleep 76' & sleep 77",
  "(trap '' TERM INT HUP; exec setsid sleep 78) & trap '' TERM INT HUP; sleep 79; sleep 80"
]
const most = 5

const random = randomFrom(Number(process.argv[2]))
const children = new Set<ChildProcess>()

/** Starts a process, registers it some time later, and ends what it leaves when it has ended. */
const child = Effect.gen(function*() {
  const guard = yield* ProcessGuard
  const mark = yield* guard.nextMark
  const script = scripts[random(scripts.length)]!
  const env = { ...process.env, COPPICE_SUPERVISOR: `${process.env["COPPICE_SUPERVISOR"] ?? ""}${mark}` }
  const started = spawn("/bin/sh", ["-c", script], { detached: true, stdio: "ignore", env })
  children.add(started)
  const identity = ProcessIdentity.of(started.pid ?? 0)
  yield* Effect.sleep(random(10))
  yield* guard.register({ identity, mark, path: "restless/child", command: script })
  yield* Effect.callback<void>((resume) => {
    if (started.exitCode !== null || started.signalCode !== null) return resume(Effect.void)
    started.once("exit", () => resume(Effect.void))
  })
  yield* killTree(identity, { mark, steps: [["SIGTERM", random(100)]] })
  children.delete(started)
  yield* guard.release(identity)
})

const act = Effect.gen(function*() {
  if (children.size < most && random(3) > 0) return yield* Effect.forkScoped(child)
  const one = Array.from(children)[random(children.size)]
  one?.kill(random(2) === 0 ? "SIGKILL" : "SIGTERM")
})

const program = Effect.gen(function*() {
  yield* Effect.sync(() => process.stdout.write("up\n"))
  return yield* Effect.forever(Effect.andThen(act, Effect.sleep(random(50))))
})

Effect.runFork(program.pipe(Effect.scoped, Effect.provide(ProcessGuard.layer)))
