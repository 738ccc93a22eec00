import type { ByteString } from '../model/bytes.ts'
import type { DiffId, Digest } from '../model/digest.ts'
import { mediaTypes } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { abortable, untilAborted } from '../stream/abort.ts'
import type { ByteSink, ByteStream } from '../stream/bytes.ts'
import { type Compression, decompressed, type ZstdDecoders } from '../stream/compression.ts'
import { Tally } from '../stream/hash.ts'
import { type IndexedLayer, type IndexOptions, LayerIndexer } from './index-tar.ts'
import { defaultLimits, overBudget } from './limits.ts'
import { wholeArchive } from './report.ts'

/** What is known of a layer before it is read. What is absent is not checked. */
export interface ExpectedLayer {
  readonly digest?: Digest | undefined
  /** Bytes of the blob. */
  readonly size?: number | undefined
  readonly diffId?: DiffId | undefined
}

export interface ImportOptions extends IndexOptions, Operation {
  readonly expected?: ExpectedLayer | undefined
  /** What the manifest calls the blob; only compared, the bytes decide (layer-semantics Z-01). */
  readonly mediaType?: string | undefined
  readonly zstd?: ZstdDecoders | undefined
}

export interface ImportTargets {
  /** Gets the blob as it travels. */
  readonly blob: ByteSink
  /** Asked for once, where the tar is not the blob itself; gets the tar. */
  openTar(): Promise<ByteSink>
}

export interface ImportedLayer extends IndexedLayer {
  readonly blob: { readonly digest: Digest; readonly size: number }
  readonly compression: Compression
}

/** Signals and other readers get a turn at least this often, in bytes. */
const slice = 1 << 16

/** Below this much tar any expansion is fine, in bytes (layer-semantics, section 17). */
const expansionFloor = 64 << 20

/**
 * Reads a layer once: decompresses it, hashes both sides, indexes the tar, and writes each side once, where they
 * differ. Nothing counts before it returns: the caller names what was written then, and discards it if this throws.
 * Memory does not grow with the size of the layer.
 *
 * @throws PLY_BAD_LAYER, PLY_BUDGET, PLY_BAD_COMPRESSION, PLY_UNSUPPORTED for what it holds; PLY_DIGEST_MISMATCH and
 * PLY_SIZE_MISMATCH for what it is not; PLY_ABORTED within 100 ms of the signal, whatever is pending.
 */
export async function importLayer(
  blob: ByteStream,
  into: ImportTargets,
  { expected = {}, mediaType, zstd, signal, onProgress, ...options }: ImportOptions = {},
): Promise<ImportedLayer> {
  refuseEncrypted(mediaType)
  const what = expected.digest ?? 'the layer'
  const total = expected.size === undefined ? {} : { total: expected.size }
  const tally = new Tally()
  const pace = new Pace(signal)

  const arriving = abortable(blob, signal)[Symbol.asyncIterator]()
  const next = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await arriving.next()
    if (done) return undefined
    tally.write(value)
    if (expected.size !== undefined && tally.size > expected.size) {
      throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: expected.size, actual: `at least ${tally.size}` })
    }
    return value
  }
  let beginning: Uint8Array = new Uint8Array(0)
  async function* received(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
      if (beginning.length === 0) beginning = chunk.slice(0, 16)
      await written(into.blob, chunk, signal)
      onProgress?.({ what, done: tally.size, ...total })
      yield chunk
    }
  }
  /** Bytes that make no sense because they are not the ones that were asked for should be called that. */
  const isOtherBlob = async (error: unknown): Promise<boolean> => {
    if (expected.digest === undefined || !/^PLY_BAD_/.test(codeOf(error) ?? '')) return false
    while ((await next()) !== undefined);
    return tally.digest() !== expected.digest
  }

  try {
    const opened = decompressed(received(), {
      zstd,
      lenient: options.lenient ?? false,
      onTrailing: () => indexer.findings.forgive(wholeArchive, 'Z-02', 'bytes after the last gzip member, left out'),
      maxWindow: options.limits?.zstdWindow ?? defaultLimits.zstdWindow,
      signal,
    })
    const compression = await untilAborted(opened.compression, signal)
    // A blob that is the tar has been hashed as it came.
    const indexer = new LayerIndexer({ ...options, hashing: compression !== 'none' })
    compareMediaType(indexer, mediaType, compression)
    const tarSink = compression === 'none' ? undefined : await untilAborted(into.openTar(), signal)
    for await (const chunk of opened.stream) {
      await indexed(indexer, chunk, pace)
      if (tarSink === undefined) continue
      await written(tarSink, chunk, signal)
      if (indexer.size > expansionFloor && indexer.size > tally.size * indexer.limits.expansion) {
        throw overBudget(wholeArchive, 'its size after decompression', indexer.limits, 'expansion')
      }
    }
    const digest = tally.digest()
    const { size } = tally
    if (expected.size !== undefined && size !== expected.size) {
      throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: expected.size, actual: size })
    }
    agree(what, expected.digest, digest)
    const layer = indexer.finish(compression === 'none' ? digest : undefined)
    agree(`the tar of ${what}`, expected.diffId, layer.diffId)
    return { ...layer, blob: { digest, size }, compression }
  } catch (error) {
    if (!(await isOtherBlob(error))) throw otherwiseCompressed(beginning, error) ?? error
    throw new PlyError(
      'PLY_DIGEST_MISMATCH',
      { what, expected: expected.digest, actual: tally.digest() },
      { cause: error },
    )
  } finally {
    const closing = Promise.resolve(arriving.return?.())
    // A pending read of the source cannot be ended from here, and must not be waited for.
    if (signal?.aborted) void closing.catch(() => {})
    else await closing
  }
}

/**
 * What `importLayer` finds, from a tar alone: the same index, byte for byte (layer-semantics I-02, I-03).
 *
 * @throws as `importLayer` does
 */
export async function rebuildIndex(
  tar: ByteStream,
  { expected = {}, signal, onProgress, ...options }: RebuildOptions = {},
): Promise<IndexedLayer> {
  const what = expected.diffId ?? 'the tar'
  const total = expected.size === undefined ? {} : { total: expected.size }
  const indexer = new LayerIndexer(options)
  const pace = new Pace(signal)
  for await (const chunk of abortable(tar, signal)) {
    await indexed(indexer, chunk, pace)
    onProgress?.({ what, done: indexer.size, ...total })
  }
  if (expected.size !== undefined && indexer.size !== expected.size) {
    throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: expected.size, actual: indexer.size })
  }
  const layer = indexer.finish()
  agree(what, expected.diffId, layer.diffId)
  return layer
}

export interface RebuildOptions extends IndexOptions, Operation {
  readonly expected?: { readonly diffId?: DiffId | undefined; readonly size?: number | undefined } | undefined
}

/** How files begin that are compressed in ways that no layer is. */
const others: readonly (readonly [name: string, magic: ByteString])[] = [
  ['xz', '\xfd7zXZ\0'],
  ['bzip2', 'BZh'],
  ['lz4', '\x04\x22\x4d\x18'],
  ['lzip', 'LZIP'],
]

/** What is no tar is perhaps something that other tools would decompress: that is what to say then. */
function otherwiseCompressed(beginning: Uint8Array, cause: unknown): PlyError | undefined {
  if (!(cause instanceof PlyError) || cause.code !== 'PLY_BAD_LAYER') return undefined
  const text = Buffer.from(beginning).toString('latin1')
  const [name] = others.find(([, magic]) => text.startsWith(magic)) ?? []
  if (name === undefined) return undefined
  const reason = `it seems to be compressed with ${name}; layers are tar, plain or compressed with gzip or zstd`
  return new PlyError('PLY_BAD_LAYER', { ...cause.details, entry: wholeArchive, reason }, { cause })
}

async function indexed(indexer: LayerIndexer, chunk: Uint8Array, pace: Pace): Promise<void> {
  for (let at = 0; at < chunk.length; at += slice) {
    indexer.push(chunk.length <= slice ? chunk : chunk.subarray(at, at + slice))
    if (pace.due(64)) await pace.rest()
  }
}

async function written(sink: ByteSink, chunk: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  const pending = sink.write(chunk)
  if (pending !== undefined) await untilAborted(pending, signal)
}

function agree(what: string, expected: Digest | undefined, actual: Digest): void {
  if (expected !== undefined && actual !== expected)
    throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected, actual })
}

function refuseEncrypted(mediaType: string | undefined): void {
  if (mediaType === undefined || !/\+encrypted\b/.test(mediaType)) return
  throw new PlyError('PLY_UNSUPPORTED', { what: `the layer type ${mediaType}`, reason: 'it is encrypted (Q-07)' })
}

function compareMediaType(indexer: LayerIndexer, mediaType: string | undefined, actual: Compression): void {
  if (mediaType === undefined) return
  const announced = /[+.]gzip$/.test(mediaType)
    ? 'gzip'
    : /[+.]zstd$/.test(mediaType)
      ? 'zstd'
      : mediaType === mediaTypes.ociLayer || mediaType === mediaTypes.dockerLayer
        ? 'none'
        : undefined
  if (announced === undefined || announced === actual) return
  const text = `the media type ${mediaType} says ${announced}, the bytes say ${actual}`
  indexer.findings.warn(wholeArchive, 'Z-01', text)
}
