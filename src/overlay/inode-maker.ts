import { type Marks, yes } from '../layer/overlay-marks.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import { type Creation, firstNewInode, type Standing } from '../union/upper.ts'
import { type Builder, type Built, buildInode, makeFile } from './build-inode.ts'
import type { FrozenBelow } from './frozen-below.ts'
import type { NameChanges } from './name-changes.ts'
import { encodeOrigin } from './origin.ts'
import { firstForeignInode, type OverlayNode, type Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { PlaceMarks } from './place-marks.ts'
import type { WorkArea } from './work-area.ts'

export interface MakerSurroundings extends Builder {
  readonly nodes: OverlayNodes
  readonly marks: Marks
  readonly placeMarks: PlaceMarks
  readonly work: WorkArea
  /** Of the index of the lower tree. */
  readonly uuid: Uint8Array
  /** Inodes made here are numbered from here: what is below has other numbers. */
  readonly firstOwn: number
  readonly frozen: FrozenBelow
  /** Whether a new file in a directory has the owner, group and mode that it is made with, and no xattrs. */
  readonly isPlain: (directory: OverlayNode) => boolean
  /** Told of a file that was made in its place, and has no xattrs but its marks. */
  readonly onMade: (node: OverlayNode, real: ExactStat) => void
}

/** Makes inodes of an upper in overlayfs's form, with the marks that they are known by. */
export class InodeMaker {
  readonly #around: MakerSurroundings
  /** The file that was made last, still open: whoever makes one writes it next. */
  #open: { readonly ino: number; readonly fd: number } | undefined

  constructor(around: MakerSurroundings) {
    this.#around = around
  }

  /** Makes an inode and puts it in its place, over nothing or a whiteout: the rename is the moment of the change. */
  put(names: NameChanges, place: Place, ino: number, inode: Creation & Standing, content?: Bytes): void {
    const { files, work, placeMarks, marks } = this.#around
    const { kind, opaque = false, redirect, links = 1 } = inode
    if (this.#isSimple(place, ino, inode, content) && this.#makeInPlace(place, ino, inode)) return
    const isDirectory = kind === 'directory'
    const metacopy = this.#isBelow(ino) && kind === 'file' && content === undefined
    const own = this.identity(ino, links)
    const identity = own.get(marks.origin)
    const origin = identity !== undefined
    if (opaque && isDirectory) own.set(marks.opaque, yes)
    if (redirect !== undefined && (isDirectory || metacopy))
      own.set(marks.redirect, Buffer.from(`/${redirect}`, 'latin1'))
    if (metacopy) own.set(marks.metacopy, new Uint8Array())
    const grouped = origin && !isDirectory && links > 1
    // One link is the name, the other that in the index: what the group has beyond two is below.
    if (grouped) own.set(marks.nlink, relativeLinks(links - 2))
    const temp = work.fresh()
    let index: ByteString | undefined
    let built: Built | undefined
    try {
      built = buildInode(this.#around, temp, { creation: inode, content, marks: own })
      if (origin) placeMarks.impure(place.directory)
      // First here, then in place: a process that dies in between leaves the group with the content and the attributes it had.
      index = grouped ? this.#indexed(temp, identity) : undefined
      names.install(temp, place, isDirectory)
    } catch (error) {
      if (built?.fd !== undefined) files.close(built.fd)
      if (index !== undefined) work.clear(index)
      work.clear(temp)
      throw error
    }
    const { fd, ...dress } = built
    this.letGo()
    if (fd !== undefined) this.#open = { ino, fd }
    const standing = isDirectory ? { opaque, redirect } : metacopy ? { redirect } : {}
    this.enter(place, ino, { kind, origin, metacopy, index, ...standing, ...dress })
  }

  /** The descriptor of a file that was just made, for reading and writing, if there is one: it is the caller's then. */
  handOver(ino: number): number | undefined {
    if (this.#open?.ino !== ino) return undefined
    const { fd } = this.#open
    this.#open = undefined
    return fd
  }

  /** Nobody needs what was made last any more. */
  letGo(): void {
    if (this.#open) this.#around.files.close(this.#open.fd)
    this.#open = undefined
  }

  /** Makes the copy of a lower inode of a link group that only the index holds. */
  putInIndex(ino: number, creation: Creation, content?: Bytes): void {
    const { files, nodes, work, marks } = this.#around
    const { kind, links = 1 } = creation
    const metacopy = kind === 'file' && content === undefined
    const own = this.identity(ino, links)
    const identity = own.get(marks.origin)
    if (!identity) throw new PlyError('ENOTSUP', { syscall: 'copy-up' })
    own.set(marks.nlink, relativeLinks(links - 1))
    if (metacopy) own.set(marks.metacopy, new Uint8Array())
    const temp = work.fresh()
    const index = work.inIndex(identity)
    let dress: Built
    try {
      const { fd, ...built } = buildInode(this.#around, temp, { creation, content, marks: own })
      if (fd !== undefined) files.close(fd)
      dress = built
      files.rename(temp, index)
    } catch (error) {
      work.clear(temp)
      throw error
    }
    const real = dress.real ?? files.lstat(index).ino
    nodes.add({ kind, origin: true, metacopy, index, ...dress, ino, real })
  }

  /** Makes an empty opaque directory, the same otherwise, in the work directory. */
  emptied(directory: OverlayNode, creation: Creation, xattrs: Xattrs): ByteString {
    const { work, marks } = this.#around
    const temp = work.fresh()
    const own = this.identity(directory.ino).set(marks.opaque, yes)
    try {
      buildInode(this.#around, temp, { creation: { ...creation, xattrs }, content: undefined, marks: own })
    } catch (error) {
      work.clear(temp)
      throw error
    }
    return temp
  }

  /** Enters an inode that stands in its place. */
  enter(place: Place, ino: number, facts: Pick<OverlayNode, 'kind'> & Partial<OverlayNode>): void {
    const { files, nodes } = this.#around
    const { real = files.lstat(nodes.paths.at(place.directory, place.name)).ino } = facts
    nodes.place(place.directory, place.name, nodes.add({ ...facts, ino, real }))
  }

  /** Whether one call makes it as it is to be, but for its number, where nothing stands. */
  #isSimple({ directory, name }: Place, ino: number, inode: Creation, content: Bytes | undefined): boolean {
    const { facts, nodes, isPlain } = this.#around
    if (inode.kind !== 'file' || !inode.now || content || inode.xattrs || this.#isBelow(ino)) return false
    return facts.isBornWith(inode) && !nodes.entries(directory).has(name) && isPlain(directory)
  }

  /** Whoever dies before the number is marked leaves an empty file as others make them, which nobody has been told of. */
  #makeInPlace(place: Place, ino: number, inode: Creation): boolean {
    const { nodes, marks, onMade } = this.#around
    const { directory, name } = place
    const path = nodes.paths.at(directory, name)
    const made = makeFile(this.#around, path, inode, marks.number, decimal(ino))
    if (!made) return false
    const { fd, real } = made
    this.letGo()
    this.#open = { ino, fd }
    onMade(nodes.enterFile(directory, name, ino, real.ino), real)
    return true
  }

  #isBelow(ino: number): boolean {
    return ino < this.#around.firstOwn || this.#around.frozen.has(ino)
  }

  /**
   * The marks that an inode is known by: of what is below how the kernel calls it there, of what is in no index also its number. What the
   * kernel made in a frozen upper has no number that lasts, and is known by its name alone.
   */
  identity(ino: number, links = 1): Map<ByteString, Uint8Array> {
    const { marks, uuid, frozen } = this.#around
    const isFrozen = frozen.has(ino)
    if (!isFrozen && ino < firstNewInode) return new Map([[marks.origin, encodeOrigin(uuid, ino)]])
    const own = new Map<ByteString, Uint8Array>()
    const origin = isFrozen ? frozen.originOf(ino, links) : undefined
    if (origin) own.set(marks.origin, origin)
    else if (isFrozen && ino >= firstForeignInode) throw new PlyError('ENOTSUP', { syscall: 'copy-up' })
    if (ino < firstForeignInode) own.set(marks.number, decimal(ino))
    return own
  }

  /** The kernel finds all lower names of a link group by this one. */
  #indexed(temp: ByteString, origin: Uint8Array): ByteString {
    const index = this.#around.work.inIndex(origin)
    this.#around.files.link(temp, index)
    return index
  }
}

/** A number in decimal digits. */
function decimal(number: number): Buffer {
  return Buffer.from(String(number), 'latin1')
}

/** How many names a link group has, as the kernel writes it: relative to the links that the upper file has. */
export function relativeLinks(more: number): Buffer {
  return Buffer.from(`U${more < 0 ? '' : '+'}${more}`)
}
