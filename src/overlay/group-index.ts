import type { ByteString } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Creation, GroupRecords } from '../union/upper.ts'
import { type InodeMaker, relativeLinks } from './inode-maker.ts'
import type { OverlayNode } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { RealFacts } from './real-facts.ts'
import type { UpperDisk } from './upper-disk.ts'

interface Surroundings {
  readonly files: UpperDisk
  readonly nodes: OverlayNodes
  readonly facts: RealFacts
  /** The mark that says how many names a group has. */
  readonly mark: ByteString
  /** Absent: read only. */
  readonly maker: InodeMaker | undefined
  readonly beforeHiding: boolean
}

/** Lower link groups in the index directory, where the kernel finds them by their lower inode (`index=on`). */
export class GroupIndex implements GroupRecords {
  readonly beforeHiding: boolean
  readonly #around: Surroundings
  /** What `shown` said last. */
  readonly #shown = new WeakMap<OverlayNode, number>()

  constructor(around: Surroundings) {
    this.#around = around
    this.beforeHiding = around.beforeHiding
  }

  copyUp(ino: number, creation: Creation, content?: Bytes): void {
    this.#around.maker?.putInIndex(ino, creation, content)
  }

  shown(ino: number, names: number): void {
    const { nodes, maker } = this.#around
    const node = nodes.find(ino)
    if (!maker || node?.index === undefined || this.#shown.get(node) === names) return
    try {
      if (names === 0 && this.#isNameless(node, node.index)) nodes.release(node)
      else this.#mark(node, names)
      this.#shown.set(node, names)
    } catch (error) {
      // What changed the names has happened, and whoever asked for it must not be told that it has not.
      if (codeOf(error) === undefined) throw error
    }
  }

  *nameless(): Generator<number> {
    for (const node of this.#around.nodes.indexed) {
      if (node.index !== undefined && this.#isNameless(node, node.index)) yield node.ino
    }
  }

  /** The link in the index is none that a name has. */
  #mark(node: OverlayNode, names: number): void {
    const { nodes, facts, mark } = this.#around
    nodes.onTouch(node)
    facts.setMark(node, nodes.paths.of(node), mark, relativeLinks(names - 1))
  }

  #isNameless({ places }: OverlayNode, index: ByteString): boolean {
    return places.length === 0 && this.#around.files.lstat(index).nlink === 1
  }
}
