/** The tree. */
import { Backoff, Child, Supervisor } from "coppice"
import { JobStore } from "./JobStore.ts"
import { processWorker } from "./ProcessWorker.ts"
import { recovery } from "./Recovery.ts"
import { liveness, Web } from "./Web.ts"
import { workers } from "./Workers.ts"

// How many restarts are too many? More than anything we do to this tree on purpose. Chaos crashes 33 children in 5 seconds
// on the average: five each for the web server and the worker that is a process, ten below the store. Each bound is more
// than the double of that. The other workers have a bound of their own.
//
// But not more than needed. What restarts do not mend, such as a full disk, is tried again at once, and a supervisor that
// gave up is itself restarted by the next one. Only the database has time to recover: its disk may have.
const period = "5 seconds"

// Rest-for-one, as the recovery uses the connection that the database gives it and must not outlive it.
const store = Supervisor.layer("store", {
  strategy: "rest-for-one",
  intensity: 30,
  period,
  children: [
    Child.layer("database", JobStore.layer, {
      backoff: Backoff.exponential("50 millis", "2 seconds"),
      resetAfter: "1 second"
    }),
    Child.effect("recovery", recovery)
  ]
})

/**
 * The root. One-for-one, although the children start in order: workers and web open connections of their own, so what
 * they share with the store is a file, which does not crash. Restarting them with it would only make one fault three.
 */
export class App extends Supervisor.Service<App>()("@coppice/demo/app", {
  strategy: "one-for-one",
  intensity: 25,
  period,
  children: [
    Child.supervisor("store", store),
    Child.supervisor("workers", workers),
    Child.layer("web", Web, { shutdown: "5 seconds", liveness }),
    processWorker
  ]
}) {}
