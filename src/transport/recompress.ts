import { imageOf, readDocuments } from '../image/assemble.ts'
import { isForeign } from '../image/distributable.ts'
import { retyped, toDocker, toOci } from '../image/families.ts'
import type { Image, Layer } from '../image/image.ts'
import { type DiffId, type Digest, digestOf } from '../model/digest.ts'
import { type Descriptor, mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { canonicalJson } from '../model/json.ts'
import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import { type Bytes, slice } from '../stream/bytes.ts'
import {
  type Compression,
  type CompressionSettings,
  compressed,
  compressionOf,
  compressionSettings,
} from '../stream/compression.ts'
import { drain, Tally, tee } from '../stream/hash.ts'
import { zstdEncoders } from '../sys/libzstd-encoder.ts'
import { pacedStream } from './file.ts'
import { type TransportOptions, temporaryDirectoryOf } from './options.ts'
import { outgoingTar, streamOfOutgoing } from './outgoing.ts'
import { spooled } from './spool.ts'

/** How the layers are compressed. */
export interface RecompressOptions extends Operation, Pick<TransportOptions, 'temporaryDirectory'> {
  readonly compression: Compression
  /** gzip: 1 to 9; zstd: 1 to 22. Default: what is pinned (4 and 3). */
  readonly level?: number | undefined
  /** The lowest layer that is compressed anew: 0, the default, is the base. */
  readonly from?: number | undefined
}

/** A layer whose compressed digest is another one now (layer-semantics I-05). Its diffID is the same. */
export interface RecompressedLayer {
  /** Its place in the image, from 0, base first. */
  readonly layer: number
  readonly diffId: DiffId
  readonly from: { readonly digest: Digest; readonly size: number; readonly compression: Compression }
  readonly to: { readonly digest: Digest; readonly size: number; readonly compression: Compression }
  /** Such as `recompressed gzip → zstd`. */
  readonly reason: string
  /** What the new bytes depend on; absent where nothing is compressed any more. */
  readonly settings?: CompressionSettings
}

/** An image that says the same in other bytes. Its layers can be read until it is disposed of. */
export interface RecompressedImage extends AsyncDisposable {
  readonly image: Image
  /** Base first; layers that came out as they were are not among them. */
  readonly changed: readonly RecompressedLayer[]
}

/**
 * The image with every layer compressed by us, with pinned settings: the same tar gives the same blob, whoever compressed
 * it before. The manifest names the new blobs; the config keeps its bytes, so image id and diffIDs stay. Layers that are
 * fetched from addresses of their own stay as they are. In an image of Docker's media types zstd makes OCI's of
 * all of them.
 *
 * The blobs lie in temporary files until they are written somewhere.
 *
 * @throws PLY_USAGE for a level that there is not; PLY_NO_ZSTD_ENCODER; what reading the layers throws; ENOSPC
 */
export async function recompressed(image: Image, options: RecompressOptions): Promise<RecompressedImage> {
  const { compression } = options
  checkLevel(compression, options.level)
  const compressor = { level: options.level, zstdEncoders: zstdEncoders() }
  const settings = compression === 'none' ? undefined : compressionSettings(compression, compressor)
  const files: Bytes[] = []
  const close = () => {
    for (const file of files) file.close()
  }
  const made = new Map<DiffId, Layer>()
  const layers: Layer[] = []
  const changed: RecompressedLayer[] = []
  try {
    for (const [at, layer] of image.layers.entries()) {
      const { descriptor, diffId } = layer
      if (at < (options.from ?? 0) || isForeign(descriptor)) {
        layers.push(layer)
        continue
      }
      const fresh = made.get(diffId) ?? (await remade(layer, options, compressor, files))
      made.set(diffId, fresh)
      const { digest, size } = fresh.descriptor
      layers.push({ ...fresh, descriptor: { ...kept(descriptor), mediaType: mediaTypeOf(compression), digest, size } })
      if (digest === descriptor.digest) continue
      const from = { digest: descriptor.digest, size: descriptor.size, compression: await found(layer, options) }
      const reason = `recompressed ${from.compression} → ${compression}${from.compression === compression ? ', with our settings' : ''}`
      changed.push({
        layer: at,
        diffId,
        from,
        to: { digest, size, compression },
        reason,
        ...(settings && { settings }),
      })
    }
    return { image: withLayers(image, layers), changed, [Symbol.asyncDispose]: async () => close() }
  } catch (error) {
    close()
    throw error
  }
}

function checkLevel(compression: Compression, level: number | undefined): void {
  const most = { gzip: 9, zstd: 22, none: 0 }[compression]
  if (level === undefined || (Number.isInteger(level) && level >= 1 && level <= most)) return
  const reason =
    compression === 'none' ? 'without compression there is no level' : `${compression} has levels 1 to ${most}`
  throw new PlyError('PLY_USAGE', { reason: `level ${level}: ${reason}` })
}

/** The layer with its bytes compressed anew, laid down in a file. */
async function remade(
  layer: Layer,
  { compression, signal, onProgress, ...options }: RecompressOptions,
  compressor: Parameters<typeof compressed>[2],
  files: Bytes[],
): Promise<Layer> {
  const { diffId } = layer
  const tar = streamOfOutgoing(outgoingTar(layer, { signal }), { signal })
  const { uncompressed, checkedTar } = layer
  const same = { diffId, uncompressed, ...(checkedTar && { checkedTar }) }
  const tally = new Tally()
  if (compression === 'none') {
    await drain(abortable(tar, signal), tally)
    const descriptor = { mediaType: mediaTypes.ociLayer, digest: diffId, size: tally.size }
    return { ...same, descriptor, compressed: (operation) => layer.uncompressed(operation) }
  }
  const directory = temporaryDirectoryOf(options)
  const blob = tee(compressed(tar, compression, { ...compressor, signal }), tally)
  const file = await spooled(blob, { directory, what: `${compression} of ${diffId}`, signal, onProgress })
  files.push(file)
  const descriptor = { mediaType: mediaTypeOf(compression), digest: tally.digest(), size: tally.size }
  const atRest = () => slice(file, 0, file.size)
  return { ...same, descriptor, compressed: (operation) => pacedStream(atRest, operation), atRest }
}

async function found(layer: Layer, { signal }: Operation): Promise<Compression> {
  let first = Buffer.alloc(0)
  for await (const chunk of layer.compressed({ signal })) {
    first = Buffer.concat([first, chunk.subarray(0, 4)])
    if (first.length >= 4) break
  }
  return compressionOf(first)
}

/** Annotations that speak of places inside the compressed bytes. */
const aboutBytes =
  /^(?:containerd\.io\/snapshot\/stargz\/|io\.containers\.estargz\.|io\.github\.containers\.zstd-chunked\.)/

function kept({ annotations, ...descriptor }: Descriptor): Descriptor {
  const rest = Object.entries(annotations ?? {}).filter(([name]) => !aboutBytes.test(name))
  return { ...descriptor, ...(rest.length > 0 && { annotations: Object.fromEntries(rest) }) }
}

function mediaTypeOf(compression: Compression): string {
  return { none: mediaTypes.ociLayer, gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd }[compression]
}

/** The image with other blobs for its layers; the same one if they are the same. */
function withLayers(image: Image, remade: readonly Layer[]): Image {
  const docker = (image.manifest.mediaType ?? image.descriptor.mediaType) === mediaTypes.dockerManifest
  const stays = docker && remade.every(({ descriptor }) => descriptor.mediaType !== mediaTypes.ociLayerZstd)
  const types = stays ? toDocker : toOci
  const layers = remade.map((layer) => ({ ...layer, descriptor: retyped(layer.descriptor, types) }))
  const same = layers.every(({ descriptor }, at) => {
    const before = image.layers[at]!.descriptor
    return descriptor.digest === before.digest && descriptor.mediaType === before.mediaType
  })
  if (same) return image
  const moved = docker && !stays
  const { mediaType } = image.manifest
  const rawManifest = canonicalJson({
    ...image.manifest,
    ...(mediaType !== undefined && { mediaType: moved ? mediaTypes.ociManifest : mediaType }),
    config: moved ? retyped(image.manifest.config, toOci) : image.manifest.config,
    layers: layers.map(({ descriptor }) => descriptor),
  })
  const descriptor = {
    mediaType: moved ? mediaTypes.ociManifest : image.descriptor.mediaType,
    digest: digestOf(rawManifest),
    size: rawManifest.length,
  }
  return imageOf(readDocuments({ descriptor, rawManifest, rawConfig: image.rawConfig }), layers)
}
