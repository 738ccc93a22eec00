import { createHash } from 'node:crypto'
import type { Digest } from '../model/digest.ts'
import type { ByteSink, ByteStream } from './bytes.ts'

/** Takes the size and the digest of bytes as they pass. It is a sink: write to it, or hand it to `tee`. */
export class Tally implements ByteSink {
  readonly #hash = createHash('sha256')
  #size = 0
  #digest: Digest | undefined

  /** Bytes so far. */
  get size(): number {
    return this.#size
  }

  write(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.#size += chunk.length
  }

  /** The digest of all that was written. Nothing can be written after it; asking again answers the same. */
  digest(): Digest {
    return (this.#digest ??= `sha256:${this.#hash.digest('hex')}` as Digest)
  }
}

/** The same bytes; each chunk is written to the sink before it is handed on, and a sink that is slow is waited for. */
export async function* tee(stream: ByteStream, sink: ByteSink): ByteStream {
  for await (const chunk of stream) {
    const written = sink.write(chunk)
    if (written !== undefined) await written
    yield chunk
  }
}

/** The same bytes; `onBytes` hears how many have passed, after each chunk. */
export async function* counted(stream: ByteStream, onBytes: (total: number) => void): ByteStream {
  let total = 0
  for await (const chunk of stream) {
    total += chunk.length
    onBytes(total)
    yield chunk
  }
}

/** Writes a whole stream to a sink, in order. */
export async function drain(stream: ByteStream, sink: ByteSink): Promise<void> {
  for await (const chunk of stream) {
    const written = sink.write(chunk)
    if (written !== undefined) await written
  }
}
