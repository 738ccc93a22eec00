import { imageOf, readDocuments } from '../image/assemble.ts'
import type { Image, ImageSource, Layer, Listed } from '../image/image.ts'
import { imageFromBlobs, layerFromBlob } from '../image/image-from-blobs.ts'
import { type DiffId, type Digest, digestOf, isDigest } from '../model/digest.ts'
import { type Descriptor, mediaTypes } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { type ArchivedImage, configLimit, parseArchiveManifest, parseConfig } from '../model/parse-documents.ts'
import { fitness, formatPlatform, parsePlatform } from '../model/platform.ts'
import { normalName } from '../model/reference.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { type Compression, compressionOf, type DecompressionOptions, decompressed } from '../stream/compression.ts'
import { counted, drain, Tally } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { blobAt } from './blob-place.ts'
import { dockerDetails } from './details.ts'
import { layoutManifest } from './docker-archive-layout.ts'
import { legacyImage, parseRepositories } from './docker-archive-legacy.ts'
import { synthesised } from './docker-archive-manifest.ts'
import { pacedStream } from './file.ts'
import { readMember } from './oci-archive.ts'
import { type Archive, badArchive, openArchive } from './open-archive.ts'
import { decompressionOf, type SourceOptions } from './options.ts'

/**
 * Images of what `docker save` and `podman save` write, read in place: `docker-archive:FILE[:NAME[:TAG]][@INDEX]`; `-` is
 * standard input. The form of Docker before 1.10, which has only `repositories`, is read too. The newer form that is an OCI layout as well answers the layout's own manifest; any other form a
 * manifest over the config's very bytes and the layers as they lie there. Dispose of the source when its images are no
 * longer read.
 *
 * @throws PLY_BAD_ARCHIVE if it is none, or truncated; ENOENT, EACCES with the path
 */
export async function dockerArchiveSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const wanted = dockerDetails('docker-archive', details)
  const archive = await openArchive(wanted.path, options)
  try {
    const raw = await readMember(archive, 'manifest.json', configLimit)
    const old = raw === undefined ? await readMember(archive, 'repositories', configLimit) : undefined
    if (raw === undefined && old === undefined) {
      const other = archive.names.has('index.json') ? `; it has an index.json: try oci-archive:${wanted.path}` : ''
      throw badArchive(archive.where, `it has no manifest.json${other}`)
    }
    const images =
      raw === undefined
        ? parseRepositories(old!, `repositories in ${archive.where}`)
        : parseArchiveManifest(raw, `manifest.json in ${archive.where}`)
    const read = raw === undefined ? readLegacy : readImage
    const made = new Map<ArchivedImage, Promise<Image>>()
    const imageAt = (one: ArchivedImage, operation: Operation): Promise<Image> => {
      const known = made.get(one) ?? read(archive, one, options, operation)
      made.set(one, known)
      // One that failed, or was stopped, may succeed the next time.
      known.catch(() => made.delete(one))
      return known
    }
    return {
      async *list() {
        for (const one of images) {
          const { descriptor } = await imageAt(one, {})
          const names = one.repoTags.length > 0 ? one.repoTags.map(normalOrSame) : [undefined]
          for (const name of names) yield { name, descriptor } satisfies Listed
        }
      },
      async image(name, { platform = options.platform, signal, onProgress } = {}) {
        const one = find(archive, images, name ?? wanted.name, name === undefined ? wanted.index : undefined)
        const image = await imageAt(one, { signal, onProgress })
        if (platform !== undefined) checkPlatform(image, one, archive.where, platform)
        return image
      },
      async [Symbol.asyncDispose]() {
        archive.close()
      },
    }
  } catch (error) {
    archive.close()
    throw error
  }
}

function find(
  archive: Archive,
  images: readonly ArchivedImage[],
  name: string | undefined,
  index: number | undefined,
): ArchivedImage {
  const available = images.map((one, i) => one.repoTags.map(normalOrSame).join(', ') || `@${i}`).join(', ')
  if (name !== undefined) {
    const wanted = normalName(name)
    const found = images.find((one) => one.repoTags.some((tag) => normalOrSame(tag) === wanted))
    if (found === undefined) throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: archive.where, available })
    return found
  }
  if (index !== undefined) {
    const found = images[index]
    if (found === undefined)
      throw new PlyError('PLY_IMAGE_NOT_FOUND', { name: `@${index}`, where: archive.where, available })
    return found
  }
  if (images.length > 1) throw new PlyError('PLY_AMBIGUOUS', { where: archive.where, available })
  return images[0]!
}

/** Archives of other tools may hold anything where a tag belongs. */
function normalOrSame(tag: string): string {
  try {
    return normalName(tag)
  } catch (error) {
    if (codeOf(error) === 'PLY_BAD_REFERENCE') return tag
    throw error
  }
}

async function readImage(
  archive: Archive,
  one: ArchivedImage,
  options: SourceOptions,
  operation: Operation,
): Promise<Image> {
  const decompression = decompressionOf(options)
  const rawConfig = await readMember(archive, one.config, configLimit)
  if (rawConfig === undefined) throw badArchive(archive.where, `manifest.json names ${one.config}, which is not there`)
  checkName(one.config, rawConfig)
  const kept = await layoutManifest(archive, digestOf(rawConfig), operation)
  if (kept !== undefined) {
    const atRest = ({ digest }: Descriptor) => blobAt(kept.place, digest)
    return imageFromBlobs(kept.descriptor, kept.read, { ...operation, ...decompression, atRest })
  }

  const config = parseConfig(rawConfig, `${one.config} in ${archive.where}`)
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== one.layers.length) {
    throw badArchive(
      archive.where,
      `manifest.json names ${one.layers.length} layers, ${one.config} has ${diffIds.length}`,
    )
  }
  const layers: Layer[] = []
  for (const [i, name] of one.layers.entries())
    layers.push(await layerAt(archive, name, diffIds[i]!, decompression, operation))
  return imageOf(
    readDocuments(
      synthesised(
        rawConfig,
        layers.map((layer) => layer.descriptor),
      ),
    ),
    layers,
  )
}

/** An image as Docker wrote it before 1.10: its config is made here. */
async function readLegacy(
  archive: Archive,
  one: ArchivedImage,
  options: SourceOptions,
  operation: Operation,
): Promise<Image> {
  const decompression = decompressionOf(options)
  const top = one.config.slice(0, -'/json'.length)
  const { rawConfig, layers } = await legacyImage(archive, top, decompression, operation)
  const made: Layer[] = []
  for (const { name, diffId } of layers) made.push(await layerAt(archive, name, diffId, decompression, operation))
  const descriptors = made.map((layer) => layer.descriptor)
  return imageOf(readDocuments(synthesised(rawConfig, descriptors)), made)
}

async function layerAt(
  archive: Archive,
  name: string,
  diffId: DiffId,
  decompression: DecompressionOptions,
  operation: Operation,
): Promise<Layer> {
  const open = (): Bytes => {
    const bytes = archive.open(name)
    if (bytes === undefined)
      throw new PlyError('PLY_BLOB_NOT_FOUND', { digest: diffId, where: `${archive.where} (${name})` })
    return bytes
  }
  const bytes = open()
  const first = Buffer.alloc(4)
  const compression = compressionOf(first.subarray(0, bytes.read(first, 0)))
  const digest = digestInPath(name)
  if (compression !== 'none' && digest !== undefined)
    return compressedLayer(open, { digest, size: bytes.size, compression, diffId }, decompression)

  const plain = (options: Operation = {}): ByteStream => {
    const stream = pacedStream(open, options)
    return compression === 'none' ? stream : decompressed(stream, { signal: options.signal, ...decompression }).stream
  }
  const size = compression === 'none' ? bytes.size : await sizeOf(plain(operation), diffId, operation)
  const read = (_: Descriptor, options?: Operation) =>
    verified(plain(options), { digest: diffId, what: `layer ${diffId} (${name})` })
  const atRest = compression === 'none' ? { atRest: open } : {}
  return layerFromBlob({ mediaType: mediaTypes.ociLayer, digest: diffId, size }, diffId, read, atRest)
}

/** A layer that lies in the archive compressed, under the digest of its blob: as the newer `docker save` writes it. */
function compressedLayer(
  open: () => Bytes,
  {
    digest,
    size,
    compression,
    diffId,
  }: {
    readonly digest: Digest
    readonly size: number
    readonly compression: Compression
    readonly diffId: DiffId
  },
  decompression: DecompressionOptions,
): Layer {
  const mediaType = compression === 'gzip' ? mediaTypes.ociLayerGzip : mediaTypes.ociLayerZstd
  const read = (_: Descriptor, options?: Operation) =>
    verified(pacedStream(open, options), { digest, what: `blob ${digest}` })
  return layerFromBlob({ mediaType, digest, size }, diffId, read, { ...decompression, atRest: open })
}

/** The size of a layer that has to be decompressed to know it. */
async function sizeOf(tar: ByteStream, diffId: DiffId, { onProgress }: Operation): Promise<number> {
  const tally = new Tally()
  await drain(
    counted(tar, (done) => onProgress?.({ what: diffId, done })),
    tally,
  )
  if (tally.digest() !== diffId) {
    throw new PlyError('PLY_DIGEST_MISMATCH', { what: `layer ${diffId}`, expected: diffId, actual: tally.digest() })
  }
  return tally.size
}

function digestInPath(name: string): DiffId | undefined {
  const hex = /(?:^|\/)blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1]
  const digest = `sha256:${hex}`
  return isDigest(digest) ? digest : undefined
}

/** A config is named for its digest by all who write archives; one that does not match was damaged. */
function checkName(name: string, raw: Uint8Array): void {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1]
  if (hex === undefined || digestOf(raw) === `sha256:${hex}`) return
  throw new PlyError('PLY_DIGEST_MISMATCH', {
    what: `config ${name}`,
    expected: `sha256:${hex}`,
    actual: digestOf(raw),
  })
}

function checkPlatform({ config }: Image, one: ArchivedImage, where: string, platform: string): void {
  const { os, architecture, variant } = config
  const has = { os, architecture, ...(variant !== undefined && { variant }) }
  if (fitness(parsePlatform(platform), has) > 0) return
  throw new PlyError('PLY_PLATFORM_NOT_FOUND', {
    name: one.repoTags[0] ?? where,
    platform,
    available: formatPlatform(has),
  })
}
