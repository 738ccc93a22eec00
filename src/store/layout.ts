import { dirname, join, sep } from 'node:path'
import type { ChainId, DiffId, Digest } from '../model/digest.ts'
import { hexOf } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import { makeDirectoryDurably, syncNames } from '../sys/durable-directory.ts'
import { readJson, writeFileAtomically } from './records.ts'

/** Where everything in a store lies (docs/store-format.md). */
export interface Layout {
  readonly root: string
  readonly record: string
  readonly ociLayout: string
  readonly indexJson: string
  readonly names: string
  readonly layerCache: string
  readonly treeCache: string
  readonly fileSums: string
  /** What the records of many names said: a cache. */
  readonly nameList: string
  readonly accepted: string
  readonly uppers: string
  readonly containers: string
  /** What is mounted. Made when it is first needed. */
  readonly mounts: string
  /** What builds have made. Made when it is first needed. */
  readonly builds: string
  /** Where the images came from. Made when it is first needed, as `accepted` and `quarantine` are. */
  readonly sources: string
  /** What is damaged and could not be healed, under the path that it had. */
  readonly quarantine: string
  readonly locks: string
  readonly tmp: string
  blobOf(digest: Digest): string
  tarOf(diffId: DiffId): string
  indexOf(diffId: DiffId): string
  spillOf(diffId: DiffId): string
  sumsOf(diffId: DiffId): string
  treeOf(chainId: ChainId): string
  acceptanceOf(diffId: DiffId): string
  sourceOf(manifest: Digest): string
}

export function layoutOf(root: string): Layout {
  const blobs = join(root, 'blobs', 'sha256')
  const layerCache = join(root, 'cache', 'layers')
  const treeCache = join(root, 'cache', 'trees')
  const accepted = join(root, 'accepted')
  return {
    root,
    record: join(root, 'ply.json'),
    ociLayout: join(root, 'oci-layout'),
    indexJson: join(root, 'index.json'),
    names: join(root, 'names'),
    layerCache,
    treeCache,
    fileSums: join(root, 'cache', 'files.sums'),
    nameList: join(root, 'cache', 'names.list'),
    accepted,
    uppers: join(root, 'uppers'),
    containers: join(root, 'containers'),
    mounts: join(root, 'mounts'),
    builds: join(root, 'builds'),
    sources: join(root, 'sources'),
    quarantine: join(root, 'quarantine'),
    locks: join(root, 'locks'),
    tmp: join(root, 'tmp'),
    // Asked for each layer of a stack: joined once.
    blobOf: (digest) => `${blobs}${sep}${hexOf(digest)}`,
    tarOf: (diffId) => `${layerCache}${sep}${hexOf(diffId)}.tar`,
    indexOf: (diffId) => `${layerCache}${sep}${hexOf(diffId)}.erofs`,
    spillOf: (diffId) => join(layerCache, `${hexOf(diffId)}.spill`),
    sumsOf: (diffId) => join(layerCache, `${hexOf(diffId)}.sums`),
    treeOf: (chainId) => `${treeCache}${sep}${hexOf(chainId)}.erofs`,
    acceptanceOf: (diffId) => join(accepted, `${hexOf(diffId)}.json`),
    sourceOf: (manifest) => join(root, 'sources', `${hexOf(manifest)}.json`),
  }
}

/** `ply.json`. A feature that this version does not know decides by its list whether the store can be used. */
interface FormatRecord {
  readonly format: number
  readonly features: {
    /** Unknown ones are ignored. */
    readonly compatible: readonly string[]
    /** With an unknown one the store is read, not written. */
    readonly readOnlyCompatible: readonly string[]
    /** With an unknown one the store is refused. */
    readonly incompatible: readonly string[]
  }
}

const formatVersion = 1
const fresh: FormatRecord = {
  format: formatVersion,
  features: { compatible: [], readOnlyCompatible: [], incompatible: [] },
}
/** What `ply.json` of a store should be, in the way in which it is written. @throws PLY_STORE_FORMAT */
export function formatText(disk: Disk, layout: Layout): string {
  return textOfFormat(formatOf(disk, layout) ?? fresh)
}

function textOfFormat(record: FormatRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`
}

/** The store gives up syncing: what it holds after a loss of power is what the disk happened to write. */
const notDurable = 'not-durable'
const unsyncedFormat: FormatRecord = { ...fresh, features: { ...fresh.features, compatible: [notDurable] } }

/** Some container has a file of which it has some blocks alone: versions of before would show what is below for all of it. */
const blocks = 'blocks'

/** Whether files are, or ever were, kept in blocks in it. */
export function keepsBlocks(disk: Disk, layout: Layout): boolean {
  return formatOf(disk, layout)?.features.incompatible.includes(blocks) === true
}

/** Has a store say that files are kept in blocks in it. Nothing if it does already. */
export function sayBlocks(disk: Disk, layout: Layout): void {
  const found = formatOf(disk, layout) ?? fresh
  if (found.features.incompatible.includes(blocks)) return
  writeFileAtomically({ disk, tmp: layout.tmp }, layout.record, textOfFormat(withBlocks(found)))
}

function withBlocks(record: FormatRecord): FormatRecord {
  const { features } = record
  return { ...record, features: { ...features, incompatible: [...features.incompatible, blocks] } }
}

export interface Opening {
  readonly readOnly?: boolean | undefined
  /** Also a store that belongs to somebody else. */
  readonly anyOwner?: boolean | undefined
  /** Of a store that is made now. */
  readonly durable?: boolean | undefined
}

export interface OpenedLayout {
  readonly layout: Layout
  readonly writable: boolean
  readonly durable: boolean
}

/**
 * Opens a store's directory, making it if there is none. Answers whether it may be written, and whether it is kept durable.
 *
 * @throws PLY_STORE_FORMAT if it is no store or one of another format; PLY_STORE_OWNER if it is somebody else's; EACCES and the like
 * from the disk
 */
export function openLayout(
  disk: Disk,
  root: string,
  { readOnly = false, anyOwner = false, durable = true }: Opening = {},
): OpenedLayout {
  const layout = layoutOf(root)
  const found = formatOf(disk, layout)
  if (disk.kind === 'disk' && !anyOwner) checkOwner(disk, root, readOnly)
  if (found === undefined) {
    if (readOnly)
      throw new PlyError('PLY_STORE_FORMAT', { root, found: 'none', supported: 1, reason: 'there is no store' })
    initialise(disk, layout, durable ? fresh : unsyncedFormat)
    return { layout, writable: true, durable }
  }
  const refuse = (reason: string) =>
    new PlyError('PLY_STORE_FORMAT', { root, found: found.format, supported: formatVersion, reason })
  if (found.format !== formatVersion) throw refuse('another version of plyfs wrote it')
  const unknown = found.features.incompatible.filter((feature) => feature !== blocks)
  if (unknown.length > 0) throw refuse(`it needs ${unknown.join(', ')}`)
  const writable = found.features.readOnlyCompatible.length === 0
  if (!writable && !readOnly) throw refuse(`writing it needs ${found.features.readOnlyCompatible.join(', ')}`)
  // Caches, locks and temporary files may be deleted with their directories.
  if (!readOnly) makeDirectories(disk, layout)
  return { layout, writable: writable && !readOnly, durable: !found.features.compatible.includes(notDurable) }
}

/**
 * Whoever may write a store decides what others read from it, and where. What root has made can be trusted as far as reading
 * goes: root could do anything anyway.
 */
function checkOwner({ fs }: Disk, root: string, readOnly: boolean): void {
  const owner = fs.statSync(root, { throwIfNoEntry: false })?.uid
  const user = process.geteuid?.()
  if (owner === undefined || user === undefined || owner === user || (readOnly && owner === 0)) return
  throw new PlyError('PLY_STORE_OWNER', { root, owner, user, option: '--any-owner (anyOwner: true)' })
}

function formatOf(disk: Disk, { root, record }: Layout): FormatRecord | undefined {
  const refuse = (cause?: unknown) =>
    new PlyError(
      'PLY_STORE_FORMAT',
      { root, found: 'unknown', supported: formatVersion, reason: 'its ply.json is damaged' },
      { cause },
    )
  let cause: unknown
  try {
    const found = readJson<FormatRecord | null>(disk, record)
    if (found === undefined) return undefined
    const { format, features } = found ?? {}
    // Another version may say everything else in its own way.
    if (typeof format === 'number' && (format !== formatVersion || lists(features))) return found!
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
    cause = error
  }
  // One byte of it must not keep anybody from a whole store; a check tells of it, and a repair writes it anew.
  const bytes = disk.fs.readFileSync(record) as Uint8Array
  for (const known of [fresh, unsyncedFormat].flatMap((one) => [one, withBlocks(one)]))
    if (differsInOneByte(bytes, Buffer.from(textOfFormat(known)))) return known
  throw refuse(cause)
}

function differsInOneByte(found: Uint8Array, expected: Uint8Array): boolean {
  return (
    found.length === expected.length && found.reduce((count, byte, i) => count + Number(byte !== expected[i]), 0) === 1
  )
}

function lists(features: FormatRecord['features'] | undefined): boolean {
  return [features?.compatible, features?.readOnlyCompatible, features?.incompatible].every(Array.isArray)
}

function initialise(disk: Disk, layout: Layout, record: FormatRecord): void {
  const { fs } = disk
  try {
    const others = fs.readdirSync(layout.root).filter((name) => !partsOfStore.has(name))
    if (others.length > 0) {
      throw new PlyError('PLY_STORE_FORMAT', {
        root: layout.root,
        found: 'none',
        supported: formatVersion,
        reason: `the directory holds other files (${others.slice(0, 3).join(', ')}); choose an empty one`,
      })
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  makeDirectoryDurably(disk, layout.root, 0o700)
  makeDirectories(disk, layout)
  const place = { disk, tmp: layout.tmp }
  if (!fs.existsSync(layout.ociLayout)) writeFileAtomically(place, layout.ociLayout, '{"imageLayoutVersion":"1.0.0"}')
  if (!fs.existsSync(layout.indexJson))
    writeFileAtomically(place, layout.indexJson, '{"schemaVersion":2,"manifests":[]}')
  // Somebody who died may have made all this and not come to the syncing.
  for (const directory of [dirname(layout.root), layout.root, join(layout.root, 'blobs'), join(layout.root, 'cache')])
    syncNames(disk, directory)
  // The record comes last: a directory without it is made again from the start.
  writeFileAtomically(place, layout.record, textOfFormat(record))
}

function makeDirectories(disk: Disk, layout: Layout): void {
  for (const directory of [
    join(layout.root, 'blobs', 'sha256'),
    layout.names,
    layout.layerCache,
    layout.treeCache,
    layout.uppers,
    layout.containers,
    layout.locks,
    layout.tmp,
  ])
    makeDirectoryDurably(disk, directory, 0o700)
}

/** What is in a store's directory. The record is among it since another process may have made the store just now. */
export const partsOfStore: ReadonlySet<string> = new Set([
  ...[
    'blobs',
    'names',
    'cache',
    'accepted',
    'sources',
    'quarantine',
    'uppers',
    'containers',
    'mounts',
    'builds',
    'locks',
    'tmp',
  ],
  ...['oci-layout', 'index.json', 'ply.json'],
])
