import type { ByteString } from '../model/bytes.ts'
import { noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Clock } from './clock.ts'
import { copyRange } from './copy-range.ts'
import type { Handles } from './handles.ts'
import type { How } from './open-content.ts'
import type { AttributeChange, Creation, Unnamed, Upper, WritableBytes } from './upper.ts'

/** An inode without a name: what its sides said of it while it had one, and what was changed since. */
export interface Orphan {
  readonly stat: Stat
  readonly xattrs: Xattrs
  /** Symlinks: where to. */
  readonly target: ByteString
  /** Files: what handles to come read. */
  readonly content: Bytes | undefined
  /** The same, where it can be written. */
  readonly writable: WritableBytes | undefined
  /** Files that `link` may give a name: they never had one. */
  readonly adoptable?: Unnamed
}

/**
 * The inodes without a name that somebody holds: files that were unlinked while open, removed directories, files of `unnamed`. No side
 * knows them any more, or yet, so what is said of them and changed is kept here, until the last handle closes.
 */
export class Orphans {
  readonly #handles: Handles
  #upper: Upper
  readonly #now: Clock
  readonly #orphans = new Map<number, Orphan>()

  constructor(handles: Handles, upper: Upper, now: Clock) {
    this.#handles = handles
    this.#upper = upper
    this.#now = now
    handles.onLast = (ino) => this.#orphans.delete(ino)
  }

  /** Goes on with another upper. @throws EBUSY while there are files of `unnamed` that may still get a name in the one there was */
  restack(upper: Upper): void {
    for (const { adoptable } of this.#orphans.values())
      if (adoptable) throw new PlyError('EBUSY', { syscall: 'freeze' })
    this.#upper = upper
  }

  /**
   * What is to be kept of an inode that is about to lose its last name; `undefined` if nobody holds it. To be called before: `open`
   * opens its content then, if nobody has it open.
   */
  leaving(ino: number, told: () => Omit<Orphan, 'content' | 'writable'>, open: () => Bytes): Orphan | undefined {
    if (!this.#handles.has(ino)) return undefined
    const orphan = told()
    if (orphan.stat.kind !== 'file') return { ...orphan, content: undefined, writable: undefined }
    const lent = this.#handles.lent(ino)
    const content = lent?.content ?? open()
    if (!lent) this.#handles.share(ino, content)
    return { ...orphan, content, writable: lent?.writable ? (content as WritableBytes) : undefined }
  }

  /** An inode has no name now. */
  add(orphan: Orphan): void {
    const { stat } = orphan
    this.#orphans.set(stat.ino, { ...orphan, stat: { ...stat, links: 0, ctime: this.#now() } })
  }

  /** Enters a file that has no name yet; to be opened by `writer` at once. `exclusive`: it never gets one. */
  unnamed(file: Unnamed, creation: Creation, exclusive: boolean): Orphan {
    const { ino, content } = file
    const { mode, uid, gid, mtime, atime = mtime, xattrs = noXattrs } = creation
    const times = { mtime, atime, ctime: this.#now() }
    const stat: Stat = { ino, kind: 'file', mode, uid, gid, size: 0, links: 0, major: 0, minor: 0, ...times }
    const orphan = { stat, xattrs, target: '', content, writable: content, ...(!exclusive && { adoptable: file }) }
    this.#handles.share(ino, content)
    this.#orphans.set(ino, orphan)
    return orphan
  }

  get(ino: number): Orphan | undefined {
    return this.#orphans.size === 0 ? undefined : this.#orphans.get(ino)
  }

  /** `undefined`: it has a name, or nobody holds it. */
  stat(ino: number): Stat | undefined {
    const orphan = this.#orphans.get(ino)
    return orphan?.content ? { ...orphan.stat, size: orphan.content.size } : orphan?.stat
  }

  setAttributes({ stat }: Orphan, { now: _, ...change }: AttributeChange): void {
    this.#change(stat.ino, { stat: { ...stat, atime: stat.atime ?? stat.mtime, ...change, ctime: this.#now() } })
  }

  setXattr({ stat, xattrs }: Orphan, name: ByteString, value: Uint8Array | undefined): void {
    const changed = new Map(xattrs)
    if (value === undefined) changed.delete(name)
    else changed.set(name, Uint8Array.from(value))
    this.#change(stat.ino, { xattrs: changed, stat: { ...stat, ctime: this.#now() } })
  }

  reader({ stat, content }: Orphan): Bytes {
    if (stat.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (!content) throw new PlyError('EINVAL', { syscall: 'open' })
    return this.#handles.reader(stat.ino, content, false)
  }

  /** Content that was opened for reading alone is copied first, and everybody goes on in the copy. */
  writer({ stat, content, writable }: Orphan, how: How): WritableBytes {
    const { ino } = stat
    if (writable) return this.#handles.writer(ino, writable, how, false)
    if (stat.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (!content) throw new PlyError('EINVAL', { syscall: 'open' })
    const copy = this.#upper.unnamed().content
    try {
      copyRange(content, 0, copy, 0, content.size)
    } catch (error) {
      copy.close()
      throw error
    }
    this.#handles.movedTo(ino, copy)
    this.#change(ino, { content: copy, writable: copy })
    return this.#handles.writer(ino, copy, how, false)
  }

  /** Gives a file of `unnamed` a name in the upper's directory. @throws ENOENT for what once had one, or may have none */
  adopt({ stat, xattrs, adoptable }: Orphan, directory: number, name: ByteString): void {
    if (!adoptable) throw new PlyError('ENOENT', { syscall: 'link' })
    const { mode, uid, gid, mtime, atime = mtime } = stat
    this.#upper.adopt(directory, name, adoptable, { kind: 'file', mode, uid, gid, mtime, atime, xattrs })
    this.#orphans.delete(stat.ino)
  }

  #change(ino: number, change: Partial<Orphan>): void {
    this.#orphans.set(ino, { ...this.#orphans.get(ino)!, ...change })
  }
}
