import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { markOfTest } from "./support/family.ts"

const program = fileURLToPath(new URL("./support/guarded.ts", import.meta.url))

/** A program under a guard, once it is up: all it starts, and its guard, have the token in their environment. */
const guarded = (token: string, ...scripts: ReadonlyArray<string>) =>
  Effect.callback<ChildProcess>((resume) => {
    const child = spawn(process.execPath, ["--conditions=@coppice/source", program, ...scripts], {
      env: { ...process.env, TEST_TOKEN: token },
      stdio: ["ignore", "pipe", "inherit"]
    })
    child.stdout.once("data", () => resume(Effect.succeed(child)))
  })

/** The pids of those that have the token in their environment, the guards included. */
const withToken = (token: string): ReadonlyArray<number> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TEST_TOKEN=${token}`)
    } catch {
      return false
    }
  }).map(Number)

const allGone = (token: string) =>
  Effect.suspend(() => {
    const left = withToken(token)
    return left.length === 0 ? Effect.void : Effect.fail(left)
  })

/** Fails with those that are left after a while: two seconds are promised, where the machine has time. */
const goneInTime = (token: string) =>
  allGone(token).pipe(Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))))

const stubborn = "trap '' TERM INT HUP; sleep 64; sleep 65"
const leaver = "(setsid sh -c 'sleep 66 & sleep 67' &); sleep 68"

describe("ProcessGuard", () => {
  it.live("ends everything within two seconds when its program is killed", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, stubborn, leaver, "sleep 69")
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live("ends what cleared its environment, as long as its parents live", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, "env -i TEST_TOKEN=$TEST_TOKEN sleep 64; :")
      child.kill("SIGKILL")
      yield* goneInTime(token)
    }), 20_000)

  it.live("is gone when its program has ended in order, and has touched nobody", () =>
    Effect.gen(function*() {
      const token = markOfTest()
      const child = yield* guarded(token, "exec sleep 64")
      yield* Effect.retry(
        Effect.suspend(() => withToken(token).length === 3 ? Effect.void : Effect.fail("not yet")),
        Schedule.spaced("10 millis")
      )
      yield* Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })
      const left = withToken(token)
      for (const pid of left) process.kill(pid, "SIGKILL")
      assert.strictEqual(left.length, 1)
      yield* goneInTime(token)
    }), 20_000)
})
