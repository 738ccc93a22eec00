import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { WritableBytes } from './upper.ts'

/** A block is as large as a page: then a write of pages reads nothing from below, and takes no more than its own size of the disk. */
const usualBlockSize = 4096

const recordSize = 64
const slotAt = [0, 512] as const
const youngAt = 1024
const pagesFrom = 4096
const pageSize = 4096
const [durableMagic, youngMagic] = ['plyblock', 'plyyoung']
const version = 1

/** A file that is kept in blocks: its size, and how many bytes of the content below may still show. */
export interface Extent {
  readonly size: number
  readonly below: number
}

/**
 * Which blocks of a file are its own, as a file says it (docs/upper-format.md). What it says is in two parts:
 *
 * - *durable*: written only of data that is on the disk, and then synced itself;
 * - *young*: written at once, after the data. It counts as long as the machine runs, whoever is killed, and no longer.
 *
 * So what was answered survives the end of the process, and after a loss of power each block is old or new.
 */
export class BlockMap {
  readonly blockSize: number
  readonly #file: Bytes
  readonly #boot: Buffer
  #bits = Buffer.alloc(pageSize)
  #now: Extent
  #durable: Extent
  #sequence: bigint
  /** Pages of which more is young than durable. */
  readonly #behind = new Set<number>()
  /** Whether the young part is of this boot already. */
  #isYoung: boolean

  private constructor(
    file: Bytes,
    boot: Buffer,
    found: { readonly blockSize: number; readonly durable: Extent; readonly sequence: bigint },
    young: Extent | undefined,
  ) {
    this.#file = file
    this.#boot = boot
    this.blockSize = found.blockSize
    this.#durable = found.durable
    this.#sequence = found.sequence
    this.#now = young ?? found.durable
    this.#isYoung = young !== undefined
  }

  /** Writes the map of a file that has no blocks yet, durably. `boot`: 16 bytes that are others after the machine has started anew. */
  static make(file: WritableBytes, boot: Buffer, size: number, blockSize = usualBlockSize): BlockMap {
    const durable = { size, below: size }
    file.truncate(0)
    writeAll(file, durableRecord(1n, blockSize, durable), slotAt[1])
    file.truncate(pagesFrom)
    file.sync()
    return new BlockMap(file, boot, { blockSize, durable, sequence: 1n }, undefined)
  }

  /** @throws EIO for what is no such map */
  static open(file: Bytes, boot: Buffer): BlockMap {
    const head = Buffer.alloc(pagesFrom)
    file.read(head, 0)
    const slots = slotAt.map((at) => readDurable(head.subarray(at, at + recordSize)))
    const [one, other] = slots
    const found = one && (!other || one.sequence > other.sequence) ? one : other
    if (!found) throw damaged('neither of its headers matches its checksum')
    const young = readYoung(head.subarray(youngAt, youngAt + recordSize), boot)
    const map = new BlockMap(file, boot, found, young)
    map.#load(file, young !== undefined)
    return map
  }

  get size(): number {
    return this.#now.size
  }

  /** Bytes of the content below that show where no block is. It never grows. */
  get below(): number {
    return this.#now.below
  }

  has(block: number): boolean {
    return ((this.#bits[block >>> 3] ?? 0) & (1 << (block & 7))) !== 0
  }

  /** The first block from `block` on, up to `end`, of which `has` says something else. */
  runEnd(block: number, end: number): number {
    const bits = this.#bits
    const is = this.has(block)
    const whole = is ? 0xff : 0
    let at = block + 1
    while (at < end) {
      if ((at & 7) === 0 && at + 8 <= end && (bits[at >>> 3] ?? 0) === whole) at += 8
      else if (this.has(at) === is) at++
      else return at
    }
    return end
  }

  /** The data of these blocks is written: from now on they are there. */
  keep(from: number, to: number): void {
    let at = from
    while (at < to && this.has(at)) at = this.runEnd(at, to)
    if (at >= to) return
    this.#rejuvenate()
    const first = at >>> 3
    const last = (to - 1) >>> 3
    this.#grow(last + 1)
    for (; at < to; at++) {
      if ((at & 7) === 0 && at + 8 <= to) {
        this.#bits[at >>> 3] = 0xff
        at += 7
      } else this.#bits[at >>> 3]! |= 1 << (at & 7)
    }
    for (let page = Math.floor(first / pageSize); page * pageSize <= last; page++) {
      const start = Math.max(first, page * pageSize)
      const end = Math.min(last + 1, (page + 1) * pageSize)
      this.#behind.add(page)
      writeAll(this.#writable(), this.#bits.subarray(start, end), youngPageAt(page) + (start % pageSize))
    }
  }

  /** The file is longer. */
  grow(size: number): void {
    if (size <= this.#now.size) return
    this.#sayYoung({ size, below: this.#now.below })
  }

  /**
   * The file is shorter: to be called before its data is cut off. What is on the disk then says so, or a loss of power could leave the
   * old size over data that is gone.
   */
  cut(size: number): void {
    const shorter = (extent: Extent) => ({ size: Math.min(extent.size, size), below: Math.min(extent.below, size) })
    const durable = shorter(this.#durable)
    if (durable.size !== this.#durable.size || durable.below !== this.#durable.below) {
      this.#sayDurable(durable)
      this.#writable().sync()
    }
    this.#sayYoung(shorter(this.#now))
  }

  /** Whether something is young that is not durable. */
  get isBehind(): boolean {
    const { size, below } = this.#durable
    return this.#behind.size > 0 || size !== this.#now.size || below !== this.#now.below
  }

  /** Makes durable what is said of data that is on the disk now. */
  sync(): void {
    if (!this.isBehind) return
    const file = this.#writable()
    const pages = [...this.#behind]
    for (const page of pages) {
      this.#grow((page + 1) * pageSize)
      writeAll(file, this.#bits.subarray(page * pageSize, (page + 1) * pageSize), durablePageAt(page))
    }
    if (pages.length > 0) file.sync()
    for (const page of pages) this.#behind.delete(page)
    const { size, below } = this.#now
    if (size === this.#durable.size && below === this.#durable.below) return
    // After the blocks: a size without them would show zeros.
    this.#sayDurable(this.#now)
    file.sync()
  }

  #load(file: Bytes, withYoung: boolean): void {
    const page = Buffer.alloc(pageSize)
    for (let number = 0; durablePageAt(number) < file.size; number++) {
      const start = number * pageSize
      this.#grow(start + pageSize)
      readFully(file, page, durablePageAt(number))
      page.copy(this.#bits, start)
      if (!withYoung) continue
      readFully(file, page, youngPageAt(number))
      for (let i = 0; i < pageSize; i++) {
        if ((page[i]! & ~this.#bits[start + i]!) === 0) continue
        this.#bits[start + i]! |= page[i]!
        this.#behind.add(number)
      }
    }
  }

  /** What an earlier boot left young is wiped off before the young part is this one's. */
  #rejuvenate(): void {
    if (this.#isYoung) return
    const file = this.#writable()
    const zeros = Buffer.alloc(pageSize)
    for (let page = 0; durablePageAt(page) < file.size; page++) writeAll(file, zeros, youngPageAt(page))
    writeAll(file, youngRecord(this.#boot, this.#now), youngAt)
    this.#isYoung = true
  }

  #sayYoung(extent: Extent): void {
    if (extent.size === this.#now.size && extent.below === this.#now.below) return
    this.#rejuvenate()
    writeAll(this.#writable(), youngRecord(this.#boot, extent), youngAt)
    this.#now = extent
  }

  #sayDurable(extent: Extent): void {
    const sequence = this.#sequence + 1n
    writeAll(this.#writable(), durableRecord(sequence, this.blockSize, extent), slotAt[Number(sequence & 1n)]!)
    this.#sequence = sequence
    this.#durable = extent
  }

  #grow(bytes: number): void {
    if (bytes <= this.#bits.length) return
    const grown = Buffer.alloc(Math.max(Math.ceil(bytes / pageSize) * pageSize, this.#bits.length * 2))
    this.#bits.copy(grown)
    this.#bits = grown
  }

  #writable(): WritableBytes {
    if (!('write' in this.#file)) throw new PlyError('EROFS', { syscall: 'write' })
    return this.#file as WritableBytes
  }
}

function durablePageAt(page: number): number {
  return pagesFrom + page * 2 * pageSize
}

function youngPageAt(page: number): number {
  return durablePageAt(page) + pageSize
}

function durableRecord(sequence: bigint, blockSize: number, { size, below }: Extent): Buffer {
  const record = Buffer.alloc(recordSize)
  record.write(durableMagic, 'latin1')
  record.writeUInt32LE(version, 8)
  record.writeUInt32LE(blockSize, 12)
  record.writeBigUInt64LE(sequence, 16)
  return sealed(record, size, below)
}

function youngRecord(boot: Buffer, { size, below }: Extent): Buffer {
  const record = Buffer.alloc(recordSize)
  record.write(youngMagic, 'latin1')
  boot.copy(record, 8, 0, 16)
  return sealed(record, size, below)
}

function sealed(record: Buffer, size: number, below: number): Buffer {
  record.writeBigUInt64LE(BigInt(size), 24)
  record.writeBigUInt64LE(BigInt(below), 32)
  record.writeUInt32LE(crc32(record.subarray(0, recordSize - 4)), recordSize - 4)
  return record
}

function isSealed(record: Buffer, magic: string): boolean {
  if (record.toString('latin1', 0, 8) !== magic) return false
  return record.readUInt32LE(recordSize - 4) === crc32(record.subarray(0, recordSize - 4))
}

function extentOf(record: Buffer): Extent {
  return { size: Number(record.readBigUInt64LE(24)), below: Number(record.readBigUInt64LE(32)) }
}

function readDurable(
  record: Buffer,
): { readonly blockSize: number; readonly durable: Extent; readonly sequence: bigint } | undefined {
  if (!isSealed(record, durableMagic)) return undefined
  const found = record.readUInt32LE(8)
  if (found !== version)
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `version ${found} of a map of blocks`,
      reason: `this version knows ${version}; use a later ply`,
    })
  return { blockSize: record.readUInt32LE(12), durable: extentOf(record), sequence: record.readBigUInt64LE(16) }
}

function readYoung(record: Buffer, boot: Buffer): Extent | undefined {
  return isSealed(record, youngMagic) && boot.equals(record.subarray(8, 24)) ? extentOf(record) : undefined
}

function writeAll(file: WritableBytes, from: Uint8Array, position: number): void {
  for (let done = 0; done < from.length; ) done += file.write(from.subarray(done), position + done)
}

/** What lies behind the end reads as zeros. */
function readFully(file: Bytes, into: Uint8Array, position: number): void {
  let done = 0
  while (done < into.length) {
    const got = file.read(into.subarray(done), position + done)
    if (got === 0) break
    done += got
  }
  into.fill(0, done)
}

function damaged(reason: string): PlyError {
  return new PlyError(
    'EIO',
    { syscall: 'open' },
    { cause: new Error(`the map of the blocks of a file is damaged: ${reason}`) },
  )
}
