import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import { rootNode } from './protocol.ts'

/**
 * What the kernel knows of a union, by inode: how often it has looked each one up and not yet forgotten it. What loses its last
 * name meanwhile is held until then.
 *
 * The kernel's numbers are the union's, but for the root's, which trades with whatever is number 1.
 */
export class Nodes {
  readonly #root: number
  readonly #union: Pick<WritableUnion, 'hold'> | undefined
  readonly #lookups = new Map<number, number>()
  readonly #holds = new Map<number, () => void>()

  constructor(tree: Pick<Tree, 'root'>, union: Pick<WritableUnion, 'hold'> | undefined) {
    this.#root = tree.root
    this.#union = union
  }

  /** The union's number for the kernel's. */
  ino(node: number): number {
    return node === rootNode ? this.#root : node === this.#root ? rootNode : node
  }

  /** The kernel's number for the union's. */
  node(ino: number): number {
    return ino === this.#root ? rootNode : ino === rootNode ? this.#root : ino
  }

  /** Counts one lookup: to be called for each entry that the kernel is told. */
  told(ino: number): void {
    this.#lookups.set(ino, (this.#lookups.get(ino) ?? 0) + 1)
  }

  forget(ino: number, lookups: number): void {
    const left = (this.#lookups.get(ino) ?? 0) - lookups
    if (left > 0) {
      this.#lookups.set(ino, left)
      return
    }
    this.#lookups.delete(ino)
    const release = this.#holds.get(ino)
    if (!release) return
    this.#holds.delete(ino)
    release()
  }

  /** To be called before an inode may lose its last name. */
  keep(ino: number): void {
    if (!this.#union || !this.#lookups.has(ino) || this.#holds.has(ino)) return
    this.#holds.set(ino, this.#union.hold(ino))
  }

  /**
   * Lets go of what has lost its last name and nobody needs, before the kernel has said that it forgets it, which it does in its own
   * time. Who still knows it by an `O_PATH` descriptor finds nothing any more. Answers with how many those were.
   */
  letGo(isNeeded: (ino: number) => boolean): number {
    let gone = 0
    for (const [ino, release] of [...this.#holds]) {
      if (isNeeded(ino)) continue
      this.#holds.delete(ino)
      release()
      gone++
    }
    return gone
  }

  /** How many inodes the kernel knows. */
  get count(): number {
    return this.#lookups.size
  }

  close(): void {
    for (const release of this.#holds.values()) release()
    this.#holds.clear()
    this.#lookups.clear()
  }
}
