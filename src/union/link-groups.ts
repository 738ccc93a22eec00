import type { ByteString } from '../model/bytes.ts'
import type { Sides } from './sides.ts'

/**
 * Hardlink groups of the lower tree, seen through the upper (layer-semantics H-10 and H-11).
 *
 * The lower tree counts all names of an inode. Those that the upper covers, by a whiteout, by something else or by the
 * copied-up inode itself, are counted here and taken off. The first question that needs it walks the upper once; from
 * then on each change keeps the count.
 */
export class LinkGroups {
  readonly #sides: Sides
  /** How many names of a lower inode are covered; `undefined` until the first question. */
  #covered: Map<number, number> | undefined
  /** Copied-up inodes that may have lower names which show the upper's inode. */
  readonly #spread = new Set<number>()
  #above: Set<number> | undefined

  constructor(sides: Sides) {
    this.#sides = sides
  }

  /** Forgets all that was counted: the sides are others. */
  restack(): void {
    this.#covered = undefined
    this.#above = undefined
    this.#spread.clear()
  }

  /** Names of an inode that the lower tree gives it and that are visible. */
  lowerNames(ino: number, links: number): number {
    if (links <= 1) return this.#sides.inUpper(ino) || this.#sides.gone.has(ino) ? 0 : links
    return links - (this.#counts().get(ino) ?? 0)
  }

  /** To be called once the upper says something at a name where it said nothing. */
  cover(directory: number, name: ByteString): void {
    const { groups } = this.#sides.upper
    if (!this.#covered && !groups) return
    const below = this.#sides.below(directory, name)
    if (below === undefined) return
    // Counted for the first time it is counted with what just changed.
    if (this.#covered) this.#cover(this.#covered, below)
    if (!groups || !this.#sides.upper.has(below) || this.#sides.isLowerDirectory(below)) return
    const links = this.#sides.lowerLinks(below)
    if (links > 1) groups.shown(below, this.lowerNames(below, links))
  }

  /** To be called when an inode with several lower names was copied up. */
  spread(ino: number): void {
    if (!this.#covered) return
    this.#spread.add(ino)
    this.#above = undefined
  }

  /** Lower inodes of which some names are hidden, but not all, and how many are not. */
  *partlyHidden(): Generator<readonly [number, number]> {
    for (const ino of [...this.#counts().keys()]) {
      const names = this.lowerNames(ino, this.#sides.lowerLinks(ino))
      if (names > 0) yield [ino, names]
    }
  }

  /** Whether a lower directory holds, at any depth, a name whose inode was copied up under another name. */
  touches(lowerDirectory: number): boolean {
    this.#counts()
    if (this.#spread.size === 0) return false
    this.#above ??= this.#directoriesAbove()
    return this.#above.has(lowerDirectory)
  }

  #directoriesAbove(): Set<number> {
    const { lower, places } = this.#sides
    const above = new Set<number>()
    for (const ino of this.#spread) {
      for (const parent of places.parents(ino)) {
        for (let at = parent; !above.has(at); at = lower.parent(at)) above.add(at)
      }
    }
    return above
  }

  #counts(): Map<number, number> {
    if (this.#covered) return this.#covered
    const { upper, lower, root } = this.#sides
    const covered = new Map<number, number>()
    const hidden: number[] = []
    /** Lower directories that show through one of the upper, wherever that is. */
    const shown = new Set<number>()
    const rootPart = this.#sides.directory(root).lower
    if (rootPart === undefined) hidden.push(lower.root)
    else shown.add(rootPart)
    for (const ino of upper.groups?.nameless() ?? []) this.#spread.add(ino)
    const pending = [root]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const { name, verdict } of upper.list(this.#sides.up(directory))) {
        if (verdict.says === 'nothing') continue
        const ino = this.#sides.lookup(directory, name)
        const below = this.#sides.below(directory, name)
        if (below !== undefined) this.#cover(covered, below, hidden)
        if (ino === undefined) continue
        if (this.#sides.isDirectory(ino)) {
          pending.push(ino)
          const part = this.#sides.directory(ino).lower
          if (part !== undefined) shown.add(part)
        } else if (this.#sides.lowerLinks(ino) > 1) this.#spread.add(ino)
      }
    }
    for (let directory = hidden.pop(); directory !== undefined; directory = hidden.pop()) {
      if (shown.has(directory)) continue
      for (const { ino, kind } of lower.list(directory)) {
        if (kind === 'directory') hidden.push(ino)
        else this.#cover(covered, ino)
      }
    }
    this.#covered = covered
    return covered
  }

  #cover(covered: Map<number, number>, below: number, hidden?: number[]): void {
    const { kind, links } = this.#sides.lower.stat(below)
    if (kind === 'directory') hidden?.push(below)
    else if (links > 1) covered.set(below, (covered.get(below) ?? 0) + 1)
  }
}
