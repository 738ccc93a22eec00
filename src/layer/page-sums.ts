import { crc32 } from 'node:zlib'

const pageSize = 1 << 16

/** zlib's CRC-32 of each 64 KiB page of bytes that come in chunks; the last page may be shorter. */
export class PageSums {
  #sums = new Uint32Array(64)
  #count = 0
  #crc = 0
  /** Bytes of the page that is not complete. */
  #filled = 0

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const step = Math.min(pageSize - this.#filled, chunk.length - at)
      this.#crc = crc32(step === chunk.length ? chunk : chunk.subarray(at, at + step), this.#crc)
      this.#filled += step
      at += step
      if (this.#filled === pageSize) this.#next()
    }
  }

  /** The sums of all pages. Nothing can be pushed after it. */
  finish(): Uint32Array {
    if (this.#filled > 0) this.#next()
    return this.#sums.slice(0, this.#count)
  }

  #next(): void {
    if (this.#count === this.#sums.length) {
      const grown = new Uint32Array(this.#count * 2)
      grown.set(this.#sums)
      this.#sums = grown
    }
    this.#sums[this.#count++] = this.#crc
    this.#crc = 0
    this.#filled = 0
  }
}
