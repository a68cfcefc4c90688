import type { GaveUp, RestartIntensityExceeded } from "../ExitReason.ts"
import { withoutStack } from "./withoutStack.ts"

/**
 * Why a supervisor ends that gives up. The error is made when it is first read: where failures climb through many levels, nobody
 * reads that of any but the last.
 */
export const gaveUp = (make: () => RestartIntensityExceeded): GaveUp => {
  let error: RestartIntensityExceeded | undefined
  return {
    _tag: "GaveUp",
    get error() {
      return error ??= withoutStack(make)
    }
  }
}
