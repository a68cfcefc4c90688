// What a defect of the supervisor's own comes to, which no user can bring about.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect } from "effect"
import { asleep, causeOf, type Step, Stepper } from "../src/internal/steps.js"

/** Takes steps, and answers what goes on with them and the causes of what they ended with. */
const take = (steps: Step) => {
  const defects: Array<unknown> = []
  const stepper = new Stepper(steps, Context.empty(), (cause) => defects.push(Cause.squash(cause)))
  stepper.begin()
  return { stepper, defects }
}

describe("steps", () => {
  it("are thrown what an effect died with that they have waited for", () => {
    const seen: Array<unknown> = []
    function* steps(): Step {
      try {
        yield Effect.die("boom")
      } catch (thrown) {
        seen.push(Cause.squash(causeOf(thrown)))
      }
    }
    assert.deepStrictEqual(take(steps()).defects, [])
    assert.deepStrictEqual(seen, ["boom"])
  })

  it("are told of once when they die themselves, and go on no more", () => {
    let turns = 0
    function* steps(): Step {
      yield asleep
      turns++
      throw new TypeError("boom")
    }
    const { defects, stepper } = take(steps())
    assert.strictEqual(turns, 0)
    stepper.wake()
    stepper.wake()
    assert.strictEqual(turns, 1)
    assert.deepStrictEqual(defects.map(String), ["TypeError: boom"])
  })
})
