import type { Chaos, Fault } from "@coppice/testing"
import { Child, ChildRef, Supervisor } from "coppice"
import { Cause, Context, Effect, Exit, Layer, Ref } from "effect"

/** What is outside: whatever is noted there outlives every crash. */
export class Outside extends Context.Service<Outside, { readonly notes: Array<string> }>()(
  "@coppice/testing/test/support/programs/Outside"
) {
  static readonly layer = Layer.sync(Outside, () => ({ notes: [] }))
}

export const note = (what: string) => Effect.map(Outside, ({ notes }) => void notes.push(what))

/** A service that counts, and forgets when it is restarted. */
export class Counter extends Context.Service<Counter, { readonly count: Ref.Ref<number> }>()(
  "@coppice/testing/test/support/programs/Counter"
) {
  static readonly layer = Layer.effect(Counter, Effect.map(Ref.make(0), (count) => ({ count })))
}

export class CounterRef
  extends ChildRef.Service<CounterRef>()("@coppice/testing/test/support/programs/CounterRef", Counter)
{}

export const strategy = "one-for-one"

export const idle = Supervisor.layer("app", { strategy, children: [Child.effect("a", Effect.never)] })

export const counting = Supervisor.layer("app", {
  strategy,
  children: [Child.layer("counter", Counter.layer, { ref: CounterRef }), Child.effect("other", Effect.never)]
}).pipe(Layer.provideMerge(CounterRef.layer))

export const count = CounterRef.use(({ count }) => Ref.get(count))

export const nothing: Chaos.Plan = { order: 0, steps: [] }

export const planOf = (...faults: ReadonlyArray<Fault.Fault>): Chaos.Plan => ({
  order: 0,
  steps: faults.map((fault) => ({ afterMillis: 1000, fault }))
})

/** The first line of what a failure says, and its detail. */
export const told = <A>(effect: Effect.Effect<A, Chaos.ChaosFailed>) =>
  Effect.map(Effect.flip(effect), ({ detail, message }) => [message.split("\n")[0], detail])

/** The mistake of which a check dies. */
export const mistakeOf = <A>(effect: Effect.Effect<A, Chaos.ChaosFailed>) =>
  Effect.map(
    Effect.exit(effect),
    (exit) =>
      Exit.isFailure(exit) ? Cause.prettyErrors(exit.cause).map(({ message, name }) => `${name}: ${message}`) : exit
  )
