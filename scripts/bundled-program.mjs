import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = fileURLToPath(new URL('..', import.meta.url))

/** Writes a program into one file that Node runs quickly. */
export async function bundleProgram(program, outfile) {
  await build({
    ...{ entryPoints: [program], outfile, bundle: true, packages: 'external' },
    ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
    sourcemap: process.env.NODE_V8_COVERAGE !== undefined && 'external',
  })
}

/**
 * Runs a program of the tests, with the words and the exit code of this process; `alone`: in a mount namespace of its own, since whoever else
 * makes one takes along what is mounted, which is served then until that one has gone.
 */
export async function runProgram(program, { alone = false } = {}) {
  // As deep as the sources: they look for the project from where they are.
  const file = `${project}.modules/${basename(dirname(program))}/${process.pid}.mjs`
  await bundleProgram(`${project}${program}`, file)
  try {
    const [command, ...words] = [
      ...(alone ? ['unshare', '--mount'] : []),
      process.execPath,
      file,
      ...process.argv.slice(2),
    ]
    process.exitCode = spawnSync(command, words, { stdio: 'inherit' }).status ?? 1
  } finally {
    rmSync(file, { force: true })
  }
}
