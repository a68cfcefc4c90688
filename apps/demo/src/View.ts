/** What the terminal shows: a line for each event, and nothing that an event tells on standard error again. */
import { SupervisorEvent } from "coppice"
import { Cause, Console, DateTime, Effect, Logger, LogLevel, Predicate, References } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { host } from "./Settings.ts"

const colours = { red: 31, green: 32, yellow: 33, grey: 90 }
type Colour = keyof typeof colours

const paint = (colour: Colour, text: string): Effect.Effect<string> =>
  Effect.map(
    TerminalCapabilities.TerminalCapabilities,
    ({ canColor }) => canColor ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text
  )

const timeOfDay = (millis: number): string =>
  DateTime.formatIsoOffset(DateTime.makeZonedUnsafe(millis, { timeZone: DateTime.zoneMakeLocal() })).slice(11, 23)

const colourOf: Record<SupervisorEvent.SupervisorEvent["_tag"], Colour> = {
  SupervisorStarted: "green",
  SupervisorStopped: "yellow",
  SupervisorGaveUp: "red",
  ChildStarting: "grey",
  ChildStarted: "green",
  ChildReady: "green",
  ChildHealthChanged: "grey",
  ChildIgnored: "grey",
  ChildStartFailed: "red",
  ChildExited: "red",
  ChildRestarting: "grey",
  ChildBackingOff: "yellow",
  ChildFailed: "red",
  ChildStopped: "yellow",
  ChildAbandoned: "red"
}

export const showEvent = Effect.fnUntraced(function*(event: SupervisorEvent.SupervisorEvent) {
  const line = yield* paint(colourOf[event._tag], SupervisorEvent.format(event))
  yield* Console.log(`${timeOfDay(event.timeMillis)}  ${line}`)
})

export const showWelcome = (tree: string, port: number): Effect.Effect<void> =>
  Console.log(`${tree}

listening on http://${host}:${port}
  curl http://${host}:${port}/tree
  curl http://${host}:${port}/jobs
  curl -X POST http://${host}:${port}/crash/app/store/database
Ctrl-C stops
`)

// Every supervisor report of these contexts has its event. The one context without is "shutdown-error": a finalizer
// that failed, an observer that threw.
const contextsWithEvents: ReadonlySet<unknown> = new Set(["progress", "child-terminated", "start-error", "shutdown"])

/**
 * Writes log lines to standard error, as standard output is for the events. Supervisor reports that have an event are
 * left out, unless `everything` is asked for.
 */
export const logger = (everything: boolean): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    if (!everything && "supervisor" in annotations && contextsWithEvents.has(annotations["context"])) return
    const parts = Array.isArray(message) ? message : [message]
    const text = parts.map((part) => Predicate.isString(part) ? part : JSON.stringify(part)).join(" ")
    // Where a child logged from is said by the event next to it.
    const shown = Object.entries(annotations).filter(([key]) => everything || !key.startsWith("coppice."))
    const details = shown.map(([key, value]) => ` ${key}=${String(value)}`).join("")
    const colour = LogLevel.isGreaterThanOrEqualTo(logLevel, "Error") ? "red" : "yellow"
    const line = Effect.runSync(Effect.provideContext(paint(colour, text), fiber.context))
    const trace = cause.reasons.length === 0 ? "" : `\n${Cause.pretty(cause)}`
    fiber.getRef(Console.Console).error(`${timeOfDay(date.getTime())}  ${line}${details}${trace}`)
  })
