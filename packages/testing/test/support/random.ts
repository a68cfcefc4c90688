/** Numbers from a seed (xorshift), from 0 to 1. */
export const random = (seed: number) => {
  let state = seed * 2_654_435_761 + 1 | 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4_294_967_296
  }
}
