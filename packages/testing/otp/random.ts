/**
 * Repeatable random choices.
 *
 * The generator is Chris Doty-Humphrey's sfc32. A seed and a stream number
 * give a series of their own, so the n-th scenario of a seed does not depend on
 * how many are made.
 */

/** Values with the weights by which they are chosen. */
export type Weighted<A> = ReadonlyArray<readonly [value: A, weight: number]>

/** A series of random choices. */
export interface Random {
  /** True with the given probability. */
  readonly chance: (probability: number) => boolean
  /** A whole number between two bounds, both included. */
  readonly between: (least: number, most: number) => number
  /** An element of a list that is not empty. */
  readonly element: <A>(list: ReadonlyArray<A>) => A
  /** A value, chosen by weight. */
  readonly weighted: <A>(choices: Weighted<A>) => A
  /** The same elements in another order. */
  readonly shuffled: <A>(list: ReadonlyArray<A>) => Array<A>
}

const sfc32 = (seed: number, stream: number): () => number => {
  let a = seed >>> 0
  let b = Math.floor(seed / 2 ** 32) >>> 0
  let c = stream >>> 0
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21 | c >>> 11) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  // The first rounds still show how close two seeds are.
  for (let round = 0; round < 16; round++) next()
  return next
}

/** Creates the series of a seed and a stream. */
export const make = (seed: number, stream: number): Random => {
  const next = sfc32(seed, stream)
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  const weighted = <A>(choices: Weighted<A>): A => {
    let left = next() * choices.reduce((sum, [, weight]) => sum + weight, 0)
    const chosen = choices.find(([, weight]) => (left -= weight) < 0) ?? choices.at(-1)
    if (chosen === undefined) throw new Error("a choice of nothing")
    return chosen[0]
  }
  return {
    chance: (probability) => next() < probability,
    between,
    element: (list) => weighted(list.map((value) => [value, 1] as const)),
    weighted,
    shuffled: (list) => {
      const rest = [...list]
      return list.flatMap(() => rest.splice(between(0, rest.length - 1), 1))
    }
  }
}
