import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

/** Where fields of a record are written: a buffer that grows. Numbers are LEB128, little endian base 128. */
export class FieldWriter {
  #buffer = Buffer.allocUnsafe(4096)
  length = 0

  /** What has been written; valid until the next write. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length)
  }

  byte(value: number): void {
    this.#room(1)
    this.#buffer[this.length++] = value
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(value: number): void {
    this.#room(8)
    while (value > 0x7f) {
      this.#buffer[this.length++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    this.#buffer[this.length++] = value
  }

  text(value: ByteString): void {
    this.number(value.length)
    this.#room(value.length)
    this.length += this.#buffer.write(value, this.length, 'latin1')
  }

  data(value: Uint8Array): void {
    this.number(value.length)
    this.#room(value.length)
    this.#buffer.set(value, this.length)
    this.length += value.length
  }

  /** Nanoseconds as seconds (signed, 64 bits) and nanoseconds (32 bits): years beyond 2262 are legal (layer-semantics M-01). */
  time(value: bigint): void {
    this.#room(12)
    const nanoseconds = ((value % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
    this.#buffer.writeBigInt64LE((value - nanoseconds) / 1_000_000_000n, this.length)
    this.#buffer.writeUInt32LE(Number(nanoseconds), this.length + 8)
    this.length += 12
  }

  /** Room for four bytes that are known only later, and their position. */
  hole(): number {
    this.#room(4)
    this.length += 4
    return this.length - 4
  }

  fill(position: number, value: number): void {
    this.#buffer.writeUInt32LE(value, position)
  }

  #room(size: number): void {
    if (this.length + size <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + size))
    this.#buffer.copy(larger, 0, 0, this.length)
    this.#buffer = larger
  }
}

/** Reads what a `FieldWriter` wrote. @throws PLY_BAD_DOCUMENT where the record ends too early. */
export class FieldReader {
  readonly #buffer: Buffer
  readonly #end: number
  #position: number

  constructor(buffer: Buffer, from: number, end: number) {
    this.#buffer = buffer
    this.#position = from
    this.#end = end
  }

  byte(): number {
    this.#need(1)
    return this.#buffer[this.#position++]!
  }

  number(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 128
    }
    if (!Number.isSafeInteger(value)) throw damaged('a number is out of range')
    return value
  }

  text(): ByteString {
    const length = this.number()
    this.#need(length)
    const text = this.#buffer.toString('latin1', this.#position, this.#position + length)
    this.#position += length
    return text
  }

  /** A copy of its own. */
  data(): Buffer {
    const length = this.number()
    this.#need(length)
    const data = Buffer.from(this.#buffer.subarray(this.#position, this.#position + length))
    this.#position += length
    return data
  }

  time(): bigint {
    this.#need(12)
    const value =
      this.#buffer.readBigInt64LE(this.#position) * 1_000_000_000n +
      BigInt(this.#buffer.readUInt32LE(this.#position + 8))
    this.#position += 12
    return value
  }

  #need(size: number): void {
    if (this.#position + size > this.#end) throw damaged('a record ends inside a field')
  }
}

export function damaged(reason: string): PlyError {
  return new PlyError('PLY_BAD_DOCUMENT', { what: 'the log of an upper', reason })
}
