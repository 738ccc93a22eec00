import type { ByteString } from '../model/bytes.ts'
import { displayName } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { badLayer } from './member.ts'

/**
 * Where the content of a sparse member lies: runs in order, without overlap, none empty, none touching the next; what is
 * between them and after the last is zeros. A row of each column is one run; all numbers are bytes.
 */
export interface SparseMap {
  readonly count: number
  /** Where in the file it begins. */
  readonly logical: Float64Array
  readonly length: Float64Array
  /** Where in the archive its bytes begin. The runs are stored one right behind the other. */
  readonly stored: Float64Array
}

/** Entries of a map before a member is refused with PLY_BUDGET, unless told otherwise (layer-semantics, section 17). */
export const defaultSparseEntries = 1_000_000

/** A sparse map in the making: everything that layer-semantics S-03 asks of it is checked as entries come. */
export class SparseRuns {
  readonly #entry: ByteString
  readonly #size: number
  readonly #limit: number
  #logical = new Float64Array(16)
  #length = new Float64Array(16)
  #count = 0
  #end = 0
  #stored = 0
  /** Entries so far, those included that say nothing. */
  entries = 0

  /** `size` is that of the file, `limit` the most entries there may be. */
  constructor(entry: ByteString, size: number, limit: number) {
    this.#entry = entry
    this.#size = size
    this.#limit = limit
  }

  /** The next entry of the map. @throws PLY_BAD_LAYER S-03, PLY_BUDGET */
  add(offset: number, length: number): void {
    this.expect(++this.entries)
    if (offset < this.#end) throw this.refusal('its map is out of order, or overlaps itself')
    // Both are safe integers, and so is the size: where their sum would be rounded, it is beyond the size anyway.
    if (offset > this.#size || length > this.#size - offset) throw this.refusal('its map leads beyond its size')
    this.#end = offset + length
    if (length === 0) return
    this.#stored += length
    const last = this.#count - 1
    if (last >= 0 && this.#logical[last]! + this.#length[last]! === offset) {
      this.#length[last]! += length
      return
    }
    if (this.#count === this.#logical.length) this.#grow()
    this.#logical[this.#count] = offset
    this.#length[this.#count++] = length
  }

  /** @throws PLY_BUDGET if a map of so many entries is too long. */
  expect(entries: number): void {
    if (entries <= this.#limit) return
    throw new PlyError('PLY_BUDGET', {
      entry: displayName(this.#entry),
      what: 'the number of entries in its sparse map',
      limit: this.#limit,
      option: 'limits.sparseEntries',
    })
  }

  /** The whole map, for content of `stored` bytes that begins at byte `data` of the archive. @throws PLY_BAD_LAYER S-03 */
  finish(data: number, stored: number): SparseMap {
    if (this.#stored !== stored) {
      throw this.refusal(`its map speaks of ${this.#stored} stored bytes, and there are ${stored}`)
    }
    const count = this.#count
    const length = this.#length.slice(0, count)
    const places = new Float64Array(count)
    for (let i = 0, at = data; i < count; at += length[i++]!) places[i] = at
    return { count, logical: this.#logical.slice(0, count), length, stored: places }
  }

  refusal(reason: string): PlyError {
    return badLayer(this.#entry, 'S-03', reason)
  }

  #grow(): void {
    const logical = new Float64Array(this.#count * 2)
    const length = new Float64Array(this.#count * 2)
    logical.set(this.#logical)
    length.set(this.#length)
    this.#logical = logical
    this.#length = length
  }
}
