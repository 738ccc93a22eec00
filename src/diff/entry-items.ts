import type { PackItem } from '../layer/pack.ts'
import type { Inodes } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** A path that no archive can carry: a socket (layer-semantics T-09), or a name that means a whiteout (E-10). */
export interface Skipped {
  /** Byte string without a leading slash. */
  readonly path: ByteString
  readonly rule: 'T-09' | 'E-10'
}

export interface Skipping {
  /** Leave out names that start with `.wh.`, instead of refusing them. */
  readonly skipMarkers?: boolean | undefined
  readonly onSkipped?: ((skipped: Skipped) => void) | undefined
}

/** Whether a path stays out of an archive. @throws PLY_UNREPRESENTABLE by E-10, unless that is skipped too */
export function skips(path: ByteString, kind: Kind, options: Skipping): boolean {
  if (path.startsWith('.wh.') || path.includes('/.wh.')) {
    if (!options.skipMarkers) {
      const reason = 'a name that starts with .wh. would be read as a whiteout; rename it or leave it out (E-10)'
      throw new PlyError('PLY_UNREPRESENTABLE', { path: `/${displayText(path)}`, where: 'a layer', reason })
    }
    options.onSkipped?.({ path, rule: 'E-10' })
    return true
  }
  if (kind !== 'socket') return false
  options.onSkipped?.({ path, rule: 'T-09' })
  return true
}

/** Makes the items of entries; of a hardlink group, the first one made carries the data (E-09). */
export class EntryItems {
  readonly #tree: Inodes
  readonly #anyLinked: boolean
  readonly #first = new Map<number, ByteString>()

  /** `anyLinked`: an inode may have more names than its link count says. */
  constructor(tree: Inodes, anyLinked = false) {
    this.#tree = tree
    this.#anyLinked = anyLinked
  }

  entry(path: ByteString, ino: number): PackItem {
    const tree = this.#tree
    const stat = tree.stat(ino)
    const xattrs = tree.xattrs(ino)
    const item = { path, says: 'entry', stat, xattrs } as const
    if (stat.kind !== 'directory' && (this.#anyLinked || stat.links > 1)) {
      const first = this.#first.get(ino)
      if (first !== undefined) return { ...item, linkTo: first }
      this.#first.set(ino, path)
    }
    switch (stat.kind) {
      case 'file':
        return { ...item, open: () => tree.open(ino) }
      case 'symlink':
        return { ...item, target: tree.readlink(ino) }
      default:
        return item
    }
  }
}
