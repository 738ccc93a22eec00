import type { Bytes } from '../stream/bytes.ts'
import { Hold, type How, Reader, Writer } from './open-content.ts'
import type { WritableBytes } from './upper.ts'

/** The open handles of a union, by inode. */
export class Handles {
  /** Most of the time one handle is open: it is here, for to put something into a map and to take it out takes longer than all else. */
  #only: Hold | undefined
  /** All others. Most inodes have one handle at a time, and a set takes longer to make than a handle. */
  readonly #open = new Map<number, Hold | Set<Hold>>()
  /** Contents that handles of an inode share: closed with the last of them. */
  readonly #shared = new Map<number, Bytes[]>()
  /** Told of each inode whose last handle closed. */
  onLast: (ino: number) => void = () => {}

  /** A handle for reading. Content that is not `owned` belongs to somebody else, who closes it. */
  reader(ino: number, content: Bytes, owned = true): Bytes {
    return this.#add(new Reader(this, ino, content, owned, this.#closed))
  }

  writer(ino: number, content: WritableBytes, how: How, owned = true): WritableBytes {
    return this.#add(new Writer(this, ino, content, owned, how, this.#closed))
  }

  hold(ino: number): () => void {
    const hold = this.#add(new Hold(this, ino, this.#closed))
    return () => hold.close()
  }

  has(ino: number): boolean {
    return this.#only?.ino === ino || (this.#open.size > 0 && this.#open.has(ino))
  }

  /** The content of an inode now lies elsewhere: readers go on there. */
  moved(ino: number, open: () => Bytes): void {
    for (const handle of this.#of(ino)) if (handle instanceof Reader) handle.replace(open(), true)
  }

  /** The same, where those that write have to go along: once for all of them, so that none is left behind. */
  rewritten(ino: number, open: () => WritableBytes): void {
    const handles = [...this.#of(ino)].filter((handle) => handle instanceof Reader)
    if (handles.length === 0) return
    let content: WritableBytes
    try {
      content = open()
    } catch (error) {
      for (const handle of handles) handle.lose()
      throw error
    }
    this.share(ino, content)
    for (const handle of handles) handle.continueIn(content, false)
  }

  /** Inodes that are open for writing, with their handles. */
  *writers(): Iterable<{ readonly ino: number; readonly handles: readonly Writer[] }> {
    for (const ino of this.#inodes()) {
      const handles = [...this.#of(ino)].filter((hold) => hold instanceof Writer)
      if (handles.length > 0) yield { ino, handles }
    }
  }

  /** Whether anything is open. */
  get any(): boolean {
    return this.#only !== undefined || this.#open.size > 0
  }

  /** Everybody goes on in content that they share. */
  movedTo(ino: number, content: Bytes): void {
    this.share(ino, content)
    for (const handle of this.#of(ino)) if (handle instanceof Reader) handle.replace(content, false)
  }

  /** Content that handles of an inode have, for handles to come: that of a writer, if there is one. `undefined`: none has any. */
  lent(ino: number): { readonly content: Bytes; readonly writable: boolean } | undefined {
    let reader: Reader | undefined
    for (const handle of this.#of(ino)) {
      if (!(handle instanceof Reader)) continue
      reader = handle
      if (handle instanceof Writer) break
    }
    if (!reader) return undefined
    const { content, mine } = reader.lend()
    if (mine) this.share(ino, content)
    return { content, writable: reader instanceof Writer }
  }

  /** Content to be closed with the last handle of an inode. */
  share(ino: number, content: Bytes): void {
    const shared = this.#shared.get(ino)
    if (shared) shared.push(content)
    else this.#shared.set(ino, [content])
  }

  close(): void {
    for (const ino of this.#inodes()) for (const handle of [...this.#of(ino)]) handle.close()
  }

  #inodes(): number[] {
    return this.#only ? [this.#only.ino, ...this.#open.keys()] : [...this.#open.keys()]
  }

  #of(ino: number): Iterable<Hold> {
    if (this.#only?.ino === ino) return [this.#only]
    const open = this.#open.get(ino)
    return open instanceof Set ? open : open ? [open] : []
  }

  #add<Handle extends Hold>(handle: Handle): Handle {
    const only = this.#only
    if (only === undefined && (this.#open.size === 0 || !this.#open.has(handle.ino))) {
      this.#only = handle
      return handle
    }
    if (only?.ino === handle.ino) {
      this.#only = undefined
      this.#open.set(only.ino, only)
    }
    const open = this.#open.get(handle.ino)
    if (open instanceof Set) open.add(handle)
    else this.#open.set(handle.ino, open ? new Set([open, handle]) : handle)
    return handle
  }

  readonly #closed = (handle: Hold): void => {
    const { ino } = handle
    if (this.#only === handle) this.#only = undefined
    else {
      const open = this.#open.get(ino)
      if (open instanceof Set ? !open.delete(handle) || open.size > 0 : open !== handle) return
      this.#open.delete(ino)
    }
    if (this.#shared.size > 0) {
      for (const content of this.#shared.get(ino) ?? []) content.close()
      this.#shared.delete(ino)
    }
    this.onLast(ino)
  }
}
