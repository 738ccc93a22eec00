import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from './bytes.ts'

/** Bytes in one checked page. */
export const checkedPageSize = 64 << 10

export interface CheckedOptions {
  /** Whose bytes they are, for messages. */
  readonly what?: string
  /** What to do about damage, for messages. */
  readonly advice?: string
  /** Called before damage is thrown. */
  readonly onDamage?: () => void
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
  { what = 'the file', advice = 'get it anew from where it came', onDamage }: CheckedOptions = {},
): Bytes {
  const { size } = bytes
  const pages = Math.ceil(size / checkedPageSize)
  if (crcPages.length !== pages) {
    throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: crcPages.length * checkedPageSize, actual: size })
  }
  const passed = new Uint8Array(Math.ceil(pages / 8))
  let whole: Buffer | undefined

  const damaged = (page: number) => {
    onDamage?.()
    return new PlyError('PLY_DAMAGED', { what, page, advice })
  }
  const has = (page: number) => (passed[page >> 3]! & (1 << (page & 7))) !== 0
  const check = (page: number, content: Uint8Array) => {
    if (crc32(content) !== crcPages[page]) throw damaged(page)
    passed[page >> 3]! |= 1 << (page & 7)
  }

  /** Fills `into`, which lies inside one page that has not passed yet. */
  const readUnchecked = (page: number, into: Uint8Array, position: number) => {
    const start = page * checkedPageSize
    const length = Math.min(checkedPageSize, size - start)
    if (into.length === length) {
      if (bytes.read(into, start) < length) throw damaged(page)
      check(page, into)
      return
    }
    whole ??= Buffer.allocUnsafeSlow(checkedPageSize)
    const content = whole.subarray(0, length)
    if (bytes.read(content, start) < length) throw damaged(page)
    check(page, content)
    into.set(content.subarray(position - start, position - start + into.length))
  }

  return {
    size,
    read(into, position) {
      if (position >= size) return 0
      const end = Math.min(size, position + into.length)
      for (let at = position; at < end; ) {
        let page = Math.floor(at / checkedPageSize)
        if (has(page)) {
          // One read for as many pages as have passed.
          while ((page + 1) * checkedPageSize < end && has(page + 1)) page++
          const stop = Math.min(end, (page + 1) * checkedPageSize)
          const got = bytes.read(into.subarray(at - position, stop - position), at)
          if (got < stop - at) throw damaged(page)
          at = stop
        } else {
          const stop = Math.min(end, (page + 1) * checkedPageSize)
          readUnchecked(page, into.subarray(at - position, stop - position), at)
          at = stop
        }
      }
      return end - position
    },
    close() {
      whole = undefined
      bytes.close()
    },
  }
}
