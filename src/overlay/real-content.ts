import * as fs from 'node:fs'
import { PlyError } from '../model/errors.ts'
import type { Bytes, Run } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Allocation, WritableBytes } from '../union/upper.ts'
import { copyBetween } from './copy-between.ts'

export interface ContentEvents {
  /** Called before content changes. */
  readonly onChange?: () => void
  readonly onClose?: () => void
}

/** The content of a real file. Others may write it too: its size is asked each time. */
export class RealContent implements WritableBytes {
  readonly #disk: Disk
  readonly #on: ContentEvents
  #fd: number | undefined

  constructor(disk: Disk, fd: number, on: ContentEvents = {}) {
    this.#disk = disk
    this.#fd = fd
    this.#on = on
  }

  get size(): number {
    return fs.fstatSync(this.#open('fstat')).size
  }

  get extent(): { readonly fd: number; readonly offset: number } {
    return { fd: this.#open('read'), offset: 0 }
  }

  readonly nextData = (position: number): Run | undefined => {
    const fd = this.#open('lseek')
    const size = fs.fstatSync(fd).size
    if (position >= size) return undefined
    return this.#disk.dataFrom ? this.#disk.dataFrom(fd, position, size) : { start: position, end: size }
  }

  read(into: Uint8Array, position: number): number {
    const fd = this.#open('read')
    let filled = 0
    while (filled < into.length) {
      const got = fs.readSync(fd, into, filled, into.length - filled, position + filled)
      if (got === 0) break
      filled += got
    }
    return filled
  }

  write(from: Uint8Array, position: number): number {
    this.#on.onChange?.()
    return fs.writeSync(this.#open('write'), from, 0, from.length, position)
  }

  truncate(size: number): void {
    this.#on.onChange?.()
    fs.ftruncateSync(this.#open('ftruncate'), size)
  }

  allocate(what: Allocation, position: number, length: number): void {
    this.#on.onChange?.()
    this.#disk.allocate(this.#open('fallocate'), what, position, length)
  }

  copyFrom(from: Bytes, fromPosition: number, position: number, length: number): number {
    this.#on.onChange?.()
    return copyBetween(this.#disk, from, fromPosition, { fd: this.#open('write'), offset: position }, length)
  }

  sync(): void {
    fs.fsyncSync(this.#open('fsync'))
  }

  close(): void {
    if (this.#fd === undefined) return
    fs.closeSync(this.#fd)
    this.#fd = undefined
    this.#on.onClose?.()
  }

  #open(syscall: string): number {
    if (this.#fd === undefined) throw new PlyError('EBADF', { syscall })
    return this.#fd
  }
}
