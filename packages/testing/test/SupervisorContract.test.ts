import { TestChild } from "@coppice/testing"
import * as SupervisorContract from "@coppice/testing/SupervisorContract"
import { assert, describe, it } from "@effect/vitest"
import { type Child, Supervisor } from "coppice"
import { Cause, Effect, Exit, type Scope } from "effect"

type AnyChild = Child.Child<string, never, never>

type Make = (
  settings: SupervisorContract.Settings<AnyChild>
) => Effect.Effect<Supervisor.Supervisor, {}, Scope.Scope>

const good: Make = (settings) => Supervisor.make("app", { strategy: "one-for-one", ...settings })

const how = (make: SupervisorContract.How<AnyChild>["make"]): SupervisorContract.How<AnyChild> => ({
  child: (id, options) => TestChild.make(id, options),
  make
})

/** The promises that a kind of supervisor breaks. */
const broken = (how: SupervisorContract.How<AnyChild>) =>
  Effect.gen(function*() {
    const promises: Array<string> = []
    for (const { promise, test } of SupervisorContract.tests(how)) {
      if (Exit.isFailure(yield* Effect.exit(test))) promises.push(promise)
    }
    return promises
  })

const gone = (supervisor: Supervisor.Supervisor) => Effect.exit(supervisor.await)

describe("SupervisorContract", () => {
  it.effect("has ten promises, all of which a supervisor keeps", () =>
    Effect.gen(function*() {
      const promises = SupervisorContract.tests(how(good)).map(({ promise }) => promise)
      assert.strictEqual(new Set(promises).size, 10)
      assert.deepStrictEqual(yield* broken(how(good)), [])
    }))

  it.effect("asks for no exitChild where there is none", () =>
    Effect.sync(() => {
      const all = SupervisorContract.tests(how(good)).map(({ promise }) => promise)
      const without = SupervisorContract.tests({ ...how(good), exitsChildren: false }).map(({ promise }) => promise)
      assert.deepStrictEqual(without, all.slice(0, 9))
      assert.strictEqual(all[9], "ends a child on an exit signal, and says so where it has none of that id")
    }))

  it.effect("finds a supervisor that allows one restart too many, or one too few", () =>
    Effect.gen(function*() {
      const givesUp = "gives up when more restarts are needed than are allowed, stops every child, and says why"
      const lenient = how((settings) => good({ ...settings, intensity: settings.intensity + 1 }))
      assert.deepStrictEqual(yield* broken(lenient), [givesUp])
      const strict = how((settings) => good({ ...settings, intensity: settings.intensity - 1 }))
      assert.include(yield* broken(strict), givesUp)
      const silent = how((settings) => good({ ...settings, onEscalation: () => Effect.void }))
      assert.deepStrictEqual(yield* broken(silent), [givesUp])
    }))

  it.effect("finds one whose calls and tree are not of one mind, and one that answers after its end", () =>
    Effect.gen(function*() {
      const forgetful = how((settings) =>
        Effect.map(good(settings), (supervisor) => ({
          ...supervisor,
          whichChildren: Effect.map(supervisor.whichChildren, (children) => children.slice(1))
        }))
      )
      assert.deepStrictEqual(yield* broken(forgetful), [
        "tells every start, and lists every child",
        "says the same in its calls, its tree and its events"
      ])
      const undead = how((settings) =>
        Effect.map(good(settings), (supervisor) => ({
          ...supervisor,
          countChildren: Effect.orElseSucceed(
            supervisor.countChildren,
            () => ({ specs: 0, active: 0, supervisors: 0, workers: 0 })
          )
        }))
      )
      assert.deepStrictEqual(yield* broken(undead), [
        "gives up when more restarts are needed than are allowed, stops every child, and says why",
        "answers every call while it is up, and none after its end"
      ])
    }))

  it.effect("finds what is left behind, a fiber or a sleeper", () =>
    Effect.gen(function*() {
      const leaving = (left: Effect.Effect<unknown>) =>
        how((settings) => Effect.tap(good(settings), () => Effect.forkDetach(left)))
      assert.strictEqual((yield* broken(leaving(Effect.never))).length, 10)
      assert.strictEqual((yield* broken(leaving(Effect.sleep("365 days")))).length, 10)
      const waiting = how((settings) => Effect.tap(good(settings), (supervisor) => Effect.forkDetach(gone(supervisor))))
      assert.deepStrictEqual(yield* broken(waiting), [])
    }))

  it.effect("names the seed of the order in which a promise was broken, and what broke", () =>
    Effect.gen(function*() {
      let made = 0
      const moody = how((settings) => good({ ...settings, intensity: made++ === 4 ? 1 : 2 }))
      const [, restarts] = SupervisorContract.tests(moody)
      const exit = yield* Effect.exit(restarts!.test)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, Error)
      assert.strictEqual((error as Error).message, "with the seed 4")
      assert.match(String((error as Error).cause), /expected \[ false, false, false \] to deeply equal/)
    }))
})
