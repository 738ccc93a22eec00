import type { ByteString } from '../model/bytes.ts'
import { type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { kindOfMode, majorOf, minorOf, noBlock } from './columns.ts'
import type { Directory } from './directories.ts'
import type { Device, Extent } from './format.ts'
import { chunked, chunkIndexes, flat, inlineTail } from './inode.ts'
import type { InodeRow } from './inode-row.ts'
import { inodeSize, roundUp } from './layout.ts'
import type { Pages } from './pages.ts'
import type { Fail } from './refusal.ts'
import { blockSize, nidSize } from './superblock.ts'
import { readXattrs } from './xattr-reader.ts'

/** By the bits that say it: a power takes longer than all else that is done to find a content. */
const chunkSizes = Float64Array.from({ length: 32 }, (_, bits) => 2 ** (bits + 9))

/** Single inodes, read where they stand. A number that is no inode, or an inode that makes no sense, fails. */
export class InodeReader {
  readonly #pages: Pages
  /** Where inodes begin and the image ends, in bytes. */
  readonly #start: number
  readonly #end: number
  readonly #devices: readonly Device[]
  readonly #fail: Fail
  /** Byte offset in the file of the inode opened last, its buffer, and where it is in there. */
  #at = 0
  #buffer: Buffer = Buffer.alloc(0)
  #offset = 0
  /** Where the content of the file located last lies. */
  #block = noBlock
  #device = 0

  constructor(pages: Pages, start: number, end: number, devices: readonly Device[], fail: Fail) {
    this.#pages = pages
    this.#start = start
    this.#end = end
    this.#devices = devices
    this.#fail = fail
  }

  kind(nid: number): Kind {
    return this.#open(nid)
  }

  /** Bytes of a file or symlink; 0 for anything else. */
  size(nid: number): number {
    const kind = this.#open(nid)
    return kind === 'file' || kind === 'symlink' ? this.#size() : 0
  }

  stat(ino: number): Stat {
    const kind = this.#open(ino)
    const buffer = this.#buffer
    const o = this.#offset
    const device = kind === 'character' || kind === 'block' ? buffer.readUInt32LE(o + 16) : 0
    const seconds = buffer.readUInt32LE(o + 32)
    // Times from 1970 to 2106 need no 64-bit arithmetic: the common case, and bigint products are dear.
    const whole = buffer.readUInt32LE(o + 36) === 0 ? BigInt(seconds) : buffer.readBigInt64LE(o + 32)
    return {
      ino,
      kind,
      mode: buffer.readUInt16LE(o + 4) & 0o7777,
      uid: buffer.readUInt32LE(o + 24),
      gid: buffer.readUInt32LE(o + 28),
      mtime: whole * 1_000_000_000n + BigInt(buffer.readUInt32LE(o + 40)),
      size: kind === 'file' || kind === 'symlink' ? this.#size() : 0,
      links: buffer.readUInt32LE(o + 44),
      major: majorOf(device),
      minor: minorOf(device),
    }
  }

  /** Everything but the facts. */
  load(nid: number, row: InodeRow): void {
    const kind = this.#open(nid)
    const buffer = this.#buffer
    const o = this.#offset
    row.hasXattrs = buffer.readUInt16LE(o + 2) !== 0
    row.mode = buffer.readUInt16LE(o + 4)
    row.uid = buffer.readUInt32LE(o + 24)
    row.gid = buffer.readUInt32LE(o + 28)
    row.secondsLow = buffer.readUInt32LE(o + 32)
    row.secondsHigh = buffer.readUInt32LE(o + 36)
    row.nanoseconds = buffer.readUInt32LE(o + 40)
    row.links = buffer.readUInt32LE(o + 44)
    row.size = kind === 'file' || kind === 'symlink' ? this.#size() : 0
    row.place = kind === 'character' || kind === 'block' ? buffer.readUInt32LE(o + 16) : noBlock
    row.device = 0
    if (kind !== 'file' || row.size === 0) return
    this.#locate(nid, row.size)
    row.place = this.#block
    row.device = this.#device
  }

  /** @throws EINVAL if it is no symlink. */
  readlink(nid: number): ByteString {
    if (this.#open(nid) !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    const size = this.#size()
    if (size === 0) return ''
    const at = this.#layout() === inlineTail ? this.#behind() : this.#blockAt()
    this.#check(at, size)
    const buffer = this.#pages.view(at, size)
    return buffer.toString('latin1', this.#pages.offset, this.#pages.offset + size)
  }

  xattrs(nid: number): Xattrs {
    this.#open(nid)
    const size = this.#xattrSize()
    if (size === 0) return noXattrs
    this.#check(this.#at + inodeSize, size)
    return readXattrs(this.#pages, this.#at + inodeSize, size, this.#end, this.#fail)
  }

  /** `undefined` where a file has no bytes in a device: it is empty, or nothing but a hole. @throws EISDIR, EINVAL */
  extent(nid: number): Extent | undefined {
    const kind = this.#open(nid)
    if (kind !== 'file') throw new PlyError(kind === 'directory' ? 'EISDIR' : 'EINVAL', { syscall: 'read' })
    const size = this.#size()
    if (size === 0) return undefined
    this.#locate(nid, size)
    return this.#block === noBlock ? undefined : { device: this.#device, offset: this.#block * blockSize }
  }

  /** Where the content of the file that is open begins. */
  #locate(nid: number, size: number): void {
    const format = this.#buffer.readUInt32LE(this.#offset + 16)
    const sensible = this.#layout() === chunked && (format & ~31) === chunkIndexes && size <= chunkSizes[format & 31]!
    if (!sensible) this.#fail(`file ${nid} makes no sense`)
    const at = this.#at + roundUp(inodeSize + this.#xattrSize(), 8)
    this.#check(at, 8)
    this.#block = this.#pages.u32(at + 4)
    this.#device = 0
    if (this.#block === noBlock) return
    this.#device = (this.#pages.u32(at) >>> 16) - 1
    const whole = this.#devices[this.#device]
    if (!whole || this.#block * blockSize + size > whole.size) this.#fail(`file ${nid} lies outside of its tar`)
  }

  /** @throws ENOTDIR */
  directory(nid: number): Directory {
    if (this.#open(nid) !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    const size = this.#size()
    const blocks = Math.ceil(size / blockSize)
    const start = this.#buffer.readUInt32LE(this.#offset + 16) === noBlock ? 0 : this.#blockAt()
    if (size === 0) this.#fail(`directory ${nid} makes no sense`)
    const lastSize = size - (blocks - 1) * blockSize
    const last = this.#layout() === inlineTail ? this.#behind() : start + (blocks - 1) * blockSize
    if (blocks > 1 || this.#layout() === flat) this.#check(start, (blocks - 1) * blockSize)
    this.#check(last, lastSize)
    return { nid, blocks, start, last, lastSize }
  }

  #open(nid: number): Kind {
    const at = nid * nidSize
    if (!(Number.isInteger(nid) && at >= this.#start && at + inodeSize <= this.#end))
      this.#fail(`there is no inode ${nid}`)
    const buffer = this.#pages.view(at, inodeSize)
    const offset = this.#pages.offset
    const format = buffer[offset]! | (buffer[offset + 1]! << 8)
    const kind = kindOfMode(buffer[offset + 4]! | (buffer[offset + 5]! << 8))
    const layout = format >> 1
    const known = layout === flat || layout === inlineTail || layout === chunked
    if ((format & 1) === 0 || !known || kind === undefined) return this.#fail(`there is no inode ${nid}`)
    this.#at = at
    this.#buffer = buffer
    this.#offset = offset
    return kind
  }

  #layout(): number {
    return this.#buffer[this.#offset]! >> 1
  }

  #size(): number {
    const high = this.#buffer.readUInt32LE(this.#offset + 12)
    if (high > 0xffff) this.#fail('a size in it is beyond all bounds')
    return high * 2 ** 32 + this.#buffer.readUInt32LE(this.#offset + 8)
  }

  #xattrSize(): number {
    const count = this.#buffer.readUInt16LE(this.#offset + 2)
    return count === 0 ? 0 : 12 + (count - 1) * 4
  }

  #behind(): number {
    return this.#at + inodeSize + this.#xattrSize()
  }

  #blockAt(): number {
    return this.#buffer.readUInt32LE(this.#offset + 16) * blockSize
  }

  #check(at: number, length: number): void {
    if (at < this.#start || at + length > this.#end) this.#fail(`inode ${this.#at / nidSize} reaches out of it`)
  }
}
