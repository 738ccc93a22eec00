import { PlyError } from '../model/errors.ts'
import type { Run } from '../stream/bytes.ts'
import type { Allocation, WritableBytes } from './upper.ts'

/** Content that somebody writes: each change first takes from the file what a change of theirs takes from it. */
export class UserWriter implements WritableBytes {
  readonly #content: WritableBytes
  readonly #readable: boolean
  readonly #beforeChange: () => void

  constructor(content: WritableBytes, readable: boolean, beforeChange: () => void) {
    this.#content = content
    this.#readable = readable
    this.#beforeChange = beforeChange
  }

  get size(): number {
    return this.#content.size
  }

  get extent(): WritableBytes['extent'] {
    return this.#readable ? this.#content.extent : undefined
  }

  get nextData(): ((position: number) => Run | undefined) | undefined {
    return this.#content.nextData
  }

  read(into: Uint8Array, position: number): number {
    if (!this.#readable) throw new PlyError('EBADF', { syscall: 'read' })
    return this.#content.read(into, position)
  }

  write(from: Uint8Array, position: number): number {
    if (from.length > 0) this.#beforeChange()
    return this.#content.write(from, position)
  }

  truncate(size: number): void {
    this.#beforeChange()
    this.#content.truncate(size)
  }

  allocate(what: Allocation, position: number, length: number): void {
    this.#beforeChange()
    this.#content.allocate(what, position, length)
  }

  sync(): void {
    this.#content.sync()
  }

  close(): void {
    this.#content.close()
  }
}
