import { drift, type Sample } from "@coppice/bench/soak/drift"
import { faultFor, numbersFrom } from "@coppice/bench/soak/faults"
import { parse } from "@coppice/bench/soak/options"
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const mebibyte = 2 ** 20

/** Twelve samples, of which what is given by their place differs; the first two are warm-up. */
const samples = (of: (place: number) => Partial<Sample>): ReadonlyArray<Sample> =>
  Array.from({ length: 12 }, (_, place) => ({
    seconds: place,
    restarts: place,
    heap: 100 * mebibyte,
    handles: 10,
    listeners: 5,
    ...of(place)
  }))

describe("drift", () => {
  it("finds nothing where nothing grows", () => {
    assert.deepStrictEqual(drift(samples(() => ({}))), [])
  })

  it("allows the heap 5 % and 2 MiB", () => {
    assert.deepStrictEqual(drift(samples((place) => place > 8 ? { heap: 107 * mebibyte } : {})), [])
    assert.deepStrictEqual(drift(samples((place) => place > 8 ? { heap: 107.1 * mebibyte } : {})), [
      "the heap has grown from 100.0 MiB to 107.1 MiB"
    ])
  })

  it("goes by the median of the heap", () => {
    assert.deepStrictEqual(drift(samples((place) => place === 11 ? { heap: 900 * mebibyte } : {})), [])
  })

  it("leaves out the warm-up, in which a heap is smaller", () => {
    assert.deepStrictEqual(drift(samples((place) => place < 2 ? { heap: 1, handles: 1, listeners: 1 } : {})), [])
  })

  it("allows no growth of handles and listeners", () => {
    assert.deepStrictEqual(drift(samples((place) => place > 8 ? { handles: 11, listeners: 6 } : {})), [
      "there are 11 handles, and were 10",
      "there are 6 listeners, and were 5"
    ])
  })

  it("goes by the least of the handles, as a timer may be about to end", () => {
    assert.deepStrictEqual(drift(samples((place) => place === 11 ? { handles: 12 } : {})), [])
  })

  it("says where there are too few samples to tell", () => {
    assert.deepStrictEqual(drift(samples(() => ({})).slice(0, 3)), ["3 samples are too few to tell"])
  })
})

describe("the faults", () => {
  it("follow from the seed", () => {
    const first = (seed: number) => Array.from({ length: 3 }, numbersFrom(seed))
    assert.deepStrictEqual(first(7), first(7))
    assert.notDeepEqual(first(7), first(8))
    for (const number of Array.from({ length: 1000 }, numbersFrom(7))) assert.isTrue(number >= 0 && number < 1)
  })

  it("are of every kind", () => {
    const numbers = Array.from({ length: 1000 }, (_, place) => place / 1000)
    const kinds = (kind: "layers" | "liveness") => [...new Set(numbers.map((number) => faultFor(kind, number)))]
    const all = ["failure", "defect", "leave", "signal", "bounce", "escalate"]
    assert.deepStrictEqual(kinds("layers"), all)
    assert.deepStrictEqual(kinds("liveness"), ["unwell", ...all])
  })
})

describe("the options of the soak", () => {
  it("are read, and are all optional", () => {
    assert.deepStrictEqual(parse([]), { help: false, minutes: 5, children: 10_000, seed: undefined })
    const all = "--minutes 0.5 --children 100 --seed 7".split(" ")
    assert.deepStrictEqual(parse(all), { help: false, minutes: 0.5, children: 100, seed: 7 })
  })

  it("say what is wrong", () => {
    assert.strictEqual(parse(["--hours"]), "there is no --hours; there are --minutes, --children, --seed, --help")
    assert.strictEqual(parse(["--minutes", "0"]), "--minutes is a number above 0")
    assert.strictEqual(parse(["--children", "x"]), "--children is a whole number above 0")
    assert.strictEqual(parse(["--seed", "0.5"]), "--seed is a whole number")
  })
})

describe("npm run soak", () => {
  it("heals every fault, and says what there is while it does", () => {
    const main = fileURLToPath(import.meta.resolve("@coppice/bench/soak/main"))
    const args = ["--minutes", "0.02", "--children", "100", "--seed", "7"]
    const flags = ["--expose-gc", "--conditions=@coppice/source"]
    const { stderr, stdout } = spawnSync(process.execPath, [...flags, main, ...args], { encoding: "utf8" })
    assert.strictEqual(stderr, "")
    assert.match(stdout, /^\d+ children of \d+ supervisors, seed 7\n/)
    const lines = stdout.match(/^ +\d+ s +\d+ restarts +\d+ \/s +[\d.]+ MiB +\d+ handles +\d+ listeners$/gm)
    assert.isAtLeast(lines!.length, 6)
    for (const fault of ["failure", "defect", "leave", "signal", "bounce", "escalate", "unwell"]) {
      assert.match(stdout, new RegExp(`Healed: .*${fault} [1-9]`))
    }
  }, 30_000)
})
