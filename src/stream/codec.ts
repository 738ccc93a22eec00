import type { Transform } from 'node:stream'
import type { ByteStream } from './bytes.ts'

/**
 * How much a codec of `node:zlib` writes at once. Its default of 16 KiB costs 2.6 times the CPU when it decompresses.
 */
const codecChunkSize = 256 << 10

/** What all codecs are made with. */
export const codecOptions = { chunkSize: codecChunkSize, readableHighWaterMark: 2 * codecChunkSize } as const

/** A transform of `node:zlib`; `bytesWritten` is how much input it has taken. */
export type Codec = Transform & { readonly bytesWritten: number }

export type AfterEnd = (rest: Uint8Array) => 'more' | 'enough'

/**
 * Sends bytes through a transform of `node:zlib`. One chunk is in flight at a time, since a chunk belongs to its reader only until the
 * next one is asked for; a slow reader stops the codec, and the codec stops the source.
 *
 * A codec may end before its input does. `afterEnd` is then given what it did not take, chunk by chunk, until it answers `enough`.
 */
export async function* through(source: ByteStream, codec: Codec, afterEnd: AfterEnd): ByteStream {
  const feeding = feed(source, codec, afterEnd)
  // A failing source fails the codec, and so the reader below; the promise itself is awaited in every case.
  feeding.catch((error) => codec.destroy(error))
  let ended = false
  try {
    for await (const chunk of codec) yield chunk
    ended = true
  } finally {
    if (!ended) {
      codec.destroy()
      // The error that brought us here is the one to tell.
      await feeding.catch(() => {})
    }
  }
  await feeding
}

async function feed(source: ByteStream, codec: Codec, afterEnd: AfterEnd): Promise<void> {
  let ended = false
  let fed = 0
  let wake = () => {}
  // A codec that ends early does not always call back for the chunk in which it ended.
  codec.once('end', () => {
    ended = true
    wake()
  })
  codec.once('close', () => wake())
  for await (const chunk of source) {
    if (ended) {
      if (afterEnd(chunk) === 'enough') return
      continue
    }
    if (codec.destroyed) return
    fed += chunk.length
    await new Promise<void>((resolve) => {
      wake = resolve
      codec.write(chunk, () => resolve())
    })
    // It took less than it was given: it has ended, even if its last output is still waiting to be read.
    ended ||= fed > codec.bytesWritten && !codec.destroyed
    if (!ended) continue
    const rest = chunk.subarray(chunk.length - (fed - codec.bytesWritten))
    if (afterEnd(rest) === 'enough') return
  }
  if (!ended) codec.end()
}
