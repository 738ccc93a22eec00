import { join } from 'node:path'
import type { Disk } from '../../sys/disk.ts'
import { entriesIn, walk } from '../walk.ts'

/** Something in a store that comes and goes as a whole: a blob, a cache file, an upper with all that is in it. */
export interface Unit {
  /** Relative to the store, `/` between names; empty for the store's directory itself. */
  readonly path: string
  readonly files: number
  /** Bytes that the disk has allocated for it, directories included; in memory, the bytes of its files. */
  readonly bytes: number
  /** The length of it, where it is one file. */
  readonly size: number
}

/** Directories whose entries are units of their own; all that lies elsewhere is one with what it lies in. */
const shelves = new Set([
  ...['', 'blobs', 'blobs/sha256', 'cache', 'cache/layers', 'cache/trees', 'names', 'accepted', 'sources'],
  ...['quarantine', 'uppers', 'containers', 'mounts', 'locks', 'tmp'],
])

/**
 * Everything in a store, unit by unit; a directory of units is one itself, without them. What has several names is counted where
 * it is met first. What somebody else is removing meanwhile is left out.
 */
export function* unitsOf(disk: Disk, root: string): Iterable<Unit> {
  const seen = new Set<number>()
  const visit = function* (path: string): Iterable<Unit> {
    const at = path === '' ? root : join(root, path)
    if (!shelves.has(path)) {
      yield { path, ...measured(disk, at, seen) }
      return
    }
    const stat = disk.fs.lstatSync(at, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (!stat.isDirectory()) {
      yield { path, ...measured(disk, at, seen) }
      return
    }
    yield { path, files: 0, bytes: disk.kind === 'memory' ? 0 : stat.blocks * 512, size: 0 }
    for (const name of entriesIn(disk, at)) yield* visit(path === '' ? name : `${path}/${name}`)
  }
  yield* visit('')
}

function measured(disk: Disk, path: string, seen: Set<number>): Omit<Unit, 'path'> {
  const own = disk.fs.lstatSync(path, { throwIfNoEntry: false })
  // Most of what is in a store is one file with one name.
  if (own !== undefined && !own.isDirectory() && own.nlink === 1)
    return { files: 1, bytes: disk.kind === 'disk' ? own.blocks * 512 : own.size, size: own.size }
  let files = 0
  let bytes = 0
  let size = 0
  for (const stat of walk(disk, path)) {
    const directory = stat.isDirectory()
    if (stat.nlink > 1 && !directory) {
      if (seen.has(stat.ino)) continue
      seen.add(stat.ino)
    }
    // memfs allocates no blocks: there the size is what it costs.
    if (disk.kind === 'disk') bytes += stat.blocks * 512
    else if (!directory) bytes += stat.size
    if (!directory) {
      files++
      size += stat.size
    }
  }
  return { files, bytes, size }
}
