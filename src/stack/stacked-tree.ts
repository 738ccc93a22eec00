import { type ContentPlace, kindIn, type LayerView } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type ContentDigests, type DigestMemory, placedDigests } from './content-digests.ts'
import { emptyView } from './empty-view.ts'
import { numberOf, ownNumber, sideOf } from './inode-numbers.ts'
import { mergedVerdicts, verdictsOf } from './merged-verdicts.ts'
import { type Awaits, type Before, directoryAt, hidesBelow, type Node, type Place, rule, untold } from './rule.ts'
import type { Tree, TreeEntry } from './tree.ts'

/** A question to a tree that only the layers could answer which are not there: see `stackedTree`. */
export class BelowAbsent extends Error {
  override readonly name = 'BelowAbsent'
}

interface Directory {
  readonly parts: readonly Place[]
  readonly parent: number
  readonly awaits: Awaits | undefined
  /** 2 + subdirectories, once counted. */
  links?: number
}

/**
 * Views stacked over a tree, base first, resolved name by name as they are walked. Nothing is read before it is asked for.
 *
 * An inode's number is `k * 2^32 +` its number in the side it comes from; `k` is 0 for the base (or, without one, for the
 * first view) and counts up. So the base's numbers stay as they are. A directory has the number of the side whose
 * attributes it shows. A side's own numbers must be below 2^32 (PLY_UNSUPPORTED).
 *
 * Link counts are those of the view, layers taken together (layer-semantics H-10). A directory's is counted from its
 * listing. A file's is exact too: the first question about a file that has more than one name somewhere, or that a
 * layer above may have linked to, counts all names once. A folded tree has them written down.
 *
 * The tree takes its sides over: closing it closes them. A verdict that refers to what is not there (a hardlink to
 * nothing, H-06) throws PLY_BAD_LAYER when its name is looked up or listed.
 *
 * The lowest `absent` views may be of layers that nobody has yet: they are never asked, and a question whose answer depends on them
 * throws `BelowAbsent`. Any other answer is the one that it would be over whatever they say.
 */
export function stackedTree(
  views: readonly LayerView[],
  base?: Tree,
  memory?: DigestMemory,
  absent?: number,
): StackedTree {
  return new StackedTree(views, base, memory, absent)
}

export class StackedTree implements Tree {
  readonly root: number
  readonly digests: ContentDigests | undefined
  readonly #memory: DigestMemory | undefined
  readonly #base: Tree | undefined
  /** By side; the base, which is no view, has none. */
  readonly #views: readonly (LayerView | undefined)[]
  /** What the root is once so many sides are stacked. */
  readonly #roots: (Node | undefined)[] = [undefined]
  readonly #before: readonly Before[]
  /** Every directory that was handed out. */
  readonly #directories = new Map<number, Directory>()
  readonly #linksBelow: boolean
  readonly #absent: number
  #names: ReadonlyMap<number, number> | undefined

  constructor(views: readonly LayerView[], base: Tree | undefined, memory?: DigestMemory, absent = 0) {
    this.#base = base
    this.#absent = absent
    this.#memory = memory
    this.digests = memory && placedDigests(this, memory)
    this.#views = base !== undefined ? [undefined, ...views] : views.length > 0 ? views : [emptyView]
    this.#linksBelow = views.some((view) => view.linksBelow === true)
    this.#before = this.#views.map((_, side) => (path: ByteString) => this.#find(side, path))
    for (let side = 0; side < this.#views.length; side++) {
      const view = this.#views[side]
      if (side < absent) this.#roots[side] = this.#roots[side + 1] = untold
      else if (view === undefined) this.#roots.push(directoryAt({ side, ino: base!.root }))
      else this.#roots.push(rule(view.root, side, this.#roots[side], this.#before[side]!))
    }
    const { place, parts, awaits } = this.#roots.at(-1)!
    this.root = numberOf(place)
    this.#directories.set(this.root, { parts: parts!, parent: this.root, awaits })
  }

  lookup(directory: number, name: ByteString): number | undefined {
    const node = known(this.#resolve(this.#directory(directory), name))
    return node && this.#handOut(node, directory)
  }

  *list(directory: number): Generator<TreeEntry, void, undefined> {
    const { parts, awaits } = this.#directory(directory)
    if (awaits?.children) throw absence()
    if (parts.length === 1 && this.#views[parts[0]!.side] === undefined) {
      for (const { name, ino, kind } of this.#base!.list(parts[0]!.ino)) {
        if (kind === 'directory') this.#handOut(directoryAt({ side: 0, ino }), directory)
        yield { name, ino, kind }
      }
      return
    }
    for (const { name, node } of this.#merged(parts)) {
      const ino = this.#handOut(node, directory)
      yield { name, ino, kind: node.kind ?? this.#side(node.place.side).stat(node.place.ino).kind }
    }
  }

  parent(directory: number): number {
    return this.#directory(directory).parent
  }

  stat(ino: number): Stat {
    this.#checkAttributes(ino)
    const stat = this.ownStat(ino)
    const links = stat.kind === 'directory' ? this.#directoryLinks(ino, stat) : this.#fileLinks(ino, stat)
    return ino === stat.ino && links === stat.links ? stat : { ...stat, ino, links }
  }

  kind(ino: number): Kind {
    if (this.#directories.has(ino)) return 'directory'
    return kindIn(this.#side(sideOf(ino)), ownNumber(ino))
  }

  readlink(ino: number): ByteString {
    return this.#side(sideOf(ino)).readlink(ownNumber(ino))
  }

  xattrs(ino: number): Xattrs {
    this.#checkAttributes(ino)
    return this.#side(sideOf(ino)).xattrs(ownNumber(ino))
  }

  open(ino: number): Bytes {
    return this.#side(sideOf(ino)).open(ownNumber(ino))
  }

  place(ino: number): ContentPlace | undefined {
    const side = this.#side(sideOf(ino)) as LayerView & Pick<Tree, 'place'>
    return side.place?.(ownNumber(ino))
  }

  close(): void {
    this.#base?.close()
    for (const view of this.#views) view?.close()
    this.#memory?.close()
  }

  /** What it is made of, base first; none where some of that is absent. */
  get sides(): readonly (LayerView | Tree)[] {
    return this.#absent > 0 ? [] : this.#views.map((_, side) => this.#side(side))
  }

  /** What gives a directory its names, the topmost first; `undefined` for what is no directory that was handed out. */
  partsOf(ino: number): readonly Place[] | undefined {
    return this.#directories.get(ino)?.parts
  }

  /** Which side an inode comes from, and its number there. */
  source(ino: number): Place {
    return { side: sideOf(ino), ino: ownNumber(ino) }
  }

  /** What the inode's own side says of it: number and link count are that side's. */
  ownStat(ino: number): Stat {
    return this.#side(sideOf(ino)).stat(ownNumber(ino))
  }

  /** Whether an inode may have more than one name in the view, without counting. */
  mayBeLinked(kind: Kind, links: number): boolean {
    return kind !== 'directory' && (links > 1 || this.#linksBelow)
  }

  #side(side: number): LayerView | Tree {
    const found = this.#views[side] ?? (side === 0 ? this.#base : undefined)
    if (found === undefined) throw new PlyError('EIO', { syscall: 'stat' })
    return found
  }

  #directory(ino: number): Directory {
    const directory = this.#directories.get(ino)
    if (directory === undefined) throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    return directory
  }

  /** What stands at a name in a directory, from one of its parts down: below what hides the rest nobody is asked. */
  #resolve(directory: Pick<Directory, 'parts' | 'awaits'>, name: ByteString, from = 0): Node | undefined {
    const { parts, awaits } = directory
    if (from === parts.length) return awaits?.children ? untold : undefined
    const { side, ino } = parts[from]!
    const view = this.#views[side]
    if (view === undefined) return this.#baseNode(ino, name)
    const verdict = view.lookup(ino, name)
    const below = hidesBelow(verdict) ? undefined : this.#resolve(directory, name, from + 1)
    return rule(verdict, side, below, this.#before[side]!)
  }

  #baseNode(directory: number, name: ByteString): Node | undefined {
    const ino = this.#base!.lookup(directory, name)
    if (ino === undefined) return undefined
    const { kind } = this.#base!.stat(ino)
    return kind === 'directory' ? directoryAt({ side: 0, ino }) : { place: { side: 0, ino }, kind }
  }

  /** The names of a directory made of these parts, with what stands there, in byte order. */
  *#merged(parts: readonly Place[]): Generator<{ readonly name: ByteString; readonly node: Node }> {
    // Most directories come from one layer.
    if (parts.length === 1) {
      const { side, ino } = parts[0]!
      for (const { name, verdict } of this.#views[side]?.list(ino) ?? verdictsOf(this.#base!, ino)) {
        const node = rule(verdict, side, undefined, this.#before[side]!)
        if (node !== undefined) yield { name, node }
      }
      return
    }
    const listings = parts.map(({ side, ino }) => this.#views[side]?.list(ino) ?? verdictsOf(this.#base!, ino))
    for (const { name, verdicts } of mergedVerdicts(listings)) {
      let node: Node | undefined
      for (let i = parts.length - 1; i >= 0; i--) {
        const verdict = verdicts[i]
        const { side } = parts[i]!
        if (verdict !== undefined) node = rule(verdict, side, node, this.#before[side]!)
      }
      if (node !== undefined) yield { name, node }
    }
  }

  /** What stood at a path before a side was stacked. Symlinks on the way are not followed. */
  #find(side: number, path: ByteString): Node | undefined {
    let node = this.#roots[side]
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue
      if (node?.parts === undefined) return undefined
      node = known(this.#resolve({ parts: node.parts, awaits: node.awaits }, name))
    }
    return node
  }

  /** The number of a node; a directory is remembered, so that the number is enough to go on from. */
  #handOut({ place, parts, awaits }: Node, parent: number): number {
    const ino = numberOf(place)
    if (parts === undefined) return ino
    const known = this.#directories.get(ino)
    if (known === undefined) this.#directories.set(ino, { parts, parent, awaits })
    else if (known.parent !== parent) {
      const entry = displayText(this.#pathOf(parent))
      throw new PlyError('PLY_BAD_LAYER', { entry, reason: 'a directory in it also stands elsewhere', rule: 'U-03' })
    }
    return ino
  }

  #checkAttributes(ino: number): void {
    if (this.#absent > 0 && this.#directories.get(ino)?.awaits?.attributes) throw absence()
  }

  #directoryLinks(ino: number, stat: Stat): number {
    const directory = this.#directory(ino)
    if (directory.links !== undefined) return directory.links
    const { parts, awaits } = directory
    if (awaits?.children) throw absence()
    if (parts.length === 1 && this.#views[parts[0]!.side] === undefined) return stat.links
    let links = 2
    for (const { node } of this.#merged(parts)) if (node.parts !== undefined) links++
    directory.links = links
    return links
  }

  #fileLinks(ino: number, stat: Stat): number {
    if (!this.mayBeLinked(stat.kind, stat.links)) return stat.links
    this.#names ??= this.#countNames()
    return this.#names.get(ino) ?? stat.links
  }

  #countNames(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>()
    const waiting = [this.root]
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { ino, kind } of this.list(directory)) {
        if (kind === 'directory') waiting.push(ino)
        else if (this.mayBeLinked(kind, this.ownStat(ino).links)) counts.set(ino, (counts.get(ino) ?? 0) + 1)
      }
    }
    return counts
  }

  #pathOf(directory: number): ByteString {
    const names: ByteString[] = []
    for (let at = directory; at !== this.root; ) {
      const { parent } = this.#directory(at)
      for (const entry of this.list(parent)) if (entry.ino === at) names.unshift(entry.name)
      at = parent
    }
    return names.join('/')
  }
}

/** What stands somewhere, unless that depends on what is absent. */
function known(node: Node | undefined): Node | undefined {
  if (node?.awaits?.existence) throw absence()
  return node
}

function absence(): BelowAbsent {
  return new BelowAbsent('a layer that is not here would have to be asked')
}
