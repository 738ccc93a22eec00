// Programs at the size that users have them, in FUSE mounts of containers, over uppers of both forms: git clone of 10,000 files, npm ci
// of this project (from npm's own cache) and its build, dpkg -i in a chroot, tar x of 20,000 files, make -j2, SQLite with 10,000
// transactions, fio --verify, shared mappings. What they left has to be the same when it is mounted again, and the store sound.
// test/e2e/fuse-programs.test.ts runs the same in small.
//
//   node scripts/fuse-programs.mjs --image oci:DIRECTORY:TAG      an image of Debian, as bench/gen.mjs makes them
//   --form overlay|portable (both), --case PATTERN, --on DIRECTORY where the store is made, --scale small, --patience SECONDS a case
//
// Needs root and /dev/fuse; what else is not installed is said.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))
// As deep as the sources: they look for the project from where they are.
const outfile = `${project}.modules/programs/${process.pid}.mjs`
const entryPoints = [`${project}test/programs/main.ts`]
await build({
  ...{ entryPoints, outfile, bundle: true, packages: 'external' },
  ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
})
try {
  process.exitCode = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(outfile, { force: true })
}
