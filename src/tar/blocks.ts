import { blockSize, fields } from './header.ts'
import { parseNumber } from './numbers.ts'

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/**
 * A buffer in which header blocks stand. Summing and numbers take the greater part of reading a header, so both go by
 * 32-bit words, four bytes at once, where a block stands at a whole word in memory; elsewhere byte by byte, to the same end.
 */
export class Blocks {
  readonly buffer: Buffer
  readonly #words: Int32Array
  /** Bytes of the buffer before its first whole word. */
  readonly #lead: number

  constructor(buffer: Buffer) {
    this.buffer = buffer
    const lead = -buffer.byteOffset & 3
    const count = littleEndian && buffer.length > lead ? (buffer.length - lead) >> 2 : 0
    this.#lead = lead
    this.#words = new Int32Array(buffer.buffer, count === 0 ? 0 : buffer.byteOffset + lead, count)
  }

  /** Sum of all bytes of the block at `at`, the checksum field included: 0 for the zero block and for no other. */
  sum(at: number): number {
    const words = this.#words
    const first = at - this.#lead
    let index = first >> 2
    if ((first & 3) !== 0 || index + blockSize / 4 > words.length) return sumOf(this.buffer, at)
    // Two lanes of 16 bits: in each at most 256 bytes are added up, which fits.
    let lanes = 0
    for (const end = index + blockSize / 4; index < end; index += 4) {
      const a = words[index]!
      const b = words[index + 1]!
      const c = words[index + 2]!
      const d = words[index + 3]!
      if ((a | b | c | d) === 0) continue
      lanes = (lanes + lanesOf(a) + lanesOf(b) + lanesOf(c) + lanesOf(d)) | 0
    }
    return fold(lanes)
  }

  /** The unsigned checksum of a block, given its sum: its own field counts as spaces. */
  checksum(at: number, sum: number): number {
    const start = at + fields.checksum.at
    const words = this.#words
    const first = start - this.#lead
    const index = first >> 2
    let own = 0
    if ((first & 3) === 0 && index + 1 < words.length) own = fold(lanesOf(words[index]!) + lanesOf(words[index + 1]!))
    else for (let i = start; i < start + 8; i++) own += this.buffer[i]!
    return sum - own + 8 * 0x20
  }

  /** The number in the header field of `size` bytes at `at`: what `parseNumber` says. */
  number(at: number, size: number): number | bigint | undefined {
    const words = this.#words
    const first = at - this.#lead
    const last = ((first + size) >> 2) - 1
    if (((first | size) & 3) !== 0 || last >= words.length) return parseNumber(this.buffer, at, size)
    let value = 0
    let odd = 0
    for (let index = first >> 2; index < last; index++) {
      const word = words[index]!
      odd |= (word & 0xf8f8f8f8) ^ 0x30303030
      value =
        value * 4096 + (((word & 7) << 9) | (((word >> 8) & 7) << 6) | (((word >> 16) & 7) << 3) | ((word >> 24) & 7))
    }
    // What nearly everybody writes: digits, and one NUL or space; for checksums two digits, a NUL and a space.
    const word = words[last]!
    const stop = word >>> 24
    if ((odd | ((word & 0x00f8f8f8) ^ 0x00303030)) === 0 && (stop === 0 || stop === 0x20)) {
      return value * 512 + (((word & 7) << 6) | (((word >> 8) & 7) << 3) | ((word >> 16) & 7))
    }
    if ((odd | ((word & 0xfffff8f8) ^ 0x20003030)) === 0) return value * 64 + (((word & 7) << 3) | ((word >> 8) & 7))
    return parseNumber(this.buffer, at, size)
  }
}

/** The bytes of a word in two lanes, two added up in each. */
function lanesOf(word: number): number {
  return (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)
}

function fold(lanes: number): number {
  return (lanes & 0xffff) + (lanes >>> 16)
}

/** The sum, byte by byte. */
function sumOf(buffer: Uint8Array, at: number): number {
  let sum = 0
  for (let i = at, end = at + blockSize; i < end; i++) sum += buffer[i]!
  return sum
}
