import type { GaveUp, RestartIntensityExceeded } from "../ExitReason.ts"
import { withoutStack } from "./withoutStack.ts"

/** How many errors in a row are left to be made, as to make one is to make all that it tells of. */
const leftAtMost = 128

/**
 * Why a supervisor ends that gives up, so deep in the tree. The error is made when it is first read: where failures climb
 * through many levels, nobody reads that of any but the last.
 */
export const gaveUp = (depth: number, make: () => RestartIntensityExceeded): GaveUp => {
  let error: RestartIntensityExceeded | undefined = depth % leftAtMost === leftAtMost - 1
    ? withoutStack(make)
    : undefined
  return {
    _tag: "GaveUp",
    get error() {
      return error ??= withoutStack(make)
    }
  }
}
