import { dirname } from 'node:path'
import { codeOf } from '../model/errors.ts'
import type { Disk } from './disk.ts'

/**
 * Makes a directory and those above it that are missing, as `mkdir -p` does, and returns when they are on the disk. Where one is
 * there already nothing is synced. Text.
 *
 * @throws ENOENT, EACCES, ENOSPC …
 */
export function makeDirectoryDurably(disk: Disk, path: string, mode?: number): void {
  const first = disk.fs.mkdirSync(path, { recursive: true, ...(mode !== undefined && { mode }) })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) syncNames(disk, dirname(made))
}

/** Makes the names in a directory durable, if this process may open it: one that may only be passed through cannot be synced. */
export function syncNames(disk: Disk, directory: string): void {
  try {
    disk.syncDirectory(directory)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
  }
}
