import type { Stat } from '../model/entry.ts'

/**
 * Finds names that are equal in themselves but are hardlinked with other names than before (layer-semantics E-09).
 * Asked only of names that are otherwise unchanged, because the rest are emitted anyway.
 */
export class LinkPairs {
  readonly #sameNumbers: boolean
  readonly #after = new Map<number, number>()
  readonly #before = new Map<number, number>()

  /** `sameNumbers`: both sides number their inodes alike, so that nothing need be remembered. */
  constructor(sameNumbers: boolean) {
    this.#sameNumbers = sameNumbers
  }

  regrouped(before: Stat, after: Stat): boolean {
    if (before.links < 2 && after.links < 2) return false
    if (this.#sameNumbers) return before.ino !== after.ino
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
