/**
 * A supervision tree as a main program: it runs until it is asked to stop, or cannot go on.
 *
 * `SIGTERM` and `SIGINT` stop it in order, within a deadline; a second signal ends it at once. A pid file keeps it from being
 * started twice. Every way out is logged in one line, and has its exit code: 0, it was asked to stop or was done; 1, it gave
 * up or did not stop; 2, it could not start.
 *
 * @since 0.1.0
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ChildMiddleware, Supervisor, type SupervisorError, type SupervisorEvent } from "coppice"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { type Demand, listen } from "./internal/demands.ts"
import { type Facts as ModeFacts, readFacts } from "./internal/modeFacts.ts"
import { Roots } from "./internal/roots.ts"
import * as PidFile from "./PidFile.ts"

/**
 * Who sees what a program prints: somebody at a terminal, another program or a file, or whatever started it to run on its
 * own.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "terminal" | "piped" | "daemon"

/**
 * What the mode is known from.
 *
 * - `printsToTerminal`: standard output or standard error is a terminal.
 * - `hasTerminal`: there is a terminal that controls it, wherever it prints to.
 * - `isManaged`: a service manager such as systemd has set `INVOCATION_ID` or `NOTIFY_SOCKET`.
 * - `leadsSession`: it was started in a session of its own.
 * - `parent`: the pid of its parent, 1 or 0 where nobody else waits for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Facts = ModeFacts

/**
 * The mode of a program with these facts.
 *
 * **Example** (The same program in three places)
 *
 * ```ts import.meta.vitest
 * import { Daemon } from "@coppice/process"
 *
 * const inShell = { printsToTerminal: true, hasTerminal: true, isManaged: false, leadsSession: false, parent: 4711 }
 *
 * Daemon.modeOf(inShell) // => "terminal"
 * Daemon.modeOf({ ...inShell, printsToTerminal: false }) // => "piped"
 * Daemon.modeOf({ ...inShell, printsToTerminal: false, hasTerminal: false, leadsSession: true }) // => "daemon"
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const modeOf = (facts: Facts): Mode => {
  if (facts.printsToTerminal) return "terminal"
  if (facts.hasTerminal) return "piped"
  return facts.isManaged || facts.leadsSession || facts.parent <= 1 ? "daemon" : "piped"
}

/**
 * The mode of this program.
 *
 * @category reading
 * @since 0.1.0
 */
export const mode: Effect.Effect<Mode> = Effect.sync(() => modeOf(readFacts()))

/**
 * How a daemon has ended.
 *
 * - `Stopped`: a signal asked for it, and all has stopped in order.
 * - `ShutDown`: its tree has shut itself down.
 * - `GaveUp`: its tree gave up.
 * - `Died`: it failed in another way after it was up, such as an exception that nobody has caught.
 * - `Forced`: it was to stop (`why`), and was not waited for any longer, as the deadline had come or another signal.
 *   `waitingFor` are the paths of the children that had not stopped.
 * - `NotStarted`: it was never up.
 *
 * @category models
 * @since 0.1.0
 */
export type End =
  | { readonly _tag: "Stopped"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "ShutDown" }
  | { readonly _tag: "GaveUp"; readonly error: SupervisorError.RestartIntensityExceeded }
  | { readonly _tag: "Died"; readonly cause: Cause.Cause<unknown> }
  | {
    readonly _tag: "Forced"
    readonly why: string
    readonly by: string
    readonly waitingFor: ReadonlyArray<string>
  }
  | { readonly _tag: "NotStarted"; readonly cause: Cause.Cause<unknown> }

/**
 * The exit code of an end: 0 for `Stopped` and `ShutDown`, 2 for `NotStarted`, 1 for all others.
 *
 * @category operations
 * @since 0.1.0
 */
export const exitCode = ({ _tag }: End): 0 | 1 | 2 =>
  _tag === "Stopped" || _tag === "ShutDown" ? 0 : _tag === "NotStarted" ? 2 : 1

/**
 * How a daemon runs.
 *
 * - `name`: what it is called in the log.
 * - `pidFile`: where its pid file is, and what that says besides; default none. A `port` that is an effect is asked for
 *   when all is up, with the services of the layer.
 * - `stopTimeout`: how long it may take to stop in order; default 30 seconds.
 * - `onReady`: run when all is up, with the services of the layer.
 * - `onEvent`: as in `Supervisor.launch`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<RPort = never, RReady = never, REvent = never> {
  readonly name: string
  readonly pidFile?:
    | Omit<PidFile.Options, "port"> & {
      readonly path: string
      readonly port?: number | Effect.Effect<number, never, RPort> | undefined
    }
    | undefined
  readonly stopTimeout?: Duration.Input | undefined
  readonly onReady?: Effect.Effect<void, never, RReady> | undefined
  readonly onEvent?: ((event: SupervisorEvent.SupervisorEvent) => Effect.Effect<void, never, REvent>) | undefined
}

/**
 * Runs a tree until it ends or is asked to, and answers how it has ended. It does not end the process: `runMain` does.
 *
 * **Details**
 *
 * It logs when it is up, when it begins to stop, and how it has ended.
 *
 * The first `SIGTERM` or `SIGINT` stops it in order. When `stopTimeout` has passed, or with the next signal, it answers
 * `Forced`, and what has not stopped goes on in the background. A signal that comes within 300 ms after the first is taken
 * for the same one: where `npm start` runs a program, Ctrl-C reaches it twice.
 *
 * `SIGHUP`, by which a terminal says that it is gone, is a signal like these; but in the mode `"daemon"` it is ignored.
 *
 * An exception that is thrown outside of all fibers, and a promise that is rejected and not handled, would end a Node program
 * at once. Here it is stopped in order, and has then died.
 *
 * The pid file is made before anything else, and removed when all has stopped. After a forced end it stays, and the next
 * start clears it.
 *
 * **Gotchas**
 *
 * A program that computes without a pause hears no signal.
 *
 * **Example** (How it has ended)
 *
 * ```ts import.meta.vitest
 * import { Daemon } from "@coppice/process"
 * import { NodeServices } from "@effect/platform-node"
 * import { Child, Supervisor } from "coppice"
 * import { Effect, Logger } from "effect"
 *
 * const App = Supervisor.layer("app", {
 *   strategy: "one-for-one",
 *   autoShutdown: "any-significant",
 *   children: [Child.effect("job", Effect.void, { restart: "transient", significant: true })]
 * })
 *
 * const program = Daemon.run(App, { name: "app" }).pipe(Effect.provide([NodeServices.layer, Logger.layer([])]))
 *
 * const end = await Effect.runPromise(program)
 *
 * end // => ({ _tag: "ShutDown" })
 * Daemon.exitCode(end) // => 0
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <ROut, E, R, RPort = never, RReady = never, REvent = never>(
  layer: Layer.Layer<ROut, E, R>,
  options: Options<RPort, RReady, REvent>
): Effect.Effect<
  End,
  never,
  R | REvent | Exclude<Exclude<RPort | RReady, ROut>, Scope.Scope> | FileSystem.FileSystem | Path.Path
> =>
  Effect.scoped(Effect.gen(function*() {
    const current = yield* mode
    const demands = yield* listen({ hangupEnds: current !== "daemon" })
    const roots = new Roots()
    const state = { isUp: false }
    const end = yield* Effect.acquireUseRelease(
      Effect.forkDetach(live(layer, options, roots, state)),
      (life) => watch(life, demands, { ...options, isTerminal: current === "terminal", roots, state }),
      // Whoever interrupts this waits until all has stopped.
      (life, exit) => Exit.isFailure(exit) ? Fiber.interrupt(life) : Effect.void
    )
    yield* tell(options.name, end)
    return end
  }))

/** From the pid file to the end of the tree. */
const live = <ROut, E, R, RPort, RReady, REvent>(
  layer: Layer.Layer<ROut, E, R>,
  options: Options<RPort, RReady, REvent>,
  roots: Roots,
  state: { isUp: boolean }
) =>
  Effect.gen(function*() {
    const { name, onEvent, onReady = Effect.void } = options
    const beganAt = yield* Clock.currentTimeMillis
    const writePort = yield* holdPidFile(options)
    const up = Effect.gen(function*() {
      state.isUp = true
      const took = Duration.format(Duration.millis((yield* Clock.currentTimeMillis) - beganAt))
      yield* Effect.logInfo(`${name} is up: pid ${process.pid}, after ${took}`)
      yield* writePort
      yield* onReady
    })
    const tree = Layer.tap(layer, (services) => Effect.provide(up, services))
    const middleware = roots.middleware(yield* ChildMiddleware.ChildMiddleware)
    yield* Effect.provideService(Supervisor.launch(tree, { onEvent }), ChildMiddleware.ChildMiddleware, middleware)
  }).pipe(Effect.scoped)

/** Makes the pid file, and answers what is to be done when all is up. */
const holdPidFile = Effect.fnUntraced(function*<RPort, RReady, REvent>({ pidFile }: Options<RPort, RReady, REvent>) {
  if (pidFile === undefined) return Effect.void
  const { path, port, ...known } = pidFile
  if (!Effect.isEffect(port)) {
    yield* PidFile.acquire(path, { ...known, port })
    return Effect.void
  }
  const file = yield* PidFile.acquire(path, known)
  return Effect.flatMap(port, file.setPort).pipe(
    Effect.catch(({ message }) => Effect.logWarning(`the port is not written: ${message}`))
  )
})

interface Watching {
  readonly name: string
  readonly stopTimeout?: Duration.Input | undefined
  readonly isTerminal: boolean
  readonly roots: Roots
  readonly state: { readonly isUp: boolean }
}

/** Waits for the end, or for a demand and then for the end that follows from it. */
const watch = Effect.fnUntraced(function*(
  life: Fiber.Fiber<void, unknown>,
  demands: Queue.Dequeue<Demand>,
  { isTerminal, name, roots, state, stopTimeout = defaultStopTimeout }: Watching
) {
  const ended = Fiber.await(life)
  const first = yield* Effect.raceFirst(ended, Queue.take(demands))
  if (Exit.isExit(first)) return endOf(first, state.isUp)
  const why = nameOf(first)
  const line = `${why}: ${name} is stopping${isTerminal ? " (again to force)" : ""}`
  yield* first._tag === "Signal" ? Effect.logInfo(line) : Effect.logError(line, Cause.die(first.error))
  life.interruptUnsafe()
  const timeout = Duration.fromInputUnsafe(stopTimeout)
  const deadline = Effect.as(Effect.sleep(timeout), `the deadline of ${Duration.format(timeout)}`)
  const last = yield* Effect.raceAllFirst([ended, deadline, nextSignal(name, demands)])
  if (!Exit.isExit(last)) return { _tag: "Forced", why, by: last, waitingFor: yield* roots.stopping } as const
  return yield* stoppedBy(first, last, name, state.isUp)
})

const defaultStopTimeout = Duration.seconds(30)

/** A signal that comes so soon after another is that one once more. */
const echoTime = Duration.millis(300)

/** Waits for another signal. What is thrown while it stops does not make it faster. */
const nextSignal = Effect.fnUntraced(function*(name: string, demands: Queue.Dequeue<Demand>) {
  const since = yield* Clock.currentTimeMillis
  while (true) {
    const demand = yield* Queue.take(demands)
    if (demand._tag === "Uncaught") {
      yield* Effect.logError(`while ${name} was stopping, an exception was not caught`, Cause.die(demand.error))
    } else if ((yield* Clock.currentTimeMillis) - since > Duration.toMillis(echoTime)) {
      return `another ${demand.signal}`
    }
  }
})

/** How it has ended after a demand. It may have ended by itself a moment before. */
const stoppedBy = Effect.fnUntraced(function*(
  demand: Demand,
  exit: Exit.Exit<void, unknown>,
  name: string,
  isUp: boolean
) {
  const wasInterrupted = Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)
  if (!wasInterrupted) return endOf(exit, isUp)
  if (!Cause.hasInterruptsOnly(exit.cause)) {
    yield* Effect.logError(`while ${name} was stopping, something failed`, exit.cause)
  }
  const end: End = demand._tag === "Signal"
    ? { _tag: "Stopped", signal: demand.signal }
    : { _tag: "Died", cause: Cause.die(demand.error) }
  return end
})

const nameOf = (demand: Demand): string =>
  demand._tag === "Signal" ? demand.signal : "an exception that nobody has caught"

/** How it has ended by itself. */
const endOf = (exit: Exit.Exit<void, unknown>, isUp: boolean): End => {
  if (Exit.isSuccess(exit)) return { _tag: "ShutDown" }
  const error = Cause.squash(exit.cause)
  if (isGaveUp(error)) return { _tag: "GaveUp", error }
  return { _tag: isUp ? "Died" : "NotStarted", cause: exit.cause }
}

const isGaveUp = (error: unknown): error is SupervisorError.RestartIntensityExceeded =>
  Predicate.isTagged(error, "RestartIntensityExceeded")

/** One line that says what has happened and what to do. */
const tell = (name: string, end: End): Effect.Effect<void> => {
  switch (end._tag) {
    case "Stopped":
      return Effect.logInfo(`${name} has stopped, as ${end.signal} asked`)
    case "ShutDown":
      return Effect.logInfo(`${name} has ended: its tree has shut itself down`)
    case "GaveUp":
      return Effect.logFatal(
        `${name} has ended with exit code 1: restarts did not help; mend this and start it again\n${end.error.message}`
      )
    case "Died":
      return Effect.logFatal(`${name} has ended with exit code 1: ${messageOf(end.cause)}`, end.cause)
    case "Forced":
      return Effect.logFatal(
        `${name} is ended by force, with exit code 1: after ${end.why} came ${end.by}, and it still waited for ` +
          `${
            end.waitingFor.join(", ") || "what is beside its supervisors"
          }; give that more time, or find out why it does ` +
          "not stop"
      )
    case "NotStarted":
      return Cause.hasDies(end.cause)
        ? Effect.logFatal(`${name} could not start, exit code 2: ${messageOf(end.cause)}`, end.cause)
        : Effect.logFatal(`${name} could not start, exit code 2: ${messageOf(end.cause)}`)
  }
}

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return Predicate.isError(error) ? error.message : String(error)
}

/**
 * Runs a tree as the main program: as `run` does, and then ends the process with its exit code, whatever is still open.
 *
 * **Details**
 *
 * `surroundings` are layers that live longer than the tree, such as loggers: what the daemon itself says goes there too. When
 * the tree has ended they have 2 seconds to close. The services of Node are there for all.
 *
 * **Example** (A supervised app that is started once)
 *
 * ```ts import.meta.vitest
 * import { Daemon } from "@coppice/process"
 * import { Child, Supervisor } from "coppice"
 * import { Effect, Logger } from "effect"
 *
 * const Shop = Supervisor.layer("shop", {
 *   strategy: "one-for-one",
 *   children: [Child.effect("clock", Effect.never)]
 * })
 *
 * const main = () =>
 *   Daemon.runMain(Shop, {
 *     name: "shop",
 *     pidFile: { path: "/run/shop/shop.pid", port: 8080 },
 *     surroundings: Logger.layer([Logger.consoleJson])
 *   })
 *
 * typeof main // => "function"
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const runMain = <ROut, E, S = never>(
  layer: Layer.Layer<ROut, E, NodeServices.NodeServices | NoInfer<S>>,
  options: Options<Inside<ROut, S>, Inside<ROut, S>, NodeServices.NodeServices | NoInfer<S>> & {
    readonly surroundings?: Layer.Layer<S, never, NodeServices.NodeServices> | undefined
  }
): void => {
  const surroundings = (options.surroundings ?? Layer.empty) as Layer.Layer<S, never, NodeServices.NodeServices>
  main(within(run(layer, options), Layer.provideMerge(surroundings, NodeServices.layer)), { teardown })
}

/** What is there when all is up. */
type Inside<ROut, S> = NoInfer<ROut> | NoInfer<S> | NodeServices.NodeServices

const within = Effect.fnUntraced(function*<R>(program: Effect.Effect<End, never, R>, surroundings: Layer.Layer<R>) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(surroundings, scope)
  const end = yield* Effect.provideContext(program, context)
  const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
  yield* Effect.timeoutOption(Fiber.await(closing), closingTime)
  return exitCode(end)
})

const closingTime = Duration.seconds(2)

const main = Runtime.makeRunMain(({ fiber, teardown }) => {
  fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
})

// What is around the daemon could not be built, or else there is an end.
const teardown: Runtime.Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? Number(exit.value) : 2)
