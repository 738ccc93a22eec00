import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { project } from './documents.ts'
import { run } from './tools.ts'

/** The command, where somebody may read it: the checkout may be closed to others, who get a copy (of links, where the file system is the same). */
export function openedTo(as: readonly string[], directory: string): string {
  chmodSync(directory, 0o755)
  const ply = join(project, 'bin', 'ply.js')
  const [program = '', ...words] = [...as, process.execPath, ply, '--version']
  if (spawnSync(program, words).status === 0) return ply
  const installed = join(directory, 'plyfs')
  mkdirSync(installed)
  const parts = ['bin', 'dist', 'package.json', 'node_modules'].map((name) => realpathSync(join(project, name)))
  run('sh', '-c', 'cp -al "$@" 2> /dev/null || cp -a "$@"', 'sh', ...parts, installed)
  return join(installed, 'bin', 'ply.js')
}
