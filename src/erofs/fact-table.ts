import { decodeFacts } from './columns.ts'
import type { InodeFacts } from './format.ts'
import type { InodeRow } from './inode-row.ts'
import type { Pages } from './pages.ts'
import type { Fail } from './refusal.ts'
import { factSize } from './trailer.ts'

/** The facts of inodes: records of 16 bytes, sorted by inode number. */
export class FactTable {
  readonly #pages: Pages
  readonly #start: number
  readonly #count: number
  readonly #fail: Fail
  /** Walks ask for one inode after another: the next record is tried first. */
  #recent = 0

  constructor(pages: Pages, start: number, count: number, fail: Fail) {
    this.#pages = pages
    this.#start = start
    this.#count = count
    this.#fail = fail
  }

  /** The bits of `factBits`. */
  flags(nid: number): number {
    const page = this.#pages.view(this.#find(nid), factSize)
    return page[this.#pages.offset + 4]!
  }

  layer(nid: number): number {
    const page = this.#pages.view(this.#find(nid), factSize)
    return page.readUInt16LE(this.#pages.offset + 6)
  }

  /** -1 where no entry describes the inode. */
  header(nid: number): number {
    const page = this.#pages.view(this.#find(nid), factSize)
    return headerIn(page, this.#pages.offset)
  }

  load(nid: number, row: InodeRow): void {
    const page = this.#pages.view(this.#find(nid), factSize)
    const { offset } = this.#pages
    row.flags = page[offset + 4]!
    row.layer = page.readUInt16LE(offset + 6)
    row.header = headerIn(page, offset)
  }

  facts(nid: number): InodeFacts {
    const page = this.#pages.view(this.#find(nid), factSize)
    const { offset } = this.#pages
    return decodeFacts(page[offset + 4]!, page.readUInt16LE(offset + 6), headerIn(page, offset))
  }

  /** The offset of an inode's record. */
  #find(nid: number): number {
    for (let row = this.#recent; row < Math.min(this.#recent + 2, this.#count); row++) {
      if (this.#nid(row) === nid) return this.#found(row)
    }
    let low = 0
    let high = this.#count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const there = this.#nid(middle)
      if (there === nid) return this.#found(middle)
      if (there < nid) low = middle + 1
      else high = middle - 1
    }
    return this.#fail(`there is no inode ${nid}`)
  }

  #found(row: number): number {
    this.#recent = row
    return this.#start + row * factSize
  }

  #nid(row: number): number {
    return this.#pages.u32(this.#start + row * factSize)
  }
}

function headerIn(page: Buffer, offset: number): number {
  const high = page.readUInt32LE(offset + 12)
  return high === 0xffffffff ? -1 : high * 2 ** 32 + page.readUInt32LE(offset + 8)
}
