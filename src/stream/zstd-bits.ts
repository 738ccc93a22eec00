/**
 * Bits that are read from their end to their beginning, as zstd's entropy coders write them (RFC 8878, section 4.1). Bits before the
 * beginning are zeros; `left` goes below 0 then, and whoever reads has to look.
 */
export class BackwardBits {
  /** Bits that have not been read. */
  left = 0
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0

  /**
   * Begins with the bytes from `start` to `end`. At least four bytes must follow in the buffer, whatever they are.
   * @throws Error if there is no mark in the last byte that says where the bits end
   */
  open(bytes: Uint8Array, start: number, end: number): void {
    const last = end > start ? bytes[end - 1]! : 0
    if (last === 0) throw new Error('bits without an end')
    this.#bytes = bytes
    this.#start = start
    this.left = (end - start) * 8 - 8 + highBit(last)
  }

  /** The next `count` bits, 24 at most. */
  read(count: number): number {
    const left = (this.left -= count)
    const bytes = this.#bytes
    if (left < 0) return this.#over(count, -left)
    const at = this.#start + (left >> 3)
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    return (four >>> (left & 7)) & ((1 << count) - 1)
  }

  /** `missing` of the bits are before the beginning. */
  #over(count: number, missing: number): number {
    if (missing >= count) return 0
    const at = this.#start
    const four = this.#bytes[at]! | (this.#bytes[at + 1]! << 8) | (this.#bytes[at + 2]! << 16)
    return (four & ((1 << (count - missing)) - 1)) << missing
  }
}

/** The place of the highest bit that is set, from 0; -1 if none is. */
export function highBit(value: number): number {
  return 31 - Math.clz32(value)
}
