/** Finds any child of a tree by its path, and crashes it. */
import { type ExitReason, type Supervisor } from "coppice"
import { Array, Effect, Order, Schema } from "effect"

export class UnknownPath extends Schema.TaggedError<UnknownPath>()("UnknownPath", {
  path: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no child "${this.path}"; there are ${this.known.join(", ")}`
  }
}

interface Target {
  readonly supervisor: Supervisor.Supervisor
  readonly child: Supervisor.ChildInfo
}

/** Every child below a supervisor. One that ends while it is asked has none. */
export const targets = (supervisor: Supervisor.Supervisor): Effect.Effect<ReadonlyArray<Target>> =>
  supervisor.whichChildren.pipe(
    Effect.orElseSucceed((): ReadonlyArray<Supervisor.ChildInfo> => []),
    Effect.flatMap(Effect.forEach((child) =>
      Effect.map(
        Effect.forEach(child.supervisors, targets),
        (below): ReadonlyArray<Target> => [{ supervisor, child }, ...below.flat()]
      )
    )),
    Effect.map(Array.flatten),
    Effect.map(Array.sortWith(({ child }) => child.path, Order.String))
  )

/** Sends a child an exit signal. Answers at once: what then happens is the supervisors' business, and is seen as events. */
export const crash = Effect.fnUntraced(
  function*(root: Supervisor.Supervisor, path: string, reason: ExitReason.ExitReason) {
    const all = yield* targets(root)
    const unknown = new UnknownPath({ path, known: all.map(({ child }) => child.path) })
    const target = all.find(({ child }) => child.path === path)
    if (target === undefined) return yield* unknown
    // It can have gone since it was found.
    yield* Effect.mapError(target.supervisor.exitChild(target.child.id, reason), () => unknown)
  }
)
