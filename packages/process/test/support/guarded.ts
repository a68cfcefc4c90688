/** A program under a guard. It starts what its argument says, in shells, and then waits to be killed. */
import { ProcessGuard, ProcessIdentity } from "@coppice/process"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { spawn } from "node:child_process"

/**
 * Its state folder, and the scripts of those that are registered, that are registered and released, and that are not, as if the
 * program were killed before.
 */
export interface Plan {
  readonly folder?: string
  readonly released?: ReadonlyArray<string>
  readonly registered?: ReadonlyArray<string>
  readonly unregistered?: ReadonlyArray<string>
}

const { folder, registered = [], released = [], unregistered = [] } = JSON.parse(process.argv[2] ?? "{}") as Plan

const start = Effect.fnUntraced(function*(script: string) {
  const mark = yield* (yield* ProcessGuard.ProcessGuard).nextMark
  const env = { ...process.env, COPPICE_SUPERVISOR: `${process.env["COPPICE_SUPERVISOR"] ?? ""}${mark}` }
  const { pid } = spawn("/bin/sh", ["-c", script], { detached: true, stdio: "ignore", env })
  return { identity: ProcessIdentity.of(pid ?? 0), mark, path: "app/script", command: script }
})

const program = Effect.gen(function*() {
  const guard = yield* ProcessGuard.ProcessGuard
  for (const script of registered) yield* guard.register(yield* start(script))
  for (const script of released) {
    const process = yield* start(script)
    yield* guard.register(process)
    yield* guard.release(process.identity)
  }
  for (const script of unregistered) yield* start(script)
  yield* Effect.sync(() => process.stdout.write("up\n"))
  return yield* Effect.never
})

const layer = folder === undefined
  ? ProcessGuard.ProcessGuard.layer
  : Layer.provide(ProcessGuard.ProcessGuard.layerState(folder), NodeServices.layer)

NodeRuntime.runMain(Effect.provide(program, layer))
