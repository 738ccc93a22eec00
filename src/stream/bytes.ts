/** Bytes in motion. Each chunk belongs to the reader until it asks for the next one. */
export type ByteStream = AsyncIterable<Uint8Array>

/**
 * Bytes at rest that can be read at any position, synchronously.
 *
 * Positions and sizes are bytes. `close` may be called twice; reading after it is an `EBADF`.
 */
export interface Bytes {
  readonly size: number
  /** Fills `into` from `position`; returns how many bytes were there (fewer only at the end). */
  read(into: Uint8Array, position: number): number
  close(): void
  /** Where these bytes lie on a disk, if they are one run of a file: for copies inside the kernel. */
  readonly extent?: { readonly fd: number; readonly offset: number } | undefined
  /**
   * The first run from `position` on that may hold something other than zeros; `undefined` if only zeros are left. Absent where
   * nobody knows, and everything may.
   */
  readonly nextData?: ((position: number) => Run | undefined) | undefined
}

/** A run of bytes: from `start` up to `end`, which is not in it. */
export interface Run {
  readonly start: number
  readonly end: number
}

/** Something bytes are written to, in order. A promise asks the writer to wait. */
export interface ByteSink {
  write(chunk: Uint8Array): void | Promise<void>
}

/** Bytes that are in memory. */
export function memoryBytes(content: Uint8Array): Bytes {
  return {
    size: content.length,
    read(into, position) {
      if (position >= content.length) return 0
      // Most content is small and read at once, and a part of a buffer takes longer to make than such content to copy.
      const whole = position === 0 && content.length <= into.length
      const part = whole ? content : content.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    close() {},
  }
}

/** A run of other bytes. Closing it leaves the others open. */
export function slice(whole: Bytes, offset: number, size: number): Bytes {
  return new Slice(whole, offset, size)
}

/** What `slice` answers. */
export class Slice implements Bytes {
  readonly size: number
  readonly #whole: Bytes
  readonly #offset: number

  constructor(whole: Bytes, offset: number, size: number) {
    this.#whole = whole
    this.#offset = offset
    this.size = size
  }

  get extent(): Bytes['extent'] {
    const { extent } = this.#whole
    return extent && { fd: extent.fd, offset: extent.offset + this.#offset }
  }

  get nextData(): Bytes['nextData'] {
    const { nextData } = this.#whole
    return nextData && ((position) => this.#nextData(nextData, position))
  }

  read(into: Uint8Array, position: number): number {
    const left = this.size - position
    if (left <= 0) return 0
    return this.#whole.read(into.length > left ? into.subarray(0, left) : into, this.#offset + position)
  }

  close(): void {}

  #nextData(nextDataOfWhole: (position: number) => Run | undefined, position: number): Run | undefined {
    const end = this.#offset + this.size
    const run = position < this.size ? nextDataOfWhole(this.#offset + position) : undefined
    if (run === undefined || run.start >= end) return undefined
    return { start: run.start - this.#offset, end: Math.min(run.end, end) - this.#offset }
  }
}

/** Zeros, which nobody stores. */
export function zeroBytes(size: number): Bytes {
  return {
    size,
    read(into, position) {
      const length = Math.max(0, Math.min(into.length, size - position))
      into.fill(0, 0, length)
      return length
    },
    nextData: () => undefined,
    close() {},
  }
}

/**
 * The runs of content that may hold something other than zeros, in order, widened to whole steps (the last one ends with the
 * content); runs that touch then are one.
 */
export function* dataRuns(content: Bytes, step: number): Generator<Run, void, undefined> {
  const { size } = content
  if (content.nextData === undefined) {
    if (size > 0) yield { start: 0, end: size }
    return
  }
  let start = 0
  let end = 0
  for (let run = content.nextData(0); run !== undefined; run = end < size ? content.nextData(end) : undefined) {
    const from = run.start - (run.start % step)
    if (from > end) {
      if (end > start) yield { start, end }
      start = from
    }
    end = Math.min(size, Math.ceil(run.end / step) * step)
  }
  if (end > start) yield { start, end }
}

/** Bytes at rest, set in motion. `chunkSize` is in bytes. Each chunk is a buffer of its own. */
export async function* streamOf(content: Bytes, chunkSize = 1 << 18): ByteStream {
  for (let position = 0; position < content.size; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, content.size - position))
    const got = content.read(chunk, position)
    if (got === 0) return
    yield got === chunk.length ? chunk : chunk.subarray(0, got)
    position += got
  }
}
