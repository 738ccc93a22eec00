import * as fs from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import {
  type AttributeChange,
  type Creation,
  firstNewInode,
  type Room,
  type Standing,
  type Unnamed,
  type WritableBytes,
} from '../union/upper.ts'
import { buildInode } from './build-inode.ts'
import { copyContent } from './copy-content.ts'
import { yes } from './marks.ts'
import { type Move, NameChanges } from './name-changes.ts'
import { Numbers } from './numbers.ts'
import { encodeOrigin } from './origin.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import { type OverlayPlace, OverlayView } from './overlay-view.ts'
import { PlaceMarks } from './place-marks.ts'
import { RealContent } from './real-content.ts'
import { type Dress, storing } from './real-facts.ts'
import type { StoredUpper } from './stored-upper.ts'
import { UnnamedFiles } from './unnamed-files.ts'
import { refuseVolatile, WorkArea } from './work-area.ts'

export interface OverlaySettings {
  readonly readOnly: boolean
  readonly numbersFrom: number
  readonly metacopy: boolean
}

/** What can only be done to an upper that may be changed. */
interface Workshop {
  readonly work: WorkArea
  readonly names: NameChanges
  readonly placeMarks: PlaceMarks
  readonly unnamed: UnnamedFiles
}

/** An upper in overlayfs's form, opened by `openOverlayUpper`. */
export class OverlayUpper extends OverlayView implements StoredUpper {
  readonly metadataOnly: boolean
  readonly #place: OverlayPlace
  readonly #numbers: Numbers
  /** Absent: read only. */
  readonly #shop: Workshop | undefined

  constructor(place: OverlayPlace, { readOnly, numbersFrom, metacopy }: OverlaySettings) {
    super(place)
    this.#place = place
    this.metadataOnly = metacopy
    this.#numbers = new Numbers(this.files, { root: place.upperDir, mark: this.marks.next, from: numbersFrom })
    if (!readOnly) this.#shop = this.#open(place)
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const ino = this.#numbers.next()
    this.#put({ directory: parent, name }, ino, creation)
    return ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    if (creation.kind === 'file' && !content && !this.metadataOnly)
      throw new PlyError('ENOTSUP', { syscall: 'copy-up' })
    this.restore(directory, name, ino, creation, content)
  }

  restore(directory: number, name: ByteString, ino: number, inode: Creation & Standing, content?: Bytes): void {
    const parent = this.#free(directory, name)
    if (this.has(ino)) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    if (ino >= firstNewInode) this.#numbers.past(ino)
    const { mtimeNs } = this.files.lstatExact(this.nodes.paths.of(parent))
    this.#put({ directory: parent, name }, ino, inode, content)
    this.files.setTimes(this.nodes.paths.of(parent), { mtime: mtimeNs })
  }

  get nextNumber(): number {
    return this.#numbers.peek
  }

  numbersPast(ino: number): void {
    this.#writable()
    this.#numbers.past(ino)
  }

  copyUpContent(ino: number, content: Bytes): void {
    this.#writable()
    const node = this.nodes.at(ino)
    if (node.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'copy-up' })
    if (!node.metacopy) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    const path = this.nodes.paths.of(node)
    const { mtimeNs } = this.files.lstatExact(path)
    // Until the mark goes, nobody reads what is here, but the kernel takes the size from it: that one call is the moment of the change.
    const fd = this.openContent(node, fs.constants.O_RDWR)
    try {
      fs.ftruncateSync(fd, 0)
      fs.ftruncateSync(fd, content.size)
      copyContent(this.disk, content, fd)
    } finally {
      this.files.close(fd)
    }
    this.files.setTimes(path, { mtime: mtimeNs })
    this.files.removeXattr(path, this.marks.metacopy)
    node.metacopy = false
    if (node.redirect === undefined) return
    this.files.removeXattr(path, this.marks.redirect)
    node.redirect = undefined
  }

  link(directory: number, name: ByteString, ino: number): void {
    const parent = this.#free(directory, name)
    const node = this.nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EPERM', { syscall: 'link' })
    this.#writable().names.link(node, { directory: parent, name })
  }

  rename(directory: number, name: ByteString, toDirectory: number, toName: ByteString, move: Move): void {
    const { names } = this.#writable()
    const from = { directory: this.nodes.at(directory), name }
    names.rename(from, { directory: this.nodes.at(toDirectory), name: toName }, move)
  }

  exchange(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    standing: { readonly first: Standing; readonly second: Standing },
  ): void {
    const { names } = this.#writable()
    const from = { directory: this.nodes.at(directory), name }
    names.exchange(from, { directory: this.nodes.at(toDirectory), name: toName }, standing)
  }

  forget(directory: number, name: ByteString): void {
    this.#writable().names.take({ directory: this.nodes.at(directory), name }, 'nothing')
  }

  whiteout(directory: number, name: ByteString): void {
    this.#writable().names.take({ directory: this.nodes.at(directory), name }, 'whiteout')
  }

  setOpaque(directory: number): void {
    this.#writable()
    const node = this.nodes.at(directory)
    if (node.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'setxattr' })
    if (!node.opaque) this.facts.setMark(node, this.nodes.paths.of(node), this.marks.opaque, yes)
    node.opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    this.#writable()
    const node = this.nodes.at(ino)
    const path = this.nodes.paths.of(node)
    this.facts.change(node, path, change)
    if (node !== this.nodes.root || !this.rootImplied) return
    this.files.removeXattr(path, this.marks.implied)
    this.rootImplied = false
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    this.#writable()
    const node = this.nodes.at(ino)
    this.facts.setXattr(node, this.nodes.paths.of(node), name, value)
  }

  writer(ino: number): WritableBytes {
    this.#writable()
    return new RealContent(this.disk, this.openContent(this.contentOf(ino), fs.constants.O_RDWR))
  }

  unnamed(): Unnamed {
    const { unnamed } = this.#writable()
    return unnamed.open(this.#numbers.next())
  }

  adopt(directory: number, name: ByteString, { ino }: Unnamed, creation: Creation & { readonly kind: 'file' }): void {
    const parent = this.#free(directory, name)
    const { unnamed, names } = this.#writable()
    const place = { directory: parent, name }
    const dress = unnamed.adopt(
      ino,
      (fd) => this.facts.dress(fd, creation, new Map([this.#identity({ ino, origin: false })])),
      (temp) => names.install(temp, place, false),
    )
    this.#enter(place, ino, { kind: 'file', origin: false, ...dress })
  }

  room(): Room {
    return this.files.room(this.#place.upperDir)
  }

  sync(): void {
    if (this.#shop) this.files.sync(this.#place.upperDir)
  }

  override close(): void {
    if (this.#shop) {
      this.#numbers.close()
      this.#shop.work.close()
    }
    super.close()
  }

  #open(place: OverlayPlace): Workshop {
    refuseVolatile(this.files, place.workDir)
    if (this.fresh) storing(() => this.files.setXattr(place.upperDir, this.marks.implied, yes))
    const { files, nodes, marks, asides } = this
    const work = new WorkArea(files, place.workDir, { marks, asides })
    const placeMarks = new PlaceMarks(files, nodes, marks, this.facts)
    nodes.onRelease = ({ index }) => {
      if (index !== undefined) files.unlink(index)
    }
    nodes.onClosed = (node, path) => this.facts.reach(node, path)
    nodes.onAll = (all) => asides?.sweep(new Set([...all].flatMap(({ aside }) => (aside === undefined ? [] : [aside]))))
    return {
      work,
      placeMarks,
      names: new NameChanges({ files, nodes, placeMarks, work, emptied: (directory) => this.#emptied(directory) }),
      unnamed: new UnnamedFiles(files, this.disk, work),
    }
  }

  /** Makes an inode and puts it in its place, over nothing or a whiteout: the rename is the moment of the change. */
  #put(place: Place, ino: number, inode: Creation & Standing, content?: Bytes): void {
    const { work, names, placeMarks } = this.#writable()
    const { kind, opaque = false, redirect, links = 1 } = inode
    const origin = ino < firstNewInode
    const isDirectory = kind === 'directory'
    const metacopy = origin && kind === 'file' && content === undefined
    const grouped = origin && !isDirectory && links > 1
    const [mark, identity] = this.#identity({ ino, origin })
    const own = new Map<ByteString, Uint8Array>([[mark, identity]])
    if (opaque && isDirectory) own.set(this.marks.opaque, yes)
    if (redirect !== undefined && isDirectory) own.set(this.marks.redirect, Buffer.from(`/${redirect}`, 'latin1'))
    if (metacopy) own.set(this.marks.metacopy, new Uint8Array())
    // One link is the name, the other that in the index: what the group has beyond two is below.
    if (grouped) own.set(this.marks.nlink, Buffer.from(signed(links - 2)))
    const temp = work.fresh()
    let index: ByteString | undefined
    let dress: Dress
    try {
      dress = this.#build(temp, inode, content, own)
      if (origin) placeMarks.impure(place.directory)
      // First here, then in place: a process that dies in between leaves the group with the content and the attributes it had.
      index = grouped ? work.inIndex(identity) : undefined
      if (index !== undefined) this.files.link(temp, index)
      names.install(temp, place, isDirectory)
    } catch (error) {
      if (index !== undefined && this.files.exists(index)) this.files.unlink(index)
      work.discard(temp)
      throw error
    }
    const standing = isDirectory ? { opaque, redirect } : {}
    this.#enter(place, ino, { kind, origin, metacopy, index, ...standing, ...dress })
  }

  #build(
    temp: ByteString,
    creation: Creation,
    content: Bytes | undefined,
    own: ReadonlyMap<ByteString, Uint8Array>,
  ): Dress {
    return buildInode({ files: this.files, disk: this.disk, facts: this.facts }, temp, {
      creation,
      content,
      marks: own,
    })
  }

  #emptied(directory: OverlayNode): ByteString {
    const { work } = this.#writable()
    const temp = work.fresh()
    const creation: Creation = { ...this.stat(directory.ino), xattrs: this.xattrs(directory.ino) }
    try {
      this.#build(temp, creation, undefined, new Map([[this.marks.opaque, yes], this.#identity(directory)]))
    } catch (error) {
      work.discard(temp)
      throw error
    }
    return temp
  }

  /** The mark that an inode is known by. */
  #identity({ ino, origin }: Pick<OverlayNode, 'ino' | 'origin'>): readonly [ByteString, Buffer] {
    return origin
      ? [this.marks.origin, encodeOrigin(this.#place.uuid, ino)]
      : [this.marks.number, Buffer.from(String(ino))]
  }

  #enter(place: Place, ino: number, facts: Pick<OverlayNode, 'kind'> & Partial<OverlayNode>): void {
    const real = this.files.lstat(this.nodes.paths.at(place.directory, place.name)).ino
    this.nodes.place(place.directory, place.name, this.nodes.add({ ...facts, ino, real }))
  }

  #free(directory: number, name: ByteString): OverlayNode {
    this.#writable()
    const parent = this.nodes.at(directory)
    if (this.nodes.entries(parent).get(name)) throw new PlyError('EEXIST', { syscall: 'create' })
    return parent
  }

  #writable(): Workshop {
    if (!this.#shop) throw new PlyError('EROFS', { syscall: 'write' })
    return this.#shop
  }
}

/** As the kernel writes it: relative to the links that the upper file has. */
function signed(more: number): string {
  return `U${more < 0 ? '' : '+'}${more}`
}
