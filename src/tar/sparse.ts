import type { ByteString } from '../model/bytes.ts'
import { blockSize, type Layout } from './header.ts'
import { badLayer } from './member.ts'
import { parseDecimal, parseNumber } from './numbers.ts'
import type { SparseRecords } from './pax.ts'
import { type SparseMap, SparseRuns } from './sparse-map.ts'

/** A sparse member whose map is being read (layer-semantics S-01). */
export interface SparseMember {
  /** Bytes of the file. */
  readonly size: number
  /** The blocks of the map count as content in the header's size. */
  readonly counted: boolean
  /** The next block of the archive belongs to the map. */
  readonly unfinished: boolean
  /** Takes that block. @throws PLY_BAD_LAYER S-03, PLY_BUDGET */
  block(buffer: Buffer, at: number): void
  /** The map, for content of `stored` bytes from byte `data` of the archive. @throws PLY_BAD_LAYER S-03 */
  finish(data: number, stored: number): SparseMap
}

/** Places in the header of an old GNU sparse member, and in the blocks that extend it. */
const old = { map: 386, entries: 4, extended: 482, size: 483, blockEntries: 21, blockExtended: 504 } as const
const numberSize = 12

/** The old GNU form: the map begins in the header and goes on in blocks behind it. */
export function oldSparse(
  buffer: Buffer,
  at: number,
  layout: Layout,
  records: SparseRecords | undefined,
  name: ByteString,
  limit: number,
): SparseMember {
  if (layout !== 'gnu') throw badLayer(name, 'S-01', 'a sparse entry whose header is not of the GNU layout')
  if (records !== undefined) throw badLayer(name, 'S-01', 'a sparse entry of two forms')
  const size = counted(name, 'real size', parseNumber(buffer, at + old.size, numberSize))
  return new OldSparse(buffer, at, name, new SparseRuns(name, size, limit), size)
}

class OldSparse implements SparseMember {
  readonly size: number
  readonly counted = false
  unfinished: boolean
  readonly #name: ByteString
  readonly #runs: SparseRuns
  #ended = false

  constructor(header: Buffer, at: number, name: ByteString, runs: SparseRuns, size: number) {
    this.size = size
    this.#name = name
    this.#runs = runs
    this.#entries(header, at + old.map, old.entries)
    this.unfinished = header[at + old.extended] !== 0
  }

  block(buffer: Buffer, at: number): void {
    // A chain of blocks that say nothing would have no end.
    if (this.#ended) throw this.#runs.refusal('its map goes on after its end')
    this.#entries(buffer, at, old.blockEntries)
    this.unfinished = buffer[at + old.blockExtended] !== 0
  }

  finish(data: number, stored: number): SparseMap {
    return this.#runs.finish(data, stored)
  }

  /** Entries up to the first blank one, after which all must be blank. */
  #entries(buffer: Buffer, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const offset = at + i * 2 * numberSize
      const length = offset + numberSize
      if (buffer[offset] === 0 && buffer[length] === 0) this.#ended = true
      else if (this.#ended) throw this.#runs.refusal('its map goes on after its end')
      else this.#runs.add(this.#number(buffer, offset), this.#number(buffer, length))
    }
  }

  #number(buffer: Buffer, at: number): number {
    if (buffer[at] === 0) throw this.#runs.refusal('its map has an entry of which half is missing')
    return counted(this.#name, 'map', parseNumber(buffer, at, numberSize))
  }
}

/** The forms whose map, or whose version, stands in an extended header: GNU.sparse 0.0, 0.1 and 1.0. */
export function recordedSparse(records: SparseRecords, name: ByteString, limit: number): SparseMember {
  const { major, minor, map, pairs, numblocks } = records
  const version = major === undefined && minor === undefined ? undefined : `${major}.${minor}`
  if (version !== undefined && version !== '0.0' && version !== '0.1' && version !== '1.0') {
    throw badLayer(name, 'S-01', 'a sparse entry of an unknown version')
  }
  const inPayload = version === '1.0'
  if (pairs !== undefined && map !== undefined) throw badLayer(name, 'S-01', 'a sparse entry of two forms')
  if (inPayload && (map ?? pairs) !== undefined) throw badLayer(name, 'S-01', 'a sparse entry of two forms')
  if (!inPayload && (map ?? pairs) === undefined && numblocks !== '0') {
    throw badLayer(name, 'S-01', 'a sparse entry without a map')
  }
  const size = realSize(records, name)
  const runs = new SparseRuns(name, size, limit)
  if (inPayload) return new PayloadSparse(name, runs, size)
  const numbers = pairs ?? map?.split(',') ?? []
  if (numbers.length % 2 !== 0 || records.disordered)
    throw runs.refusal('its map has an entry of which half is missing')
  if (numblocks !== undefined && counted(name, 'map', parseDecimal(numblocks)) !== numbers.length / 2) {
    throw runs.refusal('its map has another number of entries than it says')
  }
  runs.expect(numbers.length / 2)
  for (let i = 0; i < numbers.length; i += 2) {
    runs.add(counted(name, 'map', parseDecimal(numbers[i]!)), counted(name, 'map', parseDecimal(numbers[i + 1]!)))
  }
  return {
    size,
    counted: false,
    unfinished: false,
    block() {},
    finish: (data, stored) => runs.finish(data, stored),
  }
}

/** Form 1.0: the map is decimal lines at the front of the payload: how many entries, then offset and length of each. */
class PayloadSparse implements SparseMember {
  readonly size: number
  readonly counted = true
  unfinished = true
  readonly #name: ByteString
  readonly #runs: SparseRuns
  /** Entries that are still to come; `undefined` until the first line is complete. */
  #left: number | undefined
  #offset: number | undefined
  /** The line that is being read. A block may end in the middle of it. */
  #value = 0
  #digits = 0

  constructor(name: ByteString, runs: SparseRuns, size: number) {
    this.#name = name
    this.#runs = runs
    this.size = size
  }

  block(buffer: Buffer, at: number): void {
    for (let i = at; i < at + blockSize; i++) {
      const byte = buffer[i]!
      if (byte === 0x0a && this.#digits > 0) {
        this.#line(this.#value)
        this.#value = 0
        this.#digits = 0
        // The rest of the block is padding.
        if (!this.unfinished) return
        continue
      }
      const digit = byte - 0x30
      if (digit < 0 || digit > 9) throw this.#runs.refusal('its map holds something other than decimal lines')
      this.#value = counted(this.#name, 'map', this.#value * 10 + digit)
      // Leading zeros count nothing, and could go on forever.
      if (++this.#digits > 20) throw this.#runs.refusal('a number in its map is too long')
    }
  }

  finish(data: number, stored: number): SparseMap {
    return this.#runs.finish(data, stored)
  }

  #line(value: number): void {
    if (this.#left === undefined) {
      this.#runs.expect(value)
      this.#left = value
    } else if (this.#offset === undefined) {
      this.#offset = value
      return
    } else {
      this.#runs.add(this.#offset, value)
      this.#offset = undefined
      this.#left--
    }
    this.unfinished = this.#left > 0
  }
}

function realSize({ size, realsize }: SparseRecords, name: ByteString): number {
  const text = size ?? realsize
  if (text === undefined) throw badLayer(name, 'S-03', 'a sparse entry that does not say its real size')
  if (size !== undefined && realsize !== undefined && size !== realsize) {
    throw badLayer(name, 'S-03', 'a sparse entry with two real sizes')
  }
  return counted(name, 'real size', parseDecimal(text))
}

/** A number of bytes that a file could have. @throws PLY_BAD_LAYER S-03 */
function counted(name: ByteString, what: string, value: number | bigint | undefined): number {
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value
  const reason = value === undefined ? 'is not a number of 64 bits' : value < 0 ? 'is negative' : 'is impossibly large'
  throw badLayer(name, 'S-03', `a number of its ${what} ${reason}`)
}
