import { ProcessIdentity, ProcessTable } from "@coppice/process"
import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"

/** A mark of a test's own. */
export const markOfTest = (): string => `${randomUUID()};`

/** A shell that runs a script, the leader of a group of its own, killed with all it has started when the scope closes. */
export const shell = (script: string, mark: string) =>
  Effect.acquireRelease(
    Effect.sync(() => start("/bin/sh", ["-c", script], mark)),
    () =>
      Effect.map(Effect.orDie(ProcessTable.marked(mark)), (pids) => {
        for (const pid of pids) ProcessIdentity.signal(ProcessIdentity.of(pid), "SIGKILL")
      })
  )

const start = (command: string, args: ReadonlyArray<string>, mark: string): ChildProcess & { readonly pid: number } => {
  const child = spawn(command, args, {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, COPPICE_SUPERVISOR: mark }
  })
  assert.isDefined(child.pid)
  return child as ChildProcess & { readonly pid: number }
}

/** Those that live and bear the mark, once there are so many, in so many sessions. */
export const livingOf = (mark: string, count: number, sessions = 1) =>
  Effect.flatMap(
    living(mark),
    (entries) =>
      entries.length === count && new Set(entries.map(({ session }) => session)).size === sessions
        ? Effect.succeed(entries)
        : Effect.fail(entries)
  ).pipe(
    Effect.retry(Schedule.spaced("10 millis")),
    Effect.timeout("10 seconds")
  )

/** Those that live and bear the mark, by their pids, once there are so many and each has become a `sleep`. */
export const sleeping = (mark: string, count: number) =>
  living(mark).pipe(
    Effect.filterOrFail((entries) => entries.length === count && entries.every(({ name }) => name === "sleep")),
    Effect.retry(Schedule.spaced("10 millis")),
    Effect.timeout("10 seconds"),
    Effect.map((entries) => entries.toSorted((a, b) => a.pid - b.pid))
  )

/** Those that live and bear the mark. */
export const living = (mark: string) =>
  Effect.gen(function*() {
    const marked = new Set(yield* ProcessTable.marked(mark))
    return (yield* ProcessTable.all).filter(({ pid, zombie }) => marked.has(pid) && !zombie)
  })
