import type { Device } from '../erofs/format.ts'
import {
  type ContentPlace,
  type IndexedView,
  nothing,
  type Placed,
  type Provenance,
  type Verdict,
  whiteout,
} from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { mergedVerdicts } from './merged-verdicts.ts'
import { type Node, type Place, rule, type Said, type SaidBefore, untold } from './rule.ts'

export interface SquashOptions {
  /**
   * The first view is the first layer of its stack, so that nothing is below: no whiteouts, opaque marks and ghosts are
   * left, since they have no effect (layer-semantics W-07).
   */
  readonly bottom?: boolean | undefined
}

/**
 * Layers, base first, as one layer: stacked on anything it gives what they give stacked one after another
 * (layer-semantics A-02). Whiteouts, opaque marks, ghosts and hardlinks to what is below the range remain where they have
 * an effect; what is redundant is gone (W-09). Nothing is read before it is asked for.
 *
 * Inode numbers are made of the views' own and the number of the view. Link counts are those that an inode has in its own
 * layer. The view takes its sides over: closing it closes them. There is at least one.
 *
 * A hardlink that an earlier layer of the range has taken the target from throws PLY_BAD_LAYER (H-06, H-03) when its name
 * is looked up or listed.
 */
export function squashedView(views: readonly IndexedView[], { bottom = false }: SquashOptions = {}): IndexedView {
  return new SquashedView(views, bottom)
}

interface Directory {
  /** Those that give it names, the topmost first. */
  readonly parts: readonly Place[]
  /** Nothing from below the range can show in it. */
  readonly closed: boolean
}

class SquashedView implements IndexedView {
  readonly root: Placed
  readonly devices: readonly Device[]
  readonly linksBelow: boolean
  readonly #views: readonly IndexedView[]
  /** What is said of the root by so many views. */
  readonly #roots: Said[]
  readonly #before: readonly SaidBefore[]
  /** Every directory that was handed out. */
  readonly #directories = new Map<number, Directory>()

  constructor(views: readonly IndexedView[], bottom: boolean) {
    this.#views = views
    this.linksBelow = views.some((view) => view.linksBelow === true)
    const devices = views.flatMap((view) => view.devices)
    this.devices = [...new Map(devices.map((device) => [`${device.diffId} ${device.spill}`, device])).values()]
    this.#before = views.map((_, side) => (path: ByteString) => this.#find(side, path))
    this.#roots = [bottom ? undefined : untold]
    for (const [side, { root }] of views.entries()) {
      this.#roots.push(rule(root, side, this.#roots[side], this.#before[side]!))
    }
    this.root = this.#verdict(this.#roots.at(-1), bottom) as Placed
  }

  lookup(directory: number, name: ByteString): Verdict {
    const { parts, closed } = this.#directory(directory)
    return this.#verdict(this.#resolve(parts, closed, name), closed)
  }

  *list(directory: number): Generator<{ readonly name: ByteString; readonly verdict: Verdict }, void, undefined> {
    const { parts, closed } = this.#directory(directory)
    const listings = parts.map(({ side, ino }) => this.#views[side]!.list(ino))
    for (const { name, verdicts } of mergedVerdicts(listings)) {
      let said: Said = closed ? undefined : untold
      for (let i = parts.length - 1; i >= 0; i--) {
        const { side } = parts[i]!
        if (verdicts[i] !== undefined) said = rule(verdicts[i]!, side, said, this.#before[side]!)
      }
      const verdict = this.#verdict(said, closed)
      if (verdict !== nothing) yield { name, verdict }
    }
  }

  stat(ino: number): Stat {
    return { ...this.#view(ino).stat(this.#own(ino)), ino }
  }

  readlink(ino: number): ByteString {
    return this.#view(ino).readlink(this.#own(ino))
  }

  xattrs(ino: number): Xattrs {
    return this.#view(ino).xattrs(this.#own(ino))
  }

  open(ino: number): Bytes {
    return this.#view(ino).open(this.#own(ino))
  }

  provenance(ino: number): Provenance {
    return this.#view(ino).provenance(this.#own(ino))
  }

  place(ino: number): ContentPlace | undefined {
    return this.#view(ino).place(this.#own(ino))
  }

  close(): void {
    for (const view of this.#views) view.close()
  }

  /** What is said at a name in a directory made of these parts. */
  #resolve(parts: readonly Place[], closed: boolean, name: ByteString): Said {
    let said: Said = closed ? undefined : untold
    for (let i = parts.length - 1; i >= 0; i--) {
      const { side, ino } = parts[i]!
      said = rule(this.#views[side]!.lookup(ino, name), side, said, this.#before[side]!)
    }
    return said
  }

  /** What had been said of a path before a view was stacked. Symlinks on the way are not followed. */
  #find(side: number, path: ByteString): Said {
    let said = this.#roots[side]
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue
      if (said?.parts === undefined) return undefined
      said = this.#resolve(said.parts, !said.awaits?.children, name)
    }
    return said
  }

  /** `closed`: nothing from below shows in the directory that holds the name. */
  #verdict(said: Said, closed: boolean): Verdict {
    if (said === undefined) return closed ? nothing : whiteout
    if ('path' in said) return { says: 'link', path: said.path }
    const { place, parts, kind, awaits } = said
    const ino = place.ino * this.#views.length + place.side
    if (parts === undefined)
      return {
        says: 'entry',
        ino,
        directory: false,
        ...(kind !== undefined && { kind }),
        implied: false,
        opaque: false,
      }
    if (parts.length === 0) return nothing
    if (!this.#directories.has(ino)) this.#directories.set(ino, { parts, closed: !awaits?.children })
    if (awaits?.existence) return { says: 'ghost', ino }
    return {
      says: 'entry',
      ino,
      directory: true,
      kind: 'directory',
      implied: closed ? this.#isUndescribed(said) : awaits?.attributes === true,
      opaque: !closed && !awaits?.children,
    }
  }

  /** Where nothing is below, a directory without an entry has default attributes without one. */
  #isUndescribed({ place }: Node): boolean {
    return this.#views[place.side]!.provenance(place.ino).header === undefined
  }

  #directory(ino: number): Directory {
    const directory = this.#directories.get(ino)
    if (directory === undefined) throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    return directory
  }

  #view(ino: number): IndexedView {
    return this.#views[ino % this.#views.length]!
  }

  #own(ino: number): number {
    return Math.floor(ino / this.#views.length)
  }
}
