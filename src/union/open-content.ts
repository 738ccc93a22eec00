import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import { type Allocation, largestFile, type WritableBytes } from './upper.ts'

/** What writers need of the union that opened them. */
export interface Writing {
  /** Moves when some inode may have been given set-id bits or capabilities: what writing takes from it has to be looked at again. */
  readonly privileges: number
  /** To be called before content changes, once for each value of `privileges`. */
  beforeChange(ino: number, killSetId: boolean): void
  /** To be called before content is cut to nothing; handles may have gone on in other content then. */
  emptying(ino: number): void
  /** To be called when content has changed. */
  changed(ino: number): void
  /** To be called when a writer that changed content closes or syncs. */
  settle(ino: number): void
}

/** How content is opened for writing. */
export interface How {
  readonly writing: Writing
  readonly killSetId: boolean
}

/** What knows its inode: two of one union (`of`) with one number are one file. */
export interface OfInode {
  readonly of: object
  readonly ino: number
}

/** Whether both are handles on one inode. */
export function sameFile(one: Bytes, other: Bytes): boolean {
  if (one === other) return true
  const [a, b] = [one as Partial<OfInode>, other as Partial<OfInode>]
  return a.of !== undefined && a.of === b.of && a.ino === b.ino
}

/** Holds an inode without opening its content. */
export class Hold implements OfInode {
  readonly of: object
  readonly ino: number
  readonly #onClose: (hold: Hold) => void
  #closed = false

  constructor(of: object, ino: number, onClose: (hold: Hold) => void) {
    this.of = of
    this.ino = ino
    this.#onClose = onClose
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose(this)
  }
}

/** An open file of a union. A reader opened before a copy-up goes on in the copy. */
export class Reader extends Hold implements Bytes {
  #content: Bytes | undefined
  /** Whether the content is closed with this handle: what is lent is closed with the last handle of the inode. */
  #owned: boolean

  constructor(of: object, ino: number, content: Bytes, owned: boolean, onClose: (handle: Hold) => void) {
    super(of, ino, onClose)
    this.#content = content
    this.#owned = owned
  }

  get size(): number {
    return this.content('fstat').size
  }

  get extent(): { readonly fd: number; readonly offset: number } | undefined {
    return this.content('read').extent
  }

  get nextData(): ((position: number) => Run | undefined) | undefined {
    return this.content('lseek').nextData
  }

  read(into: Uint8Array, position: number): number {
    return this.content('read').read(into, position)
  }

  /** Goes on in other content. */
  replace(content: Bytes, owned: boolean): void {
    this.lose()
    this.#content = content
    this.#owned = owned
  }

  /** Its content is elsewhere, and could not be opened there. */
  lose(): void {
    if (this.#owned) this.#content?.close()
    this.#content = undefined
    this.#owned = false
  }

  /** The same, also if this one writes. */
  continueIn(content: WritableBytes, owned: boolean): void {
    this.replace(content, owned)
  }

  /** Its content, for others too; `mine`: it was this handle's alone, and they are to close it from now on. */
  lend(): { readonly content: Bytes; readonly mine: boolean } {
    const mine = this.#owned
    this.#owned = false
    return { content: this.content('open'), mine }
  }

  override close(): void {
    const content = this.#content
    this.#content = undefined
    if (this.#owned) content?.close()
    super.close()
  }

  protected content(syscall: string): Bytes {
    if (!this.#content) throw new PlyError('EBADF', { syscall })
    return this.#content
  }
}

export class Writer extends Reader implements WritableBytes {
  #content: WritableBytes
  readonly #writing: Writing
  readonly #killSetId: boolean
  #privileges = -1

  constructor(
    of: object,
    ino: number,
    content: WritableBytes,
    owned: boolean,
    { writing, killSetId }: How,
    onClose: (handle: Hold) => void,
  ) {
    super(of, ino, content, owned, onClose)
    this.#content = content
    this.#writing = writing
    this.#killSetId = killSetId
  }

  write(from: Uint8Array, position: number): number {
    this.content('write')
    if (from.length === 0) return 0
    this.#beforeChange()
    const count = this.#content.write(from, position)
    if (count > 0) this.#writing.changed(this.ino)
    return count
  }

  truncate(size: number): void {
    this.content('ftruncate')
    this.#beforeChange()
    if (size === 0) this.#writing.emptying(this.ino)
    this.#content.truncate(size)
    this.#writing.changed(this.ino)
  }

  allocate(what: Allocation, position: number, length: number): void {
    this.content('fallocate')
    if (position < 0 || length <= 0) throw new PlyError('EINVAL', { syscall: 'fallocate' })
    if (length > largestFile - position) throw new PlyError('EFBIG', { syscall: 'fallocate' })
    this.#beforeChange()
    this.#content.allocate(what, position, length)
    this.#writing.changed(this.ino)
  }

  copyFrom(from: Bytes, fromPosition: number, position: number, length: number): number {
    this.content('copy_file_range')
    if (!this.#content.copyFrom) return 0
    this.#beforeChange()
    const count = this.#content.copyFrom(from, fromPosition, position, length)
    if (count > 0) this.#writing.changed(this.ino)
    return count
  }

  sync(): void {
    this.content('fsync')
    if (this.#privileges >= 0) this.#writing.settle(this.ino)
    this.#content.sync()
  }

  override continueIn(content: WritableBytes, owned: boolean): void {
    super.replace(content, owned)
    this.#content = content
  }

  /** The content of a file that is open for writing is in the upper already and stays there. */
  override replace(content: Bytes, owned: boolean): void {
    if (owned) content.close()
  }

  override close(): void {
    try {
      if (this.#privileges >= 0) this.#writing.settle(this.ino)
    } finally {
      this.#privileges = -1
      super.close()
    }
  }

  #beforeChange(): void {
    if (this.#privileges === this.#writing.privileges) return
    this.#writing.beforeChange(this.ino, this.#killSetId)
    this.#privileges = this.#writing.privileges
  }
}
