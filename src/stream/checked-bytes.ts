import { crc32 as crc32OfNode } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from './bytes.ts'
import { checkedPageSize, HeldPages } from './held-pages.ts'

export interface CheckedOptions {
  /** Whose bytes they are, for messages. */
  readonly what?: string
  /** What to do about damage, for messages. */
  readonly advice?: string
  /** Called before damage is thrown. */
  readonly onDamage?: () => void
  /** Where pages stay of which only a part was asked for; absent: the last one does. */
  readonly held?: HeldPages
  /** What takes the checksums, where something faster than Node's is at hand. */
  readonly crc32?: (bytes: Uint8Array) => number
}

/**
 * The same bytes; each page of 64 KiB is compared with its CRC-32 (zlib's) when it is touched for the first time.
 * Pages that have passed are not checked again as long as this is open. The last page may be shorter.
 *
 * There is no `extent`: a copy inside the kernel would read past the check. Closing closes the bytes underneath.
 *
 * @throws PLY_DAMAGED from a read; PLY_SIZE_MISMATCH at once, if there are not as many checksums as pages.
 */
export function checkedBytes(
  bytes: Bytes,
  crcPages: Uint32Array,
  {
    what = 'the file',
    advice = 'get it anew from where it came',
    onDamage,
    held = new HeldPages(1),
    crc32 = crc32OfNode,
  }: CheckedOptions = {},
): Bytes {
  const { size } = bytes
  const pages = Math.ceil(size / checkedPageSize)
  if (crcPages.length !== pages) {
    throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: crcPages.length * checkedPageSize, actual: size })
  }
  const passed = new Uint8Array(Math.ceil(pages / 8))
  /** Pages of which only a part was asked for: whoever reads on asks for the rest. */
  const here = new Map<number, Buffer>()

  const damaged = (page: number) => {
    onDamage?.()
    return new PlyError('PLY_DAMAGED', { what, page, advice })
  }
  /** Whether a page ends there. */
  const isWhole = (stop: number) => stop % checkedPageSize === 0 || stop === size
  const has = (page: number) => (passed[page >> 3]! & (1 << (page & 7))) !== 0
  const check = (page: number, content: Uint8Array) => {
    if (crc32(content) !== crcPages[page]) throw damaged(page)
    passed[page >> 3]! |= 1 << (page & 7)
  }

  /** Fills `into` with a whole page that has not passed yet. One after the other: what was just read is checked out of the cache. */
  const readPage = (page: number, into: Uint8Array) => {
    if (bytes.read(into, page * checkedPageSize) < into.length) throw damaged(page)
    check(page, into)
  }

  /** Reads a page that has not passed yet, and holds it. */
  const hold = (page: number) => {
    const content = held
      .take(() => here.delete(page))
      .subarray(0, Math.min(checkedPageSize, size - page * checkedPageSize))
    if (bytes.read(content, page * checkedPageSize) < content.length) throw damaged(page)
    check(page, content)
    here.set(page, content)
  }

  return {
    size,
    read(into, position) {
      if (position >= size) return 0
      const end = Math.min(size, position + into.length)
      for (let at = position; at < end; ) {
        let page = Math.floor(at / checkedPageSize)
        const start = page * checkedPageSize
        let stop = Math.min(end, start + checkedPageSize)
        const content = here.get(page)
        if (content !== undefined) {
          content.copy(into, at - position, at - start, stop - start)
        } else if (has(page)) {
          // One read for as many pages as have passed.
          while ((page + 1) * checkedPageSize < end && has(page + 1)) page++
          stop = Math.min(end, (page + 1) * checkedPageSize)
          // A part of a buffer takes a while to make, and small contents lie in one page.
          const isAll = at === position && stop - at === into.length
          const got = bytes.read(isAll ? into : into.subarray(at - position, stop - position), at)
          if (got < stop - at) throw damaged(page)
        } else if (at === start && isWhole(stop)) {
          readPage(page, into.subarray(at - position, stop - position))
        } else {
          hold(page)
          continue
        }
        at = stop
      }
      return end - position
    },
    close() {
      here.clear()
      bytes.close()
    },
  }
}
