import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Allocation, WritableBytes } from '../union/upper.ts'
import { copyBetween } from './copy-between.ts'

/** Content that is open or not yet synced. Its size is kept here: only this process writes it. */
export interface LiveContent {
  readonly number: number
  /** For reading and writing, shared by all handles; absent while there are none, and until the first write makes the file. */
  fd: number | undefined
  size: number
  handles: number
  dirty: boolean
  /** No inode has it any more; only handles that were open do. */
  removed: boolean
}

/** What a handle calls. */
export interface ContentCalls {
  /** Makes the file, where there is none yet. */
  readonly make: () => number
  readonly onClose: () => void
  readonly onSync: () => void
  /** Whether it is worth trying again what failed. */
  readonly makesRoom: (error: unknown) => boolean
}

/** One handle on the content of a file. */
export class ContentHandle implements WritableBytes {
  readonly #disk: Disk
  readonly #live: LiveContent
  readonly #calls: ContentCalls
  #closed = false

  constructor(disk: Disk, live: LiveContent, calls: ContentCalls) {
    this.#disk = disk
    this.#live = live
    this.#calls = calls
  }

  get size(): number {
    return this.#live.size
  }

  get extent(): { readonly fd: number; readonly offset: number } | undefined {
    const fd = this.#opened('read')
    return fd === undefined ? undefined : { fd, offset: 0 }
  }

  read(into: Uint8Array, position: number): number {
    const fd = this.#opened('read')
    return fd === undefined ? 0 : this.#disk.fs.readSync(fd, into, 0, into.length, position)
  }

  write(from: Uint8Array, position: number): number {
    if (from.length === 0) return 0
    this.#live.dirty = !this.#live.removed
    const written = this.#written(from, position)
    if (position + written > this.#live.size) this.#live.size = position + written
    return written
  }

  truncate(size: number): void {
    if (size === 0 && this.#opened('ftruncate') === undefined) return
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
    if (!dataFrom) return undefined
    return (position) => {
      const fd = this.#opened('lseek')
      return fd === undefined ? undefined : dataFrom(fd, position, this.#live.size)
    }
  }

  sync(): void {
    const fd = this.#opened('fdatasync')
    if (fd !== undefined) this.#disk.fs.fdatasyncSync(fd)
    this.#calls.onSync()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
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

  /** `undefined`: nothing was ever written, there is no file. */
  #opened(syscall: string): number | undefined {
    if (this.#closed) throw new PlyError('EBADF', { syscall })
    return this.#live.fd
  }

  #open(syscall: string): number {
    return this.#opened(syscall) ?? this.#calls.make()
  }
}
