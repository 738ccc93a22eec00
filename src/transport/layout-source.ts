import { type Candidate, chooseImage, isImageEntry } from '../image/choose.ts'
import { isForeign } from '../image/distributable.ts'
import type { Image, ImageSource, Listed } from '../image/image.ts'
import { type BlobReader, imageFromBlobs, readDocument } from '../image/image-from-blobs.ts'
import { indexOver, type Parcel, readParcel } from '../image/parcel.ts'
import { type Digest, digestOf } from '../model/digest.ts'
import type { Descriptor, ImageIndex } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import {
  configLimit,
  isIndexType,
  manifestLimit,
  manifestOrIndex,
  parseConfig,
  parseIndex,
  parseManifest,
} from '../model/parse-documents.ts'
import { fitness, formatPlatform, parsePlatform } from '../model/platform.ts'
import { normalName } from '../model/reference.ts'
import { collect } from '../stream/collect.ts'
import type { DecompressionOptions } from '../stream/compression.ts'
import { type BlobPlace, blobAt, blobsIn } from './blob-place.ts'
import { pacedStream } from './file.ts'
import { layoutAttachments } from './layout-attachments.ts'

/** The annotation that names an image in a layout (image-spec, annotations.md). */
export const refName = 'org.opencontainers.image.ref.name'
/** Where containerd and BuildKit put the full name. */
const containerdName = 'io.containerd.image.name'

/** More entries than any index has; nested indexes share them. */
const mostCandidates = 10_000

/** What a reference asks of a layout. */
export interface Wanted {
  readonly name?: string | undefined
  readonly digest?: Digest | undefined
  readonly platform?: string | undefined
  readonly decompression: DecompressionOptions
}

/**
 * Images of an OCI layout, wherever its blobs lie: the index says what there is, `wanted` is what the reference said.
 * Closing the source is `close`.
 */
export function layoutSource(place: BlobPlace, index: ImageIndex, wanted: Wanted, close: () => void): ImageSource {
  const read = blobsIn(place)
  const atRest = ({ digest }: Descriptor) => blobAt(place, digest)
  const has = ({ digest }: Descriptor) => {
    const bytes = place.open(digest)
    bytes?.close()
    return bytes !== undefined
  }
  const entriesOf = async (name: string | undefined, operation: Operation) =>
    name === undefined && wanted.digest !== undefined
      ? [await byDigest(place, index, wanted.digest, operation)]
      : named(place, index, name ?? wanted.name)
  return {
    attachments: {
      ...layoutAttachments(place, async () => index),
      roots: (name, operation = {}) => entriesOf(name, operation),
      // Its names are anybody's: only a registry stands for those that it has.
      identity: () => undefined,
    },
    async *list() {
      for (const descriptor of index.manifests.filter(isImageEntry)) {
        yield { name: nameOf(descriptor), descriptor } satisfies Listed
      }
    },
    async image(name, { platform = wanted.platform, signal, onProgress } = {}) {
      const operation = { signal, onProgress }
      const entries = await entriesOf(name, operation)
      const label = name ?? wanted.name ?? place.where
      const descriptor = await choose(read, entries, label, platform, operation)
      const image = await imageFromBlobs(descriptor, read, {
        ...operation,
        ...wanted.decompression,
        atRest,
      })
      const layers = image.layers.map((layer) => {
        const { atRest: _, ...absent } = layer
        return isForeign(layer.descriptor) && !has(layer.descriptor) ? { ...absent, elsewhere: true } : layer
      })
      const whole = { ...image, layers }
      return platform === undefined ? whole : checkPlatform(whole, label, platform)
    },
    async parcel(name, operation = {}) {
      const entries = await entriesOf(name, operation)
      const source = { read, has, atRest, ...wanted.decompression }
      const found: Parcel[] = []
      for (const entry of entries) found.push(await readParcel(bare(entry), source, operation))
      // Several entries of one name are one image for several platforms.
      return found.length === 1 ? found[0]! : indexOver(found.map((one, at) => ({ ...one, descriptor: entries[at]! })))
    },
    async [Symbol.asyncDispose]() {
      close()
    },
  }
}

/** Without what the list of a place says of an image: its name is said by whoever takes it in. */
function bare({ annotations, ...descriptor }: Descriptor): Descriptor {
  const { [refName]: _, [containerdName]: __, ...rest } = annotations ?? {}
  return { ...descriptor, ...(Object.keys(rest).length > 0 && { annotations: rest }) }
}

/** The name that an entry of `index.json` gives its image. */
function nameOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[refName] ?? annotations?.[containerdName]
}

function named(place: BlobPlace, index: ImageIndex, name: string | undefined): readonly Descriptor[] {
  const entries = index.manifests.filter(isImageEntry)
  if (name !== undefined) {
    const exact = entries.filter(({ annotations }) => annotations?.[refName] === name)
    const found = exact.length > 0 ? exact : entries.filter((entry) => meansTheSame(entry, name))
    if (found.length > 0) return found
    throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: place.where, available: namesIn(entries) || 'nothing' })
  }
  if (entries.length === 0)
    throw new PlyError('PLY_BAD_ARCHIVE', { reason: `${place.where}: its index lists no image` })
  // Several entries of one name are one image for several platforms.
  if (new Set(entries.map((entry) => nameOf(entry) ?? entry.digest)).size === 1) return entries
  const unnamed = entries.filter((entry) => nameOf(entry) === undefined)
  if (unnamed.length === entries.length && unnamed.every((entry) => entry.platform !== undefined)) return unnamed
  throw new PlyError('PLY_AMBIGUOUS', { where: place.where, available: namesIn(entries) })
}

function namesIn(entries: readonly Descriptor[]): string {
  return [...new Set(entries.map((entry) => nameOf(entry) ?? `@${entry.digest}`))].join(', ')
}

function meansTheSame(entry: Descriptor, name: string): boolean {
  const wanted = normalOrNone(name)
  return (
    wanted !== undefined && [refName, containerdName].some((key) => normalOrNone(entry.annotations?.[key]) === wanted)
  )
}

function normalOrNone(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : normalName(name)
  } catch (error) {
    // A layout may call its images anything.
    if (codeOf(error) === 'PLY_BAD_REFERENCE') return undefined
    throw error
  }
}

/** A descriptor by digest: from the index, or of any manifest that is there. */
async function byDigest(
  place: BlobPlace,
  index: ImageIndex,
  digest: Digest,
  operation: Operation,
): Promise<Descriptor> {
  const entry = index.manifests.find((candidate) => candidate.digest === digest)
  if (entry !== undefined) return entry
  const bytes = place.open(digest)
  if (bytes === undefined) throw new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: place.where })
  const raw = await collect(
    pacedStream(() => bytes, operation),
    manifestLimit,
    { what: `blob ${digest}` },
  )
  return { ...describeDocument(raw, `blob ${digest}`), digest }
}

/** A descriptor for a manifest or index whose media type nobody said. @throws PLY_BAD_DOCUMENT */
export function describeDocument(raw: Uint8Array, what: string): Descriptor {
  const kind = manifestOrIndex(raw, what)
  const { mediaType } = kind === 'index' ? parseIndex(raw, what) : parseManifest(raw, what)
  return {
    mediaType: mediaType ?? (kind === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest),
    digest: digestOf(raw),
    size: raw.length,
  }
}

/** The one of several entries that suits the platform; indexes among them are opened. @throws PLY_PLATFORM_NOT_FOUND */
export async function choose(
  read: BlobReader,
  entries: readonly Descriptor[],
  label: string,
  platform: string | undefined,
  operation: Operation,
): Promise<Descriptor> {
  const [only] = entries
  if (entries.length === 1 && !isIndexType(only!.mediaType)) return only!
  const manifests = await flatten(read, entries, operation)
  if (manifests.length === 0) {
    throw new PlyError('PLY_PLATFORM_NOT_FOUND', {
      name: label,
      platform: platform ?? 'any platform',
      available: 'none',
    })
  }
  const candidates: Candidate[] = []
  for (const descriptor of manifests) {
    candidates.push({ descriptor, platform: descriptor.platform ?? (await platformIn(read, descriptor, operation)) })
  }
  return chooseImage(candidates, label, platform)
}

/** The manifests under indexes, each once, in order; what is not wanted is not opened. */
export async function flatten(
  read: BlobReader,
  entries: readonly Descriptor[],
  operation: Operation,
  isWanted: (entry: Descriptor) => boolean = () => true,
): Promise<Descriptor[]> {
  const manifests: Descriptor[] = []
  const seen = new Set<string>()
  const left = [...entries].reverse()
  for (let entry = left.pop(); entry !== undefined; entry = left.pop()) {
    if (seen.has(entry.digest) || !isWanted(entry)) continue
    seen.add(entry.digest)
    if (seen.size > mostCandidates) {
      throw new PlyError('PLY_BAD_DOCUMENT', {
        what: 'the index',
        reason: `it leads to more than ${mostCandidates} images`,
      })
    }
    if (!isIndexType(entry.mediaType)) manifests.push(entry)
    else {
      const raw = await readDocument(entry, read, manifestLimit, operation)
      left.push(...parseIndex(raw, `index ${entry.digest}`).manifests.filter(isImageEntry).reverse())
    }
  }
  return manifests
}

async function platformIn(read: BlobReader, descriptor: Descriptor, operation: Operation) {
  const manifest = parseManifest(
    await readDocument(descriptor, read, manifestLimit, operation),
    `manifest ${descriptor.digest}`,
  )
  const config = parseConfig(
    await readDocument(manifest.config, read, configLimit, operation),
    `config ${manifest.config.digest}`,
  )
  return config.os === '' || config.architecture === '' ? undefined : config
}

/** The image, if it runs on the platform that was asked for. @throws PLY_PLATFORM_NOT_FOUND */
export function checkPlatform(image: Image, name: string, platform: string): Image {
  const { os, architecture, variant } = image.config
  const has = { os, architecture, ...(variant !== undefined && { variant }) }
  if (fitness(parsePlatform(platform), has) > 0) return image
  throw new PlyError('PLY_PLATFORM_NOT_FOUND', { name, platform, available: formatPlatform(has) })
}
