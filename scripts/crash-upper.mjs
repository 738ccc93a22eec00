// Crashes at every system call that changes an upper, in every form: what is left has to be the old state or the new one.
//
//   node scripts/crash-upper.mjs
//   --form trusted|metacopy|user|portable (several), --scenario PATTERN, --inject kill|EIO|ENOSPC|EROFS (several), --verbose
//   --on DIRECTORY     where the uppers are made: on a tmpfs it takes half the hour that it takes on a disk
//
// Needs strace, and root for overlayfs's forms and for what the kernel shows.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const project = fileURLToPath(new URL('..', import.meta.url))
// As deep as the sources: they look for the project from where they are.
const file = `${project}.modules/crash/${process.pid}.mjs`
const bundle = await rolldown({
  input: `${project}test/crash/main.ts`,
  platform: 'node',
  external: (name) => !name.startsWith('.') && !name.startsWith('/'),
})
await bundle.write({ file, format: 'esm', codeSplitting: false })
await bundle.close()
try {
  process.exitCode = spawnSync(process.execPath, [file, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(file, { force: true })
}
