import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { InodeTable } from '../union/inode-table.ts'
import { firstNewInode } from '../union/upper.ts'
import { DirectoryPaths } from './directory-paths.ts'
import type { FoundNode, NodeReader } from './node-reader.ts'
import { fileNode, firstForeignInode, foreignNumber, nodeOf, type OverlayNode, type Place } from './overlay-node.ts'
import type { UpperDisk } from './upper-disk.ts'

export interface NodesPlace {
  readonly upperDir: ByteString
  /** Where the inodes of lower link groups are (`index=on`). */
  readonly index: ByteString
}

/**
 * The inodes of an upper in overlayfs's form: read directory by directory, and all of them when a number is asked for
 * that nobody has walked to.
 */
export class OverlayNodes {
  readonly root: OverlayNode
  readonly paths: DirectoryPaths
  /** Those of lower link groups, which the index directory holds too. */
  readonly indexed = new Set<OverlayNode>()
  readonly #disk: UpperDisk
  readonly #reader: NodeReader
  readonly #known = new InodeTable<OverlayNode>()
  #reals: ReadonlyMap<number, OverlayNode> | undefined
  #all = false

  constructor(disk: UpperDisk, reader: NodeReader, { upperDir, index }: NodesPlace) {
    this.#disk = disk
    this.#reader = reader
    const found = reader.read(upperDir)
    if (found?.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'open' })
    this.root = nodeOf({ ...found, ino: firstNewInode, redirect: undefined, origin: false })
    this.paths = new DirectoryPaths(disk, this.root, upperDir)
    this.#known.set(this.root.ino, this.root)
    this.#readIndex(index)
  }

  /** @throws ENOENT if there is no inode of this number. */
  at(ino: number): OverlayNode {
    const found = this.find(ino)
    if (!found) throw new PlyError('ENOENT', { syscall: 'lookup' })
    return found
  }

  find(ino: number): OverlayNode | undefined {
    const known = this.#known.get(ino)
    if (known || this.#all) return known
    this.#readAll()
    return this.#known.get(ino)
  }

  /** Every inode of the upper. */
  all(): Iterable<OverlayNode> {
    if (!this.#all) this.#readAll()
    return this.#known.values()
  }

  /** The inode that a real one stands for, where nothing changes any more. */
  ofReal(real: number): OverlayNode | undefined {
    if (!this.#all) this.#readAll()
    this.#reals ??= new Map([...this.#known.values()].map((node) => [node.real, node]))
    return this.#reals.get(real)
  }

  /** What a directory holds, by name. @throws ENOTDIR */
  entries(of: OverlayNode): Map<ByteString, OverlayNode | undefined> {
    if (of.entries) return of.entries
    if (of.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    const entries = new Map<ByteString, OverlayNode | undefined>()
    const path = this.paths.directory(of)
    const names = this.#namesIn(of, path)
    of.entries = entries
    for (const name of names) entries.set(name, this.#read(of, name, `${path}/${name}`))
    return entries
  }

  /** Where the lower part of an inode is, as a path from the root; `undefined` where no name of it is known that says so. */
  lowerPath(of: OverlayNode): ByteString | undefined {
    if (of.redirect !== undefined) return of.redirect
    const place = of.places[0]
    return place ? this.#lowerPathAt(place.directory, place.name) : undefined
  }

  /** Enters a file that was just made, and its name, which nothing had. */
  enterFile(directory: OverlayNode, name: ByteString, ino: number, real: number): OverlayNode {
    const made = fileNode(ino, real)
    made.places.push({ directory, name })
    this.#known.set(ino, made)
    this.entries(directory).set(name, made)
    this.onTouch(directory)
    return made
  }

  /** Enters an inode that was just made. */
  add(facts: Pick<OverlayNode, 'ino' | 'real' | 'kind'> & Partial<OverlayNode>): OverlayNode {
    const made = nodeOf(facts)
    if (made.kind === 'directory') made.entries = new Map()
    if (made.index !== undefined) this.indexed.add(made)
    this.#known.set(made.ino, made)
    return made
  }

  /** Enters a name, in place of whatever had it. */
  place(directory: OverlayNode, name: ByteString, what: OverlayNode | undefined): void {
    const entries = this.entries(directory)
    const there = entries.get(name)
    if (there === what && entries.has(name)) return
    if (there) this.#leave(there, directory, name)
    entries.set(name, what)
    what?.places.push({ directory, name })
    this.onTouch(directory)
    if (what) this.onTouch(what)
  }

  remove(directory: OverlayNode, name: ByteString): void {
    const entries = this.entries(directory)
    const there = entries.get(name)
    entries.delete(name)
    this.onTouch(directory)
    if (there) this.#leave(there, directory, name)
  }

  /** Moves the one place of an inode. What stood at the new one is gone, as after `place`. */
  move(what: OverlayNode, from: Place, to: Place, leaveWhiteout: boolean): void {
    const entries = this.entries(from.directory)
    if (leaveWhiteout) entries.set(from.name, undefined)
    else entries.delete(from.name)
    this.onTouch(from.directory)
    this.place(to.directory, to.name, what)
    this.#leave(what, from.directory, from.name)
  }

  /** Two names of different inodes change places. */
  exchange(one: Place, other: Place): void {
    const [entries, otherEntries] = [this.entries(one.directory), this.entries(other.directory)]
    const [node, otherNode] = [entries.get(one.name)!, otherEntries.get(other.name)!]
    entries.set(one.name, otherNode)
    otherEntries.set(other.name, node)
    node.places[placeIn(node, one)] = other
    otherNode.places[placeIn(otherNode, other)] = one
    for (const touched of [node, otherNode, one.directory, other.directory]) this.onTouch(touched)
  }

  close(): void {
    this.paths.close()
    this.#known.clear()
  }

  /** How many links a file has on the disk, but for the one in the index directory. */
  linksOf: (node: OverlayNode) => number = () => 0
  /** Called with each inode that got or lost a name, and with the directory of it. */
  onTouch: (node: OverlayNode) => void = () => {}
  /** Called with each inode that lost its last name. */
  onRelease: (gone: OverlayNode) => void = () => {}
  /** Called with a directory that this process may not read: answers whether something was done about it. */
  onClosed: (directory: OverlayNode, path: ByteString) => boolean = () => false
  /** Called with the number of each inode that is found, unless another writer made it. */
  onNumber: (ino: number) => void = () => {}
  /** Called once, when every inode is known. */
  onAll: (nodes: Iterable<OverlayNode>) => void = () => {}

  /**
   * Sees to it that every name of an inode is known, before one is taken away: what is in directories that nobody has
   * walked to still counts.
   */
  settle(what: OverlayNode | undefined): void {
    if (!what || what.kind === 'directory' || what.isOwn || this.#all) return
    if (this.linksOf(what) > what.places.length) this.#readAll()
  }

  /** Forgets an inode that has no name. */
  release(what: OverlayNode): void {
    this.#known.delete(what.ino)
    this.indexed.delete(what)
    this.paths.release(what)
    this.onRelease(what)
  }

  #lowerPathAt(directory: OverlayNode, name: ByteString): ByteString {
    const above = directory === this.root ? undefined : this.lowerPath(directory)
    return above === undefined ? name : `${above}/${name}`
  }

  #leave(what: OverlayNode, directory: OverlayNode, name: ByteString): void {
    const at = placeIn(what, { directory, name })
    if (at >= 0) what.places.splice(at, 1)
    this.onTouch(what)
    if (what.places.length === 0) this.release(what)
  }

  #readAll(): void {
    this.#all = true
    const waiting = [this.root]
    for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
      for (const child of this.entries(directory).values()) if (child?.kind === 'directory') waiting.push(child)
    }
    this.onAll(this.#known.values())
  }

  #namesIn(directory: OverlayNode, path: ByteString): ByteString[] {
    try {
      return this.#disk.names(path)
    } catch (error) {
      if (codeOf(error) !== 'EACCES' || !this.onClosed(directory, path)) throw error
      return this.#disk.names(path)
    }
  }

  /** Enters the inodes of lower link groups, whether a name of the upper shows them or only names from below do. */
  #readIndex(path: ByteString): void {
    if (!this.#disk.exists(path)) return
    for (const name of this.#disk.names(path)) {
      const at = `${path}/${name}`
      const found = this.#reader.read(at)
      // An index of a directory is for NFS handles, a whiteout there for what is gone.
      if (!found?.origin || found.kind === 'directory' || !found.below) continue
      const node = nodeOf({ ...found, redirect: fromRoot(found.redirect), index: at })
      this.#known.set(found.ino, node)
      this.indexed.add(node)
    }
  }

  /** What stands at a name on the disk; `undefined` for a whiteout. */
  #read(directory: OverlayNode, name: ByteString, path: ByteString): OverlayNode | undefined {
    const found = this.#reader.read(path)
    if (!found) return undefined
    const child = this.#nodeAt(found.ino, found)
    child.places.push({ directory, name })
    child.metacopy = found.metacopy
    const { redirect = '' } = found
    child.relative = redirect !== '' && !redirect.startsWith('/')
    child.redirect = child.relative ? this.#lowerPathAt(directory, redirect) : fromRoot(redirect)
    return child
  }

  /** Two names of one inode are one node; two inodes that claim one number (a copy with its xattrs) are not. */
  #nodeAt(ino: number, facts: FoundNode): OverlayNode {
    const known = this.#known.get(ino)
    if (known && known.real === facts.real && known.kind !== 'directory') return known
    if (known) return this.#nodeAt(foreignNumber(facts.real), facts)
    const made = nodeOf({ ...facts, ino, redirect: undefined })
    this.#known.set(ino, made)
    if (ino < firstForeignInode) this.onNumber(ino)
    return made
  }
}

function placeIn({ places }: OverlayNode, { directory, name }: Place): number {
  return places.findIndex((place) => place.directory === directory && place.name === name)
}

/** What a redirect says from the root. A name alone means something only in the directory that the inode is in, and `/` nothing. */
function fromRoot(redirect: ByteString | undefined): ByteString | undefined {
  return redirect?.startsWith('/') && redirect !== '/' ? redirect.slice(1) : undefined
}
