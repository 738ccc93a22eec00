import type { Marks } from '../layer/overlay-marks.ts'
import type { Override } from '../layer/override.ts'
import type { ByteString } from '../model/bytes.ts'
import { type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import type { AttributeChange, Creation } from '../union/upper.ts'
import type { OverlayNode } from './overlay-node.ts'
import { statOf } from './real-stat.ts'
import type { Spot, UpperDisk } from './upper-disk.ts'

/** What an inode got besides its content when it was made. */
export interface Dress {
  /** Of the real inode. */
  readonly realKind: Kind
  readonly aside: ByteString | undefined
  readonly override: Override | undefined
}

/**
 * How owner, mode, times and xattrs of an inode are kept on a real one: as they are. Whatever this process may not set is refused
 * with ENOTSUP.
 */
export class RealFacts {
  protected readonly disk: UpperDisk
  protected readonly marks: Marks
  readonly #uid = process.geteuid?.()
  readonly #gid = process.getegid?.()

  constructor(disk: UpperDisk, marks: Marks) {
    this.disk = disk
    this.marks = marks
  }

  /** Prepares the root of an upper that nobody has used: the rootless tools look there whether its inodes may have overrides. */
  begin(_root: OverlayNode, _path: ByteString): void {}

  /** Makes the real inode of what is neither file nor directory nor symlink, at a free path. */
  makeNode(path: ByteString, creation: Creation): void {
    const { kind, major = 0, minor = 0 } = creation
    if (kind === 'file' || kind === 'directory' || kind === 'symlink')
      throw new PlyError('EINVAL', { syscall: 'mknod' })
    // It would be a whiteout (layer-semantics D-09).
    if (kind === 'character' && major === 0 && minor === 0) throw new PlyError('ENOTSUP', { syscall: 'mknod' })
    storing(() => this.disk.makeNode(path, kind, major, minor))
  }

  /** The mode that a file or directory is made with in the work directory, where nobody else comes: what this process needs of it. */
  firstMode({ kind, mode }: Creation): number {
    return (mode & 0o777) | (kind === 'directory' ? 0o700 : 0o600)
  }

  /**
   * Gives a new inode owner, xattrs, mode and times, in that order, so that set-id bits and capabilities survive (layer-semantics
   * O-03). `own` are its marks; `born` is what it has already, where that is known.
   */
  dress(
    at: Spot,
    creation: Creation,
    own: ReadonlyMap<ByteString, Uint8Array>,
    born?: Pick<ExactStat, 'uid' | 'gid' | 'mode'>,
  ): Dress {
    const { kind, uid, gid, mode, mtime, atime = mtime } = creation
    if (uid !== born?.uid || gid !== born.gid) storing(() => this.disk.chown(at, uid, gid))
    for (const [name, value] of creation.xattrs ?? [])
      storing(() => this.disk.setXattr(at, this.marks.stored(name, kind), value))
    for (const [name, value] of own) storing(() => this.disk.setXattr(at, name, value))
    // An ACL may have changed it, and set-id bits go with the owner.
    const hasMode =
      creation.xattrs === undefined && born !== undefined && (born.mode & 0o7777) === mode && mode < 0o1000
    if (kind !== 'symlink' && !hasMode) this.disk.chmod(at, mode)
    if (!creation.now) this.disk.setTimes(at, { mtime, atime })
    return { realKind: kind, aside: undefined, override: undefined }
  }

  /** Whether a file that this process makes has the owner and mode of a creation by itself. */
  isBornWith({ uid, gid, mode }: Creation): boolean {
    return uid === this.#uid && gid === this.#gid && (mode & 0o7000) === 0
  }

  stat(node: OverlayNode, real: ExactStat): Stat {
    return statOf(node.ino, real, node.index !== undefined)
  }

  /** `before`: what it is, where that is known. */
  change(node: OverlayNode, path: ByteString, change: AttributeChange, before?: Stat): void {
    const { uid, gid, mode } = change
    if (uid !== undefined || gid !== undefined) this.changeOwner(node, path, change, before)
    else if (mode !== undefined && node.kind !== 'symlink') this.disk.chmod(path, mode)
    this.changeTimes(path, change)
  }

  xattrs(node: OverlayNode, path: ByteString): Xattrs {
    const at = this.carrier(node, path)
    if (at === undefined) return noXattrs
    const found = new Map<ByteString, Uint8Array>()
    for (const stored of this.disk.xattrNames(at)) {
      const name = this.marks.shown(stored)
      const value = name === undefined ? undefined : this.disk.xattr(at, stored)
      if (name !== undefined && value !== undefined) found.set(name, value)
    }
    return found.size > 0 ? found : noXattrs
  }

  /** `undefined` removes it; nothing there is fine. */
  setXattr(node: OverlayNode, path: ByteString, name: ByteString, value: Uint8Array | undefined): void {
    const stored = this.marks.stored(name, node.kind)
    if (value === undefined) this.dropXattr(path, stored)
    else storing(() => this.disk.setXattr(path, stored, value))
  }

  /** A mark of a file that is open. */
  setMarkOf(fd: number, mark: ByteString, value: Uint8Array): void {
    storing(() => this.disk.setXattr(fd, mark, value))
  }

  /** A mark of an inode that is there. */
  setMark(_node: OverlayNode, path: ByteString, mark: ByteString, value: Uint8Array): void {
    storing(() => this.disk.setXattr(path, mark, value))
  }

  /** What carries the xattrs of an inode; `undefined` if nothing does yet. */
  carrier(_node: OverlayNode, path: ByteString): ByteString | undefined {
    return path
  }

  /** Called when somebody other than this process may have made an inode, before it is opened. */
  reach(_node: OverlayNode, _path: ByteString): boolean {
    return false
  }

  protected changeTimes(path: ByteString, { mtime, atime, now }: AttributeChange): void {
    if (mtime === undefined && atime === undefined) return
    const at = (time: bigint | undefined) => (time !== undefined && now ? 'now' : time)
    this.disk.setTimes(path, { mtime: at(mtime), atime: at(atime) })
  }

  /**
   * Gives an inode its owner, and its mode in one step with it where that says other than what it has. The kernel drops set-id bits
   * and capabilities with the old owner; whether they go is the union's to say. The owner goes back if the rest cannot be done.
   */
  protected changeOwner(
    node: OverlayNode,
    path: ByteString,
    change: Pick<AttributeChange, 'uid' | 'gid' | 'mode'>,
    before: Pick<Stat, 'uid' | 'gid' | 'mode'> = this.disk.exactStat(path),
  ): void {
    const { uid = before.uid, gid = before.gid, mode = before.mode & 0o7777 } = change
    if (uid === before.uid && gid === before.gid && node.kind !== 'symlink') {
      // It has this owner, and nothing to lose by it; that it was given one moves its change time.
      storing(() => this.disk.chmod(path, mode))
      return
    }
    const capability = node.kind === 'file' ? this.disk.xattr(path, 'security.capability') : undefined
    storing(() => this.disk.chown(path, uid, gid))
    try {
      // Not by way of the old bits: they would be the new owner's for a moment.
      if (node.kind !== 'symlink' && (before.mode & 0o6000 || mode !== (before.mode & 0o7777)))
        this.disk.chmod(path, mode)
      if (capability) this.disk.setXattr(path, 'security.capability', capability)
    } catch (error) {
      this.#giveBack(node, path, before)
      throw error
    }
  }

  /** As far as it can be done: what failed before is what the caller is told. */
  #giveBack(node: OverlayNode, path: ByteString, { uid, gid, mode }: Pick<Stat, 'uid' | 'gid' | 'mode'>): void {
    ifPossible(() => {
      this.disk.chown(path, uid, gid)
      if (node.kind !== 'symlink') this.disk.chmod(path, mode & 0o7777)
    })
  }

  protected dropXattr(at: Spot, stored: ByteString): void {
    try {
      this.disk.removeXattr(at, stored)
    } catch (error) {
      if (codeOf(error) !== 'ENODATA') throw error
    }
  }
}

/** Runs what may fail because this process may not do it or the disk has no place for it, and says so. */
export function storing(store: () => void): void {
  try {
    store()
  } catch (error) {
    if (!isRefusal(error)) throw error
    throw new PlyError('ENOTSUP', { syscall: (error as NodeJS.ErrnoException).syscall ?? 'open' }, { cause: error })
  }
}

/**
 * Does what a disk may not do any more, after a change that has happened, and without which what is there says the same: the answer to
 * the change must not depend on it. Answers whether it was done.
 */
export function ifPossible(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return false
  }
}

/** Whether a call failed because this process may not do it, or the disk has no place for what it asked for. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EPERM' || code === 'EOPNOTSUPP' || code === 'ENOTSUP'
}
