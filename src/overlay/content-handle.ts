import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Allocation, WritableBytes } from '../union/upper.ts'
import { copyBetween } from './copy-between.ts'

/** Content that is open or not yet synced. Its size is kept here: only this process writes it. */
export interface LiveContent {
  readonly number: number
  size: number
  handles: number
  dirty: boolean
  /** No inode has it any more; only handles that were open do. */
  removed: boolean
}

/** What a handle calls. */
export interface ContentCalls {
  readonly onClose: () => void
  readonly onSync: () => void
  /** Whether it is worth trying again what failed. */
  readonly makesRoom: (error: unknown) => boolean
}

/** One open descriptor on the content of a file. */
export class ContentHandle implements WritableBytes {
  readonly #disk: Disk
  readonly #live: LiveContent
  readonly #calls: ContentCalls
  #fd: number | undefined

  constructor(disk: Disk, fd: number, live: LiveContent, calls: ContentCalls) {
    this.#disk = disk
    this.#fd = fd
    this.#live = live
    this.#calls = calls
  }

  get size(): number {
    return this.#live.size
  }

  get extent(): { readonly fd: number; readonly offset: number } {
    return { fd: this.#open('read'), offset: 0 }
  }

  read(into: Uint8Array, position: number): number {
    return this.#disk.fs.readSync(this.#open('read'), into, 0, into.length, position)
  }

  write(from: Uint8Array, position: number): number {
    if (from.length === 0) return 0
    this.#live.dirty = !this.#live.removed
    const written = this.#written(from, position)
    if (position + written > this.#live.size) this.#live.size = position + written
    return written
  }

  truncate(size: number): void {
    this.#live.dirty = !this.#live.removed
    const fd = this.#open('ftruncate')
    this.#roomy(() => this.#disk.fs.ftruncateSync(fd, size))
    this.#live.size = size
  }

  allocate(what: Allocation, position: number, length: number): void {
    this.#live.dirty = !this.#live.removed
    const fd = this.#open('fallocate')
    this.#roomy(() => this.#disk.allocate(fd, what, position, length))
    if (what === 'extend' && position + length > this.#live.size) this.#live.size = position + length
  }

  copyFrom(from: Bytes, fromPosition: number, position: number, length: number): number {
    const to = { fd: this.#open('write'), offset: position }
    const copied = this.#roomy(() => copyBetween(this.#disk, from, fromPosition, to, length))
    if (copied === 0) return 0
    this.#live.dirty = !this.#live.removed
    if (position + copied > this.#live.size) this.#live.size = position + copied
    return copied
  }

  /** Absent on a disk that knows of no holes. */
  get nextData(): ((position: number) => Run | undefined) | undefined {
    const { dataFrom } = this.#disk
    return dataFrom && ((position) => dataFrom(this.#open('lseek'), position, this.#live.size))
  }

  sync(): void {
    this.#disk.fs.fdatasyncSync(this.#open('fdatasync'))
    this.#calls.onSync()
  }

  close(): void {
    if (this.#fd === undefined) return
    this.#disk.fs.closeSync(this.#fd)
    this.#fd = undefined
    this.#calls.onClose()
  }

  #written(from: Uint8Array, position: number): number {
    const fd = this.#open('write')
    try {
      return this.#disk.fs.writeSync(fd, from, 0, from.length, position)
    } catch (error) {
      if (!this.#calls.makesRoom(error)) throw error
      return this.#disk.fs.writeSync(fd, from, 0, from.length, position)
    }
  }

  #roomy<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      if (!this.#calls.makesRoom(error)) throw error
      return act()
    }
  }

  #open(syscall: string): number {
    if (this.#fd === undefined) throw new PlyError('EBADF', { syscall })
    return this.#fd
  }
}

/** A file that was made and never written, seen by a reader who may not make its file. */
export const emptyContent: WritableBytes = {
  size: 0,
  read: () => 0,
  write() {
    throw new PlyError('EROFS', { syscall: 'write' })
  },
  truncate() {
    throw new PlyError('EROFS', { syscall: 'ftruncate' })
  },
  allocate() {
    throw new PlyError('EROFS', { syscall: 'fallocate' })
  },
  sync() {},
  close() {},
}
