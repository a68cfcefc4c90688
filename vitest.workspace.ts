import { defineConfig } from "vitest/config"

const project = (name: string, include: string) => ({
  ssr: { resolve: { conditions: ["@coppice/source"] } },
  // No test depends on the speed of the machine.
  test: { name, include: [include], testTimeout: 30_000, hookTimeout: 30_000 }
})

export default defineConfig({
  test: {
    silent: "passed-only",
    // Many tests wait for processes: two at a time, also where there are no more cores.
    maxWorkers: 2,
    projects: [
      project("coppice", "packages/coppice/test/**/*.test.ts"),
      project("testing", "packages/testing/test/**/*.test.ts"),
      project("process", "packages/process/test/**/*.test.ts"),
      project("bench", "apps/bench/test/**/*.test.ts"),
      project("demo", "apps/demo/test/**/*.test.ts"),
      project("docs", "apps/docs/test/**/*.test.ts"),
      project("examples", ".examples/*.test.ts")
    ]
  }
})
