import * as fs from 'node:fs'
import { yes } from '../layer/overlay-marks.ts'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { AttributeChange, Creation, Room, Standing, Unnamed, WritableBytes } from '../union/upper.ts'
import { copyContent, makeHollow } from './copy-content.ts'
import { ExtentFiles } from './extent-files.ts'
import { GroupIndex } from './group-index.ts'
import { KeptBlocks } from './kept-blocks.ts'
import type { Move } from './name-changes.ts'
import { Numbers } from './numbers.ts'
import { firstForeignInode, type OverlayNode } from './overlay-node.ts'
import { type OverlayPlace, OverlayView } from './overlay-view.ts'
import { openWorkshop, type Workshop } from './overlay-workshop.ts'
import { RealContent } from './real-content.ts'
import { ifPossible } from './real-facts.ts'
import type { StoredUpper } from './stored-upper.ts'

export interface OverlaySettings {
  readonly readOnly: boolean
  readonly numbersFrom: number
  readonly metacopy: boolean
  readonly redirects: boolean
  readonly unclean: boolean
  readonly onBlocks: (() => void) | undefined
}

/** An upper in overlayfs's form, opened by `openOverlayUpper`. */
export class OverlayUpper extends OverlayView implements StoredUpper {
  readonly metadataOnly: boolean
  readonly redirects: boolean
  readonly findsContentByName = true
  readonly givesTimes = true
  readonly groups: GroupIndex
  readonly blocks: KeptBlocks
  readonly #place: OverlayPlace
  readonly #numbers: Numbers
  /** Absent: read only. */
  #shop: Workshop | undefined

  constructor(place: OverlayPlace, { readOnly, numbersFrom, metacopy, redirects, unclean, onBlocks }: OverlaySettings) {
    super(place)
    this.#place = place
    this.metadataOnly = metacopy
    this.redirects = redirects
    this.#numbers = new Numbers(this.files, { root: place.upperDir, mark: this.marks.next, from: numbersFrom })
    this.nodes.onNumber = (ino) => this.#numbers.meet(ino)
    this.remembers = !readOnly
    if (!readOnly) {
      const { files, disk, nodes, marks, facts, asides, fresh } = this
      const said = ({ ino }: OverlayNode) => ({ stat: this.stat(ino), xattrs: this.xattrs(ino) })
      const { isPlain, made: onMade } = this
      this.#shop = openWorkshop(place, { files, disk, nodes, marks, facts, asides, fresh, said, isPlain, onMade })
    }
    this.groups = new GroupIndex({
      files: this.files,
      nodes: this.nodes,
      facts: this.facts,
      mark: this.marks.nlink,
      maker: this.#shop?.maker,
      // Rootless uppers are mounted without `index=on`, which would need the content of the file for it.
      beforeHiding: this.marks.override === undefined && place.frozen.canName,
    })
    this.blocks = this.#keptBlocks(readOnly, onBlocks)
    if (unclean) this.nodes.all()
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const ino = this.#numbers.next()
    this.#writable().put({ directory: parent, name }, ino, creation)
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
    if (ino >= this.#place.firstOwn && ino < firstForeignInode) this.#numbers.past(ino)
    const mtime = this.timeOf(directory)
    this.#writable().put({ directory: parent, name }, ino, inode, content)
    // The change has happened; that it left a time on its directory is no reason to say otherwise. The kernel thinks so too.
    if (ifPossible(() => this.files.setTimes(this.nodes.paths.of(parent), { mtime }))) this.gaveTime(directory, mtime)
    else this.touched(directory)
    const { kind, xattrs, now } = inode
    if (kind === 'directory' && !now) this.gaveTime(ino, inode.mtime)
    if ((kind === 'directory' || kind === 'file') && xattrs === undefined) this.madeBare(ino)
  }

  isAlone(ino: number, links: number): boolean {
    return this.#place.frozen.has(ino) && this.#place.frozen.originOf(ino, links) === undefined
  }

  get nextNumber(): number {
    return this.#numbers.peek
  }

  numbersPast(ino: number): void {
    this.#writable()
    this.#numbers.past(ino)
  }

  copyUpContent(ino: number, content: Bytes): void {
    const { unfinished } = this.#writable()
    const node = this.nodes.at(ino)
    this.touched(ino)
    if (node.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'copy-up' })
    if (!node.metacopy) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    const path = this.nodes.paths.of(node)
    const { mtimeNs } = this.files.lstatExact(path)
    const restoreTime = () => this.files.setTimes(path, { mtime: mtimeNs })
    const note = unfinished.begin(path)
    try {
      this.#fill(node, path, content)
      restoreTime()
    } catch (error) {
      if (ifPossible(restoreTime)) unfinished.end(note)
      throw error
    }
    unfinished.end(note)
    this.files.removeXattr(path, this.marks.metacopy)
    node.metacopy = false
    if (node.blocks) {
      node.blocks = false
      this.blocks.files.remove(ino)
      // On a disk that keeps no order the other mark must not be left alone: it says that all is below.
      if (ifPossible(() => this.#syncNode(ino))) ifPossible(() => this.files.removeXattr(path, this.marks.blocks))
    }
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
    this.touched(directory)
    if (!node.opaque) this.facts.setMark(node, this.nodes.paths.of(node), this.marks.opaque, yes)
    node.opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    this.#writable()
    const node = this.nodes.at(ino)
    const path = this.nodes.paths.of(node)
    const before = this.known(ino)
    this.touched(ino)
    this.facts.change(node, path, change, before)
    if (node !== this.nodes.root || !this.rootImplied) return
    this.files.removeXattr(path, this.marks.implied)
    this.rootImplied = false
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    this.#writable()
    const node = this.nodes.at(ino)
    this.changedXattrs(ino)
    this.facts.setXattr(node, this.nodes.paths.of(node), name, value)
  }

  writer(ino: number): WritableBytes {
    const { maker } = this.#writable()
    const node = this.contentOf(ino)
    const fd = maker.handOver(ino) ?? this.openContent(node, fs.constants.O_RDWR)
    return new RealContent(this.disk, fd, { onChange: () => this.touched(ino) })
  }

  unnamed(): Unnamed {
    const { unnamed } = this.#writable()
    return unnamed.open(this.#numbers.next(), this.touched)
  }

  adopt(directory: number, name: ByteString, { ino }: Unnamed, creation: Creation & { readonly kind: 'file' }): void {
    const parent = this.#free(directory, name)
    const { unnamed, names, maker } = this.#writable()
    const place = { directory: parent, name }
    const dress = unnamed.adopt(
      ino,
      (fd) => this.facts.dress(fd, creation, maker.identity(ino)),
      (temp) => names.install(temp, place, false),
    )
    maker.enter(place, ino, { kind: 'file', origin: false, ...dress })
  }

  room(): Room {
    return this.files.room(this.#place.upperDir)
  }

  sync(): void {
    this.#shop?.maker.letGo()
    if (!this.#shop) return
    this.blocks.files.sync()
    this.files.sync(this.#place.upperDir)
    this.blocks.files.collect()
  }

  settle(): void {
    if (!this.#shop) return
    this.#numbers.settle()
    this.sync()
  }

  freeze(): void {
    this.#shop?.maker.letGo()
    this.#shop?.work.close()
    this.#shop = undefined
    this.blocks.files.freeze()
  }

  override has(ino: number): boolean {
    // A number that was never given need not be looked for.
    return (ino < this.#numbers.peek || ino >= firstForeignInode) && super.has(ino)
  }

  override close(): void {
    if (this.#shop) {
      // A disk that takes no more costs a few numbers that are never given.
      ifPossible(() => this.#numbers.settle())
      this.#shop.maker.letGo()
      this.#shop.work.close()
    }
    super.close()
  }

  /** Writes the content of a copy of attributes. Until its mark goes nobody reads what is here, but the kernel takes the size from it. */
  #fill(node: OverlayNode, path: ByteString, content: Bytes): void {
    // The disk takes it away from whatever is written to.
    const capability = this.files.xattr(path, 'security.capability')
    const fd = this.openContent(node, fs.constants.O_RDWR)
    try {
      makeHollow(this.disk, fd, content.size)
      copyContent(this.disk, content, fd)
      // Nothing is copied, and yet the hole must be gone before the mark is.
      if (content.size === 0) this.disk.fs.fsyncSync(fd)
    } finally {
      this.files.close(fd)
    }
    if (capability) this.files.setXattr(path, 'security.capability', capability)
  }

  #free(directory: number, name: ByteString): OverlayNode {
    this.#writable()
    const parent = this.nodes.at(directory)
    if (this.nodes.entries(parent).get(name)) throw new PlyError('EEXIST', { syscall: 'create' })
    return parent
  }

  #keptBlocks(readOnly: boolean, onBlocks: (() => void) | undefined): KeptBlocks {
    const { extents, blocksFrom } = this.#place
    const extentFiles = new ExtentFiles(this.disk, extents, readOnly)
    if (onBlocks) extentFiles.onFirst = onBlocks
    const blocks = new KeptBlocks(extentFiles, blocksFrom, {
      has: (ino) => this.has(ino) && this.nodes.find(ino)!.blocks,
      all: () => [...this.nodes.all()].filter((node) => node.blocks).map(({ ino }) => ino),
      mark: (ino) => {
        this.#writable()
        const node = this.nodes.at(ino)
        // On a disk that keeps no order it must not be there before what says which inode this is, and that it is such a copy.
        this.#syncNode(ino)
        this.files.setXattr(this.nodes.paths.of(node), this.marks.blocks, yes)
        node.blocks = true
        this.touched(ino)
      },
      touched: this.touched,
      sync: (ino) => this.#syncNode(ino),
    })
    if (readOnly) return blocks
    const { onRelease } = this.nodes
    this.nodes.onRelease = (node) => {
      onRelease(node)
      if (node.blocks) extentFiles.remove(node.ino)
    }
    extentFiles.sweep(blocks.has.bind(blocks))
    if (extentFiles.waiting > 0) {
      this.files.sync(this.#place.upperDir)
      extentFiles.collect()
    }
    return blocks
  }

  #syncNode(ino: number): void {
    const node = this.nodes.find(ino)
    if (!node) return
    const fd = this.openContent(node, fs.constants.O_RDONLY)
    try {
      fs.fsyncSync(fd)
    } finally {
      this.files.close(fd)
    }
  }

  #writable(): Workshop {
    if (!this.#shop) throw new PlyError('EROFS', { syscall: 'write' })
    if (this.blocks?.isFull) this.sync()
    return this.#shop
  }
}
