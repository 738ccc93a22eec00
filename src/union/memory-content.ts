import { PlyError } from '../model/errors.ts'
import type { WritableBytes } from './upper.ts'

const pageSize = 1 << 16

/**
 * The content of one file in memory, in pages of 64 KiB. A page that was never written takes no memory, so a hole of
 * any size costs nothing; a page of a short file is as long as it has to be.
 */
export class MemoryContent {
  size = 0
  readonly #pages = new Map<number, Buffer>()

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.size)
    for (let at = position; at < end; ) {
      const start = at % pageSize
      const count = Math.min(pageSize - start, end - at)
      const page = this.#pages.get((at - start) / pageSize)
      const have = page === undefined ? 0 : Math.max(0, Math.min(count, page.length - start))
      if (have > 0) into.set(page!.subarray(start, start + have), at - position)
      if (have < count) into.fill(0, at - position + have, at - position + count)
      at += count
    }
    return Math.max(0, end - position)
  }

  write(from: Uint8Array, position: number): number {
    for (let done = 0; done < from.length; ) {
      const at = position + done
      const start = at % pageSize
      const count = Math.min(pageSize - start, from.length - done)
      this.#page((at - start) / pageSize, start + count).set(from.subarray(done, done + count), start)
      done += count
    }
    if (from.length > 0) this.size = Math.max(this.size, position + from.length)
    return from.length
  }

  truncate(size: number): void {
    if (size < this.size) {
      const last = Math.floor(size / pageSize)
      for (const [number, page] of this.#pages) {
        if (number > last) this.#pages.delete(number)
        // What is cut off must read as zeros when the file grows again.
        else if (number === last) page.fill(0, Math.min(page.length, size % pageSize))
      }
    }
    this.size = size
  }

  /** A handle on it: for reading and, where the caller lets it, for writing. */
  opened(): WritableBytes {
    return new OpenContent(this)
  }

  #page(number: number, length: number): Buffer {
    const page = this.#pages.get(number)
    if (page !== undefined && page.length >= length) return page
    const grown = Buffer.alloc(Math.min(pageSize, Math.max(64, 2 ** Math.ceil(Math.log2(length)))))
    if (page !== undefined) grown.set(page)
    this.#pages.set(number, grown)
    return grown
  }
}

class OpenContent implements WritableBytes {
  #content: MemoryContent | undefined

  constructor(content: MemoryContent) {
    this.#content = content
  }

  get size(): number {
    return this.#opened('fstat').size
  }

  read(into: Uint8Array, position: number): number {
    return this.#opened('read').read(into, position)
  }

  write(from: Uint8Array, position: number): number {
    return this.#opened('write').write(from, position)
  }

  truncate(size: number): void {
    this.#opened('ftruncate').truncate(size)
  }

  sync(): void {
    this.#opened('fsync')
  }

  close(): void {
    this.#content = undefined
  }

  #opened(syscall: string): MemoryContent {
    if (!this.#content) throw new PlyError('EBADF', { syscall })
    return this.#content
  }
}
