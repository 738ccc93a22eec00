// Crashes at every system call that changes a store, and losses of power between them: what is left has to be the old store or
// the new one (docs/durability.md).
//
//   node scripts/crash-store.mjs
//   --operation PATTERN, --inject kill|EIO|ENOSPC|EROFS|EDQUOT|power|both (several; both: a death, and a loss of power later), --list, --verbose
//   --every N          one point in so many (PLYFS_SEED says which)
//   --on DIRECTORY     where the stores are made: on a tmpfs it is much faster than on a disk
//
// Needs strace and root: it attaches to threads of other processes.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))
// As deep as the sources: they look for the project from where they are.
const file = `${project}.modules/crash-store/${process.pid}.mjs`
await build({
  entryPoints: [`${project}test/crash-store/main.ts`],
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
