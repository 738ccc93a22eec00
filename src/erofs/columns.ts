import { type Kind, typeBits } from '../model/entry.ts'
import type { Extent, InodeFacts, NewInode } from './format.ts'
import type { InodeRow } from './inode-row.ts'
import { unrepresentable } from './refusal.ts'

/** Bits of the facts of an inode, as the trailer stores them. */
export const factBits = { implied: 1, ghost: 2, opaque: 4, whiteout: 8 } as const

/** Start block of a hole, and of a file or directory that has no blocks. */
export const noBlock = 0xffffffff

/** Largest file of one chunk: chunks are a power of two of at most 2^40 bytes. */
const maxFileSize = 2 ** 40

const kindOfType: (Kind | undefined)[] = []
for (const [kind, bits] of Object.entries(typeBits)) kindOfType[bits >> 12] = kind as Kind

/** The kind in a full `st_mode`; `undefined` if its type bits stand for none. */
export function kindOfMode(mode: number): Kind | undefined {
  return kindOfType[mode >> 12]
}

/**
 * Attributes of inodes in growing typed arrays, about 50 bytes an inode: with an object each, ten million inodes
 * would not fit in memory. The row is the inode's number in the builder.
 */
export class InodeColumns {
  count = 0
  /** Full `st_mode`. */
  mode = new Uint16Array(64)
  uid = new Uint32Array(64)
  gid = new Uint32Array(64)
  /** The 64 bits of the seconds. */
  secondsLow = new Uint32Array(64)
  secondsHigh = new Uint32Array(64)
  nanoseconds = new Uint32Array(64)
  size = new Float64Array(64)
  /** Files: start block in the device, or `noBlock`. Devices: the encoded number. */
  place = new Uint32Array(64)
  /** 0-based. */
  device = new Uint16Array(64)
  xattrs = new Uint32Array(64)
  flags = new Uint8Array(64)
  layer = new Uint16Array(64)
  /** -1: no entry describes the inode. */
  header = new Float64Array(64)
  /** The time that was taken apart last: much of an archive has the time of its neighbour. */
  #time: bigint | undefined
  #timeLow = 0
  #timeHigh = 0
  #timeRest = 0

  add(fresh: NewInode, xattrs: number): number {
    const row = this.count
    if (row === this.mode.length) this.#grow()
    this.set(row, fresh, xattrs)
    this.count++
    return row
  }

  /** Replaces everything in a row. */
  set(row: number, fresh: NewInode, xattrs: number): void {
    const { kind, uid, gid, mtime } = fresh
    if (uid >>> 0 !== uid || gid >>> 0 !== gid) throw unrepresentable(`owner ${uid}:${gid}`, 'not a 32-bit number')
    if (mtime !== this.#time) this.#takeApart(mtime)
    this.mode[row] = typeBits[kind] | (kind === 'symlink' ? 0o777 : fresh.mode & 0o7777)
    this.uid[row] = uid
    this.gid[row] = gid
    this.secondsLow[row] = this.#timeLow
    this.secondsHigh[row] = this.#timeHigh
    this.nanoseconds[row] = this.#timeRest
    this.size[row] = kind === 'file' ? fileSize(fresh) : kind === 'symlink' ? (fresh.target ?? '').length : 0
    this.device[row] = 0
    this.place[row] = noBlock
    if (kind === 'character' || kind === 'block') this.place[row] = encodeDevice(fresh.major ?? 0, fresh.minor ?? 0)
    else if (kind === 'file' && fresh.extent && this.size[row] !== 0) this.setExtent(row, fresh.extent)
    this.xattrs[row] = xattrs
    this.flags[row] = 0
    this.layer[row] = 0
    this.header[row] = -1
    if (fresh.facts) this.setFacts(row, fresh.facts)
  }

  /** Adds what another index had. */
  adopt(inode: InodeRow, xattrs: number): number {
    const row = this.count
    if (row === this.mode.length) this.#grow()
    this.mode[row] = inode.mode
    this.uid[row] = inode.uid
    this.gid[row] = inode.gid
    this.secondsLow[row] = inode.secondsLow
    this.secondsHigh[row] = inode.secondsHigh
    this.nanoseconds[row] = inode.nanoseconds
    this.size[row] = inode.size
    this.place[row] = inode.place
    this.device[row] = inode.device
    this.xattrs[row] = xattrs
    this.flags[row] = inode.flags
    this.layer[row] = inode.layer
    this.header[row] = inode.header
    this.count++
    return row
  }

  kind(row: number): Kind {
    return kindOfMode(this.mode[row]!)!
  }

  isDirectory(row: number): boolean {
    return this.mode[row]! >> 12 === typeBits.directory >> 12
  }

  mtime(row: number): bigint {
    const seconds = (BigInt(this.secondsHigh[row]! | 0) << 32n) | BigInt(this.secondsLow[row]!)
    return seconds * 1_000_000_000n + BigInt(this.nanoseconds[row]!)
  }

  facts(row: number): InodeFacts {
    return decodeFacts(this.flags[row]!, this.layer[row]!, this.header[row]!)
  }

  setFacts(row: number, facts: Partial<InodeFacts>): void {
    let flags = this.flags[row]!
    flags = withBit(flags, factBits.implied, facts.implied)
    flags = withBit(flags, factBits.ghost, facts.ghost)
    flags = withBit(flags, factBits.opaque, facts.opaque)
    this.flags[row] = withBit(flags, factBits.whiteout, facts.whiteout)
    if (facts.layer !== undefined) {
      if (facts.layer >= 0xffff) throw unrepresentable(`layer ${facts.layer}`, 'an index holds at most 65,535 layers')
      this.layer[row] = facts.layer
    }
    if ('header' in facts) this.header[row] = facts.header ?? -1
  }

  setExtent(row: number, extent: Extent): void {
    const block = extent.offset / 512
    if (!Number.isInteger(block))
      throw unrepresentable(`offset ${extent.offset}`, 'content must start at a multiple of 512')
    if (block >= noBlock) throw unrepresentable(`offset ${extent.offset}`, 'a device holds at most 2 TiB')
    if (extent.device >= 0xffff)
      throw unrepresentable(`device ${extent.device}`, 'an index holds at most 65,535 devices')
    this.place[row] = block
    this.device[row] = extent.device
  }

  #takeApart(mtime: bigint): void {
    let seconds = mtime / 1_000_000_000n
    let nanoseconds = Number(mtime % 1_000_000_000n)
    if (nanoseconds < 0) {
      nanoseconds += 1_000_000_000
      seconds -= 1n
    }
    if (BigInt.asIntN(64, seconds) !== seconds) throw unrepresentable(`time ${mtime}`, 'beyond 64-bit seconds')
    this.#timeLow = Number(BigInt.asUintN(32, seconds))
    this.#timeHigh = Number(BigInt.asUintN(32, seconds >> 32n))
    this.#timeRest = nanoseconds
    this.#time = mtime
  }

  #grow(): void {
    const length = this.mode.length * 2
    this.mode = grown(this.mode, new Uint16Array(length))
    this.uid = grown(this.uid, new Uint32Array(length))
    this.gid = grown(this.gid, new Uint32Array(length))
    this.secondsLow = grown(this.secondsLow, new Uint32Array(length))
    this.secondsHigh = grown(this.secondsHigh, new Uint32Array(length))
    this.nanoseconds = grown(this.nanoseconds, new Uint32Array(length))
    this.size = grown(this.size, new Float64Array(length))
    this.place = grown(this.place, new Uint32Array(length))
    this.device = grown(this.device, new Uint16Array(length))
    this.xattrs = grown(this.xattrs, new Uint32Array(length))
    this.flags = grown(this.flags, new Uint8Array(length))
    this.layer = grown(this.layer, new Uint16Array(length))
    this.header = grown(this.header, new Float64Array(length))
  }
}

export function decodeFacts(flags: number, layer: number, header: number): InodeFacts {
  return {
    implied: (flags & factBits.implied) !== 0,
    ghost: (flags & factBits.ghost) !== 0,
    opaque: (flags & factBits.opaque) !== 0,
    whiteout: (flags & factBits.whiteout) !== 0,
    layer,
    header: header < 0 ? undefined : header,
  }
}

/** Linux's `new_encode_dev`: 12 bits of major, 20 of minor. */
function encodeDevice(major: number, minor: number): number {
  if (major >>> 0 > 0xfff || minor >>> 0 > 0xfffff)
    throw unrepresentable(`device ${major}:${minor}`, 'beyond 4095:1048575')
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

export function majorOf(encoded: number): number {
  return (encoded >>> 8) & 0xfff
}

export function minorOf(encoded: number): number {
  return (encoded & 0xff) | ((encoded >>> 12) & ~0xff)
}

function withBit(flags: number, bit: number, value: boolean | undefined): number {
  return value === undefined ? flags : value ? flags | bit : flags & ~bit
}

function fileSize(fresh: NewInode): number {
  const size = fresh.size ?? 0
  if (!(size >= 0 && size <= maxFileSize))
    throw unrepresentable(`a file of ${size} bytes`, 'a file in an index has at most 2^40 bytes')
  return size
}

function grown<T extends { set(from: T): void }>(old: T, fresh: T): T {
  fresh.set(old)
  return fresh
}
