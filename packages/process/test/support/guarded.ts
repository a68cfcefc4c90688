/** A program under a guard. It starts what its arguments say, in shells, and then waits to be killed. */
import { ProcessGuard } from "@coppice/process"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { spawn } from "node:child_process"

const program = Effect.gen(function*() {
  const guard = yield* ProcessGuard.ProcessGuard
  for (const script of process.argv.slice(2)) {
    const mark = yield* guard.nextMark
    const env = { ...process.env, COPPICE_SUPERVISOR: `${process.env["COPPICE_SUPERVISOR"] ?? ""}${mark}` }
    spawn("/bin/sh", ["-c", script], { detached: true, stdio: "ignore", env })
  }
  yield* Effect.sync(() => process.stdout.write("up\n"))
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.provide(program, ProcessGuard.ProcessGuard.layer))
