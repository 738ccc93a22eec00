import { decodeHuffman, type HuffmanTable, readHuffman } from './zstd-huffman.ts'

const most = 128 << 10

/** The literals of blocks, one block after the other (RFC 8878, section 3.1.1.3.1). A frame's tables last from block to block. */
export class Literals {
  /** The literals of the block read last, from 0 to `size`. */
  readonly bytes = new Uint8Array(most)
  size = 0
  #table: HuffmanTable | undefined

  /** A new frame begins. */
  reset(): void {
    this.#table = undefined
  }

  /** Reads the section that begins a block. Answers where it ends. @throws Error */
  read(block: Uint8Array, start: number, end: number): number {
    const head = block[start]!
    const kind = head & 3
    const format = (head >> 2) & 3
    return kind < 2
      ? this.#plain(block, start, end, kind === 1, format)
      : this.#coded(block, start, end, kind === 2, format)
  }

  #plain(block: Uint8Array, start: number, end: number, repeated: boolean, format: number): number {
    const length = format === 1 ? 2 : format === 3 ? 3 : 1
    if (start + length > end) throw bad()
    const head = block[start]! | (length > 1 ? block[start + 1]! << 8 : 0) | (length > 2 ? block[start + 2]! << 16 : 0)
    const size = length === 1 ? head >> 3 : head >> 4
    const from = start + length
    const stop = from + (repeated ? 1 : size)
    if (stop > end || size > most) throw bad()
    if (repeated) this.bytes.fill(block[from]!, 0, size)
    else this.bytes.set(block.subarray(from, stop))
    this.size = size
    return stop
  }

  #coded(block: Uint8Array, start: number, end: number, tree: boolean, format: number): number {
    const length = format < 2 ? 3 : format + 2
    if (start + length > end) throw bad()
    const width = format < 2 ? 10 : format === 2 ? 14 : 18
    let head = 0
    for (let i = length - 1; i >= 0; i--) head = head * 256 + block[start + i]!
    const size = Math.floor(head / 16) % 2 ** width
    let from = start + length
    const stop = from + Math.floor(head / 2 ** (4 + width))
    if (stop > end || size > most) throw bad()
    if (tree) {
      const read = readHuffman(block, from, stop)
      this.#table = read.table
      from = read.end
    }
    const table = this.#table
    if (table === undefined) throw new Error('a block that needs the table of one before it')
    if (format === 0) decodeHuffman(block, from, stop, table, this.bytes, 0, size)
    else this.#fourStreams(block, from, stop, table, size)
    this.size = size
    return stop
  }

  #fourStreams(block: Uint8Array, start: number, end: number, table: HuffmanTable, size: number): void {
    const quarter = (size + 3) >> 2
    if (start + 6 > end || quarter * 3 > size) throw bad()
    let from = start + 6
    for (let i = 0; i < 4; i++) {
      const at = start + 2 * i
      const to = i === 3 ? end : from + (block[at]! | (block[at + 1]! << 8))
      if (to > end) throw bad()
      decodeHuffman(block, from, to, table, this.bytes, i * quarter, i === 3 ? size : (i + 1) * quarter)
      from = to
    }
  }
}

function bad(): Error {
  return new Error('literals that make no sense')
}
