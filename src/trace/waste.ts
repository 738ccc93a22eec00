import type { ByteString } from '../model/bytes.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { numberOf } from '../stack/inode-numbers.ts'
import type { Node } from '../stack/rule.ts'
import { DiveScore } from './dive-score.ts'
import { EqualContents } from './equal-contents.ts'
import type { LayerStack } from './layer-stack.ts'
import { type Trail, Trails } from './trail.ts'

/**
 * Why bytes of a layer are of no use to the image.
 *
 * - `overwritten`: a layer above has something else at the path.
 * - `deleted`: a layer above takes it away.
 * - `attributes`: a layer above has the same content with other attributes.
 * - `repeated`: a layer above has the same file once more.
 * - `duplicate`: it is there, and a lower layer has the same content at another path.
 */
export type WasteCause = 'overwritten' | 'deleted' | 'attributes' | 'repeated' | 'duplicate'

/** A file that a layer holds in vain. */
export interface WastedFile {
  /** Byte string without a leading slash. */
  readonly path: ByteString
  readonly cause: WasteCause
  /** Bytes of content. */
  readonly bytes: number
  /** The layer that holds them; 0 is the base. */
  readonly layer: number
  /** The layer that made them useless; of a `duplicate` the one that has the content too. */
  readonly by: number
  /** Of a `duplicate`, where the content is as well. */
  readonly like?: ByteString
}

/** What one layer holds in vain. */
export interface LayerWaste {
  readonly layer: number
  /** Bytes of contents that it holds. */
  readonly bytes: number
  /** Those of no use. */
  readonly wasted: number
}

/** What the layers of an image hold in vain. All sizes are bytes of file contents, each inode of a layer counted once. */
export interface Waste {
  readonly bytes: number
  readonly wasted: number
  readonly causes: Readonly<Record<WasteCause, number>>
  /** The share of `bytes` that is of use: 1 where nothing is wasted. */
  readonly efficiency: number
  /**
   * The score of dive: by path, the least size of what layers have there, as a share of all sizes. What dive counts of a removed
   * directory is all that was in it.
   */
  readonly diveEfficiency: number
  readonly layers: readonly LayerWaste[]
  /** Every file that is wasted, the largest first. */
  readonly files: readonly WastedFile[]
  /** What one layer in the place of layers `from` to `to` would hold less than they do. */
  saving(from: number, to: number): number
}

/** A content on its way through the layers. */
interface Content {
  readonly path: ByteString
  readonly node: Node
  readonly size: number
  readonly layer: number
  /** The layer in which its last name goes; infinite while it has one. */
  end: number
  /** What stands at that name then. */
  next: Node | undefined
}

/**
 * What an image holds in vain, from the indexes of its layers; contents are read only where files of one size may be equal, and what
 * is found out of them is kept. A content lives from the layer that has it to the one in which its last name goes.
 *
 * @throws PLY_BAD_LAYER for a hardlink to nothing (H-06); PLY_ABORTED
 */
export async function waste(stack: LayerStack, operation: Operation = {}): Promise<Waste> {
  const pace = new Pace(operation.signal)
  const trails = new Trails(stack.layers.map(({ view }) => view))
  const lives = new Lives(stack)
  const dive = new DiveScore(stack)
  const walks: { readonly trail: Trail; readonly children: ReturnType<Trails['children']> }[] = []
  const enter = (trail: Trail) => walks.push({ trail, children: trails.children(trail) })
  enter(trails.root)
  for (let walk = walks.at(-1); walk !== undefined; walk = walks.at(-1)) {
    const { done, value } = walk.children.next()
    if (done) {
      walks.pop()
      if (walk.trail.path !== '') dive.count(walk.trail)
      continue
    }
    const { trail } = value
    lives.follow(trail)
    dive.meet(trail)
    if (trail.turns.some(({ listing }) => listing !== undefined)) enter(trail)
    else dive.count(trail)
    if (pace.due()) await pace.rest()
  }
  return lives.judged(dive.score, operation)
}

/** Follows contents through the layers. */
class Lives {
  readonly #stack: LayerStack
  readonly #linksBelow: boolean
  readonly #linked = new Map<number, Content>()
  readonly #dead: Content[] = []
  readonly #alive: Content[] = []
  readonly #bytes: number[]

  constructor(stack: LayerStack) {
    this.#stack = stack
    this.#linksBelow = stack.layers.some(({ view }) => view.linksBelow === true)
    this.#bytes = stack.layers.map(() => 0)
  }

  follow({ path, turns }: Trail): void {
    let content: Content | undefined
    for (const { layer, before, after } of turns) {
      if (before !== undefined && after !== undefined && same(before, after)) continue
      if (content !== undefined) this.#end(content, layer, after)
      content = after?.parts === undefined && after !== undefined ? this.#begin(path, after) : undefined
    }
    if (content !== undefined) this.#end(content, Number.POSITIVE_INFINITY, undefined)
  }

  /** `undefined` for what has no content. */
  #begin(path: ByteString, node: Node): Content | undefined {
    const { side, ino } = node.place
    const { kind, size, links } = this.#stack.layers[side]!.view.stat(ino)
    if (kind !== 'file' || size === 0) return undefined
    const linked = links > 1 || this.#linksBelow
    const number = linked ? numberOf(node.place) : 0
    const known = linked ? this.#linked.get(number) : undefined
    if (known !== undefined) return known
    const content: Content = { path, node, size, layer: side, end: linked ? -1 : Number.NaN, next: undefined }
    this.#bytes[side]! += size
    if (linked) this.#linked.set(number, content)
    return content
  }

  #end(content: Content, layer: number, next: Node | undefined): void {
    // The last of its names decides.
    if (content.end >= layer) return
    const alone = Number.isNaN(content.end)
    content.end = layer
    content.next = next
    if (alone) (Number.isFinite(layer) ? this.#dead : this.#alive).push(content)
  }

  async judged(diveEfficiency: number, operation: Operation): Promise<Waste> {
    for (const content of this.#linked.values()) (Number.isFinite(content.end) ? this.#dead : this.#alive).push(content)
    const equal = new EqualContents(this.#stack)
    const files: WastedFile[] = []
    for (const { node, next } of this.#dead) equal.ask(node, next)
    for (const group of this.#mayBeDuplicates()) for (const { node } of group) equal.want(node)
    await equal.answer(operation)

    for (const { path, node, size, layer, end, next } of this.#dead)
      files.push({ path, cause: equal.causeOf(node, next), bytes: size, layer, by: end })
    for (const group of this.#mayBeDuplicates()) {
      const first = new Map<string, Content>()
      for (const content of group.sort((a, b) => a.layer - b.layer)) {
        const digest = equal.digestOf(content.node)
        const like = first.get(digest)
        if (like === undefined) first.set(digest, content)
        else if (like.layer !== content.layer && !same(like.node, content.node)) {
          const { path, size: bytes, layer } = content
          files.push({ path, cause: 'duplicate', bytes, layer, by: like.layer, like: like.path })
        }
      }
    }
    return this.#summed(files, diveEfficiency)
  }

  /** What is there at the end, of one size and in several layers. */
  *#mayBeDuplicates(): Generator<Content[], void, undefined> {
    const sizes = new Map<number, number>()
    for (const { size, layer } of this.#alive) {
      const known = sizes.get(size)
      // The layer that has it, or -1 for several.
      sizes.set(size, known === undefined || known === layer ? layer : -1)
    }
    const groups = new Map<number, Content[]>()
    for (const content of this.#alive) {
      if (sizes.get(content.size) !== -1) continue
      const group = groups.get(content.size)
      if (group === undefined) groups.set(content.size, [content])
      else group.push(content)
    }
    yield* groups.values()
  }

  #summed(files: WastedFile[], diveEfficiency: number): Waste {
    files.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : a.path > b.path ? 1 : a.layer - b.layer))
    const causes = { overwritten: 0, deleted: 0, attributes: 0, repeated: 0, duplicate: 0 }
    const wastedIn = this.#bytes.map(() => 0)
    for (const { cause, bytes, layer } of files) {
      causes[cause] += bytes
      wastedIn[layer]! += bytes
    }
    const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0)
    const bytes = sum(this.#bytes)
    const wasted = sum(wastedIn)
    const spans = this.#dead.map(({ layer, end, size }) => ({ layer, end, size }))
    return {
      bytes,
      wasted,
      causes,
      efficiency: bytes === 0 ? 1 : (bytes - wasted) / bytes,
      diveEfficiency,
      layers: this.#bytes.map((own, layer) => ({ layer, bytes: own, wasted: wastedIn[layer]! })),
      files,
      saving: (from, to) =>
        spans.reduce((all, { layer, end, size }) => (layer >= from && end <= to ? all + size : all), 0),
    }
  }
}

function same(a: Node, b: Node): boolean {
  return a.place.side === b.place.side && a.place.ino === b.place.ino
}
