import type { BlobStore } from '../../blob/blob-store.ts'
import { type Candidate, chooseImage, isImageEntry } from '../../image/choose.ts'
import type { CheckedTar, Image, Layer } from '../../image/image.ts'
import { type BlobReader, imageFromBlobs, readDocument } from '../../image/image-from-blobs.ts'
import { type Parcel, readParcel } from '../../image/parcel.ts'
import { defaultLimits } from '../../layer/index.ts'
import { type DiffId, type Digest, isDigest } from '../../model/digest.ts'
import { type Descriptor, type ImageIndex, mediaTypes } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { isIndexType, manifestLimit, manifestOrIndex, parseIndex } from '../../model/parse-documents.ts'
import { formatPlatform } from '../../model/platform.ts'
import { normalName, parseName } from '../../model/reference.ts'
import type { Bytes } from '../../stream/bytes.ts'
import type { ZstdDecoders } from '../../stream/compression.ts'
import type { Acceptances } from '../intake/acceptances.ts'
import type { StoredImage } from '../store.ts'
import type { Names } from './names.ts'

/** How deep indexes may hold indexes. */
const nesting = 8

export interface ImagesOptions {
  /** For messages. */
  readonly root: string
  readonly blobs: BlobStore
  readonly names: Pick<Names, 'get' | 'list'>
  readonly zstd: ZstdDecoders | undefined
  readonly acceptances: Acceptances
  /** A blob where it lies, unverified; absent where blobs lie in no file. */
  readonly atRest?: ((digest: Digest) => Bytes) | undefined
  /** The tar of a compressed layer, if it is there. */
  cachedTar(diffId: DiffId): CheckedTar | undefined
}

/** The images of a store: names and digests in, `Image` out. */
export class Images {
  readonly #root: string
  readonly #blobs: BlobStore
  readonly #names: Pick<Names, 'get' | 'list'>
  readonly #zstd: ZstdDecoders | undefined
  readonly #acceptances: Acceptances
  readonly #read: BlobReader
  readonly #atRest: ImagesOptions['atRest']
  readonly #cachedTar: ImagesOptions['cachedTar']

  constructor({ root, blobs, names, zstd, acceptances, atRest, cachedTar }: ImagesOptions) {
    this.#root = root
    this.#blobs = blobs
    this.#names = names
    this.#zstd = zstd
    this.#acceptances = acceptances
    this.#atRest = atRest
    this.#cachedTar = cachedTar
    this.#read = (descriptor, operation) => blobs.stream(descriptor.digest, operation)
  }

  /**
   * What a name points at: a name of the store, `NAME@DIGEST`, or a digest alone. Names of other tools are taken as they
   * wrote them. @throws PLY_IMAGE_NOT_FOUND, PLY_BAD_REFERENCE
   */
  async find(text: string): Promise<{ readonly name: string | undefined; readonly descriptor: Descriptor }> {
    const digest = isDigest(text) ? text : digestIn(text)
    if (digest !== undefined) return { name: undefined, descriptor: await this.#described(digest, text) }
    const asWritten = text === '' ? undefined : this.#names.get(text)
    if (asWritten !== undefined) return { name: text, descriptor: asWritten }
    const name = normalName(text)
    const descriptor = this.#names.get(name)
    if (descriptor === undefined) throw this.#notFound(name)
    return { name, descriptor }
  }

  /** @throws PLY_IMAGE_NOT_FOUND, PLY_PLATFORM_NOT_FOUND, PLY_BAD_DOCUMENT, PLY_BLOB_NOT_FOUND, PLY_DIGEST_MISMATCH */
  async open(
    descriptor: Descriptor,
    name: string,
    { platform, ...operation }: { readonly platform?: string } & Operation = {},
  ): Promise<Image> {
    const manifest = await this.#manifestOf(descriptor, name, platform, operation, 0)
    const options = { ...operation, ...(this.#zstd && { zstd: this.#zstd }) }
    const image = this.#withWhatLies(await imageFromBlobs(manifest, this.#read, options))
    if (this.#acceptances.none) return image
    const accepted = image.layers.map(({ diffId }) => this.#acceptances.of(diffId))
    if (accepted.every(({ lenient, limits }) => lenient === undefined && limits === undefined)) return image
    const maxWindow = Math.max(...accepted.map(({ limits }) => limits?.zstdWindow ?? defaultLimits.zstdWindow))
    const lenient = accepted.some((one) => one.lenient === true)
    return this.#withWhatLies(await imageFromBlobs(manifest, this.#read, { ...options, lenient, maxWindow }))
  }

  /** All that a descriptor leads to. @throws PLY_BLOB_NOT_FOUND where not all of it is here */
  async parcel(descriptor: Descriptor, operation: Operation = {}): Promise<Parcel> {
    const atRest = this.#atRest
    const source = { read: this.#read, zstd: this.#zstd, maxWindow: defaultLimits.zstdWindow }
    return readParcel(
      descriptor,
      { ...source, ...(atRest && { atRest: ({ digest }: Descriptor) => atRest(digest) }) },
      operation,
    )
  }

  /** The image with its layers' files, for who need not have them as streams. */
  #withWhatLies(image: Image): Image {
    const atRest = this.#atRest
    const layers = image.layers.map((layer): Layer => {
      const { diffId, descriptor } = layer
      return {
        ...layer,
        ...(atRest && { atRest: () => atRest(descriptor.digest) }),
        // A blob that is the tar itself is truth, and its digest is what it is checked by.
        ...(descriptor.digest !== diffId && { checkedTar: () => this.#cachedTar(diffId) }),
      }
    })
    return { ...image, layers }
  }

  /** The image of a manifest that something in the store stands on. */
  async byDigest(digest: Digest, operation: Operation = {}): Promise<Image> {
    return this.open(await this.#described(digest, digest), digest, operation)
  }

  /** One line of the list: what can be known of a name, even if its blobs are gone. */
  async summary(name: string, descriptor: Descriptor): Promise<StoredImage> {
    try {
      const image = await this.open(descriptor, name)
      const { config, manifest } = image
      const problem = await this.#missingLayer(image)
      return {
        name,
        digest: descriptor.digest,
        config: manifest.config.digest,
        ...(config.created !== undefined && { created: config.created }),
        platform: formatPlatform(config),
        layers: image.layers.length,
        size: image.descriptor.size + manifest.config.size + manifest.layers.reduce((sum, { size }) => sum + size, 0),
        ...(problem !== undefined && { problem }),
      }
    } catch (error) {
      const damaged = [
        'PLY_BLOB_NOT_FOUND',
        'PLY_DIGEST_MISMATCH',
        'PLY_SIZE_MISMATCH',
        'PLY_BAD_DOCUMENT',
        'PLY_PLATFORM_NOT_FOUND',
        'PLY_TOO_LARGE',
        'PLY_UNSUPPORTED',
      ]
      if (!damaged.includes(codeOf(error) ?? '')) throw error
      return { name, digest: descriptor.digest, layers: 0, size: descriptor.size, problem: (error as Error).message }
    }
  }

  /** Whether the layers are here is seen at a glance; whether they are whole, when they are read. */
  async #missingLayer({ layers }: Image): Promise<string | undefined> {
    for (const { descriptor } of layers) {
      const { digest, size } = descriptor
      const stat = await this.#blobs.stat(digest)
      if (stat === undefined) return new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: this.#root }).message
      if (stat.size !== size)
        return new PlyError('PLY_SIZE_MISMATCH', { what: `blob ${digest}`, expected: size, actual: stat.size }).message
    }
    return undefined
  }

  async #manifestOf(
    descriptor: Descriptor,
    name: string,
    platform: string | undefined,
    operation: Operation,
    depth: number,
  ): Promise<Descriptor> {
    if (!isIndexType(descriptor.mediaType)) return descriptor
    if (depth === nesting)
      throw new PlyError('PLY_BAD_DOCUMENT', { what: `index ${descriptor.digest}`, reason: 'it is nested too deeply' })
    const index = parseIndex(await readDocument(descriptor, this.#read, manifestLimit, operation))
    return this.#manifestOf(imageIn(index, name, platform), name, platform, operation, depth + 1)
  }

  async #described(digest: Digest, name: string): Promise<Descriptor> {
    const named = this.#names.list().find((record) => record.descriptor.digest === digest)
    if (named !== undefined) return named.descriptor
    const stat = await this.#blobs.stat(digest)
    if (stat === undefined) throw this.#notFound(name)
    const raw = await readDocument({ mediaType: '', digest, size: stat.size }, this.#read, manifestLimit)
    const assumed = manifestOrIndex(raw, digest) === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest
    const { mediaType } = JSON.parse(raw.toString('utf8')) as { mediaType?: unknown }
    return { mediaType: typeof mediaType === 'string' ? mediaType : assumed, digest, size: stat.size }
  }

  #notFound(name: string): PlyError {
    return new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: this.#root })
  }
}

/** @throws PLY_PLATFORM_NOT_FOUND, PLY_USAGE */
export function imageIn({ manifests }: ImageIndex, name: string, platform: string | undefined): Descriptor {
  const candidates: Candidate[] = manifests
    .filter(isImageEntry)
    .map((entry) => ({ descriptor: entry, platform: entry.platform }))
  // An index around a single image that says nothing of its platform is that image.
  return candidates.length === 1 && candidates[0]!.platform === undefined
    ? candidates[0]!.descriptor
    : chooseImage(candidates, name, platform)
}

function digestIn(text: string): Digest | undefined {
  return text.includes('@') ? parseName(text).digest : undefined
}
