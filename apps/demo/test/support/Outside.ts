import { JobStore } from "@coppice/demo/JobStore"
import { Settings } from "@coppice/demo/Settings"
import { Context, Duration, Effect, Layer, Ref, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { DatabaseSync } from "node:sqlite"

// The database itself notes what becomes of a job, whoever writes to it.
const notes = `
  CREATE TABLE stored (job INTEGER, result TEXT);
  CREATE TRIGGER note_stored AFTER UPDATE OF result ON jobs
    BEGIN INSERT INTO stored VALUES (NEW.id, NEW.result); END;
  CREATE TABLE failed (job INTEGER, error TEXT);
  CREATE TRIGGER note_failed AFTER UPDATE OF state ON jobs
    WHEN OLD.state = 'running' AND NEW.state <> 'done' AND NEW.tries = OLD.tries
    BEGIN INSERT INTO failed VALUES (NEW.id, coalesce(NEW.error, 'nobody knows why')); END`

const select = `
  SELECT id, name, text, state, tries,
         (SELECT json_group_array(result) FROM stored WHERE job = id) AS results,
         (SELECT json_group_array(error) FROM failed WHERE job = id) AS failures
  FROM jobs`

const Strings = Schema.fromJsonString(Schema.Array(Schema.String))

/** A job, each result that was ever stored for it, and how each try ended that counts and did not succeed. */
const Watched = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  text: Schema.String,
  state: Schema.String,
  tries: Schema.Int,
  results: Strings,
  failures: Strings
})
export type Watched = typeof Watched.Type

const decode = Schema.decodeUnknownSync(Schema.Array(Watched))

/** What outlives every crash: the database, and what clients know. */
export class Outside extends Context.Service<Outside, {
  readonly database: DatabaseSync
  readonly jobs: Effect.Effect<ReadonlyArray<Watched>>
  readonly counts: JobStore["Service"]["counts"]
  /** The ids that clients have been told, by the names of their jobs. */
  readonly accepted: Map<string, number>
}>()("@coppice/demo/test/support/Outside") {
  static readonly layer = Layer.effect(
    Outside,
    Effect.gen(function*() {
      const { databaseFile } = yield* Settings
      const { counts } = yield* JobStore
      const database = yield* Effect.acquireRelease(
        Effect.sync(() => new DatabaseSync(databaseFile)),
        (opened) => Effect.sync(() => opened.close())
      )
      database.exec(notes)
      const jobs = Effect.sync(() => decode(database.prepare(select).all()))
      return { database, jobs, counts, accepted: new Map() }
    })
    // Fresh: one that children could find in their surroundings they would share.
  ).pipe(Layer.provide(Layer.fresh(JobStore.layer)))
}

let databases = 0

// In memory, but for all connections the same, as a file is. It is gone when the last of them is closed.
const settings = Layer.effect(
  Settings,
  Effect.map(Ref.make(0), (port) => ({
    databaseFile: `file:demo-${++databases}?mode=memory&cache=shared`,
    pace: Duration.seconds(1),
    port,
    workers: 2
  }))
)

// The tree asks its web server over HTTP whether it is alive.
const alive = Layer.succeed(FetchHttpClient.Fetch, () => Promise.resolve(new Response("alive")))

/** The world of one run. */
export const world = Layer.merge(Outside.layer, alive).pipe(Layer.provideMerge(settings))
