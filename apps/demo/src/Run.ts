/** One run of the service, from the files to the summary. */
import { ProcessChild } from "@coppice/process"
import { SupervisionTree, Supervisor, type SupervisorError, type SupervisorEvent } from "coppice"
import {
  Console,
  Deferred,
  Duration,
  Effect,
  FileSystem,
  Layer,
  Logger,
  Option,
  Path,
  Predicate,
  Ref,
  References,
  Schedule,
  Schema
} from "effect"
import { CliError } from "effect/cli"
import { App } from "./App.ts"
import { chaos } from "./Chaos.ts"
import { readFolder, repository, withPoison } from "./Corpus.ts"
import { formatCounts } from "./Job.ts"
import { JobStore } from "./JobStore.ts"
import { Settings } from "./Settings.ts"
import { Tally } from "./Tally.ts"
import { logger, showEvent, showWelcome } from "./View.ts"

/**
 * - `folder`: whose text files become jobs; the repository's by default.
 * - `database`: the file to keep jobs in; by default a temporary one.
 * - `port`: where to listen; 0 takes a free one.
 * - `pace`: how long a worker takes over a job.
 * - `workers`: how many there are.
 * - `duration`: when to stop; by default on a signal only.
 * - `chaos`: the seed of random crashes; by default there are none.
 * - `verbose`: whether to log everything.
 */
export interface Options {
  readonly folder: Option.Option<string>
  readonly database: Option.Option<string>
  readonly port: number
  readonly pace: Duration.Duration
  readonly workers: number
  readonly duration: Option.Option<Duration.Duration>
  readonly chaos: Option.Option<string>
  readonly verbose: boolean
}

export class PortBusy extends Schema.TaggedError<PortBusy>()("PortBusy", { port: Schema.Int }) {
  override get message(): string {
    return `port ${this.port} is in use: choose another with --port, or any free one with --port 0`
  }

  override get [CliError.userMessage](): string {
    return this.message
  }
}

const isPortBusy = ({ reason }: SupervisorError.ChildStartFailed): boolean =>
  reason._tag === "StartFailed" && Predicate.isTagged(reason.error, "ServeError") &&
  Predicate.hasProperty(reason.error, "cause") && Predicate.hasProperty(reason.error.cause, "code") &&
  reason.error.cause.code === "EADDRINUSE"

// A connection of our own, never one that children could find in their surroundings and would then share.
const withStore = Effect.provide(JobStore.layer, { local: true })

const submitFolder = Effect.fnUntraced(function*(folder: Option.Option<string>) {
  const submissions = Option.isSome(folder)
    ? yield* readFolder(folder.value)
    : withPoison(yield* Effect.flatMap(repository, readFolder))
  const count = yield* withStore(Effect.gen(function*() {
    const store = yield* JobStore
    // No worker is alive yet, and a run that ends in order leaves nothing claimed: these are of a process that was killed.
    yield* store.takeBackOverdue(Duration.zero, "the process was killed")
    return yield* store.submitNew(submissions)
  }))
  yield* Console.log(`${count} texts submitted\n`)
})

const showProgress = Effect.gen(function*() {
  const store = yield* JobStore
  const last = yield* Ref.make("")
  const show = Effect.gen(function*() {
    const line = formatCounts(yield* store.counts)
    if (line !== (yield* Ref.getAndSet(last, line))) yield* Console.log(`jobs: ${line}`)
  })
  yield* Effect.repeat(show, Schedule.spaced("5 seconds"))
}).pipe(withStore, Effect.catch((error) => Effect.logWarning(error.message)))

// By now no worker is alive, so whatever is still claimed was interrupted and waits for the next run.
const summarise = Effect.fnUntraced(function*(tally: Tally) {
  const counts = yield* withStore(Effect.flatMap(JobStore, (store) => Effect.andThen(store.takeBackAll, store.counts)))
  const { done, parked, submitted, waiting } = counts
  const lost = submitted - done - parked - waiting
  yield* Console.log(`\n${tally.format()}\n`)
  yield* Console.log(
    `jobs: ${submitted} submitted ${lost === 0 ? "=" : "≠"} ${done} done + ${parked} parked + ${waiting} waiting`
  )
  if (lost === 0) return
  yield* Console.error(`lost jobs: ${lost}`)
  // Not a failure of this effect: on Ctrl-C the fiber is interrupted, and then its finalizers' failures do not get out.
  yield* Effect.sync(() => {
    process.exitCode = 1
  })
})

/** Runs until the time is over, until interrupted, or until the root gives up. */
export const run = Effect.fn("run")(function*(options: Options) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const temporary = Effect.map(
    fileSystem.makeTempDirectoryScoped({ prefix: "coppice-demo-" }),
    (folder) => path.join(folder, "jobs.sqlite")
  )
  const databaseFile = Option.isSome(options.database) ? options.database.value : yield* temporary
  const port = yield* Ref.make(options.port)
  const settings = Settings.of({ databaseFile, pace: options.pace, port, workers: options.workers })

  const tally = new Tally()
  const up = yield* Deferred.make<void>()
  const over = yield* Deferred.make<void>()

  // The start is shown as a tree when it is done; from then on a line an event.
  const onEvent = Effect.fnUntraced(function*(event: SupervisorEvent.SupervisorEvent) {
    tally.record(event)
    if (yield* Deferred.isDone(up)) yield* showEvent(event)
    else if (event._tag === "SupervisorStarted" && event.path === "app") yield* Deferred.succeed(up, undefined)
  })

  const session = Layer.effectDiscard(Effect.gen(function*() {
    const app = yield* App
    yield* Deferred.await(up)
    yield* showWelcome(SupervisionTree.toText(yield* app.tree), yield* Ref.get(port))
    yield* Effect.addFinalizer(() => Console.log("stopping"))
    yield* Effect.forkScoped(showProgress)
    if (Option.isSome(options.chaos)) {
      yield* Console.log(`chaos with seed ${options.chaos.value}\n`)
      yield* Effect.forkScoped(chaos(app, options.chaos.value))
    }
    if (Option.isSome(options.duration)) {
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep(options.duration.value), Deferred.succeed(over, undefined)))
    }
  }))

  const serve = Supervisor.launch(Layer.provide(session, App.layer), { onEvent }).pipe(
    Effect.raceFirst(Deferred.await(over)),
    Effect.mapError((error) =>
      error._tag === "ChildStartFailed" && isPortBusy(error) ? new PortBusy({ port: options.port }) : error
    ),
    // On an interruption too: this is where Ctrl-C ends up, after the last event.
    Effect.onExit(Effect.fnUntraced(function*() {
      if (!(yield* Deferred.isDone(up))) return
      yield* summarise(tally)
      yield* Console.log("stopped")
    }))
  )

  return yield* Effect.andThen(submitFolder(options.folder), serve).pipe(
    Effect.provide(ProcessChild.layer),
    Effect.provideService(Settings, settings),
    Effect.provide(Logger.layer([logger(options.verbose)])),
    Effect.provideService(References.MinimumLogLevel, options.verbose ? "Debug" : "Warn"),
    Effect.provideService(References.LogToStderr, true)
  )
}, Effect.scoped)
