import { digestOf } from '../model/digest.ts'
import { type Descriptor, type ImageIndex, type Manifest, mediaTypes } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { canonicalJson } from '../model/json.ts'
import type { Operation } from '../model/operation.ts'
import { checkAborted } from '../model/operation.ts'
import {
  configLimit,
  isIndexType,
  manifestLimit,
  manifestOrIndex,
  parseIndex,
  parseManifest,
} from '../model/parse-documents.ts'
import { memoryBytes, streamOf } from '../stream/bytes.ts'
import { imageOf, readDocuments } from './assemble.ts'
import { isForeign } from './distributable.ts'
import type { Image, Layer } from './image.ts'
import { type BlobReader, type LayerSource, layerFromBlob, readDocument } from './image-from-blobs.ts'

/** How deep indexes may hold indexes, how many documents they may lead to, and of how many bytes together: all are held at once. */
const deepest = 8
const mostDocuments = 10_000
const mostBytes = 256 << 20

/** A blob that a manifest names, as it travels: see `Layer`, which is one. */
export type ParcelBlob = Pick<Layer, 'descriptor' | 'compressed' | 'atRest' | 'origin' | 'elsewhere'> & {
  readonly fetched?: ((operation?: Operation) => Promise<ParcelBlob>) | undefined
}

/**
 * A manifest or an index with all it leads to, as it is: what is copied whole, digests and unknown fields kept. A manifest need not
 * be that of an image (artifacts, attestations), and `imageOfParcel` says whether it is.
 */
export type Parcel = ManifestParcel | IndexParcel

/** An image or an artifact with all that it leads to. */
export interface ManifestParcel {
  readonly is: 'manifest'
  /** As whoever leads to it says it: an entry of an index may have platform and annotations. */
  readonly descriptor: Descriptor
  readonly raw: Uint8Array
  readonly manifest: Manifest
  /** Layers base first, then the config; each once. */
  readonly blobs: readonly ParcelBlob[]
  /** How `imageOfParcel` reads its layers. */
  readonly decompression?: LayerSource | undefined
  /** Where it was made of an image. */
  readonly image?: Image | undefined
}

/** An index with all that it leads to. */
export interface IndexParcel {
  readonly is: 'index'
  readonly descriptor: Descriptor
  readonly raw: Uint8Array
  readonly index: ImageIndex
  /** In the order of the index; one that it names twice is there twice. */
  readonly members: readonly Parcel[]
}

/** How a place hands out what is to be copied whole. */
export interface ParcelSource extends LayerSource {
  readonly read: BlobReader
  /** The blob with what else its place knows of it; default: what can be read. */
  readonly blob?: ((blob: ParcelBlob) => ParcelBlob) | undefined
  /** Whether a blob is there. Absent: all are. */
  readonly has?: ((descriptor: Descriptor) => boolean) | undefined
}

/** Hears of a member of an index that cannot be read, and is left out; without it that is an error. */
export interface ParcelProblem {
  readonly onProblem?: ((descriptor: Descriptor, error: unknown) => void) | undefined
}

/**
 * All that a descriptor leads to. Manifests and indexes are read and checked now, blobs when they are asked for.
 *
 * @throws PLY_BAD_DOCUMENT, PLY_DIGEST_MISMATCH, PLY_BLOB_NOT_FOUND, and what `read` throws
 */
export async function readParcel(
  descriptor: Descriptor,
  source: ParcelSource,
  operation: Operation & ParcelProblem = {},
): Promise<Parcel> {
  const { read, blob = (one) => one, has = () => true, ...decompression } = source
  const known = new Map<string, Parcel>()
  let held = 0
  const at = async (wanted: Descriptor, depth: number): Promise<Parcel> => {
    checkAborted(operation.signal)
    const before = known.get(wanted.digest)
    if (before !== undefined) return { ...before, descriptor: wanted }
    const what = `document ${wanted.digest}`
    if (depth > deepest || known.size >= mostDocuments) {
      const reason = depth > deepest ? 'it is nested too deeply' : `it leads to more than ${mostDocuments} documents`
      throw new PlyError('PLY_BAD_DOCUMENT', { what: `index ${descriptor.digest}`, reason })
    }
    const raw = await readDocument(wanted, read, manifestLimit, operation)
    held += raw.length
    if (held > mostBytes)
      throw new PlyError('PLY_TOO_LARGE', { what: `all that ${descriptor.digest} leads to`, limit: mostBytes })
    const isIndex = isIndexType(wanted.mediaType) || manifestOrIndex(raw, what) === 'index'
    if (!isIndex) {
      const manifest = parseManifest(raw, what)
      const blobs = [...manifest.layers, manifest.config].map((one): ParcelBlob => {
        const elsewhere = isForeign(one) && !has(one)
        return blob({
          descriptor: one,
          compressed: (reading) => read(one, reading),
          ...(decompression.atRest && !elsewhere && { atRest: () => decompression.atRest!(one) }),
          ...(elsewhere && { elsewhere }),
        })
      })
      const unique = [...new Map(blobs.map((one) => [one.descriptor.digest, one])).values()]
      const made: Parcel = { is: 'manifest', descriptor: wanted, raw, manifest, blobs: unique, decompression }
      known.set(wanted.digest, made)
      return made
    }
    const index = parseIndex(raw, what)
    const members: Parcel[] = []
    for (const member of index.manifests) {
      try {
        members.push(await at(member, depth + 1))
      } catch (error) {
        if (operation.onProblem === undefined || codeOf(error) === 'PLY_ABORTED') throw error
        operation.onProblem(member, error)
      }
    }
    const made: Parcel = { is: 'index', descriptor: wanted, raw, index, members }
    known.set(wanted.digest, made)
    return made
  }
  return at(descriptor, 0)
}

/** An image as what is copied whole. */
export function parcelOf(image: Image): ManifestParcel {
  const { descriptor, rawManifest: raw, manifest, rawConfig } = image
  const config: ParcelBlob = {
    descriptor: manifest.config,
    compressed: () => streamOf(memoryBytes(rawConfig)),
    atRest: () => memoryBytes(rawConfig),
  }
  const blobs = [...new Map([...image.layers, config].map((blob) => [blob.descriptor.digest, blob])).values()]
  return { is: 'manifest', descriptor, raw, manifest, blobs, image }
}

/**
 * The image that a manifest is of; `undefined` if it is none: an artifact, or an attestation.
 *
 * @throws PLY_BAD_DOCUMENT, PLY_DIGEST_MISMATCH, and what reading the config throws
 */
export async function imageOfParcel(parcel: ManifestParcel, operation: Operation = {}): Promise<Image | undefined> {
  if (parcel.image !== undefined) return parcel.image
  const { manifest, descriptor, raw, blobs, decompression = {} } = parcel
  if (!isImage(manifest)) return undefined
  const held = new Map(blobs.map((blob) => [blob.descriptor.digest, blob]))
  const read: BlobReader = (one, reading) => held.get(one.digest)!.compressed(reading)
  const rawConfig = await readDocument(manifest.config, read, configLimit, operation)
  const documents = readDocuments({ descriptor, rawManifest: raw, rawConfig }, manifest)
  const { atRest: _, ...source } = decompression
  const layers = manifest.layers.map((one, at): Layer => {
    const { descriptor: __, compressed: ___, fetched, ...more } = held.get(one.digest)!
    const layer = { ...layerFromBlob(one, documents.config.rootfs.diff_ids[at]!, read, source), ...more }
    return fetched === undefined ? layer : { ...layer, fetched: (o) => here(layer, fetched(o)) }
  })
  return imageOf(documents, layers)
}

async function here(layer: Layer, blob: Promise<ParcelBlob>): Promise<Layer> {
  const { atRest } = await blob
  return { ...layer, ...(atRest && { atRest }) }
}

/** Attestations have the config of an image, and layers that are none. */
function isImage({ config, layers }: Manifest): boolean {
  const configured = config.mediaType === mediaTypes.ociConfig || config.mediaType === mediaTypes.dockerConfig
  const isLayer = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./
  return configured && layers.every(({ mediaType }) => isLayer.test(mediaType))
}

/** What a new index says beside its entries. */
export type IndexFields = Omit<ImageIndex, 'schemaVersion' | 'manifests'>

/** An index over these, in this order, as canonical JSON: the same members and fields give the same digest. */
export function indexOver(members: readonly Parcel[], fields: IndexFields = {}): IndexParcel {
  const docker = fields.mediaType === mediaTypes.dockerIndex
  const mediaType = docker ? mediaTypes.dockerIndex : mediaTypes.ociIndex
  const raw = canonicalJson({
    ...fields,
    schemaVersion: 2,
    mediaType,
    manifests: members.map(({ descriptor }) => descriptor),
  })
  const index = parseIndex(raw, 'index')
  return { is: 'index', descriptor: { mediaType, digest: digestOf(raw), size: raw.length }, raw, index, members }
}

/** Every manifest in a parcel, once each, in order. */
export function* manifestsIn(parcel: Parcel): Generator<ManifestParcel, void, undefined> {
  const seen = new Set<string>()
  const waiting: Parcel[] = [parcel]
  for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
    if (seen.has(one.descriptor.digest)) continue
    seen.add(one.descriptor.digest)
    if (one.is === 'manifest') yield one
    else waiting.unshift(...one.members)
  }
}

/** Every document of a parcel, once each, those that an index names before it. */
export function documentsIn(parcel: Parcel): Parcel[] {
  const found = new Map<string, Parcel>()
  const visit = (one: Parcel): void => {
    if (found.has(one.descriptor.digest)) return
    if (one.is === 'index') for (const member of one.members) visit(member)
    found.set(one.descriptor.digest, one)
  }
  visit(parcel)
  return [...found.values()]
}
