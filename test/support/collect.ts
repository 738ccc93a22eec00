import type { ByteStream } from '../../src/stream/bytes.ts'

/** All bytes of a stream. Chunks are copied, since they belong to the reader only until the next one. */
export async function bytesIn(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** All values of an async iterable. (`Array.fromAsync` needs Node 22.) */
export async function valuesOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

/** Bytes in chunks of a size. Like a careless source, it uses one buffer for all of them. */
export async function* inChunks(content: Uint8Array, size = 1000): ByteStream {
  const buffer = Buffer.alloc(size)
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size)
    buffer.set(part)
    yield buffer.subarray(0, part.length)
    buffer.fill(0xee)
  }
}
