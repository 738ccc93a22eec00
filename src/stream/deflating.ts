import { crc32, createDeflateRaw, type ZlibOptions } from 'node:zlib'

/** How far back deflate looks. */
const history = 32 << 10

/** The blocks of one gzip member (RFC 1952): one is filled, others are being deflated on the thread pool. */
export class Deflating {
  readonly #blockSize: number
  readonly #settings: ZlibOptions
  readonly #spare: Buffer[] = []
  readonly #history = Buffer.allocUnsafeSlow(history)
  #historySize = 0
  #block: Buffer | undefined
  #filled = 0
  #crc = 0
  #size = 0

  constructor(blockSize: number, settings: ZlibOptions) {
    this.#blockSize = blockSize
    this.#settings = settings
  }

  get isFull(): boolean {
    return this.#filled === this.#blockSize
  }

  /** Copies what there is room for from `at` on; answers how much that was. */
  take(chunk: Uint8Array, at: number): number {
    this.#block ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#blockSize)
    const part = chunk.subarray(at, at + this.#block.length - this.#filled)
    this.#block.set(part, this.#filled)
    this.#filled += part.length
    return part.length
  }

  /** Deflates what was taken, with the end of the block before it as its dictionary. `finishFlush` is zlib's. */
  async start(finishFlush: number): Promise<readonly Uint8Array[]> {
    const memory = this.#block ?? Buffer.alloc(0)
    const block = memory.subarray(0, this.#filled)
    this.#block = undefined
    this.#filled = 0
    this.#crc = crc32(block, this.#crc)
    this.#size += block.length
    const dictionary = this.#historySize > 0 && { dictionary: this.#history.subarray(0, this.#historySize) }
    // zlib has its own copy of the dictionary when this returns.
    const done = deflated(block, { ...this.#settings, finishFlush, ...dictionary })
    const tail = block.subarray(Math.max(0, block.length - history))
    this.#history.set(tail)
    this.#historySize = tail.length
    const parts = await done
    if (memory.length === this.#blockSize) this.#spare.push(memory)
    return parts
  }

  /** Checksum and size of all that was taken (RFC 1952, 2.3.1). */
  trailer(): Uint8Array {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc, 0)
    trailer.writeUInt32LE(this.#size % 2 ** 32, 4)
    return trailer
  }
}

/** In the pieces in which zlib hands it out: putting them together would cost another copy. */
function deflated(block: Uint8Array, options: ZlibOptions): Promise<readonly Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    const codec = createDeflateRaw(options)
    codec.on('data', (part: Uint8Array) => parts.push(part))
    codec.once('end', () => resolve(parts)).once('error', reject)
    codec.end(block)
  })
}
