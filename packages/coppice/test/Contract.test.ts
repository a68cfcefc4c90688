import { TestChild } from "@coppice/testing"
import * as SupervisorContract from "@coppice/testing/SupervisorContract"
import { Child, DynamicSupervisor, PartitionSupervisor, Supervisor } from "coppice"
import { Context, Effect, Layer, Stream } from "effect"

type AnyChild = Child.Child<string, never, never>

type Settings = SupervisorContract.Settings<AnyChild>

const child = (id: string, options: TestChild.Options) => TestChild.make(id, options)

for (const strategy of ["one-for-one", "rest-for-one", "one-for-all"] as const) {
  SupervisorContract.suite(`Supervisor.make, ${strategy}`, {
    child,
    make: (settings) => Supervisor.make("app", { strategy, ...settings })
  })
}

/** The class of a supervisor. */
const serviceOf = (settings: Settings) => {
  class App extends Supervisor.Service<App>()("coppice/test/Contract.test/App", {
    strategy: "rest-for-one",
    ...settings
  }) {}
  return App
}

SupervisorContract.suite("Supervisor.Service", {
  child,
  make: (settings) => {
    const App = serviceOf(settings)
    return Effect.map(Layer.build(App.layer), (context) => Context.get(context, App))
  }
})

/** The supervisor that is in the only child of a supervisor. That child is not restarted when the one inside gives up. */
const inside = Effect.fnUntraced(function*(host: AnyChild, { onEscalation }: Settings) {
  const parent: Supervisor.Supervisor = yield* Supervisor.make("parent", { strategy: "one-for-one", children: [host] })
  yield* Effect.forkScoped(
    Stream.runForEach(
      parent.events,
      (event) =>
        event._tag === "ChildExited" && event.reason._tag === "GaveUp" ? onEscalation(event.reason.error) : Effect.void
    )
  )
  const [info] = yield* parent.whichChildren
  return info!.supervisors[0]!
})

SupervisorContract.suite("Supervisor.layer under Child.supervisor", {
  child,
  make: (settings) => {
    const layer = Supervisor.layer("app", { strategy: "one-for-all", ...settings })
    return inside(Child.supervisor("app", layer, { restart: "temporary" }), settings)
  }
})

SupervisorContract.suite("Supervisor.make in a layer child", {
  child,
  make: (settings) => {
    const layer = Layer.effectDiscard(Supervisor.make("app", { strategy: "one-for-one", ...settings }))
    return inside(Child.layer("host", layer, { restart: "temporary" }), settings)
  }
})

SupervisorContract.suite("DynamicSupervisor.make", {
  child,
  make: Effect.fnUntraced(function*({ children, ...limits }) {
    const pool = yield* DynamicSupervisor.make("pool", {
      ...limits,
      child: (child: AnyChild) => child,
      key: ({ id }) => id
    })
    for (const child of children) yield* pool.startChild(child)
    return pool
  }),
  stopsInOrder: false,
  forgets: true
})

class Part extends Context.Service<Part, { readonly start: number }>()("coppice/test/Contract.test/Part") {}

SupervisorContract.suite("PartitionSupervisor.Service", {
  child: (id, options) => TestChild.layer(id, Part, (start) => ({ start }), options),
  make: ({ children, ...limits }) => {
    class Parts extends PartitionSupervisor.Service<Parts>()("coppice/test/Contract.test/Parts", Part, {
      ...limits,
      partitions: children.length,
      child: (partition) => children[partition]!
    }) {}
    return Effect.map(Layer.build(Parts.layer), (context) => Context.get(context, Parts))
  },
  exitsChildren: false
})
