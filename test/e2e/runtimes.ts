import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** npm as a program of Node, for whichever Node runs it. */
export function npmProgram(): string {
  const npm = execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim()
  return npm
}

/**
 * A Node of a major version: this one, or one that comes as an npm package and is kept with the other things that the tests make once.
 *
 * @returns its path, or why there is none
 */
export function runtime(major: number): { readonly node: string } | { readonly why: string } {
  if (process.version.startsWith(`v${major}.`)) return { node: process.execPath }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'plyfs-test')
  const kept = join(cache, `node-${major}-${process.arch}`)
  const name = `node-${process.platform}-${process.arch}`
  const node = join(kept, 'node_modules', name, 'bin', 'node')
  if (!existsSync(node)) {
    mkdirSync(cache, { recursive: true })
    const young = mkdtempSync(join(cache, 'young-'))
    console.log(`installing Node ${major} (once)`)
    const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier']
    const { status, stderr } = spawnSync('npm', ['install', '--prefix', young, ...quiet, `${name}@${major}`], {
      encoding: 'utf8',
      timeout: 120_000,
    })
    if (status === 0 && !existsSync(kept)) renameSync(young, kept)
    rmSync(young, { recursive: true, force: true })
    if (status !== 0) return { why: `npm has no ${name}@${major} here: ${stderr.split('\n').at(-3) ?? ''}` }
  }
  // Of a package only the program is needed.
  for (const other of ['include', 'share'])
    if (readdirSync(dirname(dirname(node))).includes(other))
      rmSync(join(dirname(dirname(node)), other), { recursive: true, force: true })
  return { node }
}
