import { ProcessIdentity } from "@coppice/process"
import { Effect, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Plan } from "./guarded.ts"

const program = fileURLToPath(new URL("./guarded.ts", import.meta.url))

/**
 * A program under a guard, once it is up: all it starts, and its guard, have the token in their environment. When the scope
 * closes nobody is left that has it.
 */
export const guarded = (token: string, plan: Plan) =>
  Effect.acquireRelease(start(token, plan), () => killAll((found) => found === token))

const start = (token: string, plan: Plan) =>
  Effect.callback<ChildProcess>((resume) => {
    const child = spawn(process.execPath, ["--conditions=@coppice/source", program, JSON.stringify(plan)], {
      env: { ...process.env, TEST_TOKEN: token },
      stdio: ["ignore", "pipe", "inherit"]
    })
    // What it logs comes before.
    child.stdout.on("data", (chunk) => String(chunk).endsWith("up\n") && resume(Effect.succeed(child)))
  })

/** Kills whoever has such a token. */
export const killAll = (isMeant: (token: string) => boolean) =>
  Effect.sync(() => {
    for (const { pid, token } of withTokens()) if (isMeant(token)) ProcessIdentity.signal({ pid }, "SIGKILL")
  })

/** Those that have the variable `TEST_TOKEN` in their environment, the guards included, with what it is. */
export const withTokens = (): ReadonlyArray<{ readonly pid: number; readonly token: string }> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const [, token] = /(?:^|\0)TEST_TOKEN=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, "latin1")) ?? []
      return token === undefined ? [] : [{ pid: Number(pid), token }]
    } catch {
      return [] // it has ended meanwhile
    }
  })

/** The pids of those that have this token. */
export const withToken = (token: string): ReadonlyArray<number> =>
  withTokens().filter((found) => found.token === token).map(({ pid }) => pid)

/** Waits until those that have the token are as they are to be. */
export const untilTokens = (token: string, areWell: (pids: ReadonlyArray<number>) => boolean) =>
  Effect.suspend(() => {
    const pids = withToken(token)
    return areWell(pids) ? Effect.succeed(pids) : Effect.fail(pids)
  }).pipe(Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))))

/** Fails with those that are left after a while: two seconds are promised, where the machine has time. */
export const goneInTime = (token: string) => untilTokens(token, ({ length }) => length === 0)
