import { Index } from '../../erofs/index.ts'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { noteUse } from '../collection/cache-budget.ts'
import { heldBytes } from './held-bytes.ts'

/** Where an index is cached, and what it must be the index of. */
export interface CachedIndex {
  readonly path: string
  /** The diffID of a layer, the chainID of a tree. */
  readonly of: Digest
  /** For messages. */
  readonly what: string
  /** Whether the file is removed as soon as it is known to be damaged, so that whoever opens it next builds it anew. */
  readonly writable: boolean
  /** Whether no collection may take it, nor what it leads to, while it is open. */
  readonly held?: boolean
}

/**
 * An index in a cache. What is opened is only its end and its head: damage elsewhere throws PLY_BAD_INDEX when it is read.
 *
 * @throws ENOENT if there is none; PLY_BAD_INDEX if it is damaged, or the index of something else
 */
export function openIndex(disk: Disk, { path, of, what, writable, held = false }: CachedIndex): Index {
  const bytes = held ? heldBytes(disk, path) : fileBytes(disk, path)
  try {
    return Index.open(bytes, {
      what,
      uuidSeed: of,
      ...(writable && { onDamage: () => disk.fs.rmSync(path, { force: true }) }),
    })
  } catch (error) {
    bytes.close()
    throw error
  }
}

/** As `openIndex`; `undefined` if there is none, or a damaged one. */
export function findIndex(disk: Disk, cached: CachedIndex): Index | undefined {
  // Asked first: an error is dear to make, and of most prefixes of a stack there is no index.
  const stat = disk.fs.statSync(cached.path, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  try {
    const index = openIndex(disk, cached)
    if (cached.writable) noteUse(disk, cached.path, stat)
    return index
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'PLY_BAD_INDEX') return undefined
    throw error
  }
}
