import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { withoutRule } from './test/rules/without-rule.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What stands on bytes alone: nothing that a test could leave behind, so that all of its files load their modules once. */
const pure = 'test/{check,corpus,diff,dockerfile,erofs,image,layer,model,properties,query,signature,stack,stream,tar,trace,union}/**/*.test.ts'
const longest = { testTimeout: 240_000, hookTimeout: 240_000 }

export default defineConfig({
  plugins: [withoutRule(process.env.PLYFS_WITHOUT_RULE)],
  resolve: { alias: { plyfs: here('./src/index.ts') } },
  test: {
    pool: 'forks',
    // A failure says what was found, not that it was one thing: where it happens is not always where it can be looked into.
    chaiConfig: { truncateThreshold: 2000 },
    // Every processor: by default one is left idle.
    maxWorkers: '100%',
    // What the tests start writes down there what it runs (scripts/coverage.mjs); they themselves are watched by Vitest.
    env: process.env.PLYFS_COVERAGE ? { NODE_V8_COVERAGE: process.env.PLYFS_COVERAGE } : {},
    coverage: {
      provider: 'v8',
      include: ['src/**/*.{ts,tsx}'],
      // For a browser: what tests it runs in one.
      exclude: ['src/explore/page/**'],
      reporter: ['json', 'json-summary', 'text-summary'],
      reportOnFailure: true,
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          execArgv: ['--require', here('./test/support/own-mounts.cjs')],
          include: ['test/**/*.test.ts'],
          exclude: [pure, 'test/e2e/**', 'test/newer-tools/**', '**/node_modules/**'],
          // Against what hangs alone: how long something takes on a machine that does other things as well is nobody's promise.
          ...longest,
        },
      },
      {
        extends: true,
        test: {
          name: 'pure',
          execArgv: ['--require', here('./test/support/own-mounts.cjs')],
          include: [pure],
          isolate: false,
          ...longest,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/prepare.ts'],
          // Real tools on a real image: each step may take a while.
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
