import * as Duration from "effect/Duration"
import { InvalidChild } from "../SupervisorError.ts"
import type { Spec } from "./spec.ts"
import type { Settings } from "./supervisorCore.ts"

/** What is wrong with one child of a supervisor, if anything (rules A8, V2). */
export const checkChild = (
  path: string,
  spec: Spec,
  autoShutdown: Settings["autoShutdown"]
): InvalidChild | undefined => {
  const problem = problemOf(spec, autoShutdown)
  return problem === undefined ? undefined : new InvalidChild({ path, id: spec.id, problem })
}

const problemOf = (spec: Spec, autoShutdown: Settings["autoShutdown"]): string | undefined => {
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
  return undefined
}

/** What is wrong with a supervisor, if anything: checked before anything starts (rules V3, V4, I9). */
export const checkSettings = (path: string, settings: Settings): Error | undefined => {
  const { autoShutdown, children, intensity, periodMillis } = settings
  if (!Number.isInteger(intensity) || intensity < 0) {
    return new RangeError(`${path}: intensity is a whole number from zero, not ${intensity}`)
  }
  if (!(periodMillis > 0)) return new RangeError(`${path}: period is longer than zero, not ${periodMillis} ms`)
  const ids = new Set<string>()
  for (const spec of children) {
    if (ids.has(spec.id)) return new InvalidChild({ path, id: spec.id, problem: "two children have this id" })
    ids.add(spec.id)
    const invalid = checkChild(path, spec, autoShutdown)
    if (invalid !== undefined) return invalid
  }
  return undefined
}
