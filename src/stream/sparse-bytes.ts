import { PlyError } from '../model/errors.ts'
import type { Bytes } from './bytes.ts'

/**
 * Which runs of a content are stored, and where: rows in order of `start`, none empty, none overlapping. Where they come from a
 * file, `after` and `load` may throw what is to be said about damage.
 */
export interface Segments {
  readonly count: number
  /** The number of the first row that ends behind a position; `count` if none does. */
  after(position: number): number
  /** Sets the fields below to those of a row. */
  load(row: number): void
  /** Where in the content the row begins. */
  readonly start: number
  readonly length: number
  /** Where its bytes are stored. */
  readonly stored: number
}

/**
 * Content of which only some runs are stored; the rest is zeros. It takes `stored` over: closing it closes that.
 *
 * @throws EIO from a read if `stored` is shorter than the segments say
 */
export function sparseBytes(stored: Bytes, size: number, segments: Segments): Bytes {
  return {
    size,
    read(into, position) {
      if (position >= size) return 0
      const end = Math.min(size, position + into.length)
      let at = position
      for (let row = segments.after(at); at < end && row < segments.count; row++) {
        segments.load(row)
        const { start, length, stored: place } = segments
        if (start > at) {
          const hole = Math.min(start, end)
          into.fill(0, at - position, hole - position)
          at = hole
        }
        const stop = Math.min(end, start + length)
        if (stop <= at) continue
        const wanted = into.subarray(at - position, stop - position)
        if (stored.read(wanted, place + at - start) !== wanted.length) {
          throw new PlyError('EIO', { syscall: 'read' }, { cause: new Error('what is stored is shorter than its map') })
        }
        at = stop
      }
      into.fill(0, at - position, end - position)
      return end - position
    },
    nextData(position) {
      const row = segments.after(position)
      if (position >= size || row === segments.count) return undefined
      segments.load(row)
      const { start, length } = segments
      return { start: Math.max(position, start), end: Math.min(size, start + length) }
    },
    close() {
      stored.close()
    },
  }
}

/** Segments in memory, a column each; the columns hold at least `count` rows. */
export function segmentsOf(
  count: number,
  columns: { readonly start: Float64Array; readonly length: Float64Array; readonly stored: Float64Array },
): Segments {
  const segments = {
    count,
    start: 0,
    length: 0,
    stored: 0,
    after(position: number) {
      let low = 0
      let high = count
      while (low < high) {
        const middle = (low + high) >>> 1
        if (columns.start[middle]! + columns.length[middle]! > position) high = middle
        else low = middle + 1
      }
      return low
    },
    load(row: number) {
      segments.start = columns.start[row]!
      segments.length = columns.length[row]!
      segments.stored = columns.stored[row]!
    },
  }
  return segments
}
