import { BackwardBits, highBit } from './zstd-bits.ts'
import { readFse } from './zstd-fse.ts'

/** A table of Huffman codes: for as many bits as the longest code has, what they begin with (RFC 8878, section 4.2). */
export interface HuffmanTable {
  readonly log: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
}

const mostWeights = 255
const mostLog = 12

/** Reads the description of a table between `start` and `end`. @throws Error */
export function readHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly table: HuffmanTable; readonly end: number } {
  if (start >= end) throw bad()
  const head = bytes[start]!
  const weights = new Uint8Array(mostWeights + 1)
  let count: number
  let stop: number
  if (head >= 128) {
    count = head - 127
    stop = start + 1 + ((count + 1) >> 1)
    if (stop > end) throw bad()
    for (let i = 0; i < count; i++) {
      const two = bytes[start + 1 + (i >> 1)]!
      weights[i] = i % 2 === 0 ? two >> 4 : two & 15
    }
  } else {
    stop = start + 1 + head
    if (stop > end) throw bad()
    count = codedWeights(bytes, start + 1, stop, weights)
  }
  return { table: huffmanTable(weights, count), end: stop }
}

/** Weights that are coded themselves, by two states in turn. Answers how many there are. */
function codedWeights(bytes: Uint8Array, start: number, stop: number, weights: Uint8Array): number {
  const { table, end } = readFse(bytes, start, stop, mostWeights, 6)
  const source = new BackwardBits()
  source.open(bytes, end, stop)
  let count = 0
  let state = source.read(table.log)
  let other = source.read(table.log)
  for (;;) {
    if (count > mostWeights - 2) throw bad()
    weights[count++] = table.symbols[state]!
    const next = table.base[state]! + source.read(table.bits[state]!)
    if (source.left < 0) {
      weights[count++] = table.symbols[other]!
      return count
    }
    state = other
    other = next
  }
}

/** The last weight is not written: it is what makes the sum a power of two. */
function huffmanTable(weights: Uint8Array, count: number): HuffmanTable {
  let sum = 0
  for (let i = 0; i < count; i++) {
    if (weights[i]! > mostLog) throw bad()
    sum += (1 << weights[i]!) >> 1
  }
  if (sum === 0) throw bad()
  const log = highBit(sum) + 1
  const rest = (1 << log) - sum
  if (log > mostLog || (rest & (rest - 1)) !== 0) throw bad()
  weights[count] = highBit(rest) + 1

  // Codes of one length stand together, the longest first, each in the order of its symbols.
  const places = new Uint32Array(mostLog + 2)
  for (let i = 0; i <= count; i++) places[weights[i]! + 1]! += (1 << weights[i]!) >> 1
  const longest = places[2]!
  if (longest < 2 || longest % 2 !== 0) throw bad()
  for (let weight = 1; weight <= log; weight++) places[weight + 1]! += places[weight]!
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const bits = new Uint8Array(size)
  for (let i = 0; i <= count; i++) {
    const weight = weights[i]!
    if (weight === 0) continue
    const from = places[weight]!
    const to = (places[weight] = from + (1 << (weight - 1)))
    symbols.fill(i, from, to)
    bits.fill(log + 1 - weight, from, to)
  }
  return { log, symbols, bits }
}

/**
 * Decodes one stream of codes, which must be used up by exactly the bytes from `from` to `to` of `into`. At least four bytes must
 * follow the stream in its buffer. @throws Error
 */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  table: HuffmanTable,
  into: Uint8Array,
  from: number,
  to: number,
): void {
  const last = end > start ? bytes[end - 1]! : 0
  if (last === 0) throw new Error('bits without an end')
  const { log, symbols, bits } = table
  const mask = (1 << log) - 1
  let left = (end - start) * 8 - 8 + highBit(last)
  let i = from
  for (; i < to && left >= log; i++) {
    const low = left - log
    const at = start + (low >> 3)
    const code = ((bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) >>> (low & 7)) & mask
    into[i] = symbols[code]!
    left -= bits[code]!
  }
  for (; i < to && left > 0; i++) {
    const rest = (bytes[start]! | (bytes[start + 1]! << 8)) & ((1 << left) - 1)
    const code = (rest << (log - left)) & mask
    into[i] = symbols[code]!
    left -= bits[code]!
  }
  if (i !== to || left !== 0) throw new Error('codes that do not add up')
}

function bad(): Error {
  return new Error('a Huffman table that makes no sense')
}
