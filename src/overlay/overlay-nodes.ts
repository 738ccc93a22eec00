import type { ByteString } from '../model/bytes.ts'
import { kindOf } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { firstNewInode } from '../union/upper.ts'
import type { Marks } from './marks.ts'
import { decodeOrigin } from './origin.ts'
import { firstForeignInode, foreignNumber, nodeOf, type OverlayNode, type Place } from './overlay-node.ts'
import type { UpperDisk } from './upper-disk.ts'

/** A path is cut here by opening the directory: the kernel takes 4095 bytes, and trees are deeper. */
const longestPath = 3000

/**
 * The inodes of an upper in overlayfs's form: read directory by directory, and all of them when a number is asked for
 * that nobody has walked to.
 */
export class OverlayNodes {
  readonly root: OverlayNode
  readonly #disk: UpperDisk
  readonly #marks: Marks
  readonly #uuid: Uint8Array
  readonly #upperDir: ByteString
  readonly #known = new Map<number, OverlayNode>()
  #all = false

  constructor(
    disk: UpperDisk,
    options: { readonly marks: Marks; readonly uuid: Uint8Array; readonly upperDir: ByteString },
  ) {
    this.#disk = disk
    this.#marks = options.marks
    this.#uuid = options.uuid
    this.#upperDir = options.upperDir
    const { upperDir } = options
    this.root = nodeOf({ ino: firstNewInode, real: disk.lstat(upperDir).ino, kind: 'directory' })
    const found = disk.xattrNames(upperDir)
    this.root.opaque =
      found.includes(this.#marks.opaque) && disk.xattr(upperDir, this.#marks.opaque)?.toString() === 'y'
    this.root.impure = found.includes(this.#marks.impure)
    this.#known.set(this.root.ino, this.root)
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

  /** What a directory holds, by name. @throws ENOTDIR */
  entries(of: OverlayNode): Map<ByteString, OverlayNode | undefined> {
    if (of.entries) return of.entries
    if (of.kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    const entries = new Map<ByteString, OverlayNode | undefined>()
    const path = this.base(of)
    of.entries = entries
    for (const name of this.#disk.names(path)) entries.set(name, this.#read(of, name, `${path}/${name}`))
    return entries
  }

  /** A path of an inode, for calls that do not follow it. */
  path(of: OverlayNode): ByteString {
    const place = of.places[0]
    if (place) return this.pathAt(place.directory, place.name)
    if (of === this.root) return this.#upperDir
    if (of.index !== undefined) return of.index
    throw new PlyError('ENOENT', { syscall: 'open' })
  }

  pathAt(directory: OverlayNode, name: ByteString): ByteString {
    return `${this.base(directory)}/${name}`
  }

  /** A directory, for paths that go on in it. */
  base(directory: OverlayNode): ByteString {
    if (directory.anchor !== undefined) return `/proc/self/fd/${directory.anchor}`
    const path = this.path(directory)
    if (path.length <= longestPath) return path
    directory.anchor = this.#disk.openDirectory(path)
    return `/proc/self/fd/${directory.anchor}`
  }

  /** Where the lower part of a directory is, as a path from the root. */
  lowerPath(directory: OverlayNode): ByteString {
    if (directory.redirect !== undefined) return directory.redirect
    const place = directory.places[0]
    return place ? joined(this.lowerPath(place.directory), place.name) : ''
  }

  /** Enters an inode that was just made. */
  add(ino: number, facts: Pick<OverlayNode, 'real' | 'kind' | 'origin' | 'opaque'>): OverlayNode {
    const made = nodeOf({ ino, ...facts })
    if (made.kind === 'directory') made.entries = new Map()
    this.#known.set(ino, made)
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
  }

  remove(directory: OverlayNode, name: ByteString): void {
    const entries = this.entries(directory)
    const there = entries.get(name)
    entries.delete(name)
    if (there) this.#leave(there, directory, name)
  }

  /** Moves the one place of an inode. What stood at the new one is gone, as after `place`. */
  move(what: OverlayNode, from: Place, to: Place, leaveWhiteout: boolean): void {
    const entries = this.entries(from.directory)
    if (leaveWhiteout) entries.set(from.name, undefined)
    else entries.delete(from.name)
    this.place(to.directory, to.name, what)
    this.#leave(what, from.directory, from.name)
  }

  /**
   * Enters the inodes of lower link groups that are in the index directory (`index=on`), whether a name of the upper
   * shows them or only names from below do.
   */
  readIndex(path: ByteString): void {
    if (!this.#disk.exists(path)) return
    for (const name of this.#disk.names(path)) {
      const ino = /^(?:[0-9a-f]{2})+$/.test(name) ? decodeOrigin(Buffer.from(name, 'hex'), this.#uuid) : undefined
      if (ino === undefined) continue
      const at = `${path}/${name}`
      const { ino: real, mode } = this.#disk.lstat(at)
      const kind = kindOf(mode) ?? 'file'
      // An index of a directory is for NFS handles, a whiteout there for what is gone.
      if (kind === 'directory' || kind === 'character') continue
      const made = nodeOf({ ino, real, kind, origin: true })
      made.index = at
      made.metacopy = this.#disk.xattrNames(at).includes(this.#marks.metacopy)
      this.#known.set(ino, made)
    }
  }

  close(): void {
    for (const { anchor } of this.#known.values()) if (anchor !== undefined) this.#disk.closeDirectory(anchor)
    this.#known.clear()
  }

  /** Called with each inode that lost its last name. */
  onRelease: (gone: OverlayNode) => void = () => {}

  /**
   * Sees to it that every name of an inode is known, before one is taken away: what is in directories that nobody has
   * walked to still counts.
   */
  settle(what: OverlayNode | undefined): void {
    if (!what || what.kind === 'directory' || this.#all) return
    if (this.#disk.lstat(this.path(what)).nlink > what.places.length + (what.index === undefined ? 0 : 1))
      this.#readAll()
  }

  #leave(what: OverlayNode, directory: OverlayNode, name: ByteString): void {
    const at = what.places.findIndex((place) => place.directory === directory && place.name === name)
    if (at >= 0) what.places.splice(at, 1)
    if (what.places.length > 0) return
    this.#known.delete(what.ino)
    if (what.anchor !== undefined) this.#disk.closeDirectory(what.anchor)
    what.anchor = undefined
    this.onRelease(what)
  }

  #readAll(): void {
    this.#all = true
    const waiting = [this.root]
    for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
      for (const child of this.entries(directory).values()) if (child?.kind === 'directory') waiting.push(child)
    }
  }

  /** What stands at a name on the disk; `undefined` for a whiteout in either form (device 0:0, or an empty file with the mark). */
  #read(directory: OverlayNode, name: ByteString, path: ByteString): OverlayNode | undefined {
    const stat = this.#disk.lstat(path)
    if (stat.isCharacterDevice() && stat.rdev === 0) return undefined
    const found = this.#disk.xattrNames(path)
    const kind = kindOf(stat.mode) ?? 'file'
    if (kind === 'file' && stat.size === 0 && found.includes(this.#marks.whiteout)) return undefined
    const origin = found.includes(this.#marks.origin)
    const child = this.#nodeAt(this.#number(path, found, stat.ino), { real: stat.ino, kind, origin })
    child.places.push({ directory, name })
    if (kind === 'file') child.metacopy = found.includes(this.#marks.metacopy)
    if (kind !== 'directory') return child
    child.impure = found.includes(this.#marks.impure)
    if (found.includes(this.#marks.opaque))
      child.opaque = this.#disk.xattr(path, this.#marks.opaque)?.toString() === 'y'
    if (found.includes(this.#marks.redirect)) {
      const redirect = this.#disk.xattr(path, this.#marks.redirect)?.toString('latin1') ?? ''
      child.redirect = redirect.startsWith('/') ? redirect.slice(1) : joined(this.lowerPath(directory), redirect)
    }
    return child
  }

  #number(path: ByteString, found: readonly ByteString[], real: number): number {
    if (found.includes(this.#marks.origin)) {
      const origin = this.#disk.xattr(path, this.#marks.origin)
      const nid = origin && decodeOrigin(origin, this.#uuid)
      if (nid !== undefined) return nid
    }
    if (found.includes(this.#marks.number)) {
      const number = Number(this.#disk.xattr(path, this.#marks.number)?.toString('latin1'))
      if (Number.isSafeInteger(number) && number > firstNewInode && number < firstForeignInode) return number
    }
    return foreignNumber(real)
  }

  /** Two names of one inode are one node; two inodes that claim one number (a copy with its xattrs) are not. */
  #nodeAt(ino: number, facts: Pick<OverlayNode, 'real' | 'kind' | 'origin'>): OverlayNode {
    const known = this.#known.get(ino)
    if (known && known.real === facts.real && known.kind !== 'directory') return known
    if (known) return this.#nodeAt(foreignNumber(facts.real), facts)
    const made = nodeOf({ ino, ...facts })
    this.#known.set(ino, made)
    return made
  }
}

function joined(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`
}
