import { PlyError } from '../model/errors.ts'
import type { ByteStream } from './bytes.ts'

/** How a stream is called in errors. */
export interface Named {
  /** What the bytes are, for people: a digest, a path, `the manifest`. */
  readonly what?: string
}

/**
 * All bytes of a stream, in memory. `limit` is in bytes: it keeps hostile input from filling the memory.
 *
 * @throws PLY_TOO_LARGE
 */
export async function collect(stream: ByteStream, limit: number, { what = 'the input' }: Named = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  // A chunk belongs to the reader only until it asks for the next one, hence the copy.
  for await (const chunk of limited(stream, limit, { what })) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/**
 * The same bytes, as long as there are at most `limit` of them.
 *
 * @throws PLY_TOO_LARGE at the first chunk that goes past the limit; nothing of that chunk is handed on.
 */
export async function* limited(stream: ByteStream, limit: number, { what = 'the input' }: Named = {}): ByteStream {
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > limit) throw new PlyError('PLY_TOO_LARGE', { what, limit })
    yield chunk
  }
}
