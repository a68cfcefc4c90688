import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { markOfTest } from "./support/family.ts"
import { randomFrom } from "./support/random.ts"
import { killAll, withTokens } from "./support/tokens.ts"

const program = fileURLToPath(new URL("./support/restless.ts", import.meta.url))
const programs = 100
const atOnce = 10
/** What is promised is two seconds, where the machine has time for it. */
const patienceMillis = 10_000

/** One look at the machine for all. A process that is just becoming another has no environment: so nobody is gone at one look. */
class Watch {
  private readonly waiting = new Map<string, { readonly tell: (at: number) => void; goneAt: number | undefined }>()

  /** When a look that was begun later than now finds nobody who has the token, and neither does the next. */
  readonly gone = (token: string) =>
    Effect.callback<number>((resume) => {
      this.waiting.set(token, { tell: (at) => resume(Effect.succeed(at)), goneAt: undefined })
    })

  readonly look = Effect.sync(() => {
    const at = performance.now()
    const left = new Set(withTokens().map(({ token }) => token))
    for (const [token, one] of this.waiting) {
      if (left.has(token)) one.goneAt = undefined
      else if (one.goneAt === undefined) one.goneAt = at
      else {
        this.waiting.delete(token)
        one.tell(one.goneAt)
      }
    }
  })
}

/** Starts a program, kills it, and says how many milliseconds later nobody of it was left. */
const killed = Effect.fnUntraced(function*(token: string, seed: number, watch: Watch) {
  const random = randomFrom(seed)
  const child = spawn(process.execPath, ["--conditions=@coppice/source", program, String(seed)], {
    env: { ...process.env, TEST_TOKEN: token },
    stdio: ["ignore", "pipe", "inherit"]
  })
  // One in five while it is still coming up.
  if (random(5) > 0) yield* Effect.callback<void>((resume) => void child.stdout.once("data", () => resume(Effect.void)))
  yield* Effect.sleep(random(300))
  const killedAt = performance.now()
  child.kill("SIGKILL")
  const goneAt = yield* Effect.timeoutOption(watch.gone(token), patienceMillis)
  return goneAt._tag === "Some" ? goneAt.value - killedAt : Infinity
})

const describeLeft = (run: string): ReadonlyArray<string> =>
  withTokens().filter(({ token }) => token.startsWith(run)).map(({ pid, token }) =>
    `${token} ${pid} ${readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")}`
  )

describe("nothing is left", () => {
  it.live("of a hundred programs that are killed at any moment, within two seconds", () =>
    Effect.gen(function*() {
      const run = markOfTest()
      const seed = Number(process.env["COPPICE_SEED"] ?? randomInt(2 ** 31))
      const watch = new Watch()
      yield* Effect.addFinalizer(() => killAll((token) => token.startsWith(run)))
      yield* Effect.forkScoped(Effect.repeat(watch.look, Schedule.spaced("50 millis")))
      const numbers = Array.from({ length: programs }, (_, number) => number)
      const times = yield* Effect.forEach(numbers, (number) => killed(`${run}${number};`, seed + number, watch), {
        concurrency: atOnce
      })
      const sorted = times.map(Math.round).toSorted((a, b) => a - b)
      const told = [0, 0.5, 0.9, 1].map((part) => sorted[Math.min(Math.floor(part * programs), programs - 1)])
      yield* Console.log(`seed ${seed}: gone after ${told.join(", ")} ms (0, 50, 90, 100 %)`)
      assert.deepStrictEqual(
        { left: describeLeft(run), late: times.flatMap((time, number) => time < patienceMillis ? [] : [number]) },
        { left: [], late: [] },
        `COPPICE_SEED=${seed}`
      )
    }), 120_000)
})
