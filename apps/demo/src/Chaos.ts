/** Random crashes, the same ones for the same seed. */
import { ProcessIdentity } from "@coppice/process"
import { ExitReason, type SupervisionTree, type Supervisor } from "coppice"
import { Console, Effect, Predicate, Random } from "effect"
import { crash, targets } from "./Crash.ts"

/** How many milliseconds lie between two crashes: 150 on the average, 33 crashes in 5 seconds. `App` allows for them. */
const shortestPause = 50
const longestPause = 250

const reasons = {
  panics: ExitReason.defect(new Error("chaos")),
  fails: ExitReason.failure(new Error("chaos")),
  "is killed": ExitReason.killed
}

/** The pids of a tree: a child that is a process tells its own. */
const pidsOf = ({ children, details, path }: SupervisionTree.Node): ReadonlyArray<readonly [string, number]> => {
  const pid = details?.["pid"]
  return [...(Predicate.isNumber(pid) ? [[path, pid] as const] : []), ...children.flatMap(pidsOf)]
}

/** Crashes workers of the tree, not its supervisors, until it is interrupted. */
export const chaos = Effect.fnUntraced(function*(root: Supervisor.Supervisor, seed: string) {
  // Listed once: what is found depends on what is up, and the choices must depend on the seed alone.
  const paths = (yield* targets(root)).filter(({ child }) => child.type === "worker").map(({ child }) => child.path)
  const strike = Effect.gen(function*() {
    yield* Effect.sleep(yield* Random.nextIntBetween(shortestPause, longestPause))
    const path = yield* Random.choice(paths)
    const [what, reason] = yield* Random.choice(Object.entries(reasons))
    // What is a process is not asked, but killed as the kernel would.
    const pid = new Map(pidsOf(yield* root.tree)).get(path)
    if (pid !== undefined) {
      yield* Console.log(`chaos: ${path} is sent SIGKILL`)
      return void ProcessIdentity.signal(ProcessIdentity.of(pid), "SIGKILL")
    }
    yield* Console.log(`chaos: ${path} ${what}`)
    // Somebody else may have been quicker.
    yield* Effect.ignore(crash(root, path, reason))
  })
  return yield* Effect.forever(strike).pipe(Random.withSeed(seed))
})
