import { Child, type ChildMiddleware, type SupervisionTree, type Supervisor } from "coppice"
import * as Effect from "effect/Effect"

/** The root supervisors of a program, known as soon as one of their children begins. */
export class Roots {
  private readonly supervisors = new Map<string, Supervisor.Supervisor>()

  /** Gets to know them from the inside, and puts around children what was put around them before. */
  middleware(before: ChildMiddleware.ChildMiddleware | undefined): ChildMiddleware.ChildMiddleware {
    return (child) => {
      const around = before?.(child)
      if (this.isBelow(child.path)) return around
      const known = <E>(effect: Effect.Effect<unknown, E>) => Effect.andThen(this.note, effect)
      return {
        ...around,
        start: (start) => known(around?.start?.(start) ?? start),
        run: (body) => known(around?.run?.(body) ?? body)
      }
    }
  }

  /** The paths of those that are being stopped, and wait for nobody below. */
  readonly stopping: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
    Effect.map(
      Effect.forEach(this.supervisors.values(), ({ tree }) => tree),
      (trees) => trees.flatMap(deepestStopping)
    )
  )

  private readonly note = Effect.map(
    Child.current,
    ({ supervisor }) => void this.supervisors.set(supervisor.path, supervisor)
  )

  private isBelow(path: string): boolean {
    for (const root of this.supervisors.keys()) if (path.startsWith(`${root}/`)) return true
    return false
  }
}

const deepestStopping = (node: SupervisionTree.Node): ReadonlyArray<string> => {
  const below = node.children.flatMap(deepestStopping)
  return below.length === 0 && node.state === "stopping" ? [node.path] : below
}
