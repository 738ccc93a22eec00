import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type MemberFields, paddingOf, writeHeader } from '../tar/index.ts'

/** Bytes of a chunk. */
const chunkSize = 1 << 18

/**
 * A tar in the making, gathered in large chunks. What was taken is written over as soon as more comes: memory that nobody
 * has touched before takes as long as all else that is done for a small file.
 */
export class PackOutput {
  #full: Buffer<ArrayBuffer>[] = []
  /** What can be written over. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = []
  #bytes = chunkOf(chunkSize)
  #used = 0

  /** Whether there are chunks to `take`. */
  get ready(): boolean {
    return this.#full.length > 0
  }

  /** The chunks that are complete. They are the caller's until it goes on packing. */
  take(): readonly Uint8Array[] {
    const full = this.#full
    if (full.length === 0) return full
    this.#full = []
    for (const { buffer } of full) if (buffer.byteLength === chunkSize) this.#spare.push(new Uint8Array(buffer))
    return full
  }

  /** Nothing comes any more: what there is is a chunk. */
  end(): void {
    this.#next(0)
  }

  /** @throws PLY_UNREPRESENTABLE as `encodeHeader` does. */
  header(member: MemberFields): void {
    const size = writeHeader(this.#bytes, this.#used, member)
    if (size > this.#bytes.length - this.#used) {
      this.#next(size)
      writeHeader(this.#bytes, 0, member)
    }
    this.#used += size
  }

  add(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#used)
    this.#used += bytes.length
  }

  /**
   * Copies content that is to have `size` bytes, from `position` on, as much as goes into a chunk. Answers where it came
   * to; `undefined` when that is the end. A byte more than there should be is asked for: what does not come needs no
   * second question whether it is there.
   *
   * @throws PLY_CHANGED for `path` if there are more bytes, or fewer (layer-semantics E-12).
   */
  copy(path: ByteString, content: Bytes, position: number, size: number): number | undefined {
    this.#reserve(1)
    const wanted = Math.min(this.#bytes.length - this.#used, size + 1 - position)
    const found = content.read(this.#bytes.subarray(this.#used, this.#used + wanted), position)
    const got = Math.min(found, size - position)
    if (found > got) throw changed(path)
    this.#used += got
    if (position + got === size && got < wanted) return undefined
    if (got === 0) throw changed(path)
    return position + got
  }

  /** The zeros that follow content of this size. */
  pad(size: number): void {
    const padding = paddingOf(size)
    this.#reserve(padding)
    this.#bytes.fill(0, this.#used, this.#used + padding)
    this.#used += padding
  }

  #reserve(size: number): void {
    if (size > this.#bytes.length - this.#used) this.#next(size)
  }

  /** What there is is a chunk; the next one has room for `size` bytes. Only an extended header can be larger than a whole chunk. */
  #next(size: number): void {
    if (this.#used > 0) this.#full.push(Buffer.from(this.#bytes.buffer, 0, this.#used))
    const spare = size > chunkSize ? undefined : this.#spare.pop()
    this.#bytes = spare ?? chunkOf(Math.max(chunkSize, size))
    this.#used = 0
  }
}

/** Not a `Buffer`, of which parts take longer to make. */
function chunkOf(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
}

function changed(path: ByteString): PlyError {
  return new PlyError('PLY_CHANGED', { path: displayText(path) })
}
