/** What launch can fail with, and what it requires. */
import { Child, type ExitReason, Supervisor, type SupervisorError, type SupervisorEvent } from "coppice"
import { Effect, Layer, pipe } from "effect"
import { Db, Mail, MailError, same, usesDb, usesMail } from "./support.ts"

const App = Supervisor.layer("app", { strategy: "one-for-one", children: [Child.effect("reader", usesDb)] })

// It fails with the layer's errors or because a root gave up, and requires what the layer does.
export const launched = Supervisor.launch(App)
same<
  typeof launched,
  Effect.Effect<void, SupervisorError.ChildStartFailed | ExitReason.RestartIntensityExceeded, Db>
>()
export const piped = App.pipe(Supervisor.launch)
same<typeof piped, typeof launched>()
same<SupervisorError.RestartIntensityExceeded, ExitReason.RestartIntensityExceeded>()

// The errors of other layers are there too.
const others = Layer.effectDiscard(Effect.fail(new MailError()))
export const together = Supervisor.launch(Layer.merge(App, others))
same<
  Effect.Error<typeof together>,
  SupervisorError.ChildStartFailed | ExitReason.RestartIntensityExceeded | MailError
>()

// It requires what its listener does; the listener does not fail.
const onEvent = (_event: SupervisorEvent.SupervisorEvent) => Effect.orDie(usesMail)
export const listening = Supervisor.launch(App, { onEvent })
same<Effect.Services<typeof listening>, Db | Mail>()
export const pipedListening = pipe(App, (app) => Supervisor.launch(app, { onEvent }))
same<typeof pipedListening, typeof listening>()
type Listener = NonNullable<Supervisor.LaunchOptions<Mail>["onEvent"]>
same<(() => Effect.Effect<void, never, Mail>) extends Listener ? "listens" : "refused", "listens">()
same<(() => Effect.Effect<void, MailError, Mail>) extends Listener ? "listens" : "refused", "refused">()

// What it needs is provided as for any effect.
export const main: Effect.Effect<void, SupervisorError.ChildStartFailed | ExitReason.RestartIntensityExceeded> = Effect
  .provide(launched, Db.layer)

// The errors of a supervisor can be told apart by their tags.
export const handled = main.pipe(
  Effect.catchTags({
    ChildStartFailed: (error) => Effect.logError(error.id),
    RestartIntensityExceeded: (error) => Effect.logError(error.child)
  })
)
same<typeof handled, Effect.Effect<void>>()
