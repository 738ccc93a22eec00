import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** What other tools have to be newer for than Debian 12 has them: `npm run newer-tools`, and nothing else. */
export default defineConfig({
  resolve: { alias: { plyfs: here('src/index.ts') } },
  test: {
    root: here(''),
    pool: 'forks',
    include: ['test/newer-tools/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
  },
})
