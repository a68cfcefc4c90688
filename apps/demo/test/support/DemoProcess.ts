/** The demo as a user has it: a process, its output and its exit code. */
import { Deferred, Effect, Fiber, type PlatformError, Ref, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

export interface Ended {
  readonly exitCode: number
  readonly stdout: ReadonlyArray<string>
  readonly stderr: ReadonlyArray<string>
}

/**
 * Starts the demo; the scope kills what is left of it. `url` is known when it listens, `stop` sends SIGTERM, and `end` is
 * what there is when it has exited. Its output is read all the time, as a full pipe would hold it up.
 */
export const start = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const handle = yield* ChildProcess.make(
    process.execPath,
    ["--conditions=@coppice/source", "apps/demo/src/main.ts", ...args],
    { cwd: root, env: { NO_COLOR: "1" }, extendEnv: true, forceKillAfter: "5 seconds" }
  )
  const listening = yield* Deferred.make<string>()
  const collect = Effect.fnUntraced(function*(stream: typeof handle.stdout) {
    const lines = yield* Ref.make<ReadonlyArray<string>>([])
    yield* Stream.runForEach(
      stream.pipe(Stream.decodeText(), Stream.splitLines),
      (line) => {
        const url = /^listening on (?<url>\S+)$/.exec(line)?.groups?.["url"]
        return Effect.andThen(
          Ref.update(lines, (before) => [...before, line]),
          url === undefined ? Effect.void : Deferred.succeed(listening, url)
        )
      }
    )
    return yield* Ref.get(lines)
  })
  const stdout = yield* Effect.forkScoped(collect(handle.stdout))
  const stderr = yield* Effect.forkScoped(collect(handle.stderr))
  const end: Effect.Effect<Ended, PlatformError.PlatformError> = Effect.all({
    exitCode: handle.exitCode,
    stdout: Fiber.join(stdout),
    stderr: Fiber.join(stderr)
  })
  return { url: Deferred.await(listening), stop: handle.kill(), pid: handle.pid, end }
})
