import { type ByteString, displayText } from '../model/bytes.ts'
import { noXattrs } from '../model/entry.ts'
import type { Blocks } from './blocks.ts'
import { blockSize, fields, headerName, highBytes, layoutOf, textOf } from './header.ts'
import { deviceOf, modeOf, ownerOf, sizeOf } from './header-values.ts'
import { badLayer, type Member, type MemberType, type TarWarning } from './member.ts'
import { parseTime } from './numbers.ts'
import { type Extended, parseExtended, saysSparse, xattrsOf } from './pax.ts'
import { oldSparse, recordedSparse, type SparseMember } from './sparse.ts'
import { defaultSparseEntries } from './sparse-map.ts'

/** Long names, link texts and extended headers are limited to this many bytes each (layer-semantics P-09). */
const extendedLimit = 1 << 20

const oldSparseFlag = 0x53

const noWarnings: readonly TarWarning[] = []

/**
 * What the block just taken was:
 * - `member`: a member is complete, its content follows;
 * - `extended`: `payload` bytes follow that `extended` must be given;
 * - `skip`: nothing to see;
 * - `end`: the end marker is complete.
 */
export type Taken = 'member' | 'extended' | 'skip' | 'end'

/**
 * The rules of headers, apart from how the blocks are come by: given each header block and each extended payload in
 * order, it folds them into members (layer-semantics sections 3, 7 and 8). A sparse member is complete with the last
 * block of its map; of content it sees nothing else.
 */
export class MemberAssembler {
  /** After `member` and `extended`: bytes that follow, without their padding. */
  payload = 0
  /** After `member`. */
  member: Member | undefined
  readonly #warn: (entry: ByteString, warning: TarWarning) => void
  readonly #sparseEntries: number
  /** The member is sparse, and its map is not complete. */
  #sparse: SparseMember | undefined
  #zeroBlocks = 0
  #collecting = ''
  #groupStart: number | undefined
  #longName: ByteString | undefined
  #longLink: ByteString | undefined
  #extended: Extended | undefined
  #warnings: TarWarning[] | undefined
  #seconds: number | undefined
  #mtime = 0n

  /** `warn` hears of what belongs to no member; a sparse map may have `sparseEntries` entries. */
  constructor(warn: (entry: ByteString, warning: TarWarning) => void, sparseEntries = defaultSparseEntries) {
    this.#warn = warn
    this.#sparseEntries = sparseEntries
  }

  /** Takes the header block at `at` in the buffer, or one of a sparse map, which is byte `position` of the archive. */
  block(blocks: Blocks, at: number, position: number): Taken {
    const { buffer } = blocks
    if (this.#sparse !== undefined) {
      this.#sparse.block(buffer, at)
      if (this.#sparse.counted) this.payload -= blockSize
      return this.#mapped(this.#sparse, position + blockSize)
    }
    const sum = blocks.sum(at)
    if (sum === 0) return ++this.#zeroBlocks === 2 ? 'end' : 'skip'
    if (this.#zeroBlocks > 0) throw badLayer(place(position), 'Q-02', 'a header after a block of zeros')
    this.#check(blocks, at, position, sum)
    const flag = buffer[at + fields.type.at]!
    switch (flag) {
      case 0x4c: // L
      case 0x4b: // K
      case 0x78: // x
      case 0x67: // g
        return this.#announce(blocks, at, position, flag)
      case 0x56: // V
        if (this.#number(blocks, at, fields.size, position, 'size') !== 0) break
        this.#warn(textOf(buffer, at, 100), { rule: 'T-05', text: 'volume header ignored' })
        this.#forget()
        return 'skip'
    }
    return this.#assemble(blocks, at, position, flag)
  }

  /** Takes the payload that an `extended` block announced. */
  extended(bytes: Buffer): void {
    const entry = place(this.#groupStart ?? 0)
    switch (this.#collecting) {
      case 'L':
        this.#longName = this.#replacing(this.#longName, longText(bytes, entry))
        break
      case 'K':
        this.#longLink = this.#replacing(this.#longLink, longText(bytes, entry))
        break
      case 'x':
        this.#extended = this.#replacing(this.#extended, parseExtended(bytes, entry))
        break
      default: {
        const { known } = parseExtended(bytes, 'global extended header')
        const text = `global extended header with ${known?.slice(0, 64)} has no effect`
        if (known !== undefined) this.#warn('global extended header', { rule: 'P-08', text })
      }
    }
  }

  /** The archive ends here. */
  end(position: number): void {
    if (this.#sparse !== undefined) {
      throw badLayer(place(position), 'Z-04', 'the archive ends inside the map of a sparse entry')
    }
    if (this.#groupStart !== undefined) {
      throw badLayer(place(position), 'P-10', 'the archive ends after an extended header')
    }
  }

  #announce(blocks: Blocks, at: number, position: number, flag: number): Taken {
    const size = this.#number(blocks, at, fields.size, position, 'size')
    if (size < 0) throw badLayer(place(position), 'F-02', 'negative size')
    if (size > extendedLimit) {
      throw badLayer(place(position), 'P-09', `extended header of ${size} bytes; the limit is ${extendedLimit}`)
    }
    this.#collecting = String.fromCharCode(flag)
    if (flag !== 0x67) this.#groupStart ??= position
    this.payload = size
    return 'extended'
  }

  #assemble(blocks: Blocks, at: number, position: number, flag: number): Taken {
    const { buffer } = blocks
    const layout = layoutOf(buffer, at)
    const extended = this.#extended
    const records = saysSparse(extended?.sparse) ? extended.sparse : undefined
    const name = this.#longName || records?.name || extended?.path || headerName(buffer, at, layout)
    if (name.includes('\0')) throw badLayer(name, 'N-06', 'a NUL inside the name')
    const type = this.#typeOf(flag, name)
    const linkName =
      type === '1' || type === '2' ? this.#longLink || extended?.linkpath || textOf(buffer, at + 157, 100) : ''
    if (linkName.includes('\0')) throw badLayer(name, 'N-06', 'a NUL inside the link text')

    const size = sizeOf(blocks, at, name, extended?.size)
    if (type !== '0' && size !== 0) this.#note('T-06', `size ${size} on an entry without content`)
    const device = type === '3' || type === '4'

    let sparse: SparseMember | undefined
    if (flag === oldSparseFlag) sparse = oldSparse(buffer, at, layout, records, name, this.#sparseEntries)
    else if (records !== undefined) {
      if (type !== '0') throw badLayer(name, 'S-01', 'a sparse map on an entry that is no file')
      sparse = recordedSparse(records, name, this.#sparseEntries)
    }
    this.payload = type === '0' ? size : 0
    this.member = {
      type,
      name,
      linkName,
      mode: modeOf(blocks, at, name),
      uid: ownerOf(blocks, at, name, 'uid', extended?.uid),
      gid: ownerOf(blocks, at, name, 'gid', extended?.gid),
      size: sparse === undefined ? this.payload : sparse.size,
      mtime: this.#time(blocks, at, name, extended?.mtime),
      major: device ? deviceOf(blocks, at, name, layout, 'major') : 0,
      minor: device ? deviceOf(blocks, at, name, layout, 'minor') : 0,
      xattrs: extended === undefined ? noXattrs : xattrsOf(extended, name),
      header: this.#groupStart ?? position,
      data: position + 512,
      windows: extended?.windows ?? false,
      warnings: this.#warnings ?? noWarnings,
    }
    if (sparse !== undefined) return this.#mapped(sparse, position + blockSize)
    this.#forget()
    return 'member'
  }

  /** The sparse member is complete before `position`, or the block there belongs to its map. */
  #mapped(sparse: SparseMember, position: number): Taken {
    if (sparse.unfinished) {
      if (sparse.counted && this.payload < blockSize) {
        throw badLayer(this.member!.name, 'S-03', 'its map is longer than its content')
      }
      this.#sparse = sparse
      return 'skip'
    }
    this.member = { ...this.member!, data: position, sparse: sparse.finish(position, this.payload) }
    this.#forget()
    return 'member'
  }

  #forget(): void {
    this.#sparse = undefined
    this.#groupStart = undefined
    this.#longName = undefined
    this.#longLink = undefined
    this.#extended = undefined
    this.#warnings = undefined
  }

  #check(blocks: Blocks, at: number, position: number, sum: number): void {
    const stored = blocks.number(at + fields.checksum.at, fields.checksum.size)
    const unsigned = blocks.checksum(at, sum)
    if (stored === unsigned) return
    if (stored === unsigned - 256 * highBytes(blocks.buffer, at)) return
    throw badLayer(place(position), 'F-03', 'this is not a tar header: its checksum does not match')
  }

  #typeOf(flag: number, name: ByteString): MemberType {
    switch (flag) {
      case 0:
        return name.endsWith('/') ? '5' : '0'
      case 0x30:
      case 0x37:
      case oldSparseFlag:
        if (name.endsWith('/')) this.#note('T-02', 'a regular file whose name ends with a slash')
        return '0'
      case 0x31:
      case 0x32:
      case 0x33:
      case 0x34:
      case 0x35:
      case 0x36:
        return String.fromCharCode(flag) as MemberType
      default:
        throw badLayer(name, 'T-05', `unknown entry type ${displayText(String.fromCharCode(flag))}`)
    }
  }

  #time(blocks: Blocks, at: number, name: ByteString, text: string | undefined): bigint {
    if (text !== undefined) {
      const time = parseTime(text)
      if (time === undefined) throw badLayer(name, 'M-01', `the time ${displayText(text.slice(0, 40))} is not one`)
      return time
    }
    const seconds = blocks.number(at + fields.mtime.at, fields.mtime.size)
    if (seconds === undefined) throw badLayer(name, 'F-01', 'the time is not a number of 64 bits')
    if (typeof seconds === 'bigint') return seconds * 1_000_000_000n
    // Archives repeat a few times over and over, and bigint arithmetic is dear.
    if (seconds !== this.#seconds) {
      this.#seconds = seconds
      this.#mtime = BigInt(seconds) * 1_000_000_000n
    }
    return this.#mtime
  }

  /** A size or the like, before there is a name to report. Answers -1 for every negative. */
  #number(blocks: Blocks, at: number, field: { at: number; size: number }, position: number, what: string): number {
    const value = blocks.number(at + field.at, field.size)
    if (value === undefined) throw badLayer(place(position), 'F-01', `the ${what} is not a number of 64 bits`)
    return Number(value)
  }

  #replacing<T>(before: T | undefined, now: T): T {
    if (before !== undefined) this.#note('P-05', 'a second extended header replaces the first')
    return now
  }

  #note(rule: string, text: string): void {
    this.#warnings ??= []
    // Extended headers may be repeated without end before one entry: then it is one finding, and a number.
    const same = this.#warnings.findIndex((one) => one.rule === rule)
    const times = (this.#warnings[same]?.times ?? (same < 0 ? 0 : 1)) + 1
    if (same < 0) this.#warnings.push({ rule, text })
    else this.#warnings[same] = { rule, text, times }
  }
}

/** The text of a GNU long name or link: NULs end it, and nothing may follow them. */
function longText(bytes: Buffer, entry: ByteString): ByteString {
  const text = textOf(bytes, 0, bytes.length)
  for (let i = text.length; i < bytes.length; i++) {
    if (bytes[i] !== 0) throw badLayer(entry, 'N-06', 'a NUL inside a long name')
  }
  return text
}

/** How errors name a place in the archive where no entry is known. */
export function place(position: number): string {
  return `at byte ${position}`
}
