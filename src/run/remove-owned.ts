import { spawnSync } from 'node:child_process'
import { lstatSync, rmSync } from 'node:fs'
import { codeOf } from '../model/errors.ts'
import { namespaceOfCommand } from '../mount/command.ts'

/**
 * Removes a directory with all that is in it, also what belongs to users that this one has only in namespaces.
 *
 * @throws EACCES, EPERM for what belongs to others
 */
export function removeOwned(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
    const [program, ...given] = [...namespaceOfCommand().enter, 'rm', '-rf', '--one-file-system', '--', path]
    spawnSync(program!, given, { stdio: 'ignore' })
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw error
  }
}
