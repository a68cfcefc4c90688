/**
 * The queue, in one SQLite file.
 *
 * Each incarnation that provides `JobStore.layer` opens a connection of its own. Every operation changes something in one
 * statement, or one explicit transaction, so that a crash between any two of them loses nothing. Statements are
 * synchronous, and those of one thread never wait for each other; another process may have to wait for some milliseconds.
 */
import { Clock, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { Counts, Job, maxTries, Result, type Submission } from "./Job.ts"
import { Settings } from "./Settings.ts"

export class JobStoreError extends Schema.TaggedError<JobStoreError>()("JobStoreError", {
  operation: Schema.String,
  file: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `cannot ${this.operation} ${this.file}: ${why}`
  }
}

/** There is a job of this name that has another text. */
export class NameTaken extends Schema.TaggedError<NameTaken>()("NameTaken", { name: Schema.String }) {
  override get message(): string {
    return `there is a job "${this.name}" with another text`
  }
}

/** A job that a worker holds. */
const Claim = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  text: Schema.String,
  worker: Schema.String,
  incarnation: Schema.Int
})
export type Claim = typeof Claim.Type

const Row = Job.mapFields((fields) => ({ ...fields, result: Schema.NullOr(Schema.fromJsonString(Result)) }))

const schema = `
  CREATE TABLE IF NOT EXISTS jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    text        TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'waiting',
    tries       INTEGER NOT NULL DEFAULT 0,
    worker      TEXT,
    incarnation INTEGER,
    claimed_at  INTEGER,
    result      TEXT,
    error       TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, id)`

// Not `ON CONFLICT DO NOTHING`: to SQLite's count of the rows it has inserted that adds one.
const insertNew = `
  INSERT INTO jobs (name, text) SELECT $name, $text WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE name = $name)`
const columns = "id, name, state, tries, worker, incarnation, result, error"

// A job that was interrupted and has not failed gets its try back.
const giveBack = "UPDATE jobs SET state = 'waiting', tries = tries - 1, worker = NULL, incarnation = NULL"

const openDatabase = (file: string): DatabaseSync => {
  const database = new DatabaseSync(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000")
  database.exec(schema)
  return database
}

const first = <A>(found: ReadonlyArray<A>): Option.Option<A> => Option.fromUndefinedOr(found[0])

const make = Effect.gen(function*() {
  const file = (yield* Settings).databaseFile
  const attempt = <A>(operation: string, run: () => A) =>
    Effect.try({ try: run, catch: (cause) => new JobStoreError({ operation, file, cause }) })

  const database = yield* Effect.acquireRelease(
    attempt("open", () => openDatabase(file)),
    (opened) => Effect.sync(() => opened.close())
  )

  // Workers ask for a job many times a second.
  const statements = new Map<string, StatementSync>()
  const prepared = (sql: string): StatementSync => {
    const statement = statements.get(sql) ?? database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  const rows = <A>(
    operation: string,
    row: Schema.ConstraintDecoder<A>,
    sql: string,
    ...parameters: ReadonlyArray<SQLInputValue>
  ): Effect.Effect<ReadonlyArray<A>, JobStoreError> =>
    attempt(operation, () => Schema.decodeSync(Schema.Array(row))(prepared(sql).all(...parameters)))

  /** Submits a job, unless it is there already: who got no answer submits it again, and its name says which it is. */
  const submit = Effect.fnUntraced(function*({ name, text }: Submission) {
    const [job] = yield* attempt("submit a job to", () => {
      database.prepare(insertNew).run({ name, text })
      return database.prepare("SELECT id, text FROM jobs WHERE name = ?").all(name)
    })
    if (job?.["text"] !== text) return yield* new NameTaken({ name })
    return Number(job["id"])
  })

  /** Submits what is not yet there by name, all of it or nothing. Answers how many that were. */
  const submitNew = (submissions: ReadonlyArray<Submission>) =>
    attempt("submit jobs to", () => {
      database.exec("BEGIN IMMEDIATE")
      try {
        const statement = database.prepare(insertNew)
        const changes = submissions.map(({ name, text }) => Number(statement.run({ name, text }).changes))
        database.exec("COMMIT")
        return changes.reduce((sum, change) => sum + change, 0)
      } catch (error) {
        database.exec("ROLLBACK")
        throw error
      }
    })

  /** Claims the oldest waiting job. The try is counted now, before anything can go wrong. */
  const claim = Effect.fnUntraced(function*(worker: string, incarnation: number) {
    const now = yield* Clock.currentTimeMillis
    const claims = yield* rows(
      "claim a job in",
      Claim,
      `UPDATE jobs SET state = 'running', tries = tries + 1, worker = ?, incarnation = ?, claimed_at = ?
       WHERE id = (SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id LIMIT 1)
       RETURNING id, name, text, worker, incarnation`,
      worker,
      incarnation,
      now
    )
    return first(claims)
  })

  /** Stores a result, unless the claim has been taken away meanwhile: then somebody else does the job. */
  const complete = ({ id, worker, incarnation }: Claim, result: Result) =>
    attempt("store a result in", () => {
      database.prepare(
        `UPDATE jobs SET state = 'done', result = ?, error = NULL
         WHERE id = ? AND state = 'running' AND worker = ? AND incarnation = ?`
      ).run(JSON.stringify(result), id, worker, incarnation)
    })

  /** Gives back the job on which a worker's last incarnation crashed, or parks it if that was its last try. */
  const takeBackCrashed = (worker: string, error: string) =>
    rows(
      "return a job in",
      Row,
      `UPDATE jobs SET state = iif(tries >= ?, 'parked', 'waiting'), error = ?
       WHERE state = 'running' AND worker = ? RETURNING ${columns}`,
      maxTries,
      error,
      worker
    )

  /** Gives back the job that a worker held when it was stopped in order. */
  const takeBackInterrupted = (worker: string) =>
    attempt("return a job in", () => {
      database.prepare(`${giveBack} WHERE state = 'running' AND worker = ?`).run(worker)
    })

  /** Gives back jobs that have been held for longer than a lease. Such a try counts: it may be the job's fault. */
  const takeBackOverdue = Effect.fnUntraced(function*(lease: Duration.Duration, error: string) {
    const now = yield* Clock.currentTimeMillis
    return yield* rows(
      "return jobs in",
      Row,
      `UPDATE jobs SET state = iif(tries >= ?, 'parked', 'waiting'), error = ?
       WHERE state = 'running' AND claimed_at <= ? RETURNING ${columns}`,
      maxTries,
      error,
      now - Duration.toMillis(lease)
    )
  })

  /** Gives back every job. For when no worker is alive. */
  const takeBackAll = attempt("return jobs in", () => database.exec(`${giveBack} WHERE state = 'running'`))

  const list = rows("list the jobs of", Row, `SELECT ${columns} FROM jobs ORDER BY id`)

  const get = (id: number) =>
    Effect.map(rows("read a job of", Row, `SELECT ${columns} FROM jobs WHERE id = ?`, id), first)

  const counts = attempt("count the jobs of", () =>
    Schema.decodeUnknownSync(Counts)(
      database.prepare(
        `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'jobs'), 0) AS submitted,
                count(*) FILTER (WHERE state = 'waiting') AS waiting,
                count(*) FILTER (WHERE state = 'running') AS running,
                count(*) FILTER (WHERE state = 'done') AS done,
                count(*) FILTER (WHERE state = 'parked') AS parked
         FROM jobs`
      ).get()
    ))

  return {
    submit,
    submitNew,
    claim,
    complete,
    takeBackCrashed,
    takeBackInterrupted,
    takeBackOverdue,
    takeBackAll,
    list,
    get,
    counts
  }
})

export class JobStore extends Context.Service<JobStore, Effect.Success<typeof make>>()("@coppice/demo/JobStore") {
  static readonly layer = Layer.effect(JobStore, make)
}
