import * as zlib from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import { inBlocks } from './blocks.ts'
import type { ByteStream } from './bytes.ts'
import { type Codec, codecOptions, through } from './codec.ts'
import { type FramePart, ZstdFrames } from './zstd-frames.ts'
import { scriptZstd } from './zstd-script.ts'

/**
 * Something that decompresses zstd. It is given the parts of whole, plain frames: no skippable ones, no dictionaries, windows below the
 * cap. It throws what it likes; the caller makes that a `PLY_BAD_COMPRESSION`.
 */
export interface ZstdDecoder {
  /** For people. */
  readonly name: string
  /** Wants parts of one block at most. */
  readonly byBlock: boolean
  /** Whether this machine has it. Cheap after the first call. */
  available(): boolean
  decode(parts: AsyncIterable<FramePart>): ByteStream
}

/** Decoders that are tried after Node's own and before the one in JavaScript, best first. */
export type ZstdDecoders = readonly ZstdDecoder[]

/** The largest window that is accepted unless the caller says otherwise, in bytes (layer-semantics Z-03). */
const defaultMaxWindow = 128 << 20

/** Node's own, in the versions that have it (22.15 and later). */
export const nodeZstd: ZstdDecoder = {
  name: 'node',
  byBlock: false,
  available: () => 'createZstdDecompress' in zlib,
  decode: decodeByNode,
}

async function* decodeByNode(parts: AsyncIterable<FramePart>): ByteStream {
  let announced: bigint | undefined = 0n
  async function* bytes(): ByteStream {
    for await (const { bytes, end } of parts) {
      if (end !== undefined && announced !== undefined)
        announced = end.contentSize === undefined ? undefined : announced + end.contentSize
      yield bytes
    }
  }
  let size = 0
  // Node drops what follows a frame in the same write, so it must get each part as it is.
  const codec = createZstd('createZstdDecompress', { ZSTD_d_windowLogMax: 30 })
  for await (const chunk of through(bytes(), codec, () => 'more')) {
    size += chunk.length
    yield chunk
  }
  // The library compares them too, but not where the last block of a frame is empty and the frame came in several parts.
  if (announced !== undefined && announced !== BigInt(size))
    throw new Error(`the frames hold ${size} bytes but say ${announced}`)
}

/**
 * What a zstd stream holds: any number of frames; skippable ones are skipped wherever they are (layer-semantics Z-03).
 * `maxWindow` is in bytes. What comes out of what an encoder made does not depend on the decoder, nor does what is refused of
 * its framing. Damage inside of a block, where the frame has no checksum, is found by some decoders and not by others: digests find it.
 *
 * @throws PLY_BAD_COMPRESSION for damage, truncation, a dictionary, or a window above the cap.
 */
export function unzstd(
  source: ByteStream,
  {
    zstd = [],
    maxWindow = defaultMaxWindow,
  }: { readonly zstd?: ZstdDecoders | undefined; readonly maxWindow?: number | undefined } = {},
): ByteStream {
  const decoder = [nodeZstd, ...zstd].find((candidate) => candidate.available()) ?? scriptZstd
  return unzstdBy(decoder, source, maxWindow)
}

/** The same with one given decoder. */
export async function* unzstdBy(decoder: ZstdDecoder, source: ByteStream, maxWindow = defaultMaxWindow): ByteStream {
  // What the source throws must come through as it is.
  let sourceError: unknown
  async function* parts(): AsyncIterable<FramePart> {
    try {
      const frames = new ZstdFrames({ maxWindow, byBlock: decoder.byBlock })
      for await (const chunk of source) yield* frames.scan(chunk)
      frames.end()
    } catch (error) {
      sourceError = error
      throw error
    }
  }
  try {
    yield* decoder.decode(parts())
  } catch (error) {
    if (error === sourceError || error instanceof PlyError) throw error
    const reason = `zstd: ${(error as Error).message} (layer-semantics Z-04)`
    throw new PlyError('PLY_BAD_COMPRESSION', { reason, rule: 'Z-04' }, { cause: error })
  }
}

/** Something that makes one zstd frame with a checksum out of bytes. */
export interface ZstdEncoder {
  /** For people, with its version: other versions may make other bytes. */
  readonly name: string
  /** Whether this machine has it. Cheap after the first call. */
  available(): boolean
  encode(source: ByteStream, level: number): ByteStream
}

/** Node's own, in the versions that have it (22.15 and later). */
export const nodeZstdEncoder: ZstdEncoder = {
  get name() {
    return `zstd ${(process.versions as Record<string, string | undefined>).zstd ?? 'of Node'}`
  },
  available: () => 'createZstdCompress' in zlib,
  encode: (source, level) =>
    through(
      source,
      createZstd('createZstdCompress', { ZSTD_c_compressionLevel: level, ZSTD_c_checksumFlag: 1 }),
      () => 'more',
    ),
}

/** The settings that every zstd layer made by plyfs has, unless another level is asked for. */
export const zstdSettings = {
  level: 3,
  /** Bytes that the compressor is given at a time, so that the bytes do not depend on how they came. */
  block: 1 << 20,
} as const

/** The encoder that would be used: Node's own, else the first of `encoders` that this machine has. @throws PLY_NO_ZSTD_ENCODER */
export function zstdEncoder(encoders: readonly ZstdEncoder[] = []): ZstdEncoder {
  const found = [nodeZstdEncoder, ...encoders].find((candidate) => candidate.available())
  if (found === undefined) throw new PlyError('PLY_NO_ZSTD_ENCODER')
  return found
}

/**
 * The bytes as one zstd frame with a checksum.
 *
 * @throws PLY_NO_ZSTD_ENCODER
 */
export async function* zstdCompressed(
  source: ByteStream,
  {
    level = zstdSettings.level,
    encoders,
  }: { level?: number | undefined; encoders?: readonly ZstdEncoder[] | undefined } = {},
): ByteStream {
  async function* blocks(): ByteStream {
    for await (const { block } of inBlocks(source, zstdSettings.block)) if (block.length > 0) yield block
  }
  yield* zstdEncoder(encoders).encode(blocks(), level)
}

/** The types of Node 20 do not have these yet. */
function createZstd(
  name: 'createZstdCompress' | 'createZstdDecompress',
  settings: Readonly<Record<string, number>>,
): Codec {
  const { [name]: create, constants } = zlib as unknown as Record<typeof name, (options: object) => Codec> & {
    readonly constants: Readonly<Record<string, number>>
  }
  const params = Object.fromEntries(Object.entries(settings).map(([key, value]) => [constants[key]!, value]))
  return create({ ...codecOptions, params })
}
