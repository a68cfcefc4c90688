import * as Effect from "effect/Effect"

/** Refuses options that are no whole numbers from `least`. */
export const checkWhole = (
  whose: string,
  least: number,
  options: { readonly [name: string]: number }
): Effect.Effect<void> => {
  const wrong = Object.entries(options).find(([, value]) => !Number.isInteger(value) || value < least)
  if (wrong === undefined) return Effect.void
  return Effect.die(new RangeError(`${whose}: ${wrong[0]} is a whole number from ${least}, not ${wrong[1]}`))
}
