import type { ByteStream } from './bytes.ts'
import { Xxh64 } from './xxh64.ts'
import { type FrameEnd, type FramePart, windowOf } from './zstd-frames.ts'
import { Literals } from './zstd-literals.ts'
import { Sequences } from './zstd-sequences.ts'
import { ZstdWindow } from './zstd-window.ts'

const mostBlock = 128 << 10
const outputSize = 256 << 10

/**
 * zstd in JavaScript, for machines with nothing better: several times slower. Written here, because layers come from strangers: the
 * libraries there are can be kept busy for minutes by a few bytes. What it keeps is bounded by the window of the frame.
 */
export const scriptZstd = {
  name: 'javascript',
  byBlock: true,
  available: () => true,
  decode,
} as const

async function* decode(parts: AsyncIterable<FramePart>): ByteStream {
  const frame = new Frame()
  const output = Buffer.allocUnsafeSlow(outputSize)
  let filled = 0
  /** A header, block or checksum that came in several parts; room for what bits are read past its end. */
  const piece = Buffer.alloc(mostBlock + 16)
  let held = 0
  for await (const { bytes, whole, end } of parts) {
    piece.set(bytes, held)
    held += bytes.length
    if (!whole) continue
    piece.fill(0, held, held + 4)
    const content = frame.take(piece, held)
    held = 0
    if (content !== undefined) {
      if (filled + content.length > outputSize) {
        yield output.subarray(0, filled)
        filled = 0
      }
      output.set(content, filled)
      filled += content.length
    }
    if (end !== undefined) frame.end(end)
  }
  if (filled > 0) yield output.subarray(0, filled)
}

type Expected = 'header' | 'block' | 'checksum'

/** One frame after the other, a piece at a time. */
class Frame {
  readonly #literals = new Literals()
  readonly #sequences = new Sequences()
  readonly #window = new ZstdWindow()
  #expected: Expected = 'header'
  #sum = new Xxh64()
  #size = 0
  #blockLimit = mostBlock
  #summed = false

  /** What the first `length` bytes decompress to; to be used before the next call. @throws Error */
  take(piece: Buffer, length: number): Uint8Array | undefined {
    switch (this.#expected) {
      case 'header':
        this.#begin(piece)
        return undefined
      case 'block':
        return this.#block(piece, length)
      case 'checksum':
        return undefined
      default:
        return this.#expected satisfies never
    }
  }

  /** @throws Error if the frame is not what its end says */
  end({ contentSize, checksum }: FrameEnd): void {
    this.#expected = 'header'
    if (contentSize !== undefined && contentSize !== BigInt(this.#size))
      throw new Error(`a frame holds ${this.#size} bytes but says ${contentSize}`)
    if (checksum !== undefined && checksum !== Number(this.#sum.digest() & 0xffffffffn))
      throw new Error('a frame does not match its checksum')
  }

  #begin(header: Buffer): void {
    this.#literals.reset()
    this.#sequences.reset()
    const window = windowOf(header)
    this.#blockLimit = Math.min(window, mostBlock)
    this.#window.reset(window)
    this.#summed = (header[4]! & 4) !== 0
    if (this.#summed) this.#sum = new Xxh64()
    this.#size = 0
    this.#expected = 'block'
  }

  #block(block: Buffer, length: number): Uint8Array {
    const head = block.readUIntLE(0, 3)
    if (head & 1) this.#expected = 'checksum'
    const size = head >> 3
    const window = this.#window
    window.reserve(mostBlock)
    const start = window.end
    switch ((head >> 1) & 3) {
      case 0:
        window.bytes.set(block.subarray(3, length), start)
        window.end += size
        break
      case 1:
        window.bytes.fill(block[3]!, start, start + size)
        window.end += size
        break
      default: {
        const literals = this.#literals
        const at = literals.read(block, 3, length)
        this.#sequences.apply(block, at, length, literals.bytes, literals.size, window)
      }
    }
    const content = window.bytes.subarray(start, window.end)
    if (content.length > this.#blockLimit) throw new Error(`a block of ${content.length} bytes`)
    this.#size += content.length
    if (this.#summed) this.#sum.update(content)
    return content
  }
}
