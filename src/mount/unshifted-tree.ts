import type { ByteString } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { MappedTree, mappedTree, type OwnerShift } from '../stack/mapped-tree.ts'
import type { Tree } from '../stack/tree.ts'

/** What owners were when they were shifted, and how. */
export interface Unshifting {
  readonly shift: OwnerShift
  /** The inode of the original that one of the directory was made from. */
  readonly originOf: (ino: number) => number | undefined
}

/**
 * A directory that was written with shifted owners, with those of the archive again (layer-semantics O-01): whoever still owns what he
 * owned then is who he was before, also where several had become one; any other owner is shifted back.
 *
 * Attributes throw PLY_UNREPRESENTABLE for a number that nobody has before the shift (O-02).
 */
export class UnshiftedTree extends MappedTree {
  readonly #original: Tree
  readonly #shown: Tree
  readonly #disk: Tree
  readonly #originOf: Unshifting['originOf']

  constructor(disk: Tree, original: Tree, { shift, originOf }: Unshifting) {
    const { uids, gids } = shift
    super(disk, { uids: uids?.reversed(), gids: gids?.reversed() })
    this.#disk = disk
    this.#original = original
    this.#shown = mappedTree(original, shift)
    this.#originOf = originOf
  }

  override stat(ino: number): Stat {
    const origin = this.#origin(ino)
    if (origin === undefined) return super.stat(ino)
    const now = this.#disk.stat(ino)
    const shown = this.#shown.stat(origin)
    const was = this.#original.stat(origin)
    if (now.uid === shown.uid && now.gid === shown.gid) return { ...now, uid: was.uid, gid: was.gid }
    const shifted = super.stat(ino)
    return {
      ...shifted,
      uid: now.uid === shown.uid ? was.uid : shifted.uid,
      gid: now.gid === shown.gid ? was.gid : shifted.gid,
    }
  }

  override xattrs(ino: number): Xattrs {
    const origin = this.#origin(ino)
    if (origin === undefined) return super.xattrs(ino)
    const kept = new Map<ByteString, Uint8Array>()
    const others = new Map(this.#disk.xattrs(ino))
    const shown = this.#shown.xattrs(origin)
    for (const [name, value] of this.#original.xattrs(origin)) {
      const [then, now] = [shown.get(name), others.get(name)]
      if (then === undefined || now === undefined || then === value || Buffer.compare(then, now) !== 0) continue
      kept.set(name, value)
      others.delete(name)
    }
    if (kept.size === 0) return super.xattrs(ino)
    return new Map([...this.shifted(others, ino), ...kept])
  }

  #origin(ino: number): number | undefined {
    const origin = this.#originOf(ino)
    return origin !== undefined && this.#original.has?.(origin) !== false ? origin : undefined
  }
}
