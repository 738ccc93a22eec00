import { type LayerView, nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import { type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { type ErrnoName, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { WritableBytes } from '../union/upper.ts'
import { isFiled } from './change.ts'
import type { ChangeLog } from './change-log.ts'
import type { ContentFiles } from './content-files.ts'
import { type PortableState, whiteoutMark } from './portable-state.ts'
import type { UpperInode } from './upper-inode.ts'

/** What an upper in the portable form says: reading it. */
export class PortableView implements LayerView {
  protected readonly state: PortableState
  protected readonly log: ChangeLog
  protected readonly files: ContentFiles

  constructor(state: PortableState, log: ChangeLog, files: ContentFiles) {
    this.state = state
    this.log = log
    this.files = files
  }

  get root(): Placed {
    const { root, rootImplied } = this.state
    return {
      says: 'entry',
      ino: root.ino,
      kind: 'directory',
      directory: true,
      implied: rootImplied,
      opaque: root.opaque,
    }
  }

  lookup(directory: number, name: ByteString): Verdict {
    const ino = this.directory(directory).entries!.get(name)
    return ino === undefined ? nothing : this.#verdict(ino)
  }

  *list(directory: number): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
    const entries = [...this.directory(directory).entries!].sort(([a], [b]) => compareBytes(a, b))
    for (const [name, ino] of entries) yield { name, verdict: this.#verdict(ino) }
  }

  stat(ino: number): Stat {
    const inode = this.inode(ino)
    const { kind, mode, uid, gid, mtime, atime, ctime, major, minor } = inode
    const size = kind === 'file' ? this.files.size(inode.content) : (inode.target?.length ?? 0)
    const links = kind === 'directory' ? 2 + inode.subdirectories : inode.names
    // Each said property by property: of what is spread V8 makes an object whose every property takes a search.
    if (ctime === undefined)
      return { ino, kind, mode, uid, gid, mtime, size, links, major, minor, ...(atime !== undefined && { atime }) }
    if (atime === undefined) return { ino, kind, mode, uid, gid, mtime, size, links, major, minor, ctime }
    return { ino, kind, mode, uid, gid, mtime, size, links, major, minor, atime, ctime }
  }

  kind(ino: number): Kind {
    return this.inode(ino).kind
  }

  readlink(ino: number): ByteString {
    const { target } = this.inode(ino)
    if (target === undefined) throw new PlyError('EINVAL', { syscall: 'readlink' })
    return target
  }

  xattrs(ino: number): Xattrs {
    return this.inode(ino).xattrs ?? noXattrs
  }

  open(ino: number): Bytes {
    return this.content(ino)
  }

  has(ino: number): boolean {
    return this.state.inodes.has(ino)
  }

  hasContent(ino: number): boolean {
    const inode = this.state.inodes.get(ino)
    return inode !== undefined && isFiled(inode.content)
  }

  links(ino: number): number | undefined {
    return this.state.inodes.get(ino)?.names
  }

  close(): void {
    this.log.close()
  }

  protected content(ino: number): WritableBytes {
    const { kind, content } = this.inode(ino)
    if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (kind !== 'file') throw new PlyError('EINVAL', { syscall: 'open' })
    // The union asks `hasContent` first: what is here is a mistake of its own, not of its user.
    if (!isFiled(content)) throw new PlyError('EINVAL', { syscall: 'open' })
    return this.files.open(content, { onSync: () => this.syncRecords() })
  }

  /** Content is on the disk: now what names it. */
  protected syncRecords(): void {
    this.files.syncNames()
    this.log.sync()
  }

  #verdict(ino: number): Verdict {
    if (ino === whiteoutMark) return whiteout
    const { kind, opaque, redirect } = this.inode(ino)
    const directory = kind === 'directory'
    const placed = { says: 'entry', ino, kind, directory, implied: false, opaque } as const
    return redirect === undefined ? placed : { ...placed, redirect }
  }

  protected inode(ino: number): UpperInode {
    return this.state.inodes.get(ino) ?? refuse('ENOENT')
  }

  protected directory(ino: number): UpperInode {
    const inode = this.inode(ino)
    return inode.entries ? inode : refuse('ENOTDIR')
  }
}

function refuse(code: ErrnoName): never {
  throw new PlyError(code, { syscall: 'lookup' })
}
