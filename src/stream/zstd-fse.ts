import { highBit } from './zstd-bits.ts'

/** A table of finite state entropy coding: what each state stands for, and how the next one is found (RFC 8878, section 4.1). */
export interface FseTable {
  /** The number of states is 2 to the power of this. */
  readonly log: number
  readonly symbols: Uint8Array
  /** Bits to read, and what to add to them, for the next state. */
  readonly bits: Uint8Array
  readonly base: Uint16Array
}

/**
 * Reads the description of a table between `start` and `end`. Answers with the table and where its description ends.
 * @throws Error if it makes no sense, names a symbol above `mostSymbol` or has more than 2^`mostLog` states
 */
export function readFse(
  bytes: Uint8Array,
  start: number,
  end: number,
  mostSymbol: number,
  mostLog: number,
): { readonly table: FseTable; readonly end: number } {
  let position = start * 8
  const peek = (count: number) => {
    const at = position >> 3
    const three = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    return (three >>> (position & 7)) & ((1 << count) - 1)
  }
  const log = peek(4) + 5
  position += 4
  if (log > mostLog) throw new Error('an entropy table that is too large')
  const counts: number[] = []
  let remaining = 1 << log
  while (remaining > 0) {
    if (counts.length > mostSymbol || position > end * 8) throw bad()
    // A number from 0 to remaining + 1; the small ones take a bit less.
    const width = highBit(remaining + 1) + 1
    const value = peek(width)
    const low = value & ((1 << (width - 1)) - 1)
    const threshold = (1 << width) - 2 - remaining
    const short = low < threshold
    position += short ? width - 1 : width
    const count = (short ? low : value >= 1 << (width - 1) ? value - threshold : value) - 1
    remaining -= Math.abs(count)
    counts.push(count)
    if (count !== 0) continue
    for (let zeros = 3; zeros === 3; ) {
      zeros = peek(2)
      position += 2
      for (let i = 0; i < zeros; i++) counts.push(0)
      if (counts.length > mostSymbol + 1) throw bad()
    }
  }
  if (remaining < 0 || position > end * 8) throw bad()
  return { table: fseTable(counts, log), end: (position + 7) >> 3 }
}

/** The table for symbols that occur so often; -1 stands for less than once. The counts must add up to 2^log. */
export function fseTable(counts: readonly number[], log: number): FseTable {
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const bits = new Uint8Array(size)
  const base = new Uint16Array(size)
  const next = new Uint16Array(counts.length)
  let top = size
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] === -1) symbols[--top] = symbol
    next[symbol] = Math.abs(counts[symbol]!)
  }
  const step = (size >> 1) + (size >> 3) + 3
  let place = 0
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let i = 0; i < counts[symbol]!; i++) {
      symbols[place] = symbol
      // The counts leave as many places below `top` as are filled here, so one is found.
      do place = (place + step) & (size - 1)
      while (place >= top)
    }
  }
  for (let state = 0; state < size; state++) {
    const number = next[symbols[state]!]!++
    const width = log - highBit(number)
    bits[state] = width
    base[state] = (number << width) - size
  }
  return { log, symbols, bits, base }
}

/** The table with one symbol and one state. */
export function singleSymbol(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), base: new Uint16Array(1) }
}

function bad(): Error {
  return new Error('an entropy table that makes no sense')
}
