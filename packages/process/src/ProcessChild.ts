/**
 * An OS process as a child of a supervisor, in the same tree and under the same strategies as any other.
 *
 * The child has started when its process has been started, or when its `readiness` says so, and ends when the process does: as
 * `Normal` if the exit code is one of success, else with `ProcessExited` or `ProcessSignaled`. A stop ends the process with all
 * that it has started, and is over when all of it is gone; so is the clearing up after a process that has ended by itself. What
 * it prints is always read, and its last lines are kept.
 *
 * @since 0.1.0
 */
import { Child, type Probe, RestartPolicy } from "coppice"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import type * as ChildProcess from "effect/process/ChildProcess"
import type * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import type * as Sink from "effect/Sink"
import { layerKept } from "./internal/kept.ts"
import { run } from "./internal/run.ts"
import { stepsOf } from "./internal/stop.ts"
import type { KillMode, StopStep } from "./KillTree.ts"
import type * as LogFile from "./LogFile.ts"
import { Ports } from "./Ports.ts"
import { ProcessGuard } from "./ProcessGuard.ts"
import type { ProcessIdentity } from "./ProcessIdentity.ts"
import type * as ProcessLog from "./ProcessLog.ts"
import type { Check, ProcessProbe } from "./ProcessProbe.ts"
import type { StateFolderUnusable } from "./StateFolder.ts"

/**
 * A process that runs, as its siblings and the users of its ref see it.
 *
 * - `pid`, `identity`: which it is.
 * - `port`: the one it was given; undefined where it has not asked for any.
 * - `command`: what it runs, for people: secrets are hidden.
 * - `path`, `incarnation`: of its child.
 * - `startedAtMillis`: since the epoch.
 * - `mark`: what it bears in `COPPICE_SUPERVISOR`, with all that it starts.
 * - `stdin`: what is written there it can read. The first who uses it to the end closes it.
 * - `log`: what it prints, and what its earlier incarnations have printed.
 * - `signal`: sends it a signal, if it still lives. The answer says whether it does.
 *
 * @category models
 * @since 0.1.0
 */
export interface Process {
  readonly pid: number
  readonly identity: ProcessIdentity
  readonly port: number | undefined
  readonly command: string
  readonly path: string
  readonly incarnation: number
  readonly startedAtMillis: number
  readonly mark: string
  readonly stdin: Sink.Sink<void, Uint8Array, never, PlatformError.PlatformError>
  readonly log: ProcessLog.ProcessLog
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<boolean>
}

/**
 * What starting a process needs: the spawner and the file system of a platform, such as `NodeServices.layer`, and
 * {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs = ChildProcessSpawner.ChildProcessSpawner | FileSystem.FileSystem | Path.Path | Ports | ProcessGuard

/**
 * How the port of a process is chosen, and told to it.
 *
 * - `preferred`: the one it has if it is free; default any that is free.
 * - `fallback`: if the preferred one is taken, any that is free; else that is `PortTaken`.
 * - `flag`: an argument that is put at the end, with the port as the next one, or in the same if the flag ends with `=`; default
 *   none.
 * - `variable`: the environment variable that has it; default `PORT`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PortOptions {
  readonly preferred?: number | undefined
  readonly fallback?: boolean | undefined
  readonly flag?: string | undefined
  readonly variable?: string | undefined
}

/**
 * How a process's log is kept: the options of `ProcessLog.make`, and with `file` a `LogFile` of that path.
 *
 * @category models
 * @since 0.1.0
 */
export interface LogOptions extends Omit<ProcessLog.Options, "path"> {
  readonly file?: (LogFile.Options & { readonly path: string }) | string | undefined
}

/**
 * What a process is given, how it ends, and how it is ended.
 *
 * - `successCodes`: the exit codes of success; default 0.
 * - `stop`: which signals it is sent, and how long is waited after each; default `SIGTERM`, and 10 seconds. Then comes `SIGKILL`.
 * - `killMode`: to whom signals go; default `"tree"`, to all that it has started.
 * - `envFiles`: files with environment variables. They are read at each start, and each value is a secret.
 * - `port`: `true` for any free port. It stays the same over restarts.
 * - `log`: how what it prints is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessOptions {
  readonly successCodes?: ReadonlyArray<number> | undefined
  readonly stop?: ReadonlyArray<StopStep> | undefined
  readonly killMode?: KillMode | undefined
  readonly envFiles?: ReadonlyArray<string> | undefined
  readonly port?: true | PortOptions | undefined
  readonly log?: LogOptions | undefined
}

/** The options of any child, but for the probes, which here are of a process. */
type OfAnyChild = Unprobed<Child.Options>

type Unprobed<O> = O extends unknown ? Omit<O, "readiness" | "liveness"> : never

/**
 * The options of a process child: those of a process, those of any child, and these.
 *
 * - `policy`: a `RestartPolicy`. What is said besides has its way.
 * - `readiness`, `liveness`: probes of the process.
 * - `service`: what later siblings find the process by, under a group strategy.
 * - `ref`: a `ChildRef` of that service.
 * - `startTimeout`: default 90 seconds with a readiness, else `"Infinity"`.
 * - `shutdown`: how long the steps of its stop may take together; default as long as they say. The kernel has 5 seconds more to
 *   clear up. `"brutal-kill"` leaves the steps out.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<Self = any, R = unknown> = OfAnyChild & ProcessOptions & {
  readonly policy?: RestartPolicy.RestartPolicy | undefined
  readonly readiness?: ProcessProbe<R> | undefined
  readonly liveness?: (ProcessProbe<R> & Omit<Probe.Liveness<never>, "check" | "interval" | "timeout">) | undefined
  readonly service?: Context.Key<Self, Process> | undefined
  readonly ref?: Child.LayerOptions<Self>["ref"]
}

type SelfOf<O> = O extends { readonly service: Context.Key<infer Self, Process> } ? Self : never

/** What the probes need besides. */
type ProbesNeed<O> =
  | (O extends { readonly readiness: ProcessProbe<infer R> } ? R : never)
  | (O extends { readonly liveness: ProcessProbe<infer R> } ? R : never)

/** Only a permanent child gives its service to siblings. What a policy says is not known to the compiler. */
type Given<O> = O extends { readonly policy: RestartPolicy.RestartPolicy } ? never
  : O extends { readonly restart: infer Restart } ? ([Restart] extends ["permanent" | undefined] ? SelfOf<O> : never)
  : SelfOf<O>

type RefOf<O> = O extends { readonly ref: Context.Key<infer Ref, any> } ? Ref : never

/** The probes of a process become probes of the child: the layer builds what they look at. */
class Watched extends Context.Service<Watched, {
  readonly process: Process
  readonly readiness: Check<never> | undefined
  readonly liveness: Check<never> | undefined
}>()("@coppice/process/ProcessChild/Watched") {}

/**
 * Creates a child that runs a process.
 *
 * **Details**
 *
 * An effect in the place of the command is run at each start, to say which it is this time.
 *
 * Of the command its `env` counts as it does for Effect: without it the process has the environment of this program, and with
 * it that environment only if `extendEnv` is set. Variables from `envFiles` and for the port are added, unless the command has
 * them itself. `stdout` and `stderr` are read, unless they are `"inherit"` or `"ignore"`. `killSignal` and `forceKillAfter` are
 * not used: `stop` takes their place.
 *
 * A start fails with `CommandNotFound`, `SpawnFailed`, `EnvFileUnreadable`, `PortTaken` or, where processes cannot be seen,
 * `UnsupportedPlatform`. A process that ends before it is ready has failed to start.
 *
 * Secrets are what is `Redacted` in the command and all that comes from files: they are in no log line, no error and no snapshot.
 * The snapshot of the child shows `pid` and `port`.
 *
 * **Example** (A server that is found through its ref)
 *
 * ```ts import.meta.vitest
 * import { ProcessChild, ProcessProbe } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { ChildRef, Supervisor } from "coppice"
 * import { Context, Effect, Layer } from "effect"
 * import { ChildProcess } from "effect/process"
 *
 * class Api extends Context.Service<Api, ProcessChild.Process>()("shop/Api") {}
 * class ApiRef extends ChildRef.Service<ApiRef>()("shop/ApiRef", Api) {}
 *
 * const serve = "require('http').createServer((_, answer) => answer.end('hello')).listen(process.env.PORT)"
 *
 * const program = Effect.gen(function*() {
 *   yield* Supervisor.make("shop", {
 *     strategy: "one-for-one",
 *     children: [
 *       ProcessChild.make("api", ChildProcess.make(process.execPath, ["-e", serve]), {
 *         port: true,
 *         readiness: ProcessProbe.http(),
 *         service: Api,
 *         ref: ApiRef
 *       })
 *     ]
 *   })
 *   return yield* ApiRef.use(({ port }) => Effect.promise(() => fetch(`http://127.0.0.1:${port}`).then((answer) => answer.text())))
 * })
 *
 * const Live = Layer.mergeAll(ApiRef.layer, ProcessChild.layer, NodeServices.layer)
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Live))) // => "hello"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Id extends string, E, R, const O extends Options = {}>(
  id: Child.ValidId<Id>,
  command: ChildProcess.StandardCommand | Effect.Effect<ChildProcess.StandardCommand, E, R>,
  options?: O
): Child.LayerChild<
  Id,
  Given<O>,
  Needs | Exclude<R, Scope.Scope> | Exclude<ProbesNeed<O> | RefOf<O>, SelfOf<O>>,
  SelfOf<O>,
  RefOf<O>
> => {
  // What the probes need is in the types of the child; from here on it is there.
  const given = (options ?? {}) as Options<any, never>
  const { liveness, readiness, ref, service } = given
  if (ref !== undefined && service === undefined) {
    throw new TypeError(`${id} has a ref of no service: give it a service too`)
  }
  const process = Effect.gen(function*() {
    const running = yield* run(command, given)
    yield* Child.forkLinked(Effect.andThen(running.ended, Child.done))
    const watched = Context.make(Watched, running)
    return service === undefined ? watched : Context.add(watched, service, running.process)
  })
  const layer = Layer.effectContext(process).pipe(Layer.provide(Child.lasting(layerKept(given))))
  // What it gives and needs depends on the options, which the compiler cannot follow through their spread.
  return Child.layer<string, any, any, any, any>(id, layer, {
    ...childOptions(given),
    ref,
    readiness: readiness === undefined
      ? undefined
      : { ...readiness, interval: readiness.interval ?? "100 millis", check: checkOf("readiness") },
    liveness: liveness === undefined ? undefined : { ...liveness, check: checkOf("liveness") }
  }) as any
}

// A layer that a test has put in its place is ready and well as it is.
const checkOf = (which: "readiness" | "liveness") =>
  Effect.flatMap(Effect.serviceOption(Watched), (watched): Effect.Effect<unknown, unknown> => {
    const check = Option.getOrUndefined(watched)?.[which]
    // @effect-diagnostics-next-line anyUnknownInErrorContext:off - a check may fail with anything
    return check === undefined || Option.isNone(watched) ? Effect.void : check(watched.value.process)
  })

/**
 * Creates a child that runs a process once, to its end, such as a migration: a `Child.task`. It has started when the process has
 * exited with a code of success, and any other end is a failed start.
 *
 * **Example** (A migration before the server)
 *
 * ```ts import.meta.vitest
 * import { ProcessChild } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { Supervisor } from "coppice"
 * import { Effect, Layer } from "effect"
 * import { ChildProcess } from "effect/process"
 *
 * const program = Effect.gen(function*() {
 *   const app = yield* Supervisor.make("app", {
 *     strategy: "rest-for-one",
 *     children: [
 *       ProcessChild.task("migrate", ChildProcess.make("true")),
 *       ProcessChild.make("server", ChildProcess.make("sleep", ["60"]))
 *     ]
 *   })
 *   const { children } = yield* app.tree
 *   return children.map(({ state }) => state)
 * })
 *
 * const Live = Layer.mergeAll(ProcessChild.layer, NodeServices.layer)
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Live))) // => ["stopped", "running"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const task = <const Id extends string, E, R>(
  id: Child.ValidId<Id>,
  command: ChildProcess.StandardCommand | Effect.Effect<ChildProcess.StandardCommand, E, R>,
  options: OfAnyChild & ProcessOptions & { readonly policy?: RestartPolicy.RestartPolicy | undefined } = {}
): Child.Child<Id, never, Needs | Exclude<R, Scope.Scope>> => {
  const once = Effect.flatMap(run(command, options), ({ ended }) => ended)
  return Child.task<string, void, unknown, any>(
    id,
    Effect.provide(once, Child.lasting(layerKept(options))),
    childOptions(options)
  ) as any
}

/**
 * What process children need of this package: a guard, and ports. One for a whole program.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Ports | ProcessGuard> = Layer.mergeAll(Ports.layer, ProcessGuard.layer)

/**
 * As `layer`, with a folder for the case that the guard dies as well as the program: see `ProcessGuard.layerState`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerState = (
  folder: string
): Layer.Layer<Ports | ProcessGuard, StateFolderUnusable, FileSystem.FileSystem | Path.Path> =>
  Layer.mergeAll(Ports.layer, ProcessGuard.layerState(folder))

/** How long the kernel may take to clear up after the last signal. */
const slack = Duration.seconds(5)

/** As long as service managers wait for a service to be ready. */
const defaultReadyTimeout = Duration.seconds(90)

/** What the core is to know of the options. */
const childOptions = (options: Options<any, never>): Unprobed<Child.Options> => {
  const { policy, readiness, shutdown } = options
  const said = policy === undefined ? undefined : RestartPolicy.toOptions(policy)
  const steps = stepsOf(options).reduce((sum, [, wait]) => Duration.sum(sum, Duration.fromInputUnsafe(wait)), slack)
  const isOfTheCore = shutdown === "brutal-kill" || shutdown === "Infinity"
  return {
    restart: options.restart ?? said?.restart,
    significant: options.significant,
    backoff: options.backoff ?? said?.backoff,
    resetAfter: options.resetAfter ?? said?.resetAfter,
    onExhausted: options.onExhausted ?? said?.onExhausted,
    startTimeout: options.startTimeout ?? (readiness === undefined ? undefined : defaultReadyTimeout),
    shutdown: isOfTheCore ? shutdown : steps
  } as Unprobed<Child.Options>
}
