import { Backoff, Child, ChildRef, DynamicSupervisor, Supervisor } from "coppice"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Body, idOf, limit, type Side, type Tree } from "../side.ts"

class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("@coppice/bench/sides/coppice/Db") {}
class DbRef extends ChildRef.Service<DbRef>()("@coppice/bench/sides/coppice/DbRef", Db) {}

const DbLayer = Layer.succeed(Db, { query: Effect.succeed(42) })

type Children = ReadonlyArray<Child.Child<string, unknown, never>>

const effects = (bodies: ReadonlyArray<Body>, options?: Child.Options): Children =>
  bodies.map((body, place) => Child.effect(idOf(place), body, options))

const supervise = (children: Children, strategy: Supervisor.Strategy = "one-for-one"): Effect.Effect<Tree> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    const supervisor = Supervisor.make("bench", { ...limit, strategy, children })
    return Effect.orDie(Effect.map(Scope.provide(supervisor, scope), (supervisor) => new Running(supervisor, scope)))
  })

// A class, as what it holds is counted with the supervisor's memory.
class Running implements Tree {
  private readonly supervisor: Supervisor.Supervisor
  private readonly scope: Scope.Closeable

  constructor(supervisor: Supervisor.Supervisor, scope: Scope.Closeable) {
    this.supervisor = supervisor
    this.scope = scope
  }

  get stop() {
    return Scope.close(this.scope, Exit.void)
  }

  get whichChildren() {
    return Effect.orDie(this.supervisor.whichChildren)
  }

  get snapshot() {
    return this.supervisor.tree
  }

  bounce(id: string) {
    return Effect.orDie(Effect.andThen(this.supervisor.terminateChild(id), this.supervisor.restartChild(id)))
  }

  listen(onRestart: () => void) {
    const told = Stream.runForEach(
      this.supervisor.events,
      (event) => event._tag === "ChildStarted" ? Effect.sync(onRestart) : Effect.void
    )
    return Effect.asVoid(Scope.provide(Effect.forkScoped(told, { startImmediately: true }), this.scope))
  }
}

const families: Side["families"] = (families) =>
  supervise(families.map((bodies, place) => {
    const layer = Supervisor.layer("family", { ...limit, strategy: "one-for-one", children: effects(bodies) })
    return Child.supervisor(idOf(place), layer)
  }))

const nested: Side["nested"] = (levels, body) => {
  let child: Child.Child<string, never, never> = Child.effect("leaf", body)
  for (let level = 0; level < levels; level++) {
    const layer = Supervisor.layer("level", { strategy: "one-for-one", intensity: 0, children: [child] })
    child = Child.supervisor(`level${level}`, layer)
  }
  return supervise([child])
}

const dynamic: Side["dynamic"] = Effect.suspend(() => {
  const scope = Scope.makeUnsafe()
  const child = (body: Body) => Child.effect("child", body)
  return Effect.map(Scope.provide(DynamicSupervisor.make("bench", { ...limit, child }), scope), (supervisor) => ({
    startChild: (body: Body) => Effect.orDie(supervisor.startChild(body)),
    stop: Scope.close(scope, Exit.void)
  }))
})

const user: Side["user"] = Effect.suspend(() => {
  const scope = Scope.makeUnsafe()
  const program = Effect.gen(function*() {
    const context = yield* Layer.build(DbRef.layer)
    const children = [Child.layer("db", DbLayer, { ref: DbRef })] as const
    yield* Effect.provideContext(Supervisor.make("bench", { ...limit, strategy: "one-for-one", children }), context)
    return {
      use: Effect.orDie(Context.get(context, DbRef).use((db) => db.query)),
      stop: Scope.close(scope, Exit.void)
    }
  })
  return Effect.orDie(Scope.provide(program, scope))
})

export const coppice: Side = {
  plain: (bodies) => supervise(effects(bodies)),
  brutal: (bodies) => supervise(effects(bodies, { shutdown: "brutal-kill" })),
  "one-for-all": (bodies) => supervise(effects(bodies), "one-for-all"),
  "rest-for-one": (bodies) => supervise(effects(bodies), "rest-for-one"),
  backoff: (bodies) => supervise(effects(bodies, { backoff: Backoff.fixed("1 millis") })),
  liveness: (bodies, check) => supervise(effects(bodies, { liveness: { check, interval: "1 hour" } })),
  layers: (count) => supervise(Array.from({ length: count }, (_, place) => Child.layer(idOf(place), DbLayer))),
  families,
  nested,
  dynamic,
  user
}
