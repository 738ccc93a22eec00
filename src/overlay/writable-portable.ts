import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Clock } from '../union/clock.ts'
import type { AttributeChange, Creation, Room, Standing, Unnamed, WritableBytes } from '../union/upper.ts'
import { type Change, type Content, type InodeFacts, inBlocks, isFiled, noContent } from './change.ts'
import type { ChangeLog } from './change-log.ts'
import type { ContentFiles } from './content-files.ts'
import type { ExtentFiles } from './extent-files.ts'
import { KeptBlocks } from './kept-blocks.ts'
import { checkFree, checkOutside, checkReplaceable } from './name-rules.ts'
import { type PortableState, whiteoutMark } from './portable-state.ts'
import { PortableView } from './portable-view.ts'
import { ifPossible } from './real-facts.ts'
import type { StoredUpper } from './stored-upper.ts'
import { UnnamedContents } from './unnamed-contents.ts'

/** How many removed files, and bytes of them, wait for the next `sync` before one is made for them. */
const removedAtMost = { files: 4096, bytes: 64 << 20 }

export interface PortableParts {
  readonly state: PortableState
  readonly log: ChangeLog
  readonly files: ContentFiles
  readonly extents: ExtentFiles
  readonly blocksFrom: number
  readonly readOnly: boolean
  readonly now: Clock
  /** Called once, when something was changed, with all change times that are known. */
  readonly onClose: (times: ReadonlyMap<number, bigint>) => void
}

/** An upper in the portable form, opened by `openPortableUpper`. */
export class PortableUpper extends PortableView implements StoredUpper {
  readonly metadataOnly = true
  readonly redirects = true
  readonly findsContentByName = false
  readonly blocks: KeptBlocks
  #readOnly: boolean
  readonly #now: Clock
  readonly #onClose: PortableParts['onClose']
  readonly #unnamed: UnnamedContents
  #changed = false

  constructor({ state, log, files, extents, blocksFrom, readOnly, now, onClose }: PortableParts) {
    super(state, log, files)
    this.#readOnly = readOnly
    this.#now = now
    this.#onClose = onClose
    this.#unnamed = new UnnamedContents(state, files, () => this.syncRecords())
    state.onRelease = ({ ino, content }) => {
      if (isFiled(content)) files.remove(content.number)
      else if (content.is === 'blocks') extents.remove(ino)
    }
    this.blocks = new KeptBlocks(extents, blocksFrom, {
      has: (ino) => state.inodes.get(ino)?.content.is === 'blocks',
      all: () => [...state.inodes.values()].filter(({ content }) => content.is === 'blocks').map(({ ino }) => ino),
      mark: (ino) => this.#change({ does: 'content', ino, content: inBlocks }),
      touched: () => this.#mayChange(),
      sync: () => this.syncRecords(),
    })
    files.onFull = () => this.#freeRemoved()
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    checkFree(this.directory(directory), name)
    const ino = this.state.nextInode
    const content = creation.kind === 'file' ? ({ is: 'fresh', number: this.state.nextContent } as const) : noContent
    this.#change({ does: 'place', directory, name, inode: placed(creation, ino, content) })
    if (isFiled(content)) this.files.expect(content.number)
    return ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    checkFree(this.directory(directory), name)
    if (this.state.inodes.has(ino)) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    if (creation.kind !== 'file' || content === undefined) {
      this.#change({ does: 'place', directory, name, inode: { ...creation, ino, content: noContent } })
      return
    }
    this.#withContent(content, (kept) => ({
      does: 'place',
      directory,
      name,
      inode: { ...creation, ino, content: kept },
    }))
  }

  restore(directory: number, name: ByteString, ino: number, inode: Creation & Standing, content?: Bytes): void {
    this.copyUp(directory, name, ino, inode, content)
  }

  get nextNumber(): number {
    return this.state.nextInode
  }

  numbersPast(ino: number): void {
    if (ino < this.state.nextInode) return
    this.#change({ does: 'counters', nextInode: ino + 1, nextContent: this.state.nextContent })
  }

  copyUpContent(ino: number, content: Bytes): void {
    const inode = this.inode(ino)
    if (inode.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'copy-up' })
    if (isFiled(inode.content)) throw new PlyError('EEXIST', { syscall: 'copy-up' })
    const hadBlocks = inode.content.is === 'blocks'
    this.#withContent(content, (kept) => ({ does: 'content', ino, content: kept }))
    if (hadBlocks) this.blocks.files.remove(ino)
  }

  link(directory: number, name: ByteString, ino: number): void {
    checkFree(this.directory(directory), name)
    if (this.inode(ino).kind === 'directory') throw new PlyError('EPERM', { syscall: 'link' })
    this.#change({ does: 'link', directory, name, ino })
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    options: Standing & { readonly leave: 'nothing' | 'whiteout' },
  ): void {
    const ino = this.directory(directory).entries!.get(name)
    if (!ino) throw new PlyError('ENOENT', { syscall: 'rename' })
    const inode = this.inode(ino)
    const to = this.directory(toDirectory)
    if (inode.kind === 'directory') checkOutside(this.state, to, inode)
    if (to.entries!.get(toName) !== ino)
      checkReplaceable(this.state, { directory: to, name: toName, syscall: 'rename' })
    const { leave, redirect, opaque = false } = options
    const change = { does: 'rename', directory, name, toDirectory, toName, leave, opaque } as const
    this.#change(redirect === undefined ? change : { ...change, redirect })
  }

  exchange(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    standing: { readonly first: Standing; readonly second: Standing },
  ): void {
    const [from, to] = [this.directory(directory), this.directory(toDirectory)]
    const [ino, other] = [from.entries!.get(name), to.entries!.get(toName)]
    if (!ino || !other) throw new PlyError('ENOENT', { syscall: 'rename' })
    if (ino === other) return
    checkOutside(this.state, to, this.inode(ino))
    checkOutside(this.state, from, this.inode(other))
    this.#change({ does: 'exchange', directory, name, toDirectory, toName, ...standing })
  }

  forget(directory: number, name: ByteString): void {
    const inode = this.directory(directory)
    if (!inode.entries!.has(name)) throw new PlyError('ENOENT', { syscall: 'unlink' })
    checkReplaceable(this.state, { directory: inode, name, syscall: 'unlink' })
    this.#change({ does: 'forget', directory, name })
  }

  whiteout(directory: number, name: ByteString): void {
    const inode = this.directory(directory)
    if (inode.entries!.get(name) === whiteoutMark) return
    checkReplaceable(this.state, { directory: inode, name, syscall: 'unlink' })
    this.#change({ does: 'whiteout', directory, name })
  }

  setOpaque(directory: number): void {
    if (!this.directory(directory).opaque) this.#change({ does: 'opaque', directory })
  }

  setAttributes(ino: number, change: AttributeChange): void {
    const { atime, ...rest } = change
    // What goes without saying is not said: then the log is what it was before there were access times.
    const implied = atime === this.state.accessTimeAfter(this.inode(ino), rest)
    this.#change({ does: 'attributes', ino, change: implied ? rest : change })
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const inode = this.inode(ino)
    if (value === undefined && !inode.xattrs?.has(name)) return
    this.#change({ does: 'xattr', ino, name, value: value && Uint8Array.from(value) })
  }

  writer(ino: number): WritableBytes {
    this.#mayChange()
    return this.content(ino)
  }

  unnamed(): Unnamed {
    this.#mayChange()
    return this.#unnamed.open()
  }

  adopt(directory: number, name: ByteString, { ino }: Unnamed, creation: Creation & { readonly kind: 'file' }): void {
    const number = this.#unnamed.contentOf(ino)
    checkFree(this.directory(directory), name)
    this.#change({ does: 'place', directory, name, inode: { ...creation, ino, content: { is: 'fresh', number } } })
    this.#unnamed.named(ino)
  }

  room(): Room {
    return this.files.room()
  }

  sync(): void {
    if (this.#readOnly) return
    this.files.sync()
    this.blocks.files.sync()
    this.#freeRemoved()
  }

  settle(): void {
    this.sync()
    this.#storeTimes()
  }

  freeze(): void {
    this.#readOnly = true
    this.files.freeze()
    this.blocks.files.freeze()
  }

  override close(): void {
    // A disk that takes no more has the modify times instead.
    ifPossible(() => this.#storeTimes())
    super.close()
  }

  #storeTimes(): void {
    if (!this.#changed || this.#readOnly) return
    this.#changed = false
    const times = new Map<number, bigint>()
    for (const { ino, ctime } of this.state.inodes.values()) if (ctime !== undefined) times.set(ino, ctime)
    this.#onClose(times)
  }

  /** Checked before: writes the record, and only then is it so in memory. */
  #change(change: Change): void {
    this.#mayChange()
    try {
      this.log.append(change, () => this.state.changes())
    } catch (error) {
      if (!this.files.makesRoom(error)) throw error
      this.log.append(change, () => this.state.changes())
    }
    this.state.apply(change, this.#now())
    this.#changed = true
  }

  /** Before a change and never after it: what fails here has not happened, and what was appended has. */
  #mayChange(): void {
    if (this.#readOnly) throw new PlyError('EROFS', { syscall: 'write' })
    if (this.log.worthCompacting) this.files.roomy(() => this.log.compact(this.state.changes()))
    const { waiting, waitingBytes } = this.files
    if (waiting >= removedAtMost.files || waitingBytes >= removedAtMost.bytes || this.blocks.isFull) this.#freeRemoved()
  }

  #freeRemoved(): void {
    this.log.sync()
    this.files.collect()
    this.blocks.files.collect()
  }

  #withContent(content: Bytes, change: (kept: { readonly is: 'kept'; readonly number: number }) => Change): void {
    this.#mayChange()
    const number = this.state.nextContent
    this.files.write(number, content)
    try {
      this.#change(change({ is: 'kept', number }))
    } catch (error) {
      this.files.discard(number)
      throw error
    }
  }
}

/** The usual inode is said property by property: of what is spread V8 makes an object whose every property takes a search. */
function placed(creation: Creation, ino: number, content: Content): InodeFacts {
  const {
    kind,
    mode,
    uid,
    gid,
    mtime,
    now = false,
    atime,
    xattrs,
    target,
    major,
    minor,
    opaque,
    links,
    size,
  } = creation
  const others = [atime, xattrs, target, major, minor, opaque, links, size]
  if (others.some((one) => one !== undefined)) return { ...creation, ino, content }
  return { kind, mode, uid, gid, mtime, now, ino, content }
}
