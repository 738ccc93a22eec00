import { equalXattrs } from '../diff/index.ts'
import type { Operation } from '../model/operation.ts'
import { completeContents } from '../stack/content-digests.ts'
import type { Node, Place } from '../stack/rule.ts'
import type { LayerStack } from './layer-stack.ts'
import type { WasteCause } from './waste.ts'

/** Contents of layers that are compared by their digests: first all that is wanted, then each layer is read once. */
export class EqualContents {
  readonly #stack: LayerStack
  readonly #wanted: Set<number>[]

  constructor(stack: LayerStack) {
    this.#stack = stack
    this.#wanted = stack.layers.map(() => new Set())
  }

  want({ place }: Node): void {
    this.#wanted[place.side]!.add(place.ino)
  }

  /** A file, and what a layer above has in its place: worth reading only if they are of one size. */
  ask(node: Node, next: Node | undefined): void {
    if (!this.#mayBeEqual(node, next)) return
    this.want(node)
    this.want(next)
  }

  /** Reads what is not known yet. @throws PLY_ABORTED */
  async answer(operation: Operation): Promise<void> {
    for (const [layer, inos] of this.#wanted.entries())
      await completeContents(this.#stack.layers[layer]!.view, inos, this.#stack.memory, operation)
  }

  /** What became of a file that is not there any more. */
  causeOf(node: Node, next: Node | undefined): WasteCause {
    if (next === undefined) return 'deleted'
    if (!this.#mayBeEqual(node, next) || this.digestOf(node) !== this.digestOf(next)) return 'overwritten'
    return this.#alike(node.place, next.place) ? 'repeated' : 'attributes'
  }

  /** Equal for equal contents of one size; asked of what was wanted. */
  digestOf({ place: { side, ino } }: Node): string {
    const { view } = this.#stack.layers[side]!
    const place = view.place(ino)
    const { size } = view.stat(ino)
    // What lies nowhere is a hole, and all holes of one size are equal.
    return place === undefined ? 'hole' : (this.#stack.memory.known(place, size) ?? `${side} ${ino}`)
  }

  #mayBeEqual(node: Node, next: Node | undefined): next is Node {
    if (next === undefined || next.parts !== undefined) return false
    const x = this.#stat(node.place)
    const y = this.#stat(next.place)
    return x.kind === 'file' && y.kind === 'file' && x.size === y.size
  }

  #alike(a: Place, b: Place): boolean {
    const x = this.#stat(a)
    const y = this.#stat(b)
    if (x.mode !== y.mode || x.uid !== y.uid || x.gid !== y.gid || x.mtime !== y.mtime) return false
    return equalXattrs(this.#view(a).xattrs(a.ino), this.#view(b).xattrs(b.ino))
  }

  #stat(place: Place) {
    return this.#view(place).stat(place.ino)
  }

  #view({ side }: Place) {
    return this.#stack.layers[side]!.view
  }
}
