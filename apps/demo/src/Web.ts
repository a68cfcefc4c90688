/**
 * The web server: a layer child that brings its routes, its socket and its own connection to the store.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Child, ExitReason, type Probe, SupervisionTree } from "coppice"
import { ByteSize, Effect, Latch, Layer, Option, Ref, Schema } from "effect"
import {
  FetchHttpClient,
  HttpClient,
  HttpIncomingMessage,
  HttpRouter,
  HttpServer,
  type HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { createServer } from "node:http"
import { poison } from "./Analysis.ts"
import { crash } from "./Crash.ts"
import { Counts, Job, maxTries, Submission } from "./Job.ts"
import { JobStore } from "./JobStore.ts"
import { host, Settings } from "./Settings.ts"

const maxBody = ByteSize.mebibytes(1)

/**
 * How long a server that stops lets requests in progress finish. A request that crashes the server which handles it is
 * one of them, and so gets its answer. It must end within the 100 ms that a killed child has.
 */
const graceful = "50 millis"

const help = `GET  /tree          the supervision tree; as JSON with "accept: application/json", or /tree?format=mermaid
GET  /jobs          every job, and how many there are
GET  /jobs/<id>     one job
POST /jobs          submit a job: {"name": "…", "text": "…"}; submitted again it is the same job
POST /crash/<path>  crash a child, such as /crash/app/store/database
POST /hang          have this server answer nobody, until its supervisor finds out

A text with ${poison} on its first line makes a worker panic; after ${maxTries} tries such a job is parked.
`

const Submitted = Schema.Struct({ id: Schema.Int, name: Schema.String, note: Schema.String })
const Overview = Schema.Struct({ counts: Counts, jobs: Schema.Array(Job) })
const Hanging = Schema.Struct({ hanging: Schema.Boolean })
const Crashed = Schema.Struct({ crashed: Schema.String })
const Problem = Schema.Struct({ error: Schema.String, known: Schema.optionalKey(Schema.Array(Schema.String)) })

const submitted = HttpServerResponse.schemaJson(Submitted)
const overview = HttpServerResponse.schemaJson(Overview)
const oneJob = HttpServerResponse.schemaJson(Job)
const hanging = HttpServerResponse.schemaJson(Hanging)
const crashed = HttpServerResponse.schemaJson(Crashed)
const problem = HttpServerResponse.schemaJson(Problem)

const refuse = (error: HttpServerError.HttpServerError | Schema.SchemaError) => {
  if (error._tag === "SchemaError") return problem({ error: error.message }, { status: 400 })
  const tooLarge = error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
  return tooLarge
    ? problem({ error: `the body is longer than ${ByteSize.format(maxBody)}` }, { status: 413 })
    : problem({ error: `the body is not JSON; send {"name": "…", "text": "…"}` }, { status: 400 })
}

const TreeFormat = Schema.Struct({ format: Schema.optionalKey(Schema.Literals(["text", "json", "mermaid"])) })

const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const store = yield* JobStore
  const { supervisor: root } = yield* Child.current

  // Of this incarnation: the next one answers. Middleware cannot be interrupted unless it says so.
  const answering = yield* Latch.make(true)
  yield* router.addGlobalMiddleware((answer) => Effect.andThen(Effect.interruptible(answering.await), answer))

  yield* router.add("GET", "/", HttpServerResponse.text(help))

  yield* router.add(
    "POST",
    "/jobs",
    Effect.gen(function*() {
      const submission = yield* HttpServerRequest.schemaBodyJson(Submission)
      const id = yield* store.submit(submission)
      const note = `a text with ${poison} on its first line panics and is parked after ${maxTries} tries`
      return yield* submitted({ id, name: submission.name, note }, { status: 201 })
    }).pipe(
      Effect.catchTag(["HttpServerError", "SchemaError"], refuse),
      Effect.catchTag("NameTaken", ({ message }) => problem({ error: message }, { status: 409 }))
    )
  )

  yield* router.add(
    "GET",
    "/jobs",
    Effect.gen(function*() {
      return yield* overview({ counts: yield* store.counts, jobs: yield* store.list })
    })
  )

  yield* router.add(
    "GET",
    "/jobs/:id",
    Effect.gen(function*() {
      const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.FiniteFromString }))
      const job = yield* store.get(id)
      if (Option.isNone(job)) return yield* problem({ error: `there is no job ${id}` }, { status: 404 })
      return yield* oneJob(job.value)
    }).pipe(Effect.catchTag("SchemaError", refuse))
  )

  yield* router.add(
    "GET",
    "/tree",
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { format } = yield* HttpServerRequest.schemaSearchParams(TreeFormat)
      const tree = yield* root.tree
      if (format === "mermaid") return HttpServerResponse.text(SupervisionTree.toMermaid(tree) + "\n")
      const wantsJson = format === undefined && request.headers["accept"]?.includes("application/json") === true
      return format === "json" || wantsJson
        ? HttpServerResponse.text(SupervisionTree.toJson(tree), { contentType: "application/json" })
        : HttpServerResponse.text(SupervisionTree.toText(tree) + "\n")
    }).pipe(Effect.catchTag("SchemaError", refuse))
  )

  yield* router.add(
    "POST",
    "/crash/*",
    Effect.gen(function*() {
      const path = (yield* HttpRouter.params)["*"] ?? ""
      yield* crash(root, path, ExitReason.defect(new Error("crashed over HTTP")))
      return yield* crashed({ crashed: path }, { status: 202 })
    }).pipe(
      Effect.catchTag("UnknownPath", (error) => problem({ error: error.message, known: error.known }, { status: 404 }))
    )
  )

  yield* router.add("POST", "/hang", Effect.andThen(answering.close, hanging({ hanging: true }, { status: 202 })))
}))

/** Asks the server what everybody asks it: one that does not answer any more does not get well by itself. */
export const liveness = {
  name: "GET /",
  check: Effect.gen(function*() {
    const port = yield* Ref.get((yield* Settings).port)
    yield* HttpClient.filterStatusOk(yield* HttpClient.HttpClient).get(`http://${host}:${port}/`)
  }).pipe(Effect.provide(FetchHttpClient.layer)),
  interval: "500 millis",
  timeout: "500 millis"
} satisfies Probe.Liveness<Settings>

// The port that the first incarnation got stays: an address must survive a crash.
const keepPort = Layer.effectDiscard(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const { port } = yield* Settings
  if (address._tag !== "UnixPathAddress") yield* Ref.set(port, address.port)
}))

// A server ends when its last connection does. A client that never completes its request must not keep it.
const listening = Layer.unwrap(Effect.gen(function*() {
  const port = yield* Ref.get((yield* Settings).port)
  const server = createServer()
  const cut = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections())))
  const socket = NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: graceful })
  return Layer.provideMerge(Layer.merge(keepPort, cut), socket)
}))

export const Web = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide([
    listening,
    JobStore.layer,
    Layer.succeed(HttpIncomingMessage.MaxBodySize, maxBody)
  ])
)
