import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import { copyRange } from './copy-range.ts'
import type { MemoryRoom } from './memory-room.ts'
import { type Allocation, largestFile, type WritableBytes } from './upper.ts'

const pageSize = 1 << 16

/**
 * The content of one file in memory, in pages of 64 KiB. A page that was never written takes no memory, so a hole of
 * any size costs nothing; a page of a short file is as long as it has to be. What it takes comes out of a room, and goes back when
 * the last holder (its inode, each open handle) lets go.
 */
export class MemoryContent {
  size = 0
  readonly #room: MemoryRoom
  readonly #pages = new Map<number, Buffer>()
  /** Pages whose whole room was taken, written or not. */
  readonly #reserved = new Set<number>()
  /** The numbers of the pages there are, in order; `undefined` until somebody asks. */
  #order: number[] | undefined = []
  #holders = 1

  /** Its first holder is whoever makes it. */
  constructor(room: MemoryRoom) {
    this.#room = room
  }

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

  /** Writes what there is room for, as the kernel does. @throws EFBIG; ENOSPC if there is room for nothing */
  write(from: Uint8Array, position: number): number {
    if (from.length > largestFile - position) throw new PlyError('EFBIG', { syscall: 'write' })
    let done = 0
    while (done < from.length) {
      const at = position + done
      const start = at % pageSize
      const count = Math.min(pageSize - start, from.length - done)
      try {
        this.#page((at - start) / pageSize, start + count).set(from.subarray(done, done + count), start)
      } catch (error) {
        if (done === 0) throw error
        break
      }
      done += count
    }
    if (done > 0) this.size = Math.max(this.size, position + done)
    return done
  }

  truncate(size: number): void {
    if (size > largestFile) throw new PlyError('EFBIG', { syscall: 'ftruncate' })
    if (size <= this.size) {
      const kept = Math.ceil(size / pageSize)
      const order = this.#sorted()
      while (order.length > 0 && order.at(-1)! >= kept) this.#free(order.pop()!)
      for (const number of this.#reserved) if (number >= kept) this.#unreserve(number)
      // What is cut off must read as zeros when the file grows again.
      const page = this.#pages.get(kept - 1)
      if (size % pageSize > 0) page?.fill(0, Math.min(page.length, size % pageSize))
    }
    this.size = size
  }

  /** @throws EFBIG, ENOSPC */
  allocate(what: Allocation, position: number, length: number): void {
    if (length > largestFile - position) throw new PlyError('EFBIG', { syscall: 'fallocate' })
    const end = position + length
    if (what === 'punch' || what === 'zero') this.#clear(position, Math.min(end, this.size), what === 'punch')
    if (what !== 'punch') this.#reserve(position, end)
    if (what === 'extend' && end > this.size) this.size = end
  }

  /** Runs are whole pages. */
  nextData(position: number): Run | undefined {
    const order = this.#sorted()
    let at = firstFrom(order, Math.floor(position / pageSize))
    const first = order[at]
    if (first === undefined || first * pageSize >= this.size || position >= this.size) return undefined
    let end = first + 1
    while (order[++at] === end) end++
    return { start: Math.max(position, first * pageSize), end: Math.min(end * pageSize, this.size) }
  }

  /** A handle on it: for reading and, where the caller lets it, for writing. */
  opened(onClose?: () => void): WritableBytes {
    this.#holders++
    return new OpenContent(this, onClose)
  }

  /** One holder less: with the last one the memory goes. */
  release(): void {
    if (--this.#holders > 0) return
    for (const [number, page] of this.#pages) if (!this.#reserved.has(number)) this.#room.give(page.length)
    this.#room.give(this.#reserved.size * pageSize)
    this.#pages.clear()
    this.#reserved.clear()
    this.#order = []
  }

  #page(number: number, length: number): Buffer {
    const page = this.#pages.get(number)
    if (page !== undefined && page.length >= length) return page
    const grownTo = Math.min(pageSize, Math.max(64, 2 ** Math.ceil(Math.log2(length))))
    if (!this.#reserved.has(number)) this.#room.take(grownTo - (page?.length ?? 0))
    const grown = Buffer.alloc(grownTo)
    if (page !== undefined) grown.set(page)
    this.#pages.set(number, grown)
    if (page === undefined && this.#order) {
      if (this.#order.length === 0 || number > this.#order.at(-1)!) this.#order.push(number)
      else this.#order = undefined
    }
    return grown
  }

  /** Makes a range read as zeros; with `release`, whole pages of it go. */
  #clear(position: number, end: number, release: boolean): void {
    const order = this.#sorted()
    let gone = false
    for (let at = firstFrom(order, Math.floor(position / pageSize)); at < order.length; at++) {
      const number = order[at]!
      const start = number * pageSize
      if (start >= end) break
      const whole = position <= start && end >= Math.min(start + pageSize, this.size)
      if (whole) {
        this.#free(number)
        gone = true
      } else {
        const page = this.#pages.get(number)!
        page.fill(0, Math.min(page.length, Math.max(0, position - start)), Math.min(page.length, end - start))
      }
    }
    if (gone) this.#order = undefined
    if (!release) return
    for (const number of this.#reserved) {
      if (number * pageSize >= position && (number + 1) * pageSize <= end) this.#unreserve(number)
    }
  }

  #reserve(position: number, end: number): void {
    const first = Math.floor(position / pageSize)
    const last = Math.ceil(end / pageSize)
    const atLeast = (last - first - this.#pages.size - this.#reserved.size) * pageSize
    if (atLeast > this.#room.free) throw new PlyError('ENOSPC', { syscall: 'fallocate' })
    let bytes = 0
    for (let number = first; number < last; number++) {
      if (!this.#reserved.has(number)) bytes += pageSize - (this.#pages.get(number)?.length ?? 0)
    }
    this.#room.take(bytes)
    for (let number = first; number < last; number++) this.#reserved.add(number)
  }

  #unreserve(number: number): void {
    this.#reserved.delete(number)
    this.#room.give(pageSize - (this.#pages.get(number)?.length ?? 0))
  }

  /** Lets a page go; what was reserved for it stays so. The caller keeps the order. */
  #free(number: number): void {
    if (!this.#reserved.has(number)) this.#room.give(this.#pages.get(number)!.length)
    this.#pages.delete(number)
  }

  #sorted(): number[] {
    this.#order ??= [...this.#pages.keys()].sort((a, b) => a - b)
    return this.#order
  }
}

/** Content in memory that is a copy of other content, with its holes. */
export function copiedContent(content: Bytes, room: MemoryRoom): MemoryContent {
  const copy = new MemoryContent(room)
  const writer = copy.opened()
  try {
    copyRange(content, 0, writer, 0, content.size)
    return copy
  } catch (error) {
    copy.release()
    throw error
  } finally {
    writer.close()
  }
}

/** Where the first number from `wanted` on is in an ordered list. */
function firstFrom(order: readonly number[], wanted: number): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

class OpenContent implements WritableBytes {
  #content: MemoryContent | undefined
  readonly #onClose: (() => void) | undefined

  constructor(content: MemoryContent, onClose: (() => void) | undefined) {
    this.#content = content
    this.#onClose = onClose
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

  allocate(what: Allocation, position: number, length: number): void {
    this.#opened('fallocate').allocate(what, position, length)
  }

  readonly nextData = (position: number): Run | undefined => this.#opened('lseek').nextData(position)

  sync(): void {
    this.#opened('fsync')
  }

  close(): void {
    const content = this.#content
    if (!content) return
    this.#content = undefined
    content.release()
    this.#onClose?.()
  }

  #opened(syscall: string): MemoryContent {
    if (!this.#content) throw new PlyError('EBADF', { syscall })
    return this.#content
  }
}
