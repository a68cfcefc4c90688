import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (name) => fileURLToPath(new URL(`../../packages/${name}/src/index.ts`, import.meta.url))

/**
 * The tests that have to notice the mutants: those of the rules, those of the modules that are mutated or that tell what
 * was decided, and the traces of OTP. What is random is not among them, so that the score is the same each time.
 */
export default defineConfig({
  // Through node_modules one would come to the sources themselves, and not to the mutated copy this file is part of.
  resolve: { alias: { "coppice": source("coppice"), "@coppice/testing": source("testing") } },
  test: {
    // Half the time; each run of Stryker's has new processes all the same, so that also what runs once is mutated.
    isolate: false,
    include: [
      "packages/coppice/test/rules/*.test.ts",
      "packages/coppice/test/{Backoff,ExitReason,Messages,Probe,Report,RestartPolicy,SupervisorEvent}.test.ts",
      "packages/testing/test/Conformance.test.ts"
    ]
  }
})
