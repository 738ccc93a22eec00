import { isDeepStrictEqual } from 'node:util'
import type { Digest } from '../model/digest.ts'
import { isDigest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import type { Image } from './image.ts'
import { type IndexParcel, imageOfParcel, indexOver, type ManifestParcel, type Parcel, parcelOf } from './parcel.ts'

/** What an index lost, because what it is about is another image now. */
export interface Dropped {
  readonly digest: Digest
  /** The image that it spoke of, as it was. */
  readonly about: Digest
}

type Changes = Readonly<Record<string, string | null>>

/** What happens to what belongs to images that were changed. */
export interface WithImagesOptions extends Operation {
  /** Annotations of the index itself, merged into what is there; `null` takes one away. */
  readonly annotations?: Changes | undefined
  /** Annotations of the entries of images, in the index that names them. */
  readonly entryAnnotations?: Changes | undefined
  /** Hears of attestations and other artifacts that are left out. */
  readonly onDropped?: ((dropped: Dropped) => void) | undefined
}

/** Where BuildKit says which image an attestation is about. */
const aboutKey = 'vnd.docker.reference.digest'

/**
 * An index with other images in place of its own, one for each, in the same order and with the same platforms and annotations. What
 * is no image stays as it is, unless it is about an image that is another one now (attestations, and artifacts with a `subject`):
 * that would be a lie, and it is left out. Where nothing changes it is the same index, byte for byte.
 */
export async function withImages(
  parcel: IndexParcel,
  rewrite: (image: Image) => Promise<Image>,
  options: WithImagesOptions = {},
): Promise<IndexParcel> {
  const { annotations, entryAnnotations, onDropped, ...operation } = options
  const replaced = new Map<Digest, Parcel>()
  const walk = async (index: IndexParcel): Promise<IndexParcel> => {
    const members: (Parcel | undefined)[] = []
    for (const member of index.members) members.push(await changed(member))
    const kept: Parcel[] = []
    for (const [at, member] of members.entries()) {
      const before = index.members[at]!
      const about = aboutOf(before)
      if (about !== undefined && isReplaced(about)) onDropped?.({ digest: before.descriptor.digest, about })
      else kept.push(member ?? before)
    }
    const merged = index === parcel ? mergeInto(index.index.annotations, annotations) : index.index.annotations
    const { schemaVersion: _, manifests, annotations: __, ...fields } = index.index
    const same =
      isDeepStrictEqual(
        kept.map((one) => one.descriptor),
        manifests,
      ) && isDeepStrictEqual(merged, index.index.annotations)
    if (same) return index
    const made = indexOver(kept, {
      ...fields,
      mediaType: fields.mediaType ?? index.descriptor.mediaType,
      ...(merged && { annotations: merged }),
    })
    return { ...made, descriptor: { ...index.descriptor, ...made.descriptor } }
  }

  const changed = async (member: Parcel): Promise<Parcel | undefined> => {
    if (member.is === 'index') return walk(member)
    const image = aboutOf(member) === undefined ? await imageOfParcel(member, operation) : undefined
    if (image === undefined) return undefined
    const { digest } = member.descriptor
    const made = replaced.get(digest) ?? parcelOf(await rewrite(image))
    replaced.set(digest, made)
    const entry = entryOf(member.descriptor, image, made as ManifestParcel, entryAnnotations)
    return { ...made, descriptor: entry }
  }

  const isReplaced = (digest: Digest) => {
    const now = replaced.get(digest)
    return now !== undefined && now.descriptor.digest !== digest
  }
  return walk(parcel)
}

/** The entry of an image in its index: what was said of the old one, with the platform that the new one says. */
function entryOf(
  before: Descriptor,
  image: Image,
  { descriptor, image: made }: ManifestParcel,
  changes: Changes | undefined,
): Descriptor {
  const { annotations, platform, ...entry } = before
  const merged = mergeInto(annotations, changes)
  const { mediaType, digest, size } = descriptor
  const config = made?.config ?? image.config
  const says = (one: Image['config']) => [one.os, one.architecture, one.variant]
  const moved = platform !== undefined && !isDeepStrictEqual(says(config), says(image.config))
  const { os, architecture, variant } = config
  const runsOn = moved
    ? { ...withoutVariant(platform), os, architecture, ...(variant !== undefined && { variant }) }
    : platform
  return {
    ...entry,
    mediaType,
    digest,
    size,
    ...(runsOn && { platform: runsOn }),
    ...(merged && { annotations: merged }),
  }
}

function withoutVariant<T extends { readonly variant?: string }>({ variant: _, ...platform }: T): Omit<T, 'variant'> {
  return platform
}

/** The image that a document is about, where it is about one. */
function aboutOf(parcel: Parcel): Digest | undefined {
  const attested = parcel.descriptor.annotations?.[aboutKey]
  if (isDigest(attested)) return attested
  const { subject } = (parcel.is === 'index' ? parcel.index : parcel.manifest) as { readonly subject?: unknown }
  const digest = (subject as { readonly digest?: unknown } | null | undefined)?.digest
  return isDigest(digest) ? digest : undefined
}

function mergeInto(
  old: Readonly<Record<string, string>> | undefined,
  changes: Changes | undefined,
): Readonly<Record<string, string>> | undefined {
  if (changes === undefined) return old
  const merged = new Map(Object.entries(old ?? {}))
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged)
}
