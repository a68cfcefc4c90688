import { defineConfig } from "vitest/config"

const project = (name: string, include: string) => ({
  ssr: { resolve: { conditions: ["@coppice/source"] } },
  test: { name, include: [include] }
})

export default defineConfig({
  test: {
    silent: "passed-only",
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
