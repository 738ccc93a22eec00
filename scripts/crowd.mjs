// Many processes do everything to one store at once, and one is killed every second: no error, no damage, nothing left.
//
//   node scripts/crowd.mjs
//   --processes 8, --seconds 300, --kill-every 1 (seconds)
//   --on DIRECTORY     where the store is made
//
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))
// As deep as the sources: they look for the project from where they are.
const file = `${project}.modules/crowd/${process.pid}.mjs`
await build({
  entryPoints: [`${project}test/crowd/main.ts`],
  outfile: file,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'error',
})
try {
  process.exitCode = spawnSync(process.execPath, [file, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(file, { force: true })
}
