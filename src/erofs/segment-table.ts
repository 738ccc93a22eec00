import type { Segments } from '../stream/sparse-bytes.ts'
import type { Pages } from './pages.ts'
import type { Fail } from './refusal.ts'
import { segmentSize } from './trailer.ts'

/**
 * What of a layer's spill is stored in its tar, read where it lies: records of 24 bytes, sorted by their place in the spill.
 * A record that makes no sense fails when it is loaded.
 */
export class SegmentTable implements Segments {
  readonly count: number
  /** Bytes of the spill. */
  readonly size: number
  start = 0
  length = 0
  stored = 0
  readonly #pages: Pages
  readonly #at: number
  readonly #tarSize: number
  readonly #fail: Fail
  /** Content is read from front to back: the row found last, or the next one, is tried first. */
  #recent = 0

  constructor(
    pages: Pages,
    at: number,
    count: number,
    sizes: { readonly spill: number; readonly tar: number },
    fail: Fail,
  ) {
    this.#pages = pages
    this.#at = at
    this.count = count
    this.size = sizes.spill
    this.#tarSize = sizes.tar
    this.#fail = fail
  }

  after(position: number): number {
    for (let row = this.#recent; row < Math.min(this.#recent + 2, this.count); row++) {
      if (this.#end(row) > position && (row === 0 || this.#end(row - 1) <= position)) return (this.#recent = row)
    }
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#end(middle) > position) high = middle
      else low = middle + 1
    }
    this.#recent = Math.min(low, this.count - 1)
    return low
  }

  load(row: number): void {
    const before = row === 0 ? 0 : this.#end(row - 1)
    const page = this.#pages.view(this.#at + row * segmentSize, segmentSize)
    const { offset } = this.#pages
    this.start = u64(page, offset)
    this.stored = u64(page, offset + 8)
    this.length = u64(page, offset + 16)
    const inside = this.start + this.length <= this.size && this.stored + this.length <= this.#tarSize
    if (this.start < before || this.length === 0 || !inside) this.#fail(`segment ${row} of its spill makes no sense`)
  }

  #end(row: number): number {
    const page = this.#pages.view(this.#at + row * segmentSize, segmentSize)
    const { offset } = this.#pages
    return u64(page, offset) + u64(page, offset + 16)
  }
}

function u64(page: Buffer, at: number): number {
  return page.readUInt32LE(at + 4) * 2 ** 32 + page.readUInt32LE(at)
}
