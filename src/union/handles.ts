import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import type { AttributeChange, WritableBytes } from './upper.ts'

/** What handles need of the union that opened them. */
export interface Contents {
  /** To be called before a handle changes content for the first time. */
  firstWrite(ino: number): void
  /** To be called when a handle has changed content. */
  written(ino: number): void
  /** To be called when a handle on changed content closes. */
  settle(ino: number): void
}

/**
 * The open handles of a union, by inode. They outlive the names of a file: while one is open, the inode answers without
 * any name, with no links. A reader opened before a copy-up goes on in the copy.
 */
export class Handles {
  readonly #open = new Map<number, Set<Reader>>()
  readonly #orphans = new Map<number, Stat>()

  reader(ino: number, content: Bytes): Bytes {
    return this.#add(new Reader(content, (handle) => this.#closed(ino, handle)), ino)
  }

  writer(ino: number, content: WritableBytes, contents: Contents): WritableBytes {
    return this.#add(new Writer(content, ino, contents, (handle) => this.#closed(ino, handle)), ino)
  }

  has(ino: number): boolean {
    return this.#open.has(ino)
  }

  /** The content of an inode now lies elsewhere: readers go on there. */
  moved(ino: number, open: () => Bytes): void {
    for (const handle of this.#open.get(ino) ?? []) handle.replace(open())
  }

  /** The inode has lost its last name. */
  orphan(stat: Stat): void {
    if (this.#open.has(stat.ino)) this.#orphans.set(stat.ino, { ...stat, links: 0 })
  }

  /** What an inode without a name is; `undefined` if it has one, or nobody holds it open. */
  orphaned(ino: number): Stat | undefined {
    const stat = this.#orphans.get(ino)
    if (!stat) return undefined
    for (const { size } of this.#open.get(ino) ?? []) return { ...stat, size }
    return stat
  }

  /** Whether the inode was an orphan, whose attributes are kept here alone. */
  changeOrphan(ino: number, change: AttributeChange): boolean {
    const stat = this.#orphans.get(ino)
    if (stat) this.#orphans.set(ino, { ...stat, ...change })
    return stat !== undefined
  }

  close(): void {
    for (const handles of [...this.#open.values()]) for (const handle of [...handles]) handle.close()
  }

  #add<Handle extends Reader>(handle: Handle, ino: number): Handle {
    const handles = this.#open.get(ino)
    if (handles) handles.add(handle)
    else this.#open.set(ino, new Set([handle]))
    return handle
  }

  #closed(ino: number, handle: Reader): void {
    const handles = this.#open.get(ino)
    if (!handles?.delete(handle) || handles.size > 0) return
    this.#open.delete(ino)
    this.#orphans.delete(ino)
  }
}

class Reader implements Bytes {
  #content: Bytes | undefined
  readonly #onClose: (handle: Reader) => void

  constructor(content: Bytes, onClose: (handle: Reader) => void) {
    this.#content = content
    this.#onClose = onClose
  }

  get size(): number {
    return this.content('fstat').size
  }

  get extent(): { readonly fd: number; readonly offset: number } | undefined {
    return this.content('read').extent
  }

  get nextData(): ((position: number) => Run | undefined) | undefined {
    return this.content('read').nextData
  }

  read(into: Uint8Array, position: number): number {
    return this.content('read').read(into, position)
  }

  replace(content: Bytes): void {
    this.#content?.close()
    this.#content = content
  }

  close(): void {
    const content = this.#content
    if (!content) return
    this.#content = undefined
    content.close()
    this.#onClose(this)
  }

  protected content(syscall: string): Bytes {
    if (!this.#content) throw new PlyError('EBADF', { syscall })
    return this.#content
  }
}

class Writer extends Reader implements WritableBytes {
  readonly #content: WritableBytes
  readonly #ino: number
  readonly #contents: Contents
  #changed = false

  constructor(content: WritableBytes, ino: number, contents: Contents, onClose: (handle: Reader) => void) {
    super(content, onClose)
    this.#content = content
    this.#ino = ino
    this.#contents = contents
  }

  write(from: Uint8Array, position: number): number {
    this.content('write')
    this.#beforeChange()
    const count = this.#content.write(from, position)
    if (count > 0) this.#contents.written(this.#ino)
    return count
  }

  truncate(size: number): void {
    this.content('ftruncate')
    this.#beforeChange()
    this.#content.truncate(size)
    this.#contents.written(this.#ino)
  }

  sync(): void {
    this.content('fsync')
    if (this.#changed) this.#contents.settle(this.#ino)
    this.#content.sync()
  }

  /** The content of a file that is open for writing is in the upper already and stays there. */
  override replace(content: Bytes): void {
    content.close()
  }

  override close(): void {
    try {
      if (this.#changed) this.#contents.settle(this.#ino)
    } finally {
      this.#changed = false
      super.close()
    }
  }

  #beforeChange(): void {
    if (this.#changed) return
    this.#changed = true
    this.#contents.firstWrite(this.#ino)
  }
}
