/** What the compiler says about the mistakes that newcomers make. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))

const support = `
import { ChildRef } from "coppice"
import { Context, Effect, Layer } from "effect"
export class Db extends Context.Service<Db, { readonly query: Effect.Effect<number> }>()("shop/Db") {
  static readonly layer = Layer.succeed(Db, { query: Effect.succeed(1) })
}
export class DbRef extends ChildRef.Service<DbRef>()("shop/DbRef", Db) {}
export class Cache extends Context.Service<Cache, { readonly size: number }>()("shop/Cache") {
  static readonly layer = Layer.succeed(Cache, { size: 0 })
}
export const usesDb = Effect.flatMap(Db, (db) => db.query)
`

const prelude = `
import { Child, Supervisor } from "coppice"
import { Effect } from "effect"
import { Cache, Db, DbRef, usesDb } from "./support.ts"
export const used = [Cache, Child, Db, DbRef, Effect, Supervisor, usesDb]
`

interface Mistake {
  readonly code: string
  /** Parts of the message, in order. */
  readonly says: ReadonlyArray<string>
}

const run = "Effect.runPromise(Supervisor.launch(App))"

// A service that is missing is named where the program is run: until then the surroundings may provide it.
const lacksDb = ["RestartIntensityExceeded, Db>", "Type 'Db' is not assignable to type 'never'"]

const mistakes: Record<string, Mistake> = {
  "a child that comes before the one that gives its service": {
    code: `const App = Supervisor.layer("app", {
      strategy: "rest-for-one",
      children: [Child.effect("reader", usesDb), Child.layer("db", Db.layer)]
    })
    ${run}`,
    says: lacksDb
  },
  "a child that uses a sibling's service under one-for-one": {
    code: `const App = Supervisor.layer("app", {
      strategy: "one-for-one",
      children: [Child.layer("db", Db.layer), Child.effect("reader", usesDb)]
    })
    ${run}`,
    says: lacksDb
  },
  "a child that uses the service of a sibling that may be gone for good": {
    code: `const App = Supervisor.layer("app", {
      strategy: "rest-for-one",
      children: [Child.layer("db", Db.layer, { restart: "transient" }), Child.effect("reader", usesDb)]
    })
    ${run}`,
    says: lacksDb
  },
  "a ref that nobody provides": {
    code: `const App = Supervisor.layer("app", {
      strategy: "one-for-one",
      children: [Child.layer("db", Db.layer, { ref: DbRef })]
    })
    ${run}`,
    says: ["RestartIntensityExceeded, DbRef>", "Type 'DbRef' is not assignable to type 'never'"]
  },
  "a ref to another service": {
    code: `Child.layer("cache", Cache.layer, { ref: DbRef })`,
    says: [
      "Type 'typeof DbRef' is not assignable to type 'Fills<Cache>'",
      "Type 'Db' is not assignable to type 'Cache'"
    ]
  },
  "an unknown id": {
    code: `const App = Supervisor.make("app", {
      strategy: "one-for-one",
      children: [Child.effect("clock", Effect.never), Child.effect("mailer", Effect.never)]
    })
    export const stop = Effect.flatMap(App, (app) => app.terminateChild("clok"))`,
    says: [`'"clok"' is not assignable to parameter of type '"clock" | "mailer" | ChildHandle<string, never>'`]
  },
  "an unknown id, of a class": {
    code: `class App extends Supervisor.Service<App>()("shop/App", {
      strategy: "one-for-one",
      children: [Child.effect("clock", Effect.never), Child.effect("mailer", Effect.never)]
    }) {}
    export const stop = App.terminateChild("clok")`,
    says: [`'"clok"' is not assignable to parameter of type '"clock" | "mailer" | ChildHandle<string, never>'`]
  },
  "two children with one id": {
    code: `Supervisor.layer("app", {
      strategy: "one-for-one",
      children: [Child.effect("clock", Effect.never), Child.effect("clock", Effect.void)]
    })`,
    says: [`is not assignable to type '"two children have the id \\"clock\\""'`]
  },
  "an id with a slash": {
    code: `Child.effect("a/b", Effect.never)`,
    says: [`'"a/b"' is not assignable to parameter of type '"an id is not empty and contains no slash"'`]
  },
  "an empty id": {
    code: `Child.effect("", Effect.never)`,
    says: [`'""' is not assignable to parameter of type '"an id is not empty and contains no slash"'`]
  },
  "a significant child that is permanent by default": {
    code: `Child.effect("leader", Effect.never, { significant: true })`,
    says: [
      `Property 'restart' is missing in type '{ significant: true; }' but required in type`,
      `restart: "temporary" | "transient"`
    ]
  },
  "a significant child that is permanent by choice": {
    code: `Child.effect("leader", Effect.never, { restart: "permanent", significant: true })`,
    says: ["Type 'true' is not assignable to type 'false'"]
  },
  "a supervisor without a strategy": {
    code: `Supervisor.layer("app", { children: [Child.effect("clock", Effect.never)] })`,
    says: ["Property 'strategy' is missing"]
  },
  "OTP's spelling of a strategy": {
    code: `Supervisor.layer("app", { strategy: "one_for_one", children: [Child.effect("clock", Effect.never)] })`,
    says: [`Type '"one_for_one"' is not assignable to type 'Strategy'. Did you mean '"one-for-one"'?`]
  },
  "a layer where a child is expected": {
    code: `Supervisor.layer("app", { strategy: "one-for-one", children: [Db.layer] })`,
    says: [
      "Type 'Layer<Db, never, never>' is missing the following properties from type 'Any': [TypeId], id, kind, type"
    ]
  },
  "a layer where an effect is expected": {
    code: `Child.effect("db", Db.layer)`,
    says: [
      "Type 'Layer<Db, never, never>' is missing the following properties from type 'Effect<unknown, unknown, unknown>'"
    ]
  },
  "an effect where a layer is expected": {
    code: `Child.layer("clock", Effect.never)`,
    says: [
      "missing in type 'Effect<never, never, never>' but required in type 'Layer<unknown, unknown, unknown>'"
    ]
  },
  "a make that does not answer an effect": {
    code: `Child.make("consumer", Effect.succeed("a connection"))`,
    says: ["Type 'string' is not assignable to type 'Effect<any, any, any>'"]
  },
  "a child that uses its own supervisor's class, and whose type is not written": {
    code: `export class App extends Supervisor.Service<App>()("shop/App", {
      strategy: "one-for-one",
      children: [Child.effect("counter", Effect.suspend(() => App.countChildren))]
    }) {}`,
    says: ["'App' is referenced directly or indirectly in its own base expression"]
  },
  "a replacement of a child that there is not": {
    code: `class App extends Supervisor.Service<App>()("shop/App", {
      strategy: "one-for-one",
      children: [Child.layer("db", Db.layer), Child.effect("clock", Effect.never)]
    }) {}
    export const layer = App.layerWith({ db: Db.layer, clok: Db.layer })`,
    says: [`is not assignable to type '"no child built from a layer has the id \\"clok\\""'`]
  },
  "another service in the place of a child's": {
    code: `class App extends Supervisor.Service<App>()("shop/App", {
      strategy: "one-for-one",
      children: [Child.layer("db", Db.layer)]
    }) {}
    export const layer = App.layerWith({ db: Cache.layer })`,
    says: ["Type 'Layer<Cache, never, never>' is not assignable to type 'Layer<Db, any, any>'"]
  }
}

const names = Object.keys(mistakes)

/** One run of the compiler for all mistakes; what it says, by mistake. */
const compile = (): ReadonlyArray<string> => {
  // In the folder of the generated examples, where packages are found; and hidden, so that the type check skips it.
  mkdirSync(join(root, ".examples"), { recursive: true })
  const folder = mkdtempSync(join(root, ".examples", ".messages-"))
  try {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
    write(
      "tsconfig.json",
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: {
          composite: false,
          declarationMap: false,
          rootDir: "../..",
          // The words of TypeScript alone, without those of Effect's plugin.
          plugins: [{ name: "@effect/language-service", diagnostics: false }]
        },
        include: ["*.ts"],
        references: []
      })
    )
    write("support.ts", support)
    names.forEach((name, index) => write(`mistake${index}.ts`, `${prelude}\n${mistakes[name]!.code}\n`))
    const tsc = join(root, "node_modules/.bin/tsc")
    const { stdout } = spawnSync(tsc, ["-p", folder, "--noEmit", "--skipLibCheck", "--pretty", "false"], {
      cwd: folder,
      encoding: "utf8"
    })
    const reports = stdout.split(/^(?=\S+\(\d+,\d+\): error )/m)
    assert.deepStrictEqual(reports.filter((report) => !report.startsWith("mistake")), [])
    return names.map((_, index) => reports.filter((report) => report.startsWith(`mistake${index}.ts(`)).join(""))
  } finally {
    rmSync(folder, { force: true, recursive: true })
  }
}

describe("what the compiler says to", () => {
  let messages: ReadonlyArray<string> | undefined

  for (const [index, name] of names.entries()) {
    it(name, () => {
      messages ??= compile()
      let rest = messages[index]!
      for (const part of mistakes[name]!.says) {
        assert.include(rest, part)
        rest = rest.slice(rest.indexOf(part) + part.length)
      }
    }, 60_000)
  }
})
