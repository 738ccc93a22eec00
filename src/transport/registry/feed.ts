import type { ByteStream } from '../../stream/bytes.ts'

/**
 * The bytes of a blob in pieces, one after the other, from a stream that is opened again only to go back. The stream checks
 * itself at its end: `finish` is what makes sure of it.
 */
export class Feed implements AsyncDisposable {
  readonly #open: () => ByteStream
  #stream: AsyncIterator<Uint8Array> | undefined
  #rest: Uint8Array = Buffer.alloc(0)
  #position = 0

  constructor(open: () => ByteStream) {
    this.#open = open
  }

  /** Bytes that were handed out. */
  get position(): number {
    return this.#position
  }

  /** The next `size` bytes. A piece is read to its end before the next one is asked for. */
  async *take(size: number): ByteStream {
    for (let left = size; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#more())) return
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      this.#position += part.length
      left -= part.length
      yield part
    }
  }

  /** Goes to a position. What lies before it is read again, and so checked again. */
  async seek(position: number): Promise<void> {
    if (position < this.#position) {
      await this[Symbol.asyncDispose]()
      this.#position = 0
    }
    while (this.#position < position) {
      if (this.#rest.length === 0 && !(await this.#more())) return
      const skipped = Math.min(this.#rest.length, position - this.#position)
      this.#rest = this.#rest.subarray(skipped)
      this.#position += skipped
    }
  }

  /** To the end of the stream, where it says whether it was right. @throws what the stream throws */
  async finish(): Promise<void> {
    while (await this.#more());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    this.#rest = Buffer.alloc(0)
    await stream?.return?.()
  }

  async #more(): Promise<boolean> {
    this.#stream ??= this.#open()[Symbol.asyncIterator]()
    const { done, value } = await this.#stream.next()
    if (!done) this.#rest = value
    return !done
  }
}
