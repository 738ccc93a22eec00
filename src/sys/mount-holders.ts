import { closeSync, openSync, readdirSync } from 'node:fs'
import { codeOf } from '../model/errors.ts'
import { mountIdOf } from './new-mount.ts'
import { processes } from './processes.ts'

const openPath = 0o10000000

/**
 * Processes that have something open in a mount, work in it or have mapped a file of it, as far as this user may see: also where the mount
 * is on no directory any more. Every open file of the machine is looked at.
 *
 * @param id what its namespace calls, or called, the mount
 */
export function mountHolders(id: number): number[] {
  return processes().filter((pid) => links(pid).some((link) => mountIdAt(link) === id))
}

function links(pid: number): string[] {
  const at = `/proc/${pid}`
  const found = [`${at}/cwd`, `${at}/root`, `${at}/exe`]
  for (const directory of ['fd', 'map_files']) {
    try {
      for (const name of readdirSync(`${at}/${directory}`)) found.push(`${at}/${directory}/${name}`)
    } catch (error) {
      // It has gone, or is not ours to ask.
      if (codeOf(error) === undefined) throw error
    }
  }
  return found
}

function mountIdAt(link: string): number | undefined {
  let fd: number
  try {
    fd = openSync(link, openPath)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
  try {
    return mountIdOf(fd)
  } finally {
    closeSync(fd)
  }
}
