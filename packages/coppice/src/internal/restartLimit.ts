import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Settings } from "./supervisorCore.ts"

const defaultIntensity = 3
const defaultPeriod: Duration.Input = "5 seconds"

/** The restart limit of a supervisor with these options (rule I2). */
export const restartLimit = (options: {
  readonly intensity?: number | undefined
  readonly period?: Duration.Input | undefined
}): Pick<Settings, "intensity" | "period" | "periodMillis"> => {
  const period = options.period ?? defaultPeriod
  return {
    intensity: options.intensity ?? defaultIntensity,
    period,
    // What is no duration is refused like one of zero.
    periodMillis: Duration.toMillis(Option.getOrElse(Duration.fromInput(period), () => Duration.zero))
  }
}
