import * as fs from 'node:fs'
import { PlyError } from '../model/errors.ts'
import type { WritableBytes } from '../union/upper.ts'

/** The content of a real file. Others may write it too: its size is asked each time. */
export class RealContent implements WritableBytes {
  #fd: number | undefined

  constructor(fd: number) {
    this.#fd = fd
  }

  get size(): number {
    return fs.fstatSync(this.#open('fstat')).size
  }

  get extent(): { readonly fd: number; readonly offset: number } {
    return { fd: this.#open('read'), offset: 0 }
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
    return fs.writeSync(this.#open('write'), from, 0, from.length, position)
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#open('ftruncate'), size)
  }

  sync(): void {
    fs.fsyncSync(this.#open('fsync'))
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  #open(syscall: string): number {
    if (this.#fd === undefined) throw new PlyError('EBADF', { syscall })
    return this.#fd
  }
}
