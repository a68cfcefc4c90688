/**
 * The modules of pure decisions: values in, a value out, or, in `ranges` and `partitions`, the order in which the loop's
 * operations are done. The loops, the fibers and the state they work on are not mutated: a mutant of these mostly hangs,
 * or differs in time and memory alone. `flow` is not here either: it has types alone, which the type tests are for.
 */
const internal = [
  "backoff",
  "health",
  "keeping",
  "partitions",
  "ranges",
  "restartLimit",
  "restartWindow",
  "specCheck",
  "spend",
  "strategy",
  "verdict"
]
const exported = ["Backoff", "ExitReason", "RestartPolicy"]

export default {
  mutate: [
    ...internal.map((name) => `packages/coppice/src/internal/${name}.ts`),
    ...exported.map((name) => `packages/coppice/src/${name}.ts`)
  ],
  // A mutant that changes nothing one could notice is named at its line: `Stryker disable next-line <mutator>: <why>`.
  thresholds: { high: 100, low: 100, break: 100 },
  testRunner: "vitest",
  vitest: { configFile: ".ci/mutation/vitest.mjs", pool: "forks", related: false },
  // To rewrite one it would need an API that TypeScript 7 does not have; nothing here needs it rewritten.
  tsconfigFile: "none",
  // What takes too long counts as noticed. So that this is said of hanging mutants alone, also on a busy machine:
  timeoutFactor: 6,
  timeoutMS: 10_000,
  reporters: ["clear-text", "html", "json"],
  htmlReporter: { fileName: ".stryker/mutation.html" },
  jsonReporter: { fileName: ".stryker/mutation.json" },
  tempDirName: ".stryker/sandbox"
}
