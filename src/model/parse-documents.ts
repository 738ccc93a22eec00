import { isDigest } from './digest.ts'
import type { Descriptor, ImageConfig, ImageIndex, Manifest } from './documents.ts'
import { mediaTypes } from './documents.ts'
import { PlyError } from './errors.ts'
import { Field, type JsonObject } from './field.ts'
import { badDocument, parseJson } from './json.ts'

/** Most bytes of a manifest or an index, as registries limit them (distribution-spec, pushing manifests). */
export const manifestLimit = 4 << 20
/** Most bytes of a config: real ones stay under a few hundred KiB. */
export const configLimit = 32 << 20

const mostLayers = 10_000
const mostItems = 100_000

const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest]
const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerIndex]

/** Whether a descriptor points at an image's manifest, going by its media type. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.includes(mediaType)
}

/** Whether a descriptor points at an index, going by its media type. */
export function isIndexType(mediaType: string): boolean {
  return indexTypes.includes(mediaType)
}

/**
 * A manifest from its bytes. Fields that the type does not name are kept.
 *
 * @throws PLY_BAD_DOCUMENT naming the field; PLY_UNSUPPORTED for Docker's schema 1 and for digests other than sha256
 */
export function parseManifest(raw: Uint8Array, what = 'manifest'): Manifest {
  const root = versioned(raw, what)
  // A document that is both could be read as either by different tools (CVE-2021-41190).
  if (!root.member('manifests').absent) throw root.bad('has layers of an index (manifests); it is not a manifest')
  const mediaType = mediaTypeOf(root, manifestTypes, 'a manifest')
  const config = descriptor(root.member('config'))
  const layers = root.member('layers').items(mostLayers).map(descriptor)
  agreeOnSizes(root, [config, ...layers])
  return { ...common(root), schemaVersion: 2, ...mediaType, config, layers }
}

/** An index from its bytes. @throws as `parseManifest` */
export function parseIndex(raw: Uint8Array, what = 'index'): ImageIndex {
  const root = versioned(raw, what)
  for (const name of ['config', 'layers']) {
    if (!root.member(name).absent) throw root.bad(`has the ${name} of a manifest; it is not an index`)
  }
  const mediaType = mediaTypeOf(root, indexTypes, 'an index')
  const manifests = root.member('manifests')
  if (manifests.absent && root.object().manifests !== null) throw manifests.wrong('a list')
  const entries = manifests.items(mostItems).map(descriptor)
  return { ...common(root), schemaVersion: 2, ...mediaType, manifests: entries }
}

/**
 * An image config from its bytes. Fields that the type does not name are kept. An architecture or os that is missing,
 * as in some old images, is an empty text.
 *
 * @throws PLY_BAD_DOCUMENT naming the field; PLY_UNSUPPORTED for digests other than sha256
 */
export function parseConfig(raw: Uint8Array, what = 'config'): ImageConfig {
  const root = new Field(what, '', parseJson(raw, what, configLimit))
  const rootfs = root.member('rootfs')
  if (rootfs.absent) throw rootfs.bad('is missing: this is not the config of an image')
  const type = rootfs.member('type')
  if (type.text() !== 'layers') throw type.wrong('"layers"')
  const diffIds = rootfs
    .member('diff_ids')
    .items(mostLayers)
    .map((item) => item.digest())
  optionalTexts(root, ['architecture', 'os', 'created', 'author', 'variant'])
  const { config: _, history: __, ...rest } = withoutNulls(root.object(), [])
  const config = root.member('config')
  const history = root.member('history')
  return {
    architecture: '',
    os: '',
    ...rest,
    rootfs: { ...rootfs.object(), type: 'layers', diff_ids: diffIds },
    ...(!config.absent && { config: execution(config) }),
    ...(!history.absent && { history: history.items(mostItems).map(step) }),
  } as ImageConfig
}

/** One image of a docker-archive's `manifest.json`. Paths are names of archive members. */
export interface ArchivedImage {
  readonly config: string
  readonly repoTags: readonly string[]
  readonly layers: readonly string[]
}

/** The list of images in a docker-archive. @throws PLY_BAD_DOCUMENT naming the field */
export function parseArchiveManifest(raw: Uint8Array, what = 'manifest.json'): ArchivedImage[] {
  const root = new Field(what, '', parseJson(raw, what, configLimit))
  const images = root.items(mostItems)
  if (images.length === 0) throw root.bad('lists no image')
  return images.map((image) => ({
    config: image.member('Config').text(),
    repoTags: image.member('RepoTags').texts(mostItems),
    layers: image.member('Layers').texts(mostLayers),
  }))
}

/** A descriptor, wherever it stands. */
function descriptor(field: Field): Descriptor {
  if (isBare(field.value)) return field.value
  const mediaType = field.member('mediaType').text()
  const digest = field.member('digest').digest()
  const size = field.member('size').size()
  optional(field, 'annotations', (annotations) => annotations.textMap())
  optional(field, 'urls', (urls) => urls.texts(mostItems))
  optional(field, 'platform', (platform) => {
    platform.member('os').text()
    platform.member('architecture').text()
    optional(platform, 'variant', (variant) => variant.text())
  })
  return { ...withoutNulls(field.object(), []), mediaType, digest, size } as Descriptor
}

/** Whether it has what every descriptor has, and nothing else: nearly all do, and deep images have hundreds. */
function isBare(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 3) return false
  const { mediaType, digest, size } = value as Partial<Descriptor>
  return typeof mediaType === 'string' && isDigest(digest) && Number.isSafeInteger(size) && size! >= 0
}

function versioned(raw: Uint8Array, what: string): Field {
  const root = new Field(what, '', parseJson(raw, what, manifestLimit))
  const version = root.member('schemaVersion')
  if (version.value === 1) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: "Docker's manifest schema 1",
      reason: `${what} has it; push the image again with a newer tool`,
    })
  }
  if (version.value !== 2) throw version.wrong('2')
  return root
}

function mediaTypeOf(root: Field, allowed: readonly string[], wanted: string): { mediaType?: string } {
  const field = root.member('mediaType')
  if (field.absent) return {}
  if (!allowed.includes(field.text())) throw field.wrong(`the type of ${wanted}`)
  return { mediaType: field.text() }
}

function common(root: Field): JsonObject {
  optional(root, 'annotations', (annotations) => annotations.textMap())
  const { mediaType: _, ...rest } = withoutNulls(root.object(), [])
  return rest
}

/** One digest is one run of bytes: two sizes for it mean that one of them lies. */
function agreeOnSizes(root: Field, descriptors: readonly Descriptor[]): void {
  const sizes = new Map<string, number>()
  for (const { digest, size } of descriptors) {
    const other = sizes.get(digest)
    if (other !== undefined && other !== size) throw root.bad(`gives ${digest} two sizes, ${other} and ${size}`)
    sizes.set(digest, size)
  }
}

function execution(field: Field): JsonObject {
  optionalTexts(field, ['User', 'WorkingDir', 'StopSignal'])
  for (const name of ['Env', 'Entrypoint', 'Cmd']) optional(field, name, (list) => list.texts(mostItems))
  for (const name of ['ExposedPorts', 'Volumes']) optional(field, name, (set) => set.object())
  optional(field, 'Labels', (labels) => labels.textMap())
  return withoutNulls(field.object(), ['Entrypoint', 'Cmd'])
}

function step(field: Field): JsonObject {
  optionalTexts(field, ['created', 'created_by', 'author', 'comment'])
  optional(field, 'empty_layer', (empty) => {
    if (typeof empty.value !== 'boolean') throw empty.wrong('true or false')
  })
  return withoutNulls(field.object(), [])
}

function optional(field: Field, name: string, check: (member: Field) => void): void {
  // A field is made for what is there: a history has a thousand steps, and most of what one may have is absent.
  if (!Object.hasOwn(field.object(), name)) return
  const member = field.member(name)
  if (!member.absent) check(member)
}

function optionalTexts(field: Field, names: readonly string[]): void {
  const object = field.object()
  for (const name of names) if (typeof object[name] !== 'string') optional(field, name, (member) => member.text())
}

function withoutNulls(object: JsonObject, except: readonly string[]): JsonObject {
  // Hardly any has some, and there are thousands of descriptors.
  if (!Object.values(object).includes(null)) return object
  const members = Object.entries(object).filter(([name, value]) => value !== null || except.includes(name))
  // Not Object.fromEntries on a plain object with `__proto__`: it defines, never assigns, so the name is harmless.
  return Object.fromEntries(members)
}

/** What a document of unknown kind is. @throws PLY_BAD_DOCUMENT if it is neither, or both */
export function manifestOrIndex(raw: Uint8Array, what: string): 'manifest' | 'index' {
  const root = versioned(raw, what)
  const index = !root.member('manifests').absent
  const manifest = !root.member('config').absent || !root.member('layers').absent
  if (index === manifest)
    throw badDocument(what, index ? 'it is a manifest and an index at once' : 'it is neither a manifest nor an index')
  return index ? 'index' : 'manifest'
}
