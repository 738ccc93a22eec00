import type { Stat } from '../model/entry.ts'

/**
 * Finds names that are equal in themselves but are hardlinked with other names than before (layer-semantics E-09).
 * Asked only of names that are otherwise unchanged, because the rest are emitted anyway.
 */
export class LinkPairs {
  readonly #sameNumbers: boolean
  readonly #findKept: (() => ReadonlySet<number>) | undefined
  #kept: ReadonlySet<number> | undefined
  readonly #after = new Map<number, number>()
  readonly #before = new Map<number, number>()

  /**
   * `sameNumbers`: both sides number their inodes alike, so that nothing need be remembered. `kept`: the inodes that have the same
   * number on both sides at some name that nobody asks about.
   */
  constructor(sameNumbers: boolean, kept?: () => ReadonlySet<number>) {
    this.#sameNumbers = sameNumbers
    this.#findKept = kept
  }

  regrouped(before: Stat, after: Stat): boolean {
    if (before.links < 2 && after.links < 2) return false
    if (this.#sameNumbers) return before.ino !== after.ino
    if (this.#findKept !== undefined) {
      // Seldom: an inode with several names is another one now, and the same in itself.
      this.#kept ??= this.#findKept()
      if (this.#kept.has(before.ino) || this.#kept.has(after.ino)) return true
    }
    const wasAfter = this.#after.get(before.ino)
    const wasBefore = this.#before.get(after.ino)
    if (wasAfter === undefined && wasBefore === undefined) {
      this.#after.set(before.ino, after.ino)
      this.#before.set(after.ino, before.ino)
      return false
    }
    return wasAfter !== after.ino
  }
}
