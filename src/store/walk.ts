import type { Stats } from 'node:fs'
import { codeOf } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'

/**
 * Everything under a path, the path itself first. What somebody else is removing meanwhile is left out. Paths are bytes,
 * since an upper holds names as their users wrote them.
 */
export function* walk(disk: Disk, path: string | Buffer): Iterable<Stats> {
  const at = typeof path === 'string' ? Buffer.from(path) : path
  const stat = disk.fs.lstatSync(at, { throwIfNoEntry: false }) as Stats | undefined
  if (stat === undefined) return
  yield stat
  if (!stat.isDirectory()) return
  for (const name of namesIn(disk, at)) yield* walk(disk, Buffer.concat([at, Buffer.from('/'), name]))
}

/** What is in a directory, in no order; nothing if there is none, or none any more. */
export function entriesIn(disk: Disk, directory: string): string[] {
  try {
    return disk.fs.readdirSync(directory) as string[]
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

function namesIn(disk: Disk, path: Buffer): Buffer[] {
  try {
    return disk.fs.readdirSync(path, { encoding: 'buffer' }) as unknown as Buffer[]
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
