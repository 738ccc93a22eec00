import { kindIn, nothing, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Heritage } from './inheritance.ts'
import { InodeTable } from './inode-table.ts'
import { mergedNames } from './merged-names.ts'
import { Places } from './places.ts'
import { stands } from './stands.ts'
import { firstNewInode, type Upper } from './upper.ts'

/** What the union knows of a directory that is in the upper. */
export interface UpperDirectory {
  /** The union's number of the directory that holds it. */
  parent: number
  /** The lower directory that it merges with. */
  lower: number | undefined
  /** The lower directory whose attributes it has, where no entry of the upper describes it. */
  described: number | undefined
  /** How many directories are in it; `undefined` until somebody asks. */
  subdirectories: number | undefined
  /** Absent until something is made in it, and once its attributes change. */
  heritage?: Heritage | undefined
}

/**
 * The two sides of a writable union, merged by inode for reading names. Numbers are the union's: of the lower tree for
 * what is below or was copied up, of the upper for the rest. The upper's root goes by the lower root's number.
 */
export class Sides {
  lower!: Tree
  upper!: Upper
  readonly root: number
  places!: Places
  /** Lower inodes that lost their last name while this union was open: the lower tree would still know them. */
  readonly gone = new Set<number>()
  readonly #directories = new InodeTable<UpperDirectory>()
  /** The union's number of a lower directory, where the upper gave the merged directory another one. */
  readonly #renumbered = new Map<number, number>()
  #surveyed = false

  constructor(lower: Tree, upper: Upper) {
    this.root = lower.root
    this.restack(lower, upper)
  }

  /** Begins anew over other sides: of the old ones only counts what is gone. The numbers stay. */
  restack(lower: Tree, upper: Upper): void {
    this.lower = lower
    this.upper = upper
    this.places = new Places(lower)
    this.#directories.clear()
    this.#renumbered.clear()
    this.#surveyed = false
    const { root } = upper
    const below = stands(root, lower.root, lower)
    this.#directories.set(this.root, {
      parent: this.root,
      lower: below?.lower,
      described: below?.described,
      subdirectories: undefined,
    })
  }

  /** The upper's number for a number of the union. */
  up(ino: number): number {
    return ino === this.root ? this.upper.root.ino : ino
  }

  inUpper(ino: number): boolean {
    return ino === this.root || this.upper.has(ino)
  }

  /** @throws ENOENT if the directory is not in the upper, ENOTDIR if it is none. */
  directory(ino: number): UpperDirectory {
    const known = this.#directories.get(ino)
    if (known) return known
    if (kindIn(this.upper, ino) !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    // A number from before this union was opened: nobody walked to it yet.
    this.survey()
    const found = this.#directories.get(ino)
    if (!found) throw new PlyError('ENOENT', { syscall: 'lookup' })
    return found
  }

  isDirectory(ino: number): boolean {
    return this.kind(ino) === 'directory'
  }

  kind(ino: number): Kind {
    if (this.#directories.has(ino)) return 'directory'
    return this.inUpper(ino) ? kindIn(this.upper, this.up(ino)) : kindIn(this.lower, ino)
  }

  /** What the upper says at a name of a directory that may or may not be in it. */
  verdict(directory: number, name: ByteString): Verdict {
    return this.inUpper(directory) ? this.upper.lookup(this.up(directory), name) : nothing
  }

  /** What the lower tree has at a name, hidden or not. */
  below(directory: number, name: ByteString): number | undefined {
    const lower = this.inUpper(directory) ? this.directory(directory).lower : directory
    return lower === undefined ? undefined : this.lower.lookup(lower, name)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    if (!this.inUpper(directory)) {
      if (this.isGone(directory)) throw new PlyError('ENOENT', { syscall: 'lookup' })
      const ino = this.lower.lookup(directory, name)
      if (ino !== undefined) this.places.note(directory, name, ino)
      return ino
    }
    const { lower } = this.directory(directory)
    const verdict = this.upper.lookup(this.up(directory), name)
    // These two hide whatever lies below, which need not be looked up.
    if (verdict.says === 'whiteout') return undefined
    if (verdict.says === 'entry' && !verdict.directory) return verdict.ino
    const below = lower === undefined ? undefined : this.lower.lookup(lower, name)
    if (verdict.says !== 'nothing') return this.#arrive(directory, verdict, below)
    if (below !== undefined) this.places.note(lower!, name, below)
    return below
  }

  *list(directory: number): Iterable<TreeEntry> {
    if (!this.inUpper(directory)) {
      if (!this.isGone(directory)) yield* this.lower.list(directory)
      return
    }
    const part = this.directory(directory)
    const below = part.lower === undefined ? [] : this.lower.list(part.lower)
    for (const { name, verdict, entry } of mergedNames(this.upper.list(this.up(directory)), below)) {
      if (verdict.says === 'nothing') {
        yield entry!
        continue
      }
      const ino = this.#arrive(directory, verdict, entry?.ino)
      if (ino === undefined) continue
      yield ino === entry?.ino ? entry : { name, ino, kind: this.#kindOf(verdict, ino) }
    }
  }

  isEmpty(directory: number): boolean {
    for (const _ of this.list(directory)) return false
    return true
  }

  /** The union's number of the directory that holds this one. */
  parent(directory: number): number {
    if (this.inUpper(directory)) return this.directory(directory).parent
    if (this.isGone(directory)) throw new PlyError('ENOENT', { syscall: 'lookup' })
    return this.numberOf(this.lower.parent(directory))
  }

  /** Whether `ancestor` holds `directory`, at any depth. */
  holds(ancestor: number, directory: number): boolean {
    for (let at = directory; at !== this.root; ) {
      at = this.parent(at)
      if (at === ancestor) return true
    }
    return false
  }

  /** The number that a lower directory goes by, reachable or not. */
  numberOf(lower: number): number {
    return this.#renumbered.get(lower) ?? lower
  }

  /** What `stat` answers of one side, without what only both know: number and links. */
  attributes(ino: number): Stat {
    const stat = this.inUpper(ino) ? this.upper.stat(this.up(ino)) : this.lower.stat(ino)
    if (stat.kind !== 'directory') return stat
    const described = this.#directories.get(ino)?.described
    return described === undefined ? stat : this.lower.stat(described)
  }

  /** What a directory hands on to what is made in it. Making something there leaves it as it is. */
  heritage(ino: number): Heritage {
    const part = this.#directories.get(ino)
    const known = part?.heritage
    if (known) return known
    const heritage = { stat: this.attributes(ino), xattrs: this.xattrs(ino) }
    if (part) part.heritage = heritage
    return heritage
  }

  /** To be called when attributes or xattrs of an inode change. */
  changed(ino: number): void {
    const part = this.#directories.get(ino)
    if (part) part.heritage = undefined
  }

  xattrs(ino: number): Xattrs {
    if (!this.inUpper(ino)) return this.lower.xattrs(ino)
    const described = this.#directories.get(ino)?.described
    return described === undefined ? this.upper.xattrs(this.up(ino)) : this.lower.xattrs(described)
  }

  /** Whether a number has been given up: its inode lost its last name while this union was open. */
  isGone(ino: number): boolean {
    return this.gone.has(ino) || (!this.isBelow(ino) && !this.inUpper(ino))
  }

  /** Whether a number is one of the lower tree, copied up or not. */
  isBelow(ino: number): boolean {
    return this.lower.has ? this.lower.has(ino) : ino < firstNewInode
  }

  isLowerDirectory(ino: number): boolean {
    return kindIn(this.lower, ino) === 'directory'
  }

  /** How many names the lower tree gives an inode, visible or not. */
  lowerLinks(ino: number): number {
    return this.isBelow(ino) ? this.lower.stat(ino).links : 0
  }

  /** Links of a directory that is in the upper: 2 and its subdirectories, which are counted once and then kept. */
  directoryLinks(ino: number): number {
    const part = this.directory(ino)
    if (part.subdirectories === undefined) {
      part.subdirectories = 0
      for (const { kind } of this.list(ino)) if (kind === 'directory') part.subdirectories++
    }
    return 2 + part.subdirectories
  }

  /** To be called when a directory gets (1) or loses (-1) a subdirectory. */
  recount(directory: number, by: 1 | -1): void {
    const part = this.directory(directory)
    if (part.subdirectories !== undefined) part.subdirectories += by
  }

  /** Enters a directory that came into the upper, or to another place in it. */
  enter(ino: number, parent: number, lower: number | undefined, described?: number, subdirectories?: number): void {
    this.#directories.set(ino, { parent, lower, described, subdirectories })
    if (lower !== undefined && lower !== ino && ino !== this.root) this.#renumbered.set(lower, ino)
  }

  /** Parts a directory from the lower one that it merged with: the upper has it opaque now. */
  part(ino: number): void {
    this.directory(ino).lower = undefined
  }

  /** Forgets a directory that lost its name. */
  leave(ino: number): void {
    const part = this.#directories.get(ino)
    this.#directories.delete(ino)
    if (part?.lower !== undefined) this.gone.add(part.lower)
    if (this.isBelow(ino)) this.gone.add(ino)
  }

  /** Walks through the whole upper once, so that every directory in it is known. */
  survey(): void {
    if (this.#surveyed) return
    this.#surveyed = true
    const pending = [this.root]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const { name, verdict } of this.upper.list(this.up(directory))) {
        if (verdict.says !== 'entry' || !verdict.directory) continue
        const ino = this.#arrive(directory, verdict, this.below(directory, name))
        if (ino !== undefined) pending.push(ino)
      }
    }
  }

  #arrive(directory: number, verdict: Verdict, below: number | undefined): number | undefined {
    if (verdict.says === 'whiteout') return undefined
    if (verdict.says === 'entry' && (!verdict.directory || this.#directories.has(verdict.ino))) return verdict.ino
    const node = stands(verdict, below, this.lower)
    if (node === undefined) return undefined
    const entersDirectory = verdict.says === 'entry' ? verdict.directory : verdict.says === 'ghost'
    if (entersDirectory && !this.#directories.has(node.ino)) this.enter(node.ino, directory, node.lower, node.described)
    return node.ino
  }

  #kindOf(verdict: Verdict, ino: number): Kind {
    if (verdict.says === 'entry') return verdict.directory ? 'directory' : (verdict.kind ?? kindIn(this.upper, ino))
    return verdict.says === 'ghost' ? 'directory' : kindIn(this.lower, ino)
  }
}
