// Kills the server of a FUSE mount at random moments, again and again, while programs work in it: each writes, moves, links and removes
// over a populated lower layer, and tells in a file what was answered. After each kill all of that has to be there, the step that was not
// answered wholly or not at all, and nothing hangs; the store has to be sound. Some rounds kill it while it mounts or unmounts, some end well.
//
//   node scripts/fuse-faults.mjs
//   --minutes N (10), --form overlay|portable (both, by turns), --programs N (3), --on DIRECTORY where the store is made, --seed N,
//   --keep what went wrong, --verbose
//
// Needs root and /dev/fuse.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))
// As deep as the sources: they look for the project from where they are.
const outfile = `${project}.modules/faults/${process.pid}.mjs`
const entryPoints = [`${project}test/faults/main.ts`]
await build({
  ...{ entryPoints, outfile, bundle: true, packages: 'external' },
  ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
})
try {
  process.exitCode = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(outfile, { force: true })
}
