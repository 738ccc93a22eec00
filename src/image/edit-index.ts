import { isDeepStrictEqual } from 'node:util'
import { type Digest, isDigest } from '../model/digest.ts'
import type { Descriptor, Platform } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { formatPlatform, parsePlatform } from '../model/platform.ts'
import { isImageEntry } from './choose.ts'
import { type IndexFields, type IndexParcel, imageOfParcel, indexOver, type Parcel } from './parcel.ts'

type Changes = Readonly<Record<string, string | null>>

/** What an index says of one of its entries, or of itself. `null` takes something away. */
export interface IndexChange {
  readonly annotations?: Changes | undefined
  /** `os/arch[/variant]`. Only of an entry, like what follows. */
  readonly platform?: string | undefined
  readonly osVersion?: string | null | undefined
  readonly osFeatures?: readonly string[] | null | undefined
}

/** An index that was changed, and the entries that are no longer in it. */
export interface ChangedIndex {
  readonly index: IndexParcel
  readonly removed: readonly Descriptor[]
}

/** Where BuildKit says which image an attestation is about. */
const aboutKey = 'vnd.docker.reference.digest'

/**
 * A new index over images, in this order: each entry has the platform that its config says. Of an index among them all entries are
 * taken over as they are, attestations too. Nothing of the images changes, and the same give the same digest.
 *
 * @throws PLY_USAGE for two images of one platform; PLY_BAD_DOCUMENT; what reading a config throws
 */
export async function createIndex(
  parcels: readonly Parcel[],
  { annotations, ...fields }: IndexFields & Operation = {},
): Promise<IndexParcel> {
  const { signal, onProgress: _, ...said } = fields
  const members: Parcel[] = []
  for (const parcel of parcels) {
    for (const member of await entriesOf(parcel, { signal })) {
      const twin = members.find((one) => one.descriptor.digest !== member.descriptor.digest && areRivals(one, member))
      if (twin !== undefined) throw tooMany(twin, member)
      if (!members.some((one) => one.descriptor.digest === member.descriptor.digest)) members.push(member)
    }
  }
  return indexOver(members, { ...said, ...(annotations && { annotations }) })
}

/**
 * The index with further images. One for a platform that it has takes the place of that one, whose attestations go with it. What
 * else the index says stays, as its entries do.
 *
 * @throws as `createIndex`
 */
export async function addToIndex(
  index: IndexParcel,
  parcels: readonly Parcel[],
  operation: Operation = {},
): Promise<ChangedIndex> {
  let members = [...index.members]
  const removed: Descriptor[] = []
  const added: Parcel[] = []
  for (const parcel of parcels) {
    for (const member of await entriesOf(parcel, operation)) {
      const { digest } = member.descriptor
      const rival = added.find((one) => one.descriptor.digest !== digest && areRivals(one, member))
      if (rival !== undefined) throw tooMany(rival, member)
      added.push(member)
      const replaced = members.filter((one) => one.descriptor.digest !== digest && areRivals(one, member))
      const at = members.findIndex((one) => one.descriptor.digest === digest || replaced.includes(one))
      if (at < 0) members.push(member)
      else members[at] = member
      const gone = new Set(replaced.map((one) => one.descriptor.digest))
      removed.push(...replaced.map(({ descriptor }) => descriptor))
      const isGone = (one: Parcel) => one !== member && (gone.has(one.descriptor.digest) || gone.has(aboutOf(one)!))
      removed.push(...members.filter((one) => gone.has(aboutOf(one)!)).map(({ descriptor }) => descriptor))
      members = members.filter((one) => !isGone(one))
    }
  }
  return { index: changed(index, members), removed }
}

/**
 * The index without some entries: by digest, the start of one, or platform. Attestations go with what they are about.
 *
 * @throws PLY_USAGE for what names no entry, or several by the start of a digest
 */
export function removeFromIndex(index: IndexParcel, which: readonly string[]): ChangedIndex {
  const gone = new Set<Digest>()
  for (const text of which) for (const { descriptor } of entriesNamed(index, text)) gone.add(descriptor.digest)
  const isGone = (one: Parcel) => gone.has(one.descriptor.digest) || gone.has(aboutOf(one)!)
  const members = index.members.filter((one) => !isGone(one))
  return { index: changed(index, members), removed: index.members.filter(isGone).map(({ descriptor }) => descriptor) }
}

/**
 * The index with something else said in it, of an entry (by digest, the start of one, or platform) or of itself.
 *
 * @throws PLY_USAGE as `removeFromIndex`, and for a platform of the index itself
 */
export function annotateIndex(index: IndexParcel, change: IndexChange, which?: string): IndexParcel {
  const { annotations, platform, osVersion, osFeatures } = change
  if (which === undefined) {
    if (platform !== undefined || osVersion !== undefined || osFeatures !== undefined)
      throw new PlyError('PLY_USAGE', { reason: 'an index has no platform: say of which entry' })
    return changed(index, index.members, annotations)
  }
  const named = new Set(entriesNamed(index, which))
  const members = index.members.map((one): Parcel => {
    if (!named.has(one)) return one
    const { annotations: before, platform: runsOn, ...entry } = one.descriptor
    const merged = mergeInto(before, annotations)
    const now = platformWith(runsOn, change)
    const descriptor = { ...entry, ...(now && { platform: now }), ...(merged && { annotations: merged }) }
    return { ...one, descriptor }
  })
  return changed(index, members)
}

/** What a parcel is in an index: its own entry with its platform, or those of an index. */
async function entriesOf(parcel: Parcel, { signal }: Operation): Promise<readonly Parcel[]> {
  if (parcel.is === 'index') return parcel.members
  const { mediaType, digest, size, platform, annotations, artifactType } = parcel.descriptor as Descriptor & {
    readonly artifactType?: string
  }
  // What a layout calls an image is not said of it elsewhere.
  const own = Object.entries(annotations ?? {}).filter(
    ([name]) => !/^(?:org\.opencontainers\.image\.ref\.|io\.containerd\.)/.test(name),
  )
  const image = platform === undefined ? await imageOfParcel(parcel, { signal }) : undefined
  const runsOn = platform ?? (image && platformOf(image.config))
  const descriptor = {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(runsOn && { platform: runsOn }),
    ...(own.length > 0 && { annotations: Object.fromEntries(own) }),
  }
  return [{ ...parcel, descriptor }]
}

/** As the config says it, with what else it says of the system. */
function platformOf(config: Platform): Platform | undefined {
  const { os, architecture, variant } = config
  if (os === '' || architecture === '') return undefined
  const said = config as unknown as Readonly<Record<string, unknown>>
  const more = ['os.version', 'os.features'].filter((name) => said[name] !== undefined)
  return {
    architecture,
    os,
    ...(variant !== undefined && { variant }),
    ...Object.fromEntries(more.map((name) => [name, said[name]])),
  }
}

function platformWith(
  before: Platform | undefined,
  { platform, osVersion, osFeatures }: IndexChange,
): Platform | undefined {
  const { os: _, architecture: __, variant: ___, ...rest } = before ?? ({} as Partial<Platform>)
  const base = platform === undefined ? before : { ...rest, ...parsePlatform(platform) }
  if (osVersion === undefined && osFeatures === undefined) return base
  if (base === undefined) throw new PlyError('PLY_USAGE', { reason: 'the entry has no platform yet: say that too' })
  const more = new Map<string, unknown>(Object.entries(base))
  for (const [name, value] of [
    ['os.version', osVersion],
    ['os.features', osFeatures],
  ] as const) {
    if (value === null) more.delete(name)
    else if (value !== undefined) more.set(name, value)
  }
  return Object.fromEntries(more) as unknown as Platform
}

/** Whether two entries are images for one platform, so that nobody could choose between them. */
function areRivals({ descriptor: a }: Parcel, { descriptor: b }: Parcel): boolean {
  if (a.platform === undefined || b.platform === undefined || !isImageEntry(a) || !isImageEntry(b)) return false
  const versions = [a, b].map(({ platform }) => (platform as { readonly 'os.version'?: unknown })['os.version'])
  return formatPlatform(a.platform) === formatPlatform(b.platform) && versions[0] === versions[1]
}

function tooMany({ descriptor: a }: Parcel, { descriptor: b }: Parcel): PlyError {
  const reason = `both ${a.digest} and ${b.digest} are for ${formatPlatform(a.platform!)}: an index has one image for each platform`
  return new PlyError('PLY_USAGE', { reason })
}

function entriesNamed(index: IndexParcel, text: string): readonly Parcel[] {
  const start = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1]
  if (start !== undefined) {
    const found = index.members.filter(({ descriptor }) => descriptor.digest.startsWith(`sha256:${start}`))
    if (new Set(found.map(({ descriptor }) => descriptor.digest)).size === 1) return found
    if (found.length > 1) throw new PlyError('PLY_USAGE', { reason: `${text} is the start of several digests` })
  } else if (text.includes('/')) {
    const wanted = formatPlatform(parsePlatform(text))
    const found = index.members.filter(
      ({ descriptor }) => descriptor.platform && formatPlatform(descriptor.platform) === wanted,
    )
    if (found.length > 0) return found
  }
  const entries = index.members.map(({ descriptor: { digest, platform } }) =>
    platform === undefined ? digest : `${formatPlatform(platform)} (${digest.slice(0, 19)})`,
  )
  const reason = `no entry of the index is ${text}: it has ${entries.join(', ') || 'none'}`
  throw new PlyError('PLY_USAGE', { reason })
}

/** The image that an attestation is about. */
function aboutOf({ descriptor }: Parcel): Digest | undefined {
  const about = descriptor.annotations?.[aboutKey]
  return isDigest(about) ? about : undefined
}

/** The same index over other members: all other fields stay. Where nothing changes it is the very same. */
function changed(index: IndexParcel, members: readonly Parcel[], annotations?: Changes): IndexParcel {
  const { schemaVersion: _, manifests, annotations: before, ...fields } = index.index
  const merged = mergeInto(before, annotations)
  const isSame =
    isDeepStrictEqual(
      members.map(({ descriptor }) => descriptor),
      manifests,
    ) && isDeepStrictEqual(merged, before)
  if (isSame) return index
  const mediaType = fields.mediaType ?? index.descriptor.mediaType
  return indexOver(members, { ...fields, mediaType, ...(merged && { annotations: merged }) })
}

function mergeInto(
  old: Readonly<Record<string, string>> | undefined,
  changes: Changes | undefined,
): Readonly<Record<string, string>> | undefined {
  if (changes === undefined) return old
  const merged = new Map(Object.entries(old ?? {}))
  for (const [name, value] of Object.entries(changes)) {
    if (name === '') throw new PlyError('PLY_USAGE', { reason: 'an annotation needs a name' })
    if (value === null) merged.delete(name)
    else merged.set(name, value)
  }
  return merged.size === 0 ? undefined : Object.fromEntries(merged)
}
