import { BackwardBits } from './zstd-bits.ts'
import { type FseTable, fseTable, readFse, singleSymbol } from './zstd-fse.ts'
import type { ZstdWindow } from './zstd-window.ts'

/** One of the three numbers of a sequence: how it is coded unless a block says otherwise, and what codes stand for. */
interface Code {
  readonly mostSymbol: number
  readonly mostLog: number
  readonly usual: FseTable
}

const literalLengths: Code = {
  mostSymbol: 35,
  mostLog: 9,
  usual: fseTable(
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
    6,
  ),
}
const offsets: Code = {
  mostSymbol: 31,
  mostLog: 8,
  usual: fseTable([1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1], 5),
}
const matchLengths: Code = {
  mostSymbol: 52,
  mostLog: 9,
  usual: fseTable([1, 4, 3, 2, 2, 2, 2, 2, 2].concat(Array(37).fill(1)).concat(Array(7).fill(-1)), 6),
}

/** Extra bits by code, and the value of the code without them. */
const literalBits = Uint8Array.from([
  ...Array(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
])
const literalBase = bases(literalBits, 0)
const matchBits = Uint8Array.from([
  ...Array(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
])
const matchBase = bases(matchBits, 3)

function bases(bits: Uint8Array, first: number): Uint32Array {
  const base = new Uint32Array(bits.length)
  for (let code = 0, value = first; code < bits.length; value += 2 ** bits[code++]!) base[code] = value
  return base
}

/** What a block has to have decompressed to at most. */
const mostBlock = 128 << 10

/** The sequences of blocks (RFC 8878, section 3.1.1.3.2): a frame's tables and last offsets last from block to block. */
export class Sequences {
  readonly #bits = new BackwardBits()
  #literals: FseTable | undefined
  #offsets: FseTable | undefined
  #matches: FseTable | undefined
  #last = 1
  #second = 4
  #third = 8
  #cursor = 0

  /** A new frame begins. */
  reset(): void {
    this.#literals = undefined
    this.#offsets = undefined
    this.#matches = undefined
    this.#last = 1
    this.#second = 4
    this.#third = 8
  }

  /**
   * Carries out the section between `start` and `end`: literals and repetitions go to the window, which must have room for a whole
   * block. At least four bytes must follow the block in its buffer. @throws Error
   */
  apply(block: Uint8Array, start: number, end: number, literals: Uint8Array, size: number, window: ZstdWindow): void {
    const count = this.#count(block, start, end)
    let literal = 0
    if (count > 0) {
      this.#tables(block, end)
      literal = this.#run(block, end, count, literals, size, window)
    } else if (this.#cursor !== end) throw bad()
    window.bytes.set(literals.subarray(literal, size), window.end)
    window.end += size - literal
  }

  #count(block: Uint8Array, start: number, end: number): number {
    if (start >= end) throw bad()
    const first = block[start]!
    const length = first < 128 ? 1 : first < 255 ? 2 : 3
    this.#cursor = start + length
    if (this.#cursor > end) throw bad()
    if (length === 1) return first
    if (length === 2) return ((first - 128) << 8) + block[start + 1]!
    return block[start + 1]! + (block[start + 2]! << 8) + 0x7f00
  }

  #tables(block: Uint8Array, end: number): void {
    if (this.#cursor >= end) throw bad()
    const modes = block[this.#cursor++]!
    if (modes & 3) throw new Error('reserved bits that are set')
    this.#literals = this.#table(modes >> 6, literalLengths, this.#literals, block, end)
    this.#offsets = this.#table((modes >> 4) & 3, offsets, this.#offsets, block, end)
    this.#matches = this.#table((modes >> 2) & 3, matchLengths, this.#matches, block, end)
  }

  #table(mode: number, code: Code, before: FseTable | undefined, block: Uint8Array, end: number): FseTable {
    if (mode === 0) return code.usual
    if (mode === 1) {
      const symbol = this.#cursor < end ? block[this.#cursor++]! : 255
      if (symbol > code.mostSymbol) throw bad()
      return singleSymbol(symbol)
    }
    if (mode === 2) {
      const read = readFse(block, this.#cursor, end, code.mostSymbol, code.mostLog)
      this.#cursor = read.end
      return read.table
    }
    if (before === undefined) throw new Error('a block that needs the tables of one before it')
    return before
  }

  /** Answers how many literals were used. */
  #run(block: Uint8Array, end: number, count: number, literals: Uint8Array, size: number, window: ZstdWindow): number {
    const lengths = this.#literals!
    const offsetCodes = this.#offsets!
    const matches = this.#matches!
    const bits = this.#bits
    bits.open(block, this.#cursor, end)
    let lengthState = bits.read(lengths.log)
    let offsetState = bits.read(offsetCodes.log)
    let matchState = bits.read(matches.log)
    const out = window.bytes
    const limit = window.end + mostBlock
    let to = window.end
    let literal = 0
    for (let i = 1; ; i++) {
      const offsetCode = offsetCodes.symbols[offsetState]!
      const matchCode = matches.symbols[matchState]!
      const lengthCode = lengths.symbols[lengthState]!
      const value =
        offsetCode <= 24
          ? (1 << offsetCode) + bits.read(offsetCode)
          : 2 ** offsetCode + bits.read(offsetCode - 16) * 65_536 + bits.read(16)
      let matchLength = matchBase[matchCode]!
      if (matchCode > 31) matchLength += bits.read(matchBits[matchCode]!)
      let literalLength = literalBase[lengthCode]!
      if (lengthCode > 15) literalLength += bits.read(literalBits[lengthCode]!)
      const distance = value > 3 ? this.#newDistance(value - 3) : this.#oldDistance(value, literalLength)

      const next = literal + literalLength
      if (next > size || to + literalLength + matchLength > limit) throw bad()
      if (literalLength > 64) {
        out.set(literals.subarray(literal, next), to)
        to += literalLength
        literal = next
      } else while (literal < next) out[to++] = literals[literal++]!
      window.end = to
      if (distance > window.reach) throw new Error('it refers to what is not there')
      window.repeat(distance, matchLength)
      to += matchLength

      if (bits.left < 0) throw bad()
      if (i === count) break
      lengthState = lengths.base[lengthState]! + bits.read(lengths.bits[lengthState]!)
      matchState = matches.base[matchState]! + bits.read(matches.bits[matchState]!)
      offsetState = offsetCodes.base[offsetState]! + bits.read(offsetCodes.bits[offsetState]!)
    }
    if (bits.left !== 0 || window.end + size - literal > limit) throw bad()
    return literal
  }

  #newDistance(distance: number): number {
    this.#third = this.#second
    this.#second = this.#last
    return (this.#last = distance)
  }

  /** How far back, where it is one of the last three distances, or next to the last one. */
  #oldDistance(value: number, literalLength: number): number {
    const which = literalLength === 0 ? value : value - 1
    if (which === 0) return this.#last
    const distance = which === 1 ? this.#second : which === 2 ? this.#third : this.#last - 1
    if (distance === 0) throw bad()
    if (which !== 1) this.#third = this.#second
    this.#second = this.#last
    return (this.#last = distance)
  }
}

function bad(): Error {
  return new Error('sequences that make no sense')
}
