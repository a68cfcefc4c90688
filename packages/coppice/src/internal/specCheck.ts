import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import { InvalidChild } from "../SupervisorError.ts"
import { checkDynamic } from "./dynamic.ts"
import { type AnyLiveness, type AnyProbe, Spec } from "./spec.ts"
import type { Settings } from "./supervisorCore.ts"

/** What is wrong with one child of a supervisor, if anything (rules A8, V2). */
export const checkChild = (
  path: string,
  spec: Spec,
  autoShutdown: Settings["autoShutdown"]
): InvalidChild | undefined => {
  const problem = problemOf(spec, autoShutdown)
  return problem === undefined ? undefined : new InvalidChild({ path, id: String(spec.id), problem })
}

const restartTypes = ["permanent", "transient", "temporary"]
const exhausteds = ["escalate", "give-up"]
const strategies = ["one-for-one", "one-for-all", "rest-for-one"]
const autoShutdowns = ["never", "any-significant", "all-significant"]

const oneOf = (values: ReadonlyArray<string>): string => values.map((value) => `"${value}"`).join(", ")

// The types exclude much of this, but not every program is typed.
const problemOf = (spec: Spec, autoShutdown: Settings["autoShutdown"]): string | undefined => {
  if (!restartTypes.includes(spec.restart)) return `restart is one of ${oneOf(restartTypes)}, not "${spec.restart}"`
  if (typeof spec.id !== "string") return "an id is a string"
  if (spec.id === "" || spec.id.includes("/")) return "an id is not empty and contains no slash"
  if (spec.significant && spec.restart === "permanent") {
    return "a permanent child cannot be significant, as it never ends for good: make it transient or temporary"
  }
  if (spec.significant && autoShutdown === "never") {
    return `a significant child has no effect under autoShutdown "never": choose "any-significant" or "all-significant"`
  }
  const { shutdown } = spec
  if (shutdown !== "brutal-kill" && !(Duration.toMillis(shutdown) >= 0)) {
    return `shutdown is a duration from zero, "Infinity" or "brutal-kill", not ${Duration.format(shutdown)}`
  }
  if (spec.care.backoff !== undefined && !Schedule.isSchedule(spec.care.backoff)) return "backoff is a Schedule"
  if (!exhausteds.includes(spec.care.onExhausted)) {
    return `onExhausted is one of ${oneOf(exhausteds)}, not "${spec.care.onExhausted}"`
  }
  return problemOfProbe("readiness", spec, spec.care.readiness) ??
    problemOfProbe("liveness", spec, spec.care.liveness) ??
    problemOfThresholds(spec.care.liveness)
}

const problemOfProbe = (what: string, { kind }: Spec, probe: AnyProbe | undefined): string | undefined => {
  if (probe === undefined) return undefined
  if (kind === "task") return `a task has no ${what}: when it has started, it is over`
  return probe.intervalMillis > 0 ? undefined : `the interval of its ${what} is a duration longer than zero`
}

const problemOfThresholds = (liveness: AnyLiveness | undefined): string | undefined => {
  if (liveness === undefined) return undefined
  const { failureThreshold, successThreshold } = liveness
  const wrong = [failureThreshold, successThreshold].find((threshold) => !Number.isInteger(threshold) || threshold < 1)
  return wrong === undefined ? undefined : `the thresholds of its liveness are whole numbers from 1, not ${wrong}`
}

/**
 * Settings, or what is wrong with them, before anything starts (rules V3, V4, I9). They are read when a supervisor is first built,
 * and if they are sound that holds for good.
 */
export const readOnce = (name: string, read: () => Settings): () => Settings | Error => {
  let sound: Settings | undefined
  return () => {
    if (sound !== undefined) return sound
    const settings = read()
    const problem = problemOfSettings(name, settings)
    if (problem !== undefined) return problem
    sound = settings
    return settings
  }
}

const problemOfSettings = (path: string, settings: Settings): Error | undefined => {
  const { autoShutdown, children, intensity, period, periodMillis, strategy } = settings
  if (!strategies.includes(strategy)) {
    return new TypeError(`${path}: strategy is one of ${oneOf(strategies)}, not "${strategy}"`)
  }
  if (!autoShutdowns.includes(autoShutdown)) {
    return new TypeError(`${path}: autoShutdown is one of ${oneOf(autoShutdowns)}, not "${autoShutdown}"`)
  }
  if (!Number.isInteger(intensity) || intensity < 0) {
    return new RangeError(`${path}: intensity is a whole number from zero, not ${intensity}`)
  }
  if (!(periodMillis > 0)) {
    return new RangeError(
      `${path}: period is a duration longer than zero, not ${
        typeof period === "string" ? `"${period}"` : String(period)
      }`
    )
  }
  if (settings.dynamic !== undefined) return checkDynamic(path, settings.dynamic)
  const ids = new Set<string>()
  for (const spec of children) {
    if (!(spec instanceof Spec)) return new TypeError(`${path}: children are made with Child.effect, .layer and so on`)
    if (ids.has(spec.id)) return new InvalidChild({ path, id: spec.id, problem: "two children have this id" })
    ids.add(spec.id)
    const invalid = checkChild(path, spec, autoShutdown)
    if (invalid !== undefined) return invalid
  }
  return undefined
}
