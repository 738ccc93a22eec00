import { crc32 } from 'node:zlib'
import { type DiffId, type Digest, hexOf } from '../model/digest.ts'
import type { Bytes } from '../stream/bytes.ts'
import { DigestTable, digestSize } from './digest-table.ts'

/**
 * A file of digests: records of one size, in any order, appended by anybody at any time (docs/store-format.md).
 *
 * A record is `mark` (4 bytes), CRC-32 (4), key, SHA-256 (32). The CRC begins with that of the subject, so a record is
 * believed only in a file about what it was written for.
 */
export interface SumsFormat {
  /** Four ASCII characters; the last one is the version of the format. */
  readonly mark: string
  /** Bytes; a multiple of four. */
  readonly keySize: number
  /** What the digests are about. */
  readonly subject: string
}

/** Digests of contents by their place in a layer: offset (top bit set: in the spill file) and size, both 64 bits. */
export function contentFormat(diffId: DiffId): SumsFormat {
  return { mark: 'PLC1', keySize: 16, subject: diffId }
}

/** Digests of files of this machine by device, inode number, change time in nanoseconds and size, 64 bits each. */
export const fileFormat: SumsFormat = { mark: 'PLF1', keySize: 32, subject: 'files' }

/** More than this no file of digests has: one that is larger is damaged. */
const mostBytes = 2 ** 30
const chunkSize = 1 << 20
const headSize = 8

export function recordSize({ keySize }: SumsFormat): number {
  return headSize + keySize + digestSize
}

/** Where a content begins in its layer. */
interface Start {
  readonly offset: number
  /** In the layer's spill file, not in its tar. */
  readonly spill?: boolean | undefined
}

/** The key of a content. `into` has room for 16 bytes. */
export function contentKey(into: Buffer, place: Start, size: number): Buffer {
  const high = Math.floor(place.offset / 2 ** 32)
  into.writeUInt32LE(place.offset % 2 ** 32, 0)
  into.writeUInt32LE(place.spill === true ? high + 2 ** 31 : high, 4)
  into.writeUInt32LE(size % 2 ** 32, 8)
  into.writeUInt32LE(Math.floor(size / 2 ** 32), 12)
  return into
}

/** What tells whether a file of the disk is still what it was. */
export interface FileIdentity {
  readonly device: bigint
  /** Inode number on that device. */
  readonly number: bigint
  /** Change time in nanoseconds since the epoch. */
  readonly changed: bigint
  /** Bytes. */
  readonly size: number
}

/** The key of a file. `into` has room for 32 bytes. */
export function fileKey(into: Buffer, { device, number, changed, size }: FileIdentity): Buffer {
  into.writeBigUInt64LE(BigInt.asUintN(64, device), 0)
  into.writeBigUInt64LE(BigInt.asUintN(64, number), 8)
  into.writeBigInt64LE(BigInt.asIntN(64, changed), 16)
  into.writeBigUInt64LE(BigInt(size), 24)
  return into
}

/** Records on their way into a file, as many as are worth a write. */
export class SumsBatch {
  readonly #format: SumsFormat
  readonly #seed: number
  readonly #size: number
  readonly #records: Buffer
  #filled = 0

  constructor(format: SumsFormat, capacity = 1024) {
    this.#format = format
    this.#seed = crc32(format.subject)
    this.#size = recordSize(format)
    this.#records = Buffer.allocUnsafeSlow(this.#size * capacity)
  }

  get empty(): boolean {
    return this.#filled === 0
  }

  get full(): boolean {
    return this.#filled === this.#records.length
  }

  /** Adds a record and answers its key and digest, which are there until the next `take`. Not called when `full`. */
  add(key: Uint8Array, digest: Digest): Buffer {
    const record = this.#records.subarray(this.#filled, this.#filled + this.#size)
    record.write(this.#format.mark, 0, 4, 'latin1')
    record.set(key.subarray(0, this.#format.keySize), headSize)
    record.write(hexOf(digest), headSize + this.#format.keySize, digestSize, 'hex')
    const entry = record.subarray(headSize)
    record.writeUInt32LE(crc32(entry, this.#seed), 4)
    this.#filled += this.#size
    return entry
  }

  /** The records so far, which are there until the next `add`; the batch is empty then. */
  take(): Buffer {
    const filled = this.#records.subarray(0, this.#filled)
    this.#filled = 0
    return filled
  }
}

/**
 * Every whole record, in the order of the file: `use` gets the chunk and where the record begins in it. What is torn,
 * damaged or about something else is passed over; the next whole record is found wherever it begins.
 */
export function readRecords(bytes: Bytes, format: SumsFormat, use: (chunk: Buffer, at: number) => void): void {
  if (bytes.size > mostBytes) return
  const mark = Buffer.from(format.mark, 'latin1')
  const word = mark.readUInt32LE()
  const seed = crc32(format.subject)
  const size = recordSize(format)
  const buffer = Buffer.allocUnsafeSlow(Math.min(bytes.size, chunkSize))
  let kept = 0
  for (let position = 0; position < bytes.size; ) {
    const got = bytes.read(buffer.subarray(kept), position)
    if (got === 0) return
    position += got
    const end = kept + got
    let at = 0
    while (at + size <= end) {
      const good =
        buffer.readUInt32LE(at) === word &&
        crc32(buffer.subarray(at + headSize, at + size), seed) === buffer.readUInt32LE(at + 4)
      if (good) {
        use(buffer, at)
        at += size
        continue
      }
      const next = buffer.subarray(0, end).indexOf(mark, at + 1)
      // The mark itself may be cut by the end of the chunk.
      at = next < 0 ? end - mark.length + 1 : next
    }
    buffer.copyWithin(0, at, end)
    kept = end - at
  }
}

/** The digests in a file. Of two records with one key the later counts. */
export function readSums(bytes: Bytes, format: SumsFormat): DigestTable {
  const expected = bytes.size > mostBytes ? 0 : Math.floor(bytes.size / recordSize(format))
  const table = new DigestTable(format.keySize, expected)
  readRecords(bytes, format, (chunk, at) => table.set(chunk, at + headSize))
  return table
}
