import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { indexUuid } from '../erofs/superblock.ts'
import type { Placed, Verdict } from '../layer/view.ts'
import { nothing, whiteout } from '../layer/view.ts'
import { type ByteString, bytesOf, compareBytes, encodeText } from '../model/bytes.ts'
import type { ChainId } from '../model/digest.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { AttributeChange, Creation, Upper, WritableBytes } from '../union/upper.ts'
import { buildInode, storing } from './build-inode.ts'
import { type CopyingDisk, copyContent } from './copy-content.ts'
import { type MarkSpace, type Marks, marks } from './marks.ts'
import { Numbers } from './numbers.ts'
import { encodeOrigin } from './origin.ts'
import { foreignNumber, type OverlayNode, OverlayNodes } from './overlay-nodes.ts'
import { RealContent } from './real-content.ts'
import { statOf } from './real-stat.ts'
import { UpperDisk } from './upper-disk.ts'
import { WorkArea } from './work-area.ts'

const yes = Buffer.from('y')

export interface OverlayUpperOptions {
  /** The directory that overlayfs calls `upperdir`, as text. It exists. */
  readonly upperDir: string
  /** `workdir`, on the same file system. It exists. */
  readonly workDir: string
  /** The namespace of the marks, once for the whole upper (layer-semantics D-11). */
  readonly xattr: MarkSpace
  /** Copies content inside the kernel: the disk that both directories are on. Without it content passes through memory. */
  readonly disk?: CopyingDisk
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
 * Whoever opens it for writing holds the lock of its container, and no kernel mount may use it.
 *
 * @throws PLY_UNSUPPORTED if a volatile mount left its mark: what it wrote may be incomplete.
 */
export function openOverlayUpper(options: OverlayUpperOptions): Upper {
  return new OverlayUpper(options)
}

class OverlayUpper implements Upper {
  /** The kernel takes the size of such a file from the upper, and nobody tells it to this one. */
  readonly metadataOnly = false
  readonly #files = new UpperDisk()
  readonly #disk: CopyingDisk
  readonly #marks: Marks
  readonly #uuid: Uint8Array
  readonly #nodes: OverlayNodes
  readonly #work: WorkArea | undefined
  readonly #numbers: Numbers
  readonly #upperDir: ByteString
  #rootImplied: boolean

  constructor(options: OverlayUpperOptions) {
    const { disk = { fs }, xattr, chainId, readOnly = false, numbersFrom = 0 } = options
    this.#disk = disk
    this.#marks = marks[xattr]
    this.#uuid = options.lowerUuid ?? (chainId ? indexUuid(chainId) : new Uint8Array(16))
    this.#upperDir = encodeText(resolve(options.upperDir))
    const workDir = encodeText(resolve(options.workDir))
    // Before the work directory has anything in it, neither we nor the kernel have been here.
    const fresh = !this.#files.exists(`${workDir}/work`) && this.#files.names(this.#upperDir).length === 0
    this.#rootImplied = fresh || this.#files.xattr(this.#upperDir, this.#marks.implied) !== undefined
    if (!readOnly) {
      refuseVolatile(this.#files, workDir)
      if (fresh) storing(() => this.#files.setXattr(this.#upperDir, this.#marks.implied, yes))
      this.#work = new WorkArea(this.#files, workDir)
    }
    this.#nodes = new OverlayNodes(this.#files, { marks: this.#marks, uuid: this.#uuid, upperDir: this.#upperDir })
    this.#nodes.readIndex(`${workDir}/index`)
    this.#nodes.onRelease = ({ index }) => {
      if (index !== undefined) this.#files.unlink(index)
    }
    this.#numbers = new Numbers(this.#files, { root: this.#upperDir, mark: this.#marks.next, from: numbersFrom })
  }

  get root(): Placed {
    const { ino, opaque } = this.#nodes.root
    return { says: 'entry', ino, directory: true, implied: this.#rootImplied, opaque }
  }

  lookup(directory: number, name: ByteString): Verdict {
    const entries = this.#nodes.entries(this.#nodes.at(directory))
    const node = entries.get(name)
    if (node) return placed(node)
    return entries.has(name) ? whiteout : nothing
  }

  *list(directory: number): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
    const entries = [...this.#nodes.entries(this.#nodes.at(directory))].sort(([a], [b]) => compareBytes(a, b))
    for (const [name, node] of entries) yield { name, verdict: node ? placed(node) : whiteout }
  }

  stat(ino: number): Stat {
    const node = this.#nodes.at(ino)
    return statOf(ino, this.#files.lstatExact(this.#nodes.path(node)), node.index !== undefined)
  }

  readlink(ino: number): ByteString {
    const node = this.#nodes.at(ino)
    if (node.kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    return this.#files.readlink(this.#nodes.path(node))
  }

  xattrs(ino: number): Xattrs {
    const path = this.#nodes.path(this.#nodes.at(ino))
    const found = new Map<ByteString, Uint8Array>()
    for (const stored of this.#files.xattrNames(path)) {
      const name = this.#marks.shown(stored)
      const value = name === undefined ? undefined : this.#files.xattr(path, stored)
      if (name !== undefined && value !== undefined) found.set(name, value)
    }
    return found
  }

  open(ino: number): Bytes {
    return new RealContent(this.#files.open(this.#contentPath(ino), fs.constants.O_RDONLY))
  }

  has(ino: number): boolean {
    return this.#nodes.find(ino) !== undefined
  }

  hasContent(ino: number): boolean {
    const node = this.#nodes.find(ino)
    return node?.kind === 'file' && !node.metacopy
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const own = new Map<ByteString, Uint8Array>()
    // The kernel keeps `user.*` from anything else: such an inode goes by its number on the disk.
    const number = this.#canBeMarked(creation) ? this.#numbers.next() : undefined
    if (number !== undefined) own.set(this.#marks.number, Buffer.from(String(number)))
    if (creation.opaque) own.set(this.#marks.opaque, yes)
    const temp = this.#build(creation, undefined, own)
    const ino = number ?? foreignNumber(this.#files.lstat(temp).ino)
    this.#install(temp, parent, name, creation.kind)
    this.#enter(parent, name, ino, { ...creation, origin: false })
    return ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    const parent = this.#free(directory, name)
    if (this.has(ino)) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    if (creation.kind === 'file' && !content) throw new PlyError('ENOTSUP', { syscall: 'copy-up' })
    if (!this.#canBeMarked(creation)) throw new PlyError('ENOTSUP', { syscall: 'setxattr' })
    const origin = encodeOrigin(this.#uuid, ino)
    const own = new Map<ByteString, Uint8Array>([[this.#marks.origin, origin]])
    const grouped = creation.kind !== 'directory' && creation.links !== undefined && creation.links > 1
    // One link is the name, the other that in the index: what the group has beyond two is below.
    if (grouped) own.set(this.#marks.nlink, Buffer.from(signed(creation.links - 2)))
    const temp = this.#build(creation, content, own)
    const { mtimeNs } = this.#files.lstatExact(this.#nodes.path(parent))
    this.#makeImpure(parent)
    const index = grouped ? this.#indexed(temp, origin) : undefined
    this.#install(temp, parent, name, creation.kind)
    this.#files.setMtime(this.#nodes.path(parent), mtimeNs)
    this.#enter(parent, name, ino, { ...creation, origin: true }).index = index
  }

  copyUpContent(ino: number, content: Bytes): void {
    this.#writable()
    const node = this.#nodes.at(ino)
    if (node.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'copy-up' })
    if (!node.metacopy) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    const path = this.#nodes.path(node)
    const { mtimeNs } = this.#files.lstatExact(path)
    // Until the mark goes, nobody reads what is here: that one call is the moment of the change.
    const fd = this.#files.open(path, fs.constants.O_RDWR | fs.constants.O_TRUNC)
    try {
      copyContent(this.#disk, content, fd)
    } finally {
      this.#disk.fs.closeSync(fd)
    }
    this.#files.setMtime(path, mtimeNs)
    this.#files.removeXattr(path, this.#marks.metacopy)
    node.metacopy = false
  }

  link(directory: number, name: ByteString, ino: number): void {
    const parent = this.#free(directory, name)
    const node = this.#nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EPERM', { syscall: 'link' })
    if (node.origin) this.#makeImpure(parent)
    const path = this.#nodes.path(node)
    if (this.#nodes.entries(parent).has(name)) {
      const temp = this.#writable().fresh()
      this.#files.link(path, temp)
      this.#files.rename(temp, this.#nodes.pathAt(parent, name))
    } else this.#files.link(path, this.#nodes.pathAt(parent, name))
    this.#nodes.place(parent, name, node)
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    options: { readonly leave: 'nothing' | 'whiteout'; readonly redirect?: ByteString; readonly opaque?: boolean },
  ): void {
    this.#writable()
    const from = this.#nodes.at(directory)
    const to = this.#nodes.at(toDirectory)
    const node = this.#nodes.entries(from).get(name)
    if (!node) throw new PlyError('ENOENT', { syscall: 'rename' })
    const targets = this.#nodes.entries(to)
    const target = targets.get(toName)
    const leaveWhiteout = options.leave === 'whiteout'
    if (target === node) {
      if (from !== to || name !== toName) this.#take(directory, name, leaveWhiteout)
      return
    }
    const isDirectory = node.kind === 'directory'
    if (target && target.kind === 'directory' && !isDirectory) throw new PlyError('EISDIR', { syscall: 'rename' })
    if (target && target.kind !== 'directory' && isDirectory) throw new PlyError('ENOTDIR', { syscall: 'rename' })
    if (isDirectory && this.#isWithin(to, node)) throw new PlyError('EINVAL', { syscall: 'rename' })
    const path = this.#nodes.pathAt(from, name)
    const toPath = this.#nodes.pathAt(to, toName)
    this.#nodes.settle(target)
    if (target?.kind === 'directory') this.#clear(target, toPath)
    if (isDirectory) this.#markMoved(node, path, options)
    if (node.origin) this.#makeImpure(to)
    if (isDirectory && !target && targets.has(toName)) {
      // A directory does not go over a device: they change places, and the whiteout is where it may stay.
      this.#files.exchange(path, toPath)
      if (!leaveWhiteout) this.#files.unlink(path)
    } else if (leaveWhiteout) this.#files.renameLeavingWhiteout(path, toPath)
    else this.#files.rename(path, toPath)
    if (isDirectory && options.redirect === undefined && node.redirect !== undefined) {
      this.#files.removeXattr(toPath, this.#marks.redirect)
      node.redirect = undefined
    }
    this.#nodes.move(node, { directory: from, name }, { directory: to, name: toName }, leaveWhiteout)
  }

  forget(directory: number, name: ByteString): void {
    this.#take(directory, name, false)
  }

  whiteout(directory: number, name: ByteString): void {
    this.#take(directory, name, true)
  }

  setOpaque(directory: number): void {
    this.#writable()
    const node = this.#nodes.at(directory)
    if (node.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'setxattr' })
    if (!node.opaque) storing(() => this.#files.setXattr(this.#nodes.path(node), this.#marks.opaque, yes))
    node.opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    this.#writable()
    const node = this.#nodes.at(ino)
    const path = this.#nodes.path(node)
    const { uid, gid, mode, mtime } = change
    if (uid !== undefined || gid !== undefined) this.#changeOwner(node, path, uid, gid)
    if (mode !== undefined && node.kind !== 'symlink') this.#files.chmod(path, mode)
    if (mtime !== undefined) this.#files.setMtime(path, mtime)
    if (node === this.#nodes.root && this.#rootImplied) {
      this.#files.removeXattr(path, this.#marks.implied)
      this.#rootImplied = false
    }
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    this.#writable()
    const path = this.#nodes.path(this.#nodes.at(ino))
    const stored = this.#marks.stored(name)
    if (value !== undefined) {
      storing(() => this.#files.setXattr(path, stored, value))
      return
    }
    try {
      this.#files.removeXattr(path, stored)
    } catch (error) {
      if (codeOf(error) !== 'ENODATA') throw error
    }
  }

  writer(ino: number): WritableBytes {
    this.#writable()
    return new RealContent(this.#files.open(this.#contentPath(ino), fs.constants.O_RDWR))
  }

  sync(): void {
    if (this.#work) this.#files.sync(this.#upperDir)
  }

  close(): void {
    if (this.#work) {
      this.#numbers.close()
      this.#work.close()
    }
    this.#nodes.close()
  }

  /** Takes a name away, in one step; what is left is nothing or a whiteout. */
  #take(directory: number, name: ByteString, leaveWhiteout: boolean): void {
    const work = this.#writable()
    const parent = this.#nodes.at(directory)
    const entries = this.#nodes.entries(parent)
    const node = entries.get(name)
    if (!node && (leaveWhiteout ? entries.has(name) : !entries.has(name))) {
      if (leaveWhiteout) return
      throw new PlyError('ENOENT', { syscall: 'unlink' })
    }
    if (node?.kind === 'directory') this.#onlyWhiteouts(node)
    this.#nodes.settle(node)
    const path = this.#nodes.pathAt(parent, name)
    const temp = work.fresh()
    if (leaveWhiteout) {
      if (!node) work.makeWhiteout(path)
      else {
        work.makeWhiteout(temp)
        if (node.kind === 'directory') this.#files.exchange(temp, path)
        else this.#files.rename(temp, path)
      }
      this.#nodes.place(parent, name, undefined)
    } else {
      if (node?.kind === 'directory') this.#files.rename(path, temp)
      else this.#files.unlink(path)
      this.#nodes.remove(parent, name)
    }
    if (node?.kind === 'directory') work.discard(temp)
  }

  /** Puts an empty opaque directory, the same otherwise, in place of one that holds only whiteouts: it shows the same. */
  #clear(directory: OverlayNode, path: ByteString): void {
    this.#onlyWhiteouts(directory)
    const entries = this.#nodes.entries(directory)
    if (entries.size === 0) return
    const stat = statOf(directory.ino, this.#files.lstatExact(path), false)
    const creation: Creation = { ...stat, kind: 'directory', xattrs: this.xattrs(directory.ino) }
    const temp = this.#build(creation, undefined, new Map([[this.#marks.opaque, yes]]))
    this.#files.exchange(temp, path)
    this.#writable().discard(temp)
    entries.clear()
    directory.opaque = true
  }

  #onlyWhiteouts(directory: OverlayNode): void {
    for (const node of this.#nodes.entries(directory).values()) {
      if (node) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    }
  }

  /** Before it moves: at the old name both marks say what is so anyway. */
  #markMoved(
    node: OverlayNode,
    path: ByteString,
    { redirect, opaque }: { readonly redirect?: ByteString; readonly opaque?: boolean },
  ): void {
    if (opaque && !node.opaque) {
      storing(() => this.#files.setXattr(path, this.#marks.opaque, yes))
      node.opaque = true
    }
    if (redirect === undefined) return
    storing(() => this.#files.setXattr(path, this.#marks.redirect, bytesOf(`/${redirect}`)))
    node.redirect = redirect
  }

  #build(creation: Creation, content: Bytes | undefined, own: ReadonlyMap<ByteString, Uint8Array>): ByteString {
    const work = this.#writable()
    const temp = work.fresh()
    try {
      buildInode(this.#files, this.#disk, temp, this.#marks, { creation, content, marks: own })
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
      this.#files.link(temp, index)
    } catch (error) {
      work.discard(temp)
      throw error
    }
    return index
  }

  /** One rename from the work directory into place, over nothing or a whiteout. */
  #install(temp: ByteString, parent: OverlayNode, name: ByteString, kind: Creation['kind']): void {
    const path = this.#nodes.pathAt(parent, name)
    try {
      if (kind === 'directory' && this.#nodes.entries(parent).has(name)) {
        this.#files.exchange(temp, path)
        this.#files.unlink(temp)
      } else this.#files.rename(temp, path)
    } catch (error) {
      this.#writable().discard(temp)
      throw error
    }
  }

  #enter(
    parent: OverlayNode,
    name: ByteString,
    ino: number,
    facts: { readonly kind: Creation['kind']; readonly opaque?: boolean; readonly origin: boolean },
  ): OverlayNode {
    const { kind, origin, opaque = false } = facts
    const real = this.#files.lstat(this.#nodes.pathAt(parent, name)).ino
    const node = this.#nodes.add(ino, { real, kind, origin, opaque })
    this.#nodes.place(parent, name, node)
    return node
  }

  /** The kernel looks at the origins of what is in a directory only if it has this mark. */
  #makeImpure(directory: OverlayNode): void {
    if (directory.impure) return
    storing(() => this.#files.setXattr(this.#nodes.path(directory), this.#marks.impure, yes))
    directory.impure = true
  }

  /** The kernel drops set-id bits and capabilities with the old owner; whether they go is the union's to say. */
  #changeOwner(node: OverlayNode, path: ByteString, uid: number | undefined, gid: number | undefined): void {
    const before = this.#files.lstat(path)
    const capability = node.kind === 'file' ? this.#files.xattr(path, 'security.capability') : undefined
    storing(() => this.#files.chown(path, uid ?? before.uid, gid ?? before.gid))
    if (node.kind !== 'symlink' && before.mode & 0o6000) this.#files.chmod(path, before.mode & 0o7777)
    if (capability) this.#files.setXattr(path, 'security.capability', capability)
  }

  #contentPath(ino: number): ByteString {
    const node = this.#nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (node.kind !== 'file' || node.metacopy) throw new PlyError('EINVAL', { syscall: 'open' })
    return this.#nodes.path(node)
  }

  #free(directory: number, name: ByteString): OverlayNode {
    this.#writable()
    const parent = this.#nodes.at(directory)
    if (this.#nodes.entries(parent).get(name)) throw new PlyError('EEXIST', { syscall: 'create' })
    return parent
  }

  #isWithin(directory: OverlayNode, above: OverlayNode): boolean {
    for (let at: OverlayNode | undefined = directory; at; at = at.places[0]?.directory) if (at === above) return true
    return false
  }

  #canBeMarked({ kind }: Creation): boolean {
    return this.#marks === marks.trusted || kind === 'file' || kind === 'directory'
  }

  #writable(): WorkArea {
    if (!this.#work) throw new PlyError('EROFS', { syscall: 'write' })
    return this.#work
  }
}

function placed({ ino, kind, opaque, redirect }: OverlayNode): Placed {
  const entry = { says: 'entry', ino, directory: kind === 'directory', implied: false, opaque } as const
  return redirect === undefined ? entry : { ...entry, redirect }
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
