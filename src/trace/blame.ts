import { type Aspect, ContentComparison, type Contents, differingAspects } from '../diff/index.ts'
import type { LayerView } from '../layer/view.ts'
import { type ByteString, decodeText } from '../model/bytes.ts'
import type { DiffId } from '../model/digest.ts'
import type { Kind, Stat } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Node } from '../stack/rule.ts'
import { contentsOf } from './contents.ts'
import type { LayerStack } from './layer-stack.ts'
import { toldOneByOne } from './told-one-by-one.ts'
import { standing, type Trail, Trails, type Turn } from './trail.ts'

/**
 * What a layer did at a path.
 *
 * - `add`: nothing stood there before.
 * - `modify`: something else stood there: `changed` says what differs.
 * - `attributes`: the same content, with other attributes. An archive holds the whole content once more.
 * - `repeat`: the same once more, with the same content and attributes.
 * - `delete`: nothing stands there any more.
 * - `inside`: a directory that the layer only has something in, or takes something out of; it stays as it was.
 * - `nothing`: a whiteout of what was not there (layer-semantics W-07).
 */
export type Deed = 'add' | 'modify' | 'attributes' | 'repeat' | 'delete' | 'inside' | 'nothing'

/**
 * How a layer says it: by an `entry`; by a hardlink to what is below (`link`); by something inside a directory that it does not
 * describe (`implied`); by a `whiteout`; by an `opaque` directory; by something that is no directory, where one stood (`covered`).
 */
export type Saying = 'entry' | 'link' | 'implied' | 'whiteout' | 'opaque' | 'covered'

/** What one layer did at one path. */
export interface BlameStep {
  /** The number of the layer: 0 is the base. */
  readonly layer: number
  readonly diffId: DiffId
  readonly did: Deed
  readonly says: Saying
  /** The path that says so, with a leading slash: another one than was asked for where a directory above is gone, or hides what is below. */
  readonly at: string
  /** What differs; empty unless `did` is `modify` or `attributes`. */
  readonly changed: readonly Aspect[]
  readonly before?: Stat
  readonly after?: Stat
  /** What the config says of the step that made the layer. */
  readonly createdBy?: string
  /** RFC 3339. */
  readonly created?: string
  readonly comment?: string
}

/** All that layers did at one path. */
export interface Blamed {
  /** Text with a leading slash; `bytes` is exact. */
  readonly path: string
  /** Byte string without a leading slash. */
  readonly bytes: ByteString
  /** What stands there now; absent if nothing does. */
  readonly kind?: Kind
  /** Base first. */
  readonly steps: readonly BlameStep[]
}

/** How a whole directory is asked about. */
export interface BlameBelowOptions extends BlameOptions {
  /** Also paths at which nothing stands any more. */
  readonly deleted?: boolean | undefined
}

/** How a path is asked about. */
export interface BlameOptions extends Operation {
  /** Symlinks on the way to the path are followed as they stand now, where they lead somewhere. */
  readonly follow?: boolean | undefined
}

/**
 * Every layer that touched a path, base first: what it did there, how it says so, and the step of the history that made it. Only indexes are asked, but where files of one size have to be compared.
 *
 * @param path byte string from the root
 * @throws PLY_BAD_LAYER for a hardlink to nothing (H-06); PLY_ABORTED
 */
export async function blame(
  stack: LayerStack,
  path: ByteString,
  { follow = false, ...operation }: BlameOptions = {},
): Promise<Blamed> {
  const asked = new Blaming(stack, operation)
  return asked.of(asked.trail(path, follow))
}

/**
 * As `blame`, of a path and of everything that is under it, or ever was: a directory before what is in it, names in byte order.
 */
export function blameBelow(
  stack: LayerStack,
  path: ByteString,
  options: BlameBelowOptions = {},
): AsyncGenerator<Blamed, void, undefined> {
  return toldOneByOne(() => {
    const asked = new Blaming(stack, options)
    return { pace: asked.pace, values: blamedBelow(asked, path, options) }
  })
}

function* blamedBelow(
  asked: Blaming,
  path: ByteString,
  { deleted = false, follow = false }: BlameBelowOptions,
): Generator<Blamed | Promise<Blamed>, void, undefined> {
  const { trails } = asked
  const first = asked.trail(path, follow)
  if (first.turns.length === 0) return
  if (deleted || standing(first) !== undefined) yield asked.of(first)
  const walks = [trails.children(first)]
  for (let walk = walks.at(-1); walk !== undefined; walk = walks.at(-1)) {
    const { done, value } = walk.next()
    if (done) {
      walks.pop()
      continue
    }
    const { trail } = value
    if (deleted || standing(trail) !== undefined) yield asked.of(trail)
    if (trail.turns.some(({ listing }) => listing !== undefined)) walks.push(trails.children(trail))
  }
}

/** As many as Linux follows in one path. */
const mostSymlinks = 40

/** What a layer did, and how it says so. */
interface Act {
  readonly did: Deed
  readonly says: Saying
  readonly changed?: readonly Aspect[]
}

const nothingChanged: readonly Aspect[] = []

class Blaming {
  readonly trails: Trails
  readonly pace: Pace
  readonly #stack: LayerStack
  readonly #views: readonly LayerView[]
  readonly #contents: (Contents | undefined)[]

  constructor(stack: LayerStack, { signal }: Operation) {
    this.#stack = stack
    this.#views = stack.layers.map(({ view }) => view)
    this.#contents = stack.layers.map(() => undefined)
    this.trails = new Trails(this.#views)
    this.pace = new Pace(signal)
  }

  trail(path: ByteString, follow: boolean): Trail {
    const todo = path.split('/').reverse()
    const way = [this.trails.root]
    for (let followed = 0; todo.length > 0; ) {
      const name = todo.pop()!
      if (name === '' || name === '.') continue
      if (name === '..' && follow) {
        if (way.length > 1) way.pop()
        continue
      }
      const trail = this.trails.child(way.at(-1)!, name)
      const now = standing(trail)
      const more = todo.some((rest) => rest !== '' && rest !== '.')
      if (follow && more && now !== undefined && now.parts === undefined && this.#stat(now).kind === 'symlink') {
        // What leads in circles is looked at as it is written.
        if (++followed > mostSymlinks) return this.trails.at(path)
        const target = this.#views[now.place.side]!.readlink(now.place.ino)
        if (target.startsWith('/')) way.length = 1
        todo.push(...target.split('/').reverse())
      } else way.push(trail)
    }
    return way.at(-1)!
  }

  of(trail: Trail): Blamed | Promise<Blamed> {
    const steps: BlameStep[] = []
    const path = `/${decodeText(trail.path)}`
    for (let at = 0; at < trail.turns.length; at++) {
      const turn = trail.turns[at]!
      const act = this.#act(trail.path, turn)
      if (act instanceof Promise) return this.#awaited(trail, path, steps, at, act)
      this.#add(steps, trail.path, path, turn, act)
    }
    return this.#blamed(trail, path, steps)
  }

  /** From a turn on of which only contents say what it is. */
  async #awaited(trail: Trail, path: string, steps: BlameStep[], from: number, first: Promise<Act>): Promise<Blamed> {
    this.#add(steps, trail.path, path, trail.turns[from]!, await first)
    for (const turn of trail.turns.slice(from + 1))
      this.#add(steps, trail.path, path, turn, await this.#act(trail.path, turn))
    return this.#blamed(trail, path, steps)
  }

  #blamed(trail: Trail, path: string, steps: readonly BlameStep[]): Blamed {
    const now = standing(trail)
    if (now === undefined) return { path, bytes: trail.path, steps }
    return { path, bytes: trail.path, kind: now.kind ?? this.#stat(now).kind, steps }
  }

  #add(
    steps: BlameStep[],
    path: ByteString,
    text: string,
    turn: Turn,
    { did, says, changed = nothingChanged }: Act,
  ): void {
    const { layer, verdict, before, after, cleared } = turn
    if (verdict.says === 'ghost' && before === undefined && after === undefined) return
    const { diffId, step } = this.#stack.layers[layer]!
    const at = did === 'delete' && cleared !== undefined ? cleared.at : path
    // One by one: spreading makes an object for each of them, for every path of an image.
    const made: { -readonly [Key in keyof BlameStep]: BlameStep[Key] } = {
      layer,
      diffId,
      did,
      says,
      at: at === path ? text : `/${decodeText(at)}`,
      changed,
    }
    if (before !== undefined) made.before = this.#stat(before)
    if (after !== undefined) made.after = this.#stat(after)
    if (step.created_by !== undefined) made.createdBy = step.created_by
    if (step.created !== undefined) made.created = step.created
    if (step.comment !== undefined) made.comment = step.comment
    steps.push(made)
  }

  #act(path: ByteString, { verdict, before, after, cleared }: Turn): Act | Promise<Act> {
    if (after === undefined) {
      const says = cleared?.says ?? 'whiteout'
      return { did: before === undefined ? 'nothing' : 'delete', says }
    }
    if (verdict.says === 'ghost') return { did: 'inside', says: 'implied' }
    const says = sayingOf(verdict.says === 'entry' ? verdict : undefined)
    if (before === undefined) return { did: 'add', says }
    const implied = verdict.says === 'entry' && verdict.implied
    if (implied && after.place.side === before.place.side && after.place.ino === before.place.ino)
      return { did: 'inside', says }
    return this.#compared(path, before, after, says)
  }

  async #compared(path: ByteString, before: Node, after: Node, says: Saying): Promise<Act> {
    const changed = await this.#differences(path, before, after)
    if (changed.length === 0) return { did: 'repeat', says }
    const less = changed.some((aspect) => aspect === 'content' || aspect === 'kind' || aspect === 'target')
    return { did: less || changed.includes('device') ? 'modify' : 'attributes', says, changed }
  }

  async #differences(path: ByteString, before: Node, after: Node): Promise<readonly Aspect[]> {
    const [b, a] = [before.place, after.place]
    if (b.side === a.side && b.ino === a.ino) return []
    const x = this.#stat(before)
    const compared = new ContentComparison(this.#contentsOf(b.side), this.#contentsOf(a.side))
    return differingAspects(
      { inodes: this.#views[b.side]!, ino: b.ino, stat: x },
      { inodes: this.#views[a.side]!, ino: a.ino, stat: this.#stat(after) },
      { nanoseconds: true, directoryTimes: true },
      () => compared.same(b.ino, a.ino, x.size, path, this.pace),
    )
  }

  #contentsOf(layer: number): Contents {
    return (this.#contents[layer] ??= contentsOf(this.#stack.layers[layer]!.view, this.#stack.memory))
  }

  #stat({ place }: Node): Stat {
    return this.#views[place.side]!.stat(place.ino)
  }
}

function sayingOf(entry: { readonly implied: boolean; readonly opaque: boolean } | undefined): Saying {
  if (entry === undefined) return 'link'
  return entry.opaque ? 'opaque' : entry.implied ? 'implied' : 'entry'
}
