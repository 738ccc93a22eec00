import { crc32 } from 'node:zlib'
import type { ByteSink } from '../stream/bytes.ts'

export const pageSize = 1 << 16

const capacity = 1 << 20

/**
 * An image on its way out: zeroed space is filled in order, whole pages are summed and given away.
 *
 * Each chunk given to the sink is a buffer of its own. Ask `fits` before `take`, and `flush` when it does not.
 */
export class PageOutput {
  readonly sums: number[] = []
  readonly #sink: ByteSink
  /** One page at first, since most layers that are written are small. */
  #buffer = Buffer.alloc(pageSize)
  #view = viewOf(this.#buffer)
  /** Position in the image of the buffer's first byte; a multiple of the page size. */
  #base = 0
  #used = 0

  constructor(sink: ByteSink) {
    this.#sink = sink
  }

  get buffer(): Buffer {
    return this.#buffer
  }

  /** The same bytes, for numbers: a buffer checks each that it writes, which takes longer than writing it. */
  get view(): DataView {
    return this.#view
  }

  get position(): number {
    return this.#base + this.#used
  }

  /** Whether everything up to this position of the image fits in the buffer. */
  fits(end: number): boolean {
    return end - this.#base <= this.#buffer.length
  }

  /** Moves on to `start` (what is skipped stays zero), takes the bytes up to `end`, and answers where in the buffer they are. */
  take(start: number, end: number): number {
    this.#used = end - this.#base
    return start - this.#base
  }

  /** Gives away the whole pages, so that at least `end - position` bytes fit. */
  async flush(end = this.position): Promise<void> {
    const whole = this.#used - (this.#used % pageSize)
    const given = this.#buffer.subarray(0, whole)
    const rest = this.#buffer.subarray(whole, this.#used)
    const base = this.#base + whole
    const fresh = Buffer.alloc(Math.max(capacity, end - base))
    rest.copy(fresh)
    this.#buffer = fresh
    this.#view = viewOf(fresh)
    this.#base = base
    this.#used = rest.length
    await this.#give(given)
  }

  /** Gives away what is left, the last page as short as it is. Nothing may come after it. */
  async end(): Promise<void> {
    await this.#give(this.#buffer.subarray(0, this.#used))
  }

  async #give(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += pageSize) this.sums.push(crc32(bytes.subarray(at, at + pageSize)))
    if (bytes.length > 0) await this.#sink.write(bytes)
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}
