import { crc32 } from 'node:zlib'
import type { Bytes } from '../stream/bytes.ts'
import { pageSize } from './page-output.ts'
import type { Fail } from './refusal.ts'

/**
 * A file read through pages of 64 KiB, of which the least recently used are forgotten. Each page is checked against
 * its sum when it is first read. Everything that asks beyond the end fails, so that no damaged offset gets further.
 */
export class Pages {
  /** Where in the buffer that `view` returned the wanted bytes begin. */
  offset = 0
  readonly size: number
  readonly #bytes: Bytes
  readonly #sums: Uint32Array
  readonly #fail: Fail
  readonly #limit: number
  readonly #pages: (Buffer | undefined)[]
  readonly #used: Float64Array
  readonly #checked: Uint8Array
  readonly #resident: number[] = []
  #clock = 0
  #last = -1
  #lastPage: Buffer = Buffer.alloc(0)

  constructor(bytes: Bytes, size: number, sums: Uint32Array, limit: number, fail: Fail) {
    this.size = size
    this.#bytes = bytes
    this.#sums = sums
    this.#limit = Math.max(1, limit)
    this.#fail = fail
    this.#pages = new Array(sums.length)
    this.#used = new Float64Array(sums.length)
    this.#checked = new Uint8Array(sums.length)
  }

  /** A buffer in which `length` bytes of the file stand from `this.offset` on. Copies only across the border of two pages. */
  view(at: number, length: number): Buffer {
    if (!(at >= 0 && at + length <= this.size)) this.#fail(`offset ${at} is outside of it`)
    const number = Math.floor(at / pageSize)
    const offset = at - number * pageSize
    if (offset + length > pageSize) {
      const copy = this.copy(at, length)
      this.offset = 0
      return copy
    }
    this.offset = offset
    return number === this.#last ? this.#lastPage : this.#page(number)
  }

  /** Bytes of the file, in a buffer of their own. */
  copy(at: number, length: number): Buffer {
    if (!(at >= 0 && at + length <= this.size)) this.#fail(`offset ${at} is outside of it`)
    const copy = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) {
      const number = Math.floor((at + done) / pageSize)
      const offset = at + done - number * pageSize
      done += this.#page(number).copy(copy, done, offset, offset + length - done)
    }
    return copy
  }

  u32(at: number): number {
    const page = this.view(at, 4)
    const o = this.offset
    return (page[o]! | (page[o + 1]! << 8) | (page[o + 2]! << 16) | (page[o + 3]! << 24)) >>> 0
  }

  #page(number: number): Buffer {
    const page = this.#pages[number] ?? this.#load(number)
    this.#used[number] = ++this.#clock
    this.#last = number
    this.#lastPage = page
    return page
  }

  #load(number: number): Buffer {
    const at = number * pageSize
    const page = Buffer.allocUnsafeSlow(Math.min(pageSize, this.size - at))
    if (this.#bytes.read(page, at) !== page.length) this.#fail('it is cut off')
    if (this.#checked[number] === 0) {
      if (crc32(page) !== this.#sums[number]) this.#fail(`the checksum of page ${number} is wrong`)
      this.#checked[number] = 1
    }
    if (this.#resident.length < this.#limit) this.#resident.push(number)
    else this.#resident[this.#forgetOldest()] = number
    this.#pages[number] = page
    return page
  }

  /** Linear in the cache's size, which is little beside reading a page. Returns the place that became free. */
  #forgetOldest(): number {
    let oldest = 0
    for (let i = 1; i < this.#resident.length; i++) {
      if (this.#used[this.#resident[i]!]! < this.#used[this.#resident[oldest]!]!) oldest = i
    }
    this.#pages[this.#resident[oldest]!] = undefined
    return oldest
  }
}
