// The subject is a process with real sockets, a real clock and a real file: hence `it.live`, and polling its API.
import { ProcessIdentity } from "@coppice/process"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Path, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, type HttpClientResponse } from "effect/http"
import { createHash } from "node:crypto"
import { createServer } from "node:net"
import { DatabaseSync } from "node:sqlite"
import { start } from "./support/DemoProcess.ts"

const services = Layer.merge(NodeServices.layer, FetchHttpClient.layer)

const Overview = Schema.Struct({
  counts: Schema.Struct({
    submitted: Schema.Int,
    waiting: Schema.Int,
    running: Schema.Int,
    done: Schema.Int,
    parked: Schema.Int
  }),
  jobs: Schema.Array(Schema.Struct({
    id: Schema.Int,
    name: Schema.String,
    state: Schema.String,
    tries: Schema.Int,
    result: Schema.NullOr(Schema.Struct({ words: Schema.Int, lines: Schema.Int, digest: Schema.String })),
    error: Schema.NullOr(Schema.String)
  }))
})

interface Tree {
  readonly path: string
  readonly restarts: number
  readonly children: ReadonlyArray<Tree>
}

const Tree: Schema.Codec<Tree> = Schema.Struct({
  path: Schema.String,
  restarts: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const restartsOf = (tree: Tree): ReadonlyArray<readonly [path: string, restarts: number]> => [
  [tree.path, tree.restarts],
  ...tree.children.flatMap(restartsOf)
]

// A web server that has just been crashed refuses connections for some milliseconds.
const untilUp = <A, E, R>(request: Effect.Effect<A, E, R>) =>
  Effect.retry(request, { schedule: Schedule.spaced("20 millis"), times: 100 })

const decode = <A, I>(schema: Schema.Codec<A, I>, response: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(response.json, Schema.decodeUnknownEffect(schema))

const overview = Effect.fnUntraced(function*(url: string) {
  return yield* decode(Overview, yield* HttpClient.get(`${url}/jobs`))
}, untilUp)

const tree = Effect.fnUntraced(function*(url: string) {
  return yield* decode(Tree, yield* HttpClient.get(`${url}/tree`, { accept: "application/json" }))
}, untilUp)

const post = (url: string, body: unknown) => HttpClient.post(url, { body: HttpBody.jsonUnsafe(body) })

const submit = Effect.fnUntraced(function*(url: string, name: string, text: string) {
  const response = yield* post(`${url}/jobs`, { name, text })
  assert.strictEqual(response.status, 201)
  return yield* response.json
})

// Not tried again: even the server that is crashed by the request answers it.
const crash = (url: string, path: string) =>
  Effect.map(HttpClient.post(`${url}/crash/${path}`), (response) => response.status)

const settled = (url: string) =>
  overview(url).pipe(Effect.repeat({
    until: ({ counts }) => counts.waiting + counts.running === 0,
    schedule: Schedule.spaced("50 millis")
  }))

const webRestarted = (url: string) =>
  Effect.repeat(tree(url), {
    until: (now) => new Map(restartsOf(now)).get("app/web") === 1,
    schedule: Schedule.spaced("20 millis")
  })

/** What a person would say about `text number <n>\nsecond line\n`. */
const expected = (number: number) => ({
  words: 5,
  lines: 2,
  digest: createHash("sha256").update(text(number)).digest("hex")
})

const text = (number: number) => `text number ${number}\nsecond line\n`

const emptyFolder = Effect.flatMap(FileSystem.FileSystem, (fileSystem) => fileSystem.makeTempDirectoryScoped())

const takenPort = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
).pipe(Effect.map((server) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}))

describe("demo", () => {
  it.live(
    "accounts for every job although the database, a worker and the web server crash",
    () =>
      Effect.gen(function*() {
        const demo = yield* start(yield* emptyFolder, "--port", "0", "--pace", "50ms")
        const url = yield* demo.url
        const good = Array.from({ length: 30 }, (_, index) => index + 1)
        yield* Effect.forEach(good, (number) => submit(url, `good-${number}`, text(number)))

        assert.strictEqual(yield* crash(url, "app/store/database"), 202)
        assert.strictEqual(yield* crash(url, "app/workers/worker-2"), 202)
        assert.strictEqual(yield* crash(url, "app/web"), 202)
        yield* webRestarted(url)
        yield* Effect.forEach([1, 2], (number) => submit(url, `bad-${number}`, "PANIC\n"))
        const { counts, jobs } = yield* settled(url)
        const restarts = new Map(restartsOf(yield* tree(url)))
        yield* demo.stop
        const end = yield* demo.end

        assert.deepStrictEqual(counts, { submitted: 32, waiting: 0, running: 0, done: 30, parked: 2 })
        assert.deepStrictEqual(
          jobs.map(({ name, result, state }) => ({ name, result, state })),
          [
            ...good.map((number) => ({ name: `good-${number}`, result: expected(number), state: "done" })),
            ...[1, 2].map((number) => ({ name: `bad-${number}`, result: null, state: "parked" }))
          ]
        )
        for (const { error, tries } of jobs.slice(-2)) {
          assert.strictEqual(tries, 3)
          // Of the worker that is a process only the exit code is known.
          assert.match(error ?? "", /^panicked: the text says PANIC$|^failed: .* exited with code 1$/)
        }
        assert.strictEqual(restarts.get("app/store/database"), 1)
        assert.strictEqual(restarts.get("app/store/recovery"), 1)
        assert.strictEqual(restarts.get("app/web"), 1)
        const workers = ["process-worker", "workers/worker-1", "workers/worker-2", "workers/worker-3"]
        const ofWorkers = workers.map((worker) => restarts.get(`app/${worker}`) ?? 0)
        assert.strictEqual(ofWorkers.reduce((sum, restart) => sum + restart, 0), 7)

        assert.strictEqual(end.exitCode, 0)
        assert.deepStrictEqual(
          end.stdout.slice(end.stdout.indexOf("stopping")).flatMap((line) => /(\S+) stopped$/.exec(line)?.[1] ?? []),
          [
            "app/process-worker",
            "app/web",
            "app/workers/worker-1",
            "app/workers/worker-2",
            "app/workers/worker-3",
            "app/workers",
            "app/store/recovery",
            "app/store/database",
            "app/store"
          ]
        )
        assert.deepStrictEqual(end.stdout.slice(-2), [
          "jobs: 32 submitted = 30 done + 2 parked + 0 waiting",
          "stopped"
        ])
      }).pipe(Effect.provide(services)),
    15_000
  )

  it.live("refuses what is no job, and a path that no child has", () =>
    Effect.gen(function*() {
      const demo = yield* start(yield* emptyFolder, "--port", "0")
      const url = yield* demo.url

      const noText = yield* post(`${url}/jobs`, { name: "a" })
      const noJson = yield* HttpClient.post(`${url}/jobs`, { body: HttpBody.text("{") })
      const noChild = yield* HttpClient.post(`${url}/crash/app/cellar`)
      yield* submit(url, "taken", "one text")
      const taken = yield* post(`${url}/jobs`, { name: "taken", text: "another" })

      assert.deepStrictEqual([noText.status, noJson.status, noChild.status, taken.status], [400, 400, 404, 409])
      assert.include(yield* noText.text, "text")
      assert.deepStrictEqual(
        yield* decode(Schema.Struct({ known: Schema.Array(Schema.String) }), noChild),
        {
          known: [
            "app/process-worker",
            "app/store",
            "app/store/database",
            "app/store/recovery",
            "app/web",
            "app/workers",
            "app/workers/worker-1",
            "app/workers/worker-2",
            "app/workers/worker-3"
          ]
        }
      )
    }).pipe(Effect.provide(services)), 10_000)

  it.live("finds out that the web server hangs, and starts another on the same port", () =>
    Effect.gen(function*() {
      const demo = yield* start(yield* emptyFolder, "--port", "0")
      const url = yield* demo.url

      const { status } = yield* HttpClient.post(`${url}/hang`)
      const waited = yield* HttpClient.get(url)
      yield* webRestarted(url)
      yield* demo.stop
      const { stdout } = yield* demo.end

      assert.strictEqual(status, 202)
      assert.strictEqual(waited.status, 503, "who waits for an answer is told that there is none")
      const exits = stdout.filter((line) => line.includes("app/web") && line.includes("it is restarted"))
      assert.strictEqual(exits.length, 1)
      assert.include(exits[0], "GET /")
    }).pipe(Effect.provide(services)), 15_000)

  it.live(
    "gives the database time before it is restarted, and nothing else waits for it",
    () =>
      Effect.gen(function*() {
        const demo = yield* start(yield* emptyFolder, "--port", "0", "--pace", "50ms")
        const url = yield* demo.url

        yield* crash(url, "app/store/database")
        yield* submit(url, "meanwhile", text(1))
        const { counts } = yield* settled(url)
        yield* demo.stop
        const { stdout } = yield* demo.end

        assert.strictEqual(counts.done, 1)
        assert.deepStrictEqual(
          stdout.flatMap((line) => /app\/store\/database (.*restarted.*)$/.exec(line)?.[1] ?? []),
          ["panicked: crashed over HTTP; it is restarted", "waits 50 ms before it is restarted"]
        )
      }).pipe(Effect.provide(services)),
    10_000
  )

  it.live(
    "has as many workers as it is told to, also after their supervisor was restarted",
    () =>
      Effect.gen(function*() {
        const demo = yield* start(yield* emptyFolder, "--port", "0", "--workers", "5")
        const url = yield* demo.url
        const hired = [1, 2, 3, 4, 5].map((number) => `app/workers/worker-${number}`)
        const workers = (now: Tree) =>
          restartsOf(now).flatMap(([path]) => path.startsWith("app/workers/") ? [path] : [])

        assert.deepStrictEqual(workers(yield* tree(url)), hired)
        assert.strictEqual(yield* crash(url, "app/workers"), 202)
        const restarted = yield* Effect.repeat(tree(url), {
          until: (now) => new Map(restartsOf(now)).get("app/workers") === 1 && workers(now).length === hired.length,
          schedule: Schedule.spaced("20 millis")
        })
        assert.deepStrictEqual(workers(restarted), hired)
      }).pipe(Effect.provide(services)),
    10_000
  )

  it.live("refuses more workers than there can be", () =>
    Effect.gen(function*() {
      const demo = yield* start("--workers", "11")
      const end = yield* demo.end

      assert.strictEqual(end.exitCode, 1)
      assert.include([...end.stdout, ...end.stderr].join("\n"), "11 workers: there are from 1 to 10")
    }).pipe(Effect.provide(services)), 10_000)

  it.live("survives chaos and ends with a summary that adds up", () =>
    Effect.gen(function*() {
      const demo = yield* start("--for", "3s", "--chaos", "--seed", "1", "--port", "0")
      const end = yield* demo.end

      const crashes = end.stdout.filter((line) => line.startsWith("chaos: ")).length
      const sum = /^jobs: (\d+) submitted = (\d+) done \+ (\d+) parked \+ (\d+) waiting$/.exec(end.stdout.at(-2) ?? "")
      const [submitted = 0, ...parts] = sum?.slice(1).map(Number) ?? []
      assert.strictEqual(end.exitCode, 0)
      assert.strictEqual(end.stdout.at(-1), "stopped")
      assert.isAbove(crashes, 5)
      assert(end.stdout.some((line) => /app\/process-worker .*was ended by SIGKILL/.test(line)))
      assert.isAbove(submitted, 20)
      assert.strictEqual(parts.reduce((total, part) => total + part, 0), submitted)
    }).pipe(Effect.provide(services)), 10_000)

  it.live("leaves nothing behind when it is killed", () =>
    Effect.gen(function*() {
      const demo = yield* start(yield* emptyFolder, "--port", "0")
      const url = yield* demo.url
      const shown = yield* Effect.flatMap(HttpClient.get(`${url}/tree`), ({ text }) => text)
      const worker = ProcessIdentity.of(Number(/process-worker {2}running, pid (\d+)/.exec(shown)?.[1]))
      assert.isTrue(ProcessIdentity.isAlive(worker))

      process.kill(demo.pid, "SIGKILL")
      yield* Effect.repeat(Effect.sync(() => ProcessIdentity.isAlive(worker)), {
        while: (isAlive) => isAlive,
        schedule: Schedule.spaced("20 millis")
      })
    }).pipe(Effect.provide(services)), 10_000)

  it.live("exits with 1 when a job is lost", () =>
    Effect.gen(function*() {
      const folder = yield* emptyFolder
      const database = (yield* Path.Path).join(folder, "jobs.sqlite")
      const demo = yield* start(folder, "--database", database, "--port", "0", "--pace", "1m")
      const url = yield* demo.url
      yield* submit(url, "kept", "a")
      yield* submit(url, "lost", "b")

      yield* Effect.acquireUseRelease(
        Effect.sync(() => new DatabaseSync(database)),
        (opened) => Effect.sync(() => opened.exec("DELETE FROM jobs WHERE name = 'lost'")),
        (opened) => Effect.sync(() => opened.close())
      )
      yield* demo.stop
      const end = yield* demo.end

      assert.strictEqual(end.exitCode, 1)
      assert.strictEqual(end.stdout.at(-2), "jobs: 2 submitted ≠ 0 done + 0 parked + 1 waiting")
      assert.deepStrictEqual(end.stderr, ["lost jobs: 1"])
    }).pipe(Effect.provide(services)), 10_000)

  it.live("says in one line that the port is busy, and which", () =>
    Effect.gen(function*() {
      const port = yield* takenPort
      const demo = yield* start(yield* emptyFolder, "--port", String(port))
      const end = yield* demo.end

      assert.strictEqual(end.exitCode, 1)
      assert.deepStrictEqual(
        end.stderr.filter((line) => line.trim() !== "").map((line) => line.trim()),
        ["ERROR", `port ${port} is in use: choose another with --port, or any free one with --port 0`]
      )
    }).pipe(Effect.provide(services)), 10_000)

  it.live("explains itself", () =>
    Effect.gen(function*() {
      const demo = yield* start("--help")
      const end = yield* demo.end

      const help = end.stdout.join("\n")
      assert.strictEqual(end.exitCode, 0)
      for (
        const word of ["PANIC", "folder", "--port", "--for", "--chaos", "--seed", "--pace", "--workers", "--database"]
      ) {
        assert.include(help, word)
      }
    }).pipe(Effect.provide(services)), 10_000)
})
