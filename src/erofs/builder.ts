import type { ByteString } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import { type Attributes, defaultDirectory, type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import type { ByteSink } from '../stream/bytes.ts'
import { InodeColumns, majorOf, minorOf, noBlock } from './columns.ts'
import type { Listing } from './content.ts'
import type { Device, Extent, ExternalLink, InodeFacts, NewInode, SpillSegments } from './format.ts'
import type { InodeRow } from './inode-row.ts'
import type { Index } from './reader.ts'
import { unrepresentable } from './refusal.ts'
import { writeIndex } from './writer.ts'
import { XattrSets } from './xattr-sets.ts'

export interface WriteOptions {
  /** The diffID of a layer, the chainID of a tree. The image's uuid is the first 16 bytes of `sha256("plyfs-erofs-v1" + uuidSeed)`. */
  readonly uuidSeed: Digest
  /** In the order that extents and facts count them. */
  readonly devices: readonly Device[]
  /** zlib's CRC-32 of each 64 KiB page of device 0, for the index of a layer. */
  readonly tarPages?: Uint32Array
  /** What of device 1, the layer's spill, is in device 0. Only beside `tarPages`. */
  readonly segments?: SpillSegments | undefined
  readonly signal?: AbortSignal | undefined
}

const noChildren: ReadonlyMap<ByteString, number> = new Map()

/**
 * A file system in the making, then written as an index.
 *
 * Inodes have numbers of the builder's own and any number of names; a directory has one. Nothing is decided before
 * `write`: what no name reaches is left out, links are counted, and the bytes depend only on what was built, never on
 * the order of building. Names are byte strings. The root is there from the start: an implied directory with default
 * attributes. About 50 bytes an inode besides the names.
 */
export class IndexBuilder {
  readonly root: number
  readonly #columns = new InodeColumns()
  readonly #xattrs = new XattrSets()
  readonly #targets = new Map<number, ByteString>()
  readonly #children = new Map<number, Map<ByteString, number> | Listing>()
  /** By directory, then name: a name is either here or among the children. */
  readonly #links = new Map<number, Map<ByteString, ByteString>>()
  readonly #dropped: { readonly id: number; readonly name: ByteString }[] = []

  constructor() {
    this.root = this.inode({ kind: 'directory', ...defaultDirectory, facts: { implied: true } })
  }

  /**
   * Adds an inode, which has no name yet, and returns its number.
   * @throws PLY_UNREPRESENTABLE for sizes, offsets, owners, times, device numbers and xattrs beyond what an index holds.
   */
  inode(fresh: NewInode): number {
    const id = this.#columns.add(fresh, this.#addXattrs(this.#columns.count, fresh.xattrs))
    this.#fill(id, fresh)
    return id
  }

  /** Replaces all attributes and facts of an inode. Its names stay, and its children if it stays a directory. */
  setInode(id: number, fresh: NewInode): void {
    if (id === this.root && fresh.kind !== 'directory') throw unrepresentable('/', 'the root must be a directory')
    this.#columns.set(id, fresh, this.#addXattrs(id, fresh.xattrs))
    this.#fill(id, fresh)
  }

  /**
   * Adds an inode that stands in another index, without its names: its numbers as `row` has them by now, its attributes and
   * target as they stand there.
   */
  copy(row: InodeRow, from: Index, ino: number): number {
    const xattrs = row.hasXattrs ? this.#addXattrs(this.#columns.count, from.xattrs(ino)) : 0
    const id = this.#columns.adopt(row, xattrs)
    const kind = this.#columns.kind(id)
    if (kind === 'directory') this.#children.set(id, new Map())
    else if (kind === 'symlink') this.#targets.set(id, from.readlink(ino))
    return id
  }

  /** Moves the content of a file. */
  setExtent(id: number, extent: Extent): void {
    this.#columns.setExtent(id, extent)
  }

  /** Adds or replaces a name. @throws PLY_UNREPRESENTABLE for a name that no directory can hold. */
  enter(directory: number, name: ByteString, inode: number): void {
    checkName(name)
    this.#links.get(directory)?.delete(name)
    this.#directory(directory).set(name, inode)
  }

  /**
   * Enters all names of a directory that has none yet: in byte order, none twice. Nothing is looked up or sorted for them.
   * @throws PLY_UNREPRESENTABLE as `enter` does
   */
  fill(directory: number, names: readonly ByteString[], inodes: readonly number[]): void {
    for (const name of names) checkName(name)
    if (this.#directory(directory).size > 0) throw new TypeError('only a directory without names is filled')
    this.#children.set(directory, { names, inodes })
  }

  /** Takes a name away, if it is there. */
  remove(directory: number, name: ByteString): void {
    this.#directory(directory).delete(name)
    this.#links.get(directory)?.delete(name)
  }

  child(directory: number, name: ByteString): number | undefined {
    return this.#named(directory)?.get(name)
  }

  /** In the order of entering. */
  children(directory: number): Iterable<[ByteString, number]> {
    return (this.#named(directory) ?? noChildren).entries()
  }

  kind(id: number): Kind {
    return this.#columns.kind(id)
  }

  attributes(id: number): Attributes {
    const { mode, uid, gid } = this.#columns
    return { mode: mode[id]! & 0o7777, uid: uid[id]!, gid: gid[id]!, mtime: this.#columns.mtime(id) }
  }

  xattrs(id: number): Xattrs {
    return this.#xattrs.decode(this.#columns.xattrs[id]!)
  }

  /** The target of a symlink; empty for anything else. */
  target(id: number): ByteString {
    return this.#targets.get(id) ?? ''
  }

  facts(id: number): InodeFacts {
    return this.#columns.facts(id)
  }

  /** Changes the facts that are given. */
  setFacts(id: number, facts: Partial<InodeFacts>): void {
    this.#columns.setFacts(id, facts)
  }

  /** Records a name whose inode is only below (layer-semantics H-06), in place of anything else at that name. */
  externalLink({ directory, name, path }: ExternalLink): void {
    checkName(name)
    this.#directory(directory).delete(name)
    let links = this.#links.get(directory)
    if (!links) this.#links.set(directory, (links = new Map()))
    links.set(name, path)
  }

  /** The lower path recorded at a name by `externalLink`. */
  externalPath(directory: number, name: ByteString): ByteString | undefined {
    return this.#links.get(directory)?.get(name)
  }

  /** What `Index.stat` would say, under another number; links are counted by whoever asks. */
  stat(id: number, ino: number, links: number): Stat {
    const kind = this.#columns.kind(id)
    const device = kind === 'character' || kind === 'block'
    const { mode, uid, gid, size, place } = this.#columns
    return {
      ino,
      kind,
      mode: mode[id]! & 0o7777,
      uid: uid[id]!,
      gid: gid[id]!,
      mtime: this.#columns.mtime(id),
      size: size[id]!,
      links,
      major: device ? majorOf(place[id]!) : 0,
      minor: device ? minorOf(place[id]!) : 0,
    }
  }

  /** As `Index.extent`, of a file. */
  extent(id: number): Extent | undefined {
    const { place, device } = this.#columns
    return place[id] === noBlock ? undefined : { device: device[id]!, offset: place[id]! * 512 }
  }

  /** The facts that are yes or no, as `factBits`. */
  flags(id: number): number {
    return this.#columns.flags[id]!
  }

  /** The names of a directory that `externalLink` recorded, with their paths. */
  externalLinks(directory: number): Iterable<[ByteString, ByteString]> {
    return this.#links.get(directory)?.entries() ?? []
  }

  /** Attributes that were given but cannot be stored, because EROFS has no number for their prefix: for a warning. */
  droppedXattrs(): readonly { readonly id: number; readonly name: ByteString }[] {
    return this.#dropped
  }

  /** How many inodes were added, reachable or not. */
  get count(): number {
    return this.#columns.count
  }

  /**
   * Writes the index (docs/index-format.md) in chunks of at most about 1 MiB, each a buffer of its own, letting other
   * work run at least every 50 ms.
   * @throws PLY_UNREPRESENTABLE for what the format cannot hold, PLY_ABORTED.
   */
  write(into: ByteSink, options: WriteOptions): Promise<void> {
    return writeIndex(
      {
        root: this.root,
        columns: this.#columns,
        xattrs: this.#xattrs,
        targets: this.#targets,
        children: this.#children,
        links: this.#links,
      },
      into,
      options,
    )
  }

  #addXattrs(id: number, xattrs: Xattrs = noXattrs): number {
    return xattrs.size === 0 ? 0 : this.#xattrs.add(xattrs, (name) => this.#dropped.push({ id, name }))
  }

  #fill(id: number, fresh: NewInode): void {
    if (fresh.kind === 'symlink') this.#targets.set(id, fresh.target ?? '')
    else this.#targets.delete(id)
    if (fresh.kind !== 'directory') {
      this.#children.delete(id)
      this.#links.delete(id)
    } else if (!this.#children.has(id)) this.#children.set(id, new Map())
  }

  #directory(id: number): Map<ByteString, number> {
    const children = this.#named(id)
    if (!children) throw unrepresentable(`inode ${id}`, 'only a directory has names in it')
    return children
  }

  #named(directory: number): Map<ByteString, number> | undefined {
    const children = this.#children.get(directory)
    if (children === undefined || children instanceof Map) return children
    const named = new Map(children.names.map((name, i) => [name, children.inodes[i]!]))
    this.#children.set(directory, named)
    return named
  }
}

function checkName(name: ByteString): void {
  if (name.length === 0 || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw unrepresentable(JSON.stringify(name), 'not a name')
  }
  if (name.length > 255) throw unrepresentable(name, 'a name has at most 255 bytes')
}
