/** The command line. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Duration, Effect, Exit, Option, Random, Runtime } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { poison } from "./Analysis.ts"
import { maxTries } from "./Job.ts"
import { run } from "./Run.ts"
import { maxWorkers } from "./Workers.ts"

const units: Record<string, Duration.Unit> = { ms: "millis", s: "seconds", m: "minutes", h: "hours" }

/** `5s`, `200ms`, `1.5m`, or whatever Effect reads as a duration. */
const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const short = /^(?<amount>\d+(?:\.\d+)?)(?<unit>ms|s|m|h)$/.exec(text)?.groups
  const input = short === undefined ? text : `${short["amount"]} ${units[short["unit"] ?? ""]}`
  return Option.filter(
    Duration.fromInput(input as Duration.Input),
    (duration) => Duration.isFinite(duration) && Duration.isPositive(duration)
  )
}

const duration = (name: string) =>
  Flag.String(name).pipe(
    Flag.filterMap(parseDuration, (text) => `"${text}" is no duration; write 5s, 500ms or 2m`),
    Flag.withMetavar("duration")
  )

const port = Flag.Int("port").pipe(
  Flag.filter(
    (number) => number >= 0 && number <= 65535,
    (number) => `${number} is no port; ports are from 0 to 65535`
  ),
  Flag.withDescription("Where to listen, on 127.0.0.1; 0 takes any free port; default: 8080"),
  Flag.withDefault(8080)
)

// The help indents the first line only.
const description = [
  "A small job service under supervision. Text files become jobs in SQLite, workers",
  "count their words and lines, and the results are served over HTTP.",
  "",
  `A text with ${poison} on its first line makes a worker panic. Its job is tried again by`,
  `the worker's next incarnation, and parked after ${maxTries} tries.`,
  "",
  "Ctrl-C stops the tree in order. The exit code is 0 if every job is accounted for,",
  "1 if one is lost or the service could not start or go on."
].join("\n  ")

const flags = {
  folder: Argument.Directory("folder", { mustExist: true }).pipe(
    Argument.withDescription("The folder whose text files become jobs; default: this repository, and two poisons"),
    Argument.optional
  ),
  port,
  duration: duration("for").pipe(Flag.withDescription("Stop after this time; default: on Ctrl-C"), Flag.optional),
  chaos: Flag.Boolean("chaos").pipe(
    Flag.withDescription("Crash random children all the time"),
    Flag.withDefault(false)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription("Makes chaos repeat its choices; default: a random one, which is shown"),
    Flag.optional
  ),
  pace: duration("pace").pipe(
    Flag.withDescription("How long a worker takes over a job; default: 500ms"),
    Flag.withDefault(Duration.millis(500))
  ),
  workers: Flag.Int("workers").pipe(
    Flag.filter(
      (number) => number >= 1 && number <= maxWorkers,
      (number) => `${number} workers: there are from 1 to ${maxWorkers}`
    ),
    Flag.withDescription("How many workers there are; default: 3"),
    Flag.withDefault(3)
  ),
  database: Flag.File("database").pipe(
    Flag.withDescription("Keep the jobs in this file, for one process at a time; default: a temporary file"),
    Flag.optional
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withDescription("Log everything to standard error, such as supervisor reports with stack traces"),
    Flag.withDefault(false)
  )
}

const demo = Command.make("demo", flags, ({ chaos, seed, ...options }) => {
  if (!chaos && Option.isSome(seed)) {
    return Effect.fail(
      new CliError.UserError({ cause: new Error("--seed is the seed of --chaos: give both, or none") })
    )
  }
  const anySeed = Effect.map(Random.nextIntBetween(0, 1_000_000), String)
  const chosen = chaos
    ? Effect.asSome(Option.match(seed, { onNone: () => anySeed, onSome: Effect.succeed }))
    : Effect.succeedNone
  return chosen.pipe(
    Effect.flatMap((known) => run({ ...options, chaos: known })),
    // What is told to the user is the message, without a stack.
    Effect.mapError((error) =>
      CliError.getUserMessage(error) === undefined ? new CliError.UserError({ cause: error }) : error
    )
  )
}).pipe(
  Command.withDescription(description),
  Command.withExamples([
    { command: "npm start", description: "Serve the repository's own texts until Ctrl-C" },
    { command: "npm start -- --for 5s --chaos --seed 7", description: "Five seconds of random crashes, and a summary" },
    { command: "npm start -- ~/notes --port 0", description: "Other texts, any free port" }
  ])
)

// An interruption is how a service is asked to stop. If it has then lost nothing (see `Run`), that is a success.
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
    ? onExit(Number(process.exitCode ?? 0))
    : Runtime.defaultTeardown(exit, onExit)

// As in `npm start | head`: nobody watches any more, so stop in order. Unheard, the error would end the process at once.
process.stdout.on("error", () => process.kill(process.pid, "SIGTERM"))

demo.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ teardown })
)
