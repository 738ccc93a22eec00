import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { requestHeaderSize } from './protocol.ts'

const high = 2 ** 32

/**
 * A request, in memory that the next one is read into: what is kept of it is copied. Places are bytes from the start of the body
 * and multiples of four, as `<linux/fuse.h>` lays structures out on 64-bit machines that are little-endian.
 */
export class Request {
  readonly memory: Buffer
  readonly #words: Uint32Array
  #length = 0

  /** @param size bytes: what the kernel is told to write at most, and a page for what goes with it. */
  constructor(size: number) {
    this.memory = Buffer.allocUnsafeSlow(size)
    this.#words = new Uint32Array(this.memory.buffer)
  }

  /** To be called when a request of so many bytes has arrived in `memory`. @throws EIO for what is not even a header */
  arrived(length: number): void {
    if (length < requestHeaderSize || this.#words[0] !== length) throw new PlyError('EIO', { syscall: 'read' })
    this.#length = length
  }

  get opcode(): number {
    return this.#words[1]!
  }

  /** The name of the request, in halves: an answer repeats it. */
  get uniqueLow(): number {
    return this.#words[2]!
  }

  get uniqueHigh(): number {
    return this.#words[3]!
  }

  /** The kernel's number of the inode that it is about. */
  get node(): number {
    return this.#words[4]! + this.#words[5]! * high
  }

  get uid(): number {
    return this.#words[6]!
  }

  get gid(): number {
    return this.#words[7]!
  }

  /** Bytes after the header. */
  get size(): number {
    return this.#length - requestHeaderSize
  }

  u32(at: number): number {
    if (at + 4 > this.size) throw short()
    return this.#words[(at + requestHeaderSize) >>> 2]!
  }

  /** Exact up to 2^53. */
  u64(at: number): number {
    if (at + 8 > this.size) throw short()
    const word = (at + requestHeaderSize) >>> 2
    return this.#words[word]! + this.#words[word + 1]! * high
  }

  exact64(at: number): bigint {
    if (at + 8 > this.size) throw short()
    return this.memory.readBigUInt64LE(at + requestHeaderSize)
  }

  /** Nanoseconds since the epoch, from signed seconds in one place and nanoseconds in another. */
  time(seconds: number, nanoseconds: number): bigint {
    return BigInt.asIntN(64, this.exact64(seconds)) * 1_000_000_000n + BigInt(this.u32(nanoseconds))
  }

  /** The bytes up to the next NUL. */
  text(at: number): ByteString {
    const start = at + requestHeaderSize
    const end = this.memory.indexOf(0, start)
    if (end < 0 || end >= this.#length) throw short()
    return this.memory.toString('latin1', start, end)
  }

  /** A part of the body as it lies in the memory. */
  bytes(at: number, length: number): Buffer {
    if (at + length > this.size) throw short()
    return this.memory.subarray(at + requestHeaderSize, at + requestHeaderSize + length)
  }
}

function short(): PlyError {
  return new PlyError('EINVAL', { syscall: 'read' })
}
