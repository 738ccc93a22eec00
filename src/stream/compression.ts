import type { Operation } from '../model/operation.ts'
import { abortable } from './abort.ts'
import type { ByteStream } from './bytes.ts'
import { type CompressorOptions, gunzipped, gzipped, gzipSettings } from './gzip.ts'
import { unzstd, type ZstdDecoders, type ZstdEncoder, zstdCompressed, zstdEncoder, zstdSettings } from './zstd.ts'

export type { ZstdDecoder, ZstdDecoders, ZstdEncoder } from './zstd.ts'

/** How a layer is compressed. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** How the bytes of a layer were compressed, and what they hold. */
export interface Decompressed {
  /** Settles once the first bytes are there. Asking starts the reading; then the stream has to be read as well, or aborted. */
  readonly compression: Promise<Compression>
  /** To be read once. */
  readonly stream: ByteStream
}

/**
 * What a layer holds, whichever way it is compressed. The first bytes decide, not the media type (layer-semantics
 * Z-01); no bytes at all are `none` (Z-06). Slow readers slow the source; memory does not grow with the content.
 *
 * `zstd` brings decoders this folder cannot reach by itself; `maxWindow` caps the memory a zstd frame may ask for, in
 * bytes; `lenient` leaves out bytes after the last gzip member instead of refusing them (Z-02), and tells `onTrailing`.
 *
 * @throws PLY_BAD_COMPRESSION, PLY_ABORTED, from the stream.
 */
export function decompressed(
  source: ByteStream,
  { signal, lenient = false, onTrailing, zstd, maxWindow }: DecompressionOptions & Operation = {},
): Decompressed {
  const opening = once(() => opened(abortable(source, signal)))
  async function* stream(): ByteStream {
    const { compression, bytes } = await opening()
    yield* compression === 'gzip'
      ? gunzipped(bytes, { lenient, onTrailing })
      : compression === 'zstd'
        ? unzstd(bytes, { zstd, maxWindow })
        : bytes
  }
  return {
    get compression() {
      const answer = opening().then(({ compression }) => compression)
      // The stream tells the same error; whoever ignores this promise must not be ended by it.
      answer.catch(() => {})
      return answer
    },
    stream: abortable(stream(), signal),
  }
}

export interface DecompressionOptions {
  readonly zstd?: ZstdDecoders | undefined
  readonly maxWindow?: number | undefined
  readonly lenient?: boolean | undefined
  readonly onTrailing?: (() => void) | undefined
}

export interface CompressionOptions extends CompressorOptions {
  /** Encoders that this folder cannot reach by itself. */
  readonly zstdEncoders?: readonly ZstdEncoder[] | undefined
}

/** What compressed bytes depend on beside what they hold: with the same, the same bytes come out again. */
export interface CompressionSettings {
  readonly level: number
  /** Bytes that are compressed at a time. */
  readonly block: number
  /** Who compresses, with its version. */
  readonly engine: string
}

/** @throws PLY_NO_ZSTD_ENCODER */
export function compressionSettings(
  compression: 'gzip' | 'zstd',
  { level, zstdEncoders }: CompressionOptions = {},
): CompressionSettings {
  const { level: pinned, block } = compression === 'gzip' ? gzipSettings : zstdSettings
  const engine = compression === 'gzip' ? `zlib ${process.versions.zlib}` : zstdEncoder(zstdEncoders).name
  return { level: level ?? pinned, block, engine }
}

/**
 * The bytes compressed with pinned settings (`compressionSettings`): always to the same bytes by the same engine, however
 * they come and however many work on them (layer-semantics E-13).
 *
 * @throws PLY_NO_ZSTD_ENCODER, PLY_ABORTED, from the stream.
 */
export function compressed(
  source: ByteStream,
  compression: 'gzip' | 'zstd',
  { signal, level, workers, zstdEncoders: encoders }: CompressionOptions & Operation = {},
): ByteStream {
  const input = abortable(source, signal)
  return abortable(
    compression === 'gzip' ? gzipped(input, { level, workers }) : zstdCompressed(input, { level, encoders }),
    signal,
  )
}

/** What the first bytes of a layer say (Z-01). Fewer than three bytes say what they can. */
export function compressionOf(first: Uint8Array): Compression {
  if (startsLike(first, [0x1f, 0x8b, 0x08])) return 'gzip'
  if (startsLike(first, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd'
  const skippable =
    first.length >= 4 && (first[0]! & 0xf0) === 0x50 && startsLike(first.subarray(1), [0x2a, 0x4d, 0x18])
  return skippable ? 'zstd' : 'none'
}

/** A cut-off magic number of two bytes or more counts: no tar is that short, and damage should be called what it is. */
function startsLike(first: Uint8Array, magic: readonly number[]): boolean {
  return first.length >= 2 && magic.every((byte, i) => i >= first.length || first[i] === byte)
}

async function opened(source: ByteStream): Promise<{ readonly compression: Compression; readonly bytes: ByteStream }> {
  const iterator = source[Symbol.asyncIterator]()
  let first: Uint8Array = new Uint8Array(0)
  let ended = false
  while (first.length < 4 && !ended) {
    const { done, value } = await iterator.next()
    if (done) ended = true
    else first = first.length === 0 && value.length >= 4 ? value : Buffer.concat([first, value])
  }
  return { compression: compressionOf(first), bytes: resumed(first, iterator) }
}

async function* resumed(first: Uint8Array, iterator: AsyncIterator<Uint8Array>): ByteStream {
  try {
    if (first.length > 0) yield first
    for (;;) {
      const { done, value } = await iterator.next()
      if (done) return
      yield value
    }
  } finally {
    await iterator.return?.()
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
