import type { ByteString } from '../model/bytes.ts'
import { numberOf } from '../stack/inode-numbers.ts'
import type { Node } from '../stack/rule.ts'
import type { LayerStack } from './layer-stack.ts'
import type { Clearing, Trail, Turn } from './trail.ts'

/**
 * The efficiency score of dive (`filetree.Efficiency`): for each path, over all layers that have a leaf there, the least size as a
 * share of the sum of the sizes. Directories with something in them are no leaves; hardlinks, symlinks and whiteouts of files have
 * size 0; a whiteout of a directory has the size of all that was visible in it. Opaque markers count nothing.
 *
 * Of the names of one inode the first in byte order is taken for the one that carries the data, which an index does not tell.
 */
export class DiveScore {
  readonly #stack: LayerStack
  /** Which name carries the data of a linked inode. */
  readonly #carriers = new Map<number, ByteString>()
  /** What was visible below a path that a layer takes away. */
  readonly #cleared = new Map<Clearing, number>()
  #least = 0
  #all = 0

  constructor(stack: LayerStack) {
    this.#stack = stack
  }

  /** 1 where there is nothing. */
  get score(): number {
    return this.#all === 0 ? 1 : this.#least / this.#all
  }

  /** A path, before anything in it. */
  meet({ path, turns }: Trail): void {
    for (const { verdict, before, cleared } of turns) {
      if (verdict.says !== 'nothing' || cleared?.says !== 'whiteout' || before === undefined) continue
      const size = this.#sizeOf(path, before)
      if (size > 0) this.#cleared.set(cleared, (this.#cleared.get(cleared) ?? 0) + size)
    }
  }

  /** A path, after everything in it. */
  count({ path, turns }: Trail): void {
    let least = Number.POSITIVE_INFINITY
    let all = 0
    const leaf = (size: number) => {
      least = Math.min(least, size)
      all += size
    }
    for (const turn of turns) {
      const { verdict } = turn
      if (verdict.says === 'whiteout') leaf(this.#removed(turn))
      else if (verdict.says === 'link') leaf(0)
      else if (verdict.says === 'entry' && !verdict.directory) leaf(this.#sizeOf(path, turn.after))
    }
    if (all === 0) return
    if (turns.some((turn) => this.#isEmptyDirectory(turn))) least = 0
    this.#least += least
    this.#all += all
  }

  #removed({ clears }: Turn): number {
    return (clears && this.#cleared.get(clears)) ?? 0
  }

  #sizeOf(path: ByteString, node: Node | undefined): number {
    if (node === undefined || node.parts !== undefined) return 0
    const { kind, size, links } = this.#stack.layers[node.place.side]!.view.stat(node.place.ino)
    if (kind !== 'file') return 0
    if (links < 2) return size
    const number = numberOf(node.place)
    const carrier = this.#carriers.get(number)
    if (carrier === undefined) this.#carriers.set(number, path)
    return carrier === undefined || carrier === path ? size : 0
  }

  #isEmptyDirectory({ verdict, layer }: Turn): boolean {
    if (verdict.says !== 'entry' || !verdict.directory) return false
    return this.#stack.layers[layer]!.view.list(verdict.ino)[Symbol.iterator]().next().done === true
  }
}
