import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The library, built here and now, for processes of their own. */
export interface Built extends Disposable {
  /** Runs a program that may use everything that the package exports; `argv` begins with `args`. */
  run(program: string, ...args: string[]): Running
}

export interface Running {
  readonly child: ChildProcess
  /** The exit code, or the signal, and what it complained of. */
  readonly end: Promise<string>
}

export function build(): Built {
  const root = mkdtempSync(join(tmpdir(), 'ply-test-built-'))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'))
  execFileSync(join(repository, 'node_modules/.bin/tsc'), [
    ...['-p', join(repository, 'tsconfig.json')],
    ...['--outDir', join(root, 'dist'), '--declarationDir', join(root, 'types')],
  ])
  return {
    run(program, ...args) {
      const text = `import * as ply from ${JSON.stringify(join(root, 'dist/index.js'))}\nconst argv = process.argv.slice(1)\n${program}`
      const child = spawn(process.execPath, ['--input-type=module', '-e', text, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let errors = ''
      child.stderr.on('data', (chunk) => (errors += chunk))
      const end = new Promise<string>((resolve) => {
        child.on('close', (code, signal) => resolve(`${signal ?? code}${errors}`))
      })
      return { child, end }
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}
