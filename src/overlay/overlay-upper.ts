import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { indexUuid } from '../erofs/superblock.ts'
import { type ByteString, encodeText } from '../model/bytes.ts'
import type { ChainId } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import type { AttributeChange, Creation, Upper, WritableBytes } from '../union/upper.ts'
import { buildInode, storing } from './build-inode.ts'
import { copyContent } from './copy-content.ts'
import { type MarkSpace, marks, yes } from './marks.ts'
import { type Move, NameChanges } from './name-changes.ts'
import { Numbers } from './numbers.ts'
import { encodeOrigin } from './origin.ts'
import { foreignNumber, type OverlayNode } from './overlay-node.ts'
import { type OverlayPlace, OverlayView } from './overlay-view.ts'
import { RealContent } from './real-content.ts'
import type { UpperDisk } from './upper-disk.ts'
import { WorkArea } from './work-area.ts'

export interface OverlayUpperOptions {
  /** The directory that overlayfs calls `upperdir`, as text. It exists. */
  readonly upperDir: string
  /** `workdir`, on the same file system. It exists. */
  readonly workDir: string
  /** The namespace of the marks, once for the whole upper (layer-semantics D-11). */
  readonly xattr: MarkSpace
  /** The disk that both directories are on, and the content that is copied up. Default: the real one. */
  readonly disk?: Disk
  /** The stack that the upper stands on: the uuid of its index is in the origins. */
  readonly chainId?: ChainId
  /** The uuid itself (16 bytes), where there is no chainID. */
  readonly lowerUuid?: Uint8Array
  /** Every change is refused with EROFS, and nothing on the disk is touched. */
  readonly readOnly?: boolean
  /** New inodes are numbered from here on: above every number of a frozen upper below. Default: 2^40. */
  readonly numbersFrom?: number
}

/**
 * Opens an upper in the form of the kernel's overlayfs, which can mount it afterwards, or wrote it before
 * (docs/upper-format.md). Needs what the kernel needs: xattrs of the namespace, and devices for whiteouts.
 *
 * Whoever opens it for writing holds the lock of its container, and no kernel mount may use it. What is refused with
 * ENOTSUP cannot be stored in this form: a device 0:0, and whatever this process may not make or mark.
 *
 * @throws PLY_UNSUPPORTED if a volatile mount left its mark: what it wrote may be incomplete.
 */
export function openOverlayUpper(options: OverlayUpperOptions): Upper {
  const { upperDir, workDir, xattr, chainId, lowerUuid, readOnly = false, numbersFrom = 0 } = options
  const place: OverlayPlace = {
    upperDir: encodeText(resolve(upperDir)),
    workDir: encodeText(resolve(workDir)),
    marks: marks[xattr],
    uuid: lowerUuid ?? (chainId ? indexUuid(chainId) : new Uint8Array(16)),
  }
  return new OverlayUpper(place, { disk: options.disk ?? nodeDisk(), readOnly, numbersFrom })
}

class OverlayUpper extends OverlayView implements Upper {
  /** The kernel takes the size of such a file from the upper, and nobody tells it to this one. */
  readonly metadataOnly = false
  readonly #place: OverlayPlace
  readonly #disk: Disk
  readonly #numbers: Numbers
  /** Absent: read only. */
  readonly #work: WorkArea | undefined
  readonly #names: NameChanges | undefined

  constructor(
    place: OverlayPlace,
    options: { readonly disk: Disk; readonly readOnly: boolean; readonly numbersFrom: number },
  ) {
    super(place)
    this.#place = place
    this.#disk = options.disk
    this.#numbers = new Numbers(this.files, { root: place.upperDir, mark: this.marks.next, from: options.numbersFrom })
    if (options.readOnly) return
    refuseVolatile(this.files, place.workDir)
    if (this.fresh) storing(() => this.files.setXattr(place.upperDir, this.marks.implied, yes))
    this.#work = new WorkArea(this.files, place.workDir)
    this.#names = new NameChanges({
      files: this.files,
      nodes: this.nodes,
      marks: this.marks,
      work: this.#work,
      emptied: (directory) => this.#emptied(directory),
    })
    this.nodes.onRelease = ({ index }) => {
      if (index !== undefined) this.files.unlink(index)
    }
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const own = new Map<ByteString, Uint8Array>()
    // The kernel keeps `user.*` from anything else: such an inode goes by its number on the disk.
    const number = this.#canBeMarked(creation) ? this.#numbers.next() : undefined
    if (number !== undefined) own.set(...this.#identity({ ino: number, origin: false }))
    if (creation.opaque) own.set(this.marks.opaque, yes)
    const temp = this.#build(creation, undefined, own)
    const ino = number ?? foreignNumber(this.files.lstat(temp).ino)
    this.#changes().install(temp, { directory: parent, name }, creation.kind === 'directory')
    this.#enter(parent, name, ino, { ...creation, origin: false })
    return ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    const names = this.#changes()
    const parent = this.#free(directory, name)
    if (this.has(ino)) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    if (creation.kind === 'file' && !content) throw new PlyError('ENOTSUP', { syscall: 'copy-up' })
    if (!this.#canBeMarked(creation)) throw new PlyError('ENOTSUP', { syscall: 'setxattr' })
    const [mark, origin] = this.#identity({ ino, origin: true })
    const own = new Map<ByteString, Uint8Array>([[mark, origin]])
    const grouped = creation.kind !== 'directory' && creation.links !== undefined && creation.links > 1
    // One link is the name, the other that in the index: what the group has beyond two is below.
    if (grouped) own.set(this.marks.nlink, Buffer.from(signed(creation.links - 2)))
    const temp = this.#build(creation, content, own)
    const { mtimeNs } = this.files.lstatExact(this.nodes.path(parent))
    names.makeImpure(parent)
    const index = grouped ? this.#indexed(temp, origin) : undefined
    try {
      names.install(temp, { directory: parent, name }, creation.kind === 'directory')
    } catch (error) {
      if (index !== undefined) this.files.unlink(index)
      throw error
    }
    this.files.setMtime(this.nodes.path(parent), mtimeNs)
    this.#enter(parent, name, ino, { ...creation, origin: true }).index = index
  }

  copyUpContent(ino: number, content: Bytes): void {
    this.#writable()
    const node = this.nodes.at(ino)
    if (node.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'copy-up' })
    if (!node.metacopy) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    const path = this.nodes.path(node)
    const { mtimeNs } = this.files.lstatExact(path)
    // Until the mark goes, nobody reads what is here: that one call is the moment of the change.
    const fd = this.files.open(path, fs.constants.O_RDWR | fs.constants.O_TRUNC)
    try {
      copyContent(this.#disk, content, fd)
    } finally {
      fs.closeSync(fd)
    }
    this.files.setMtime(path, mtimeNs)
    this.files.removeXattr(path, this.marks.metacopy)
    node.metacopy = false
  }

  link(directory: number, name: ByteString, ino: number): void {
    const parent = this.#free(directory, name)
    const node = this.nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EPERM', { syscall: 'link' })
    this.#changes().link(node, { directory: parent, name })
  }

  rename(directory: number, name: ByteString, toDirectory: number, toName: ByteString, move: Move): void {
    const names = this.#changes()
    const from = { directory: this.nodes.at(directory), name }
    names.rename(from, { directory: this.nodes.at(toDirectory), name: toName }, move)
  }

  forget(directory: number, name: ByteString): void {
    this.#changes().take({ directory: this.nodes.at(directory), name }, 'nothing')
  }

  whiteout(directory: number, name: ByteString): void {
    this.#changes().take({ directory: this.nodes.at(directory), name }, 'whiteout')
  }

  setOpaque(directory: number): void {
    this.#writable()
    const node = this.nodes.at(directory)
    if (node.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'setxattr' })
    if (!node.opaque) storing(() => this.files.setXattr(this.nodes.path(node), this.marks.opaque, yes))
    node.opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    this.#writable()
    const node = this.nodes.at(ino)
    const path = this.nodes.path(node)
    const { uid, gid, mode, mtime } = change
    if (uid !== undefined || gid !== undefined) this.#changeOwner(node, path, uid, gid)
    if (mode !== undefined && node.kind !== 'symlink') this.files.chmod(path, mode)
    if (mtime !== undefined) this.files.setMtime(path, mtime)
    if (node !== this.nodes.root || !this.rootImplied) return
    this.files.removeXattr(path, this.marks.implied)
    this.rootImplied = false
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    this.#writable()
    const path = this.nodes.path(this.nodes.at(ino))
    const stored = this.marks.stored(name)
    if (value !== undefined) {
      storing(() => this.files.setXattr(path, stored, value))
      return
    }
    try {
      this.files.removeXattr(path, stored)
    } catch (error) {
      if (codeOf(error) !== 'ENODATA') throw error
    }
  }

  writer(ino: number): WritableBytes {
    this.#writable()
    return new RealContent(this.files.open(this.contentPath(ino), fs.constants.O_RDWR))
  }

  sync(): void {
    if (this.#work) this.files.sync(this.#place.upperDir)
  }

  override close(): void {
    if (this.#work) {
      this.#numbers.close()
      this.#work.close()
    }
    super.close()
  }

  #emptied(directory: OverlayNode): ByteString {
    const creation: Creation = { ...this.stat(directory.ino), xattrs: this.xattrs(directory.ino) }
    return this.#build(creation, undefined, new Map([[this.marks.opaque, yes], this.#identity(directory)]))
  }

  /** The mark that an inode is known by. */
  #identity({ ino, origin }: Pick<OverlayNode, 'ino' | 'origin'>): readonly [ByteString, Buffer] {
    return origin
      ? [this.marks.origin, encodeOrigin(this.#place.uuid, ino)]
      : [this.marks.number, Buffer.from(String(ino))]
  }

  #build(creation: Creation, content: Bytes | undefined, own: ReadonlyMap<ByteString, Uint8Array>): ByteString {
    const work = this.#writable()
    const temp = work.fresh()
    try {
      buildInode(this.files, this.#disk, temp, this.marks, { creation, content, marks: own })
    } catch (error) {
      work.discard(temp)
      throw error
    }
    return temp
  }

  /**
   * The kernel finds all lower names of a link group by this one. First here, then in place: a process that dies in
   * between leaves the group with the content and the attributes it had.
   */
  #indexed(temp: ByteString, origin: Uint8Array): ByteString {
    const work = this.#writable()
    const index = work.inIndex(origin)
    try {
      this.files.link(temp, index)
    } catch (error) {
      work.discard(temp)
      throw error
    }
    return index
  }

  #enter(
    parent: OverlayNode,
    name: ByteString,
    ino: number,
    facts: { readonly kind: Creation['kind']; readonly opaque?: boolean; readonly origin: boolean },
  ): OverlayNode {
    const { kind, origin, opaque = false } = facts
    const real = this.files.lstat(this.nodes.pathAt(parent, name)).ino
    const node = this.nodes.add(ino, { real, kind, origin, opaque })
    this.nodes.place(parent, name, node)
    return node
  }

  /** The kernel drops set-id bits and capabilities with the old owner; whether they go is the union's to say. */
  #changeOwner(node: OverlayNode, path: ByteString, uid: number | undefined, gid: number | undefined): void {
    const before = this.files.lstat(path)
    const capability = node.kind === 'file' ? this.files.xattr(path, 'security.capability') : undefined
    storing(() => this.files.chown(path, uid ?? before.uid, gid ?? before.gid))
    if (node.kind !== 'symlink' && before.mode & 0o6000) this.files.chmod(path, before.mode & 0o7777)
    if (capability) this.files.setXattr(path, 'security.capability', capability)
  }

  #free(directory: number, name: ByteString): OverlayNode {
    this.#writable()
    const parent = this.nodes.at(directory)
    if (this.nodes.entries(parent).get(name)) throw new PlyError('EEXIST', { syscall: 'create' })
    return parent
  }

  #canBeMarked({ kind }: Creation): boolean {
    return this.marks === marks.trusted || kind === 'file' || kind === 'directory'
  }

  #changes(): NameChanges {
    this.#writable()
    return this.#names!
  }

  #writable(): WorkArea {
    if (!this.#work) throw new PlyError('EROFS', { syscall: 'write' })
    return this.#work
  }
}

/** As the kernel writes it: relative to the links that the upper file has. */
function signed(more: number): string {
  return `U${more < 0 ? '' : '+'}${more}`
}

function refuseVolatile(files: UpperDisk, workDir: ByteString): void {
  if (!files.exists(`${workDir}/work/incompat/volatile`)) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: `writing to ${workDir}`,
    reason:
      'a volatile mount used it and its content may be incomplete; check it, then remove work/incompat there by hand',
  })
}
