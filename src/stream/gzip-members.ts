import { crc32, createInflateRaw } from 'node:zlib'
import { codeOf, PlyError } from '../model/errors.ts'
import type { ByteStream } from './bytes.ts'
import { codecOptions, through } from './codec.ts'

/**
 * What a gzip stream holds, and whatever follows its last member left out (layer-semantics Z-02, lenient). zlib throws away
 * what it has decompressed when it runs into such bytes, so this reads member by member; that is slower where members are many.
 *
 * The source is read to its end all the same; `onTrailing` hears once that something else than NUL bytes was left out.
 *
 * @throws PLY_BAD_COMPRESSION for damage inside a member.
 */
export async function* inflatedLeniently(source: ByteStream, onTrailing: () => void = () => {}): ByteStream {
  const input = new Input(source)
  try {
    for (let first = true; first || (await input.startsMember()); first = false) {
      await skipHeader(input)
      let crc = 0
      let size = 0
      try {
        for await (const chunk of through(input.rest(), createInflateRaw(codecOptions), (rest) => {
          input.unread(rest)
          return 'enough'
        })) {
          crc = crc32(chunk, crc)
          size = (size + chunk.length) % 2 ** 32
          yield chunk
        }
      } catch (error) {
        if (!codeOf(error)?.startsWith('Z_')) throw error
        throw bad((error as Error).message, error)
      }
      const trailer = await input.take(8)
      if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== size)
        throw bad('a member does not match its checksum')
    }
    let padding = true
    for await (const chunk of input.rest()) {
      if (padding && !chunk.every((byte) => byte === 0)) {
        padding = false
        onTrailing()
      }
    }
  } finally {
    await input.close()
  }
}

/** RFC 1952, section 2.3. */
async function skipHeader(input: Input): Promise<void> {
  let sum = 0
  const take = async (size: number): Promise<Buffer> => {
    const bytes = await input.take(size)
    // Over no bytes at all, Node's may answer 0 and forget the rest.
    if (size > 0) sum = crc32(bytes, sum)
    return bytes
  }
  const fixed = await take(10)
  if (fixed[0] !== 0x1f || fixed[1] !== 0x8b || fixed[2] !== 8) throw bad('incorrect header')
  const flags = fixed[3]!
  if (flags & 0xe0) throw bad('unknown header flags')
  if (flags & 4) await take((await take(2)).readUInt16LE(0))
  for (const named of [8, 16]) if (flags & named) sum = await input.skipText(sum)
  if (flags & 2 && (await input.take(2)).readUInt16LE(0) !== (sum & 0xffff))
    throw bad('a header does not match its checksum')
}

function bad(reason: string, cause?: unknown): PlyError {
  const details = { reason: `gzip: ${reason} (layer-semantics Z-04)`, rule: 'Z-04' }
  return new PlyError('PLY_BAD_COMPRESSION', details, { cause })
}

/** A stream that a few bytes can be taken from, and given back to. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = Buffer.alloc(0)

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async startsMember(): Promise<boolean> {
    const seen = await this.#gather(3)
    this.#chunk = Buffer.concat([seen, this.#chunk])
    return seen.length === 3 && seen[0] === 0x1f && seen[1] === 0x8b && seen[2] === 8
  }

  async take(size: number): Promise<Buffer> {
    const bytes = await this.#gather(size)
    if (bytes.length < size) throw bad('unexpected end of file')
    return bytes
  }

  /** Up to the next NUL, which goes too. Answers the CRC-32 so far, continued over it. */
  async skipText(before: number): Promise<number> {
    for (let sum = before; ; ) {
      if (this.#chunk.length === 0) {
        const { done, value } = await this.#source.next()
        if (done) throw bad('unexpected end of file')
        this.#chunk = value
      }
      const end = this.#chunk.indexOf(0)
      const part = end < 0 ? this.#chunk : this.#chunk.subarray(0, end + 1)
      sum = crc32(part, sum)
      this.#chunk = this.#chunk.subarray(part.length)
      if (end >= 0) return sum
    }
  }

  unread(rest: Uint8Array): void {
    this.#chunk = Buffer.concat([rest, this.#chunk])
  }

  /** Everything from here on. Leaving it early leaves this input open. */
  rest(): ByteStream {
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (this.#chunk.length === 0) return this.#source.next()
      const value = this.#chunk
      this.#chunk = Buffer.alloc(0)
      return { done: false, value }
    }
    return { [Symbol.asyncIterator]: () => ({ next }) }
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #gather(size: number): Promise<Buffer> {
    const bytes = Buffer.alloc(size)
    let filled = 0
    while (filled < size) {
      if (this.#chunk.length === 0) {
        const { done, value } = await this.#source.next()
        if (done) break
        this.#chunk = value
      }
      const part = this.#chunk.subarray(0, size - filled)
      bytes.set(part, filled)
      filled += part.length
      this.#chunk = this.#chunk.subarray(part.length)
    }
    return bytes.subarray(0, filled)
  }
}
