import { join } from 'node:path'
import type { BlobStore } from '../blob/blob-store.ts'
import type { Digest } from '../model/digest.ts'
import { chainIds, hexOf } from '../model/digest.ts'
import type { ImageIndex, Manifest } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { checkAborted } from '../model/operation.ts'
import { configLimit, manifestOrIndex, parseConfig, parseIndex, parseManifest } from '../model/parse-documents.ts'
import { collect as bytesOfStream } from '../stream/collect.ts'
import type { Disk } from '../sys/disk.ts'
import type { Containers } from './containers.ts'
import type { Layout } from './layout.ts'
import type { Names } from './names.ts'
import type { Uppers } from './uppers.ts'
import { walk } from './walk.ts'

/** What a collection removed (or, on a dry run, would remove). */
export interface Collected {
  readonly blobs: readonly Digest[]
  /** Files of caches and leftovers of interrupted work, relative to the store. */
  readonly files: readonly string[]
  /** Bytes. */
  readonly freed: number
  /** Manifests that something needs and that cannot be read. As long as there is one, no blob is removed. */
  readonly unreadable: readonly Digest[]
}

/** Codes of documents that are missing, damaged, or none that we know. */
const unreadable = [
  'PLY_BAD_DIGEST',
  'PLY_BAD_DOCUMENT',
  'PLY_BLOB_NOT_FOUND',
  'PLY_DIGEST_MISMATCH',
  'PLY_TOO_LARGE',
  'PLY_UNSUPPORTED',
]

interface Marked {
  readonly blobs: Set<Digest>
  /** Names of cache files that live. */
  readonly caches: Set<string>
  readonly unreadable: Set<Digest>
}

/**
 * Marks from names, unnamed entries of `index.json` and uppers; sweeps the rest. The caller holds off every writer
 * meanwhile, so what is in `tmp/` belongs to nobody. `only` leaves everything alone but these blobs and their caches.
 */
export async function collect(
  {
    disk,
    layout,
    blobs,
    names,
    uppers,
    containers,
  }: {
    readonly disk: Disk
    readonly layout: Layout
    readonly blobs: BlobStore
    readonly names: Names
    readonly uppers: Uppers
    readonly containers: Containers
  },
  { dryRun = false, only, signal }: { readonly dryRun?: boolean; readonly only?: ReadonlySet<Digest> } & Operation,
): Promise<Collected> {
  const marked: Marked = { blobs: new Set(), caches: new Set(), unreadable: new Set() }
  const roots = names.roots()
  const used = new Set((await containers.list()).map(({ upper }) => upper))
  for (const id of used) roots.push(uppers.record(id).manifest)
  for (const root of roots) await mark(root, blobs, marked)

  const removed: Digest[] = []
  const files: string[] = []
  let freed = 0
  for await (const digest of blobs.list()) {
    checkAborted(signal)
    // What an unreadable manifest needs is unknown: then everything stays.
    if (marked.blobs.has(digest) || marked.unreadable.size > 0 || (only && !only.has(digest))) continue
    freed += (await blobs.stat(digest))?.size ?? 0
    removed.push(digest)
    if (!dryRun) await blobs.delete(digest)
  }
  const sweep = (directory: string, lives: (name: string) => boolean) => {
    for (const name of namesIn(disk, directory)) {
      checkAborted(signal)
      if (lives(name)) continue
      const path = join(directory, name)
      freed += sizeOf(disk, path)
      files.push(path.slice(layout.root.length + 1))
      if (!dryRun) disk.fs.rmSync(path, { recursive: true, force: true })
    }
  }
  const mine = (name: string) => only === undefined || only.has(`sha256:${name.slice(0, 64)}` as Digest)
  sweep(layout.layerCache, (name) => marked.caches.has(name) || !mine(name))
  // These are no caches: they stay where the blobs do.
  const accepted = (name: string) => marked.caches.has(name.replace(/json$/, 'erofs')) || marked.unreadable.size > 0
  sweep(layout.accepted, (name) => accepted(name) || !mine(name))
  if (only !== undefined) return { blobs: removed, files, freed, unreadable: [...marked.unreadable] }
  sweep(layout.treeCache, (name) => marked.caches.has(name))
  sweep(layout.tmp, () => false)
  // An upper that no container names was left by a removal or a creation that was interrupted.
  sweep(layout.uppers, (id) => used.has(id))
  if (!dryRun) {
    await sweepLocks(disk, layout, (name) => used.has(name) || marked.caches.has(name))
    await names.refresh()
  }
  return { blobs: removed, files, freed, unreadable: [...marked.unreadable] }
}

async function mark(digest: Digest, blobs: BlobStore, marked: Marked): Promise<void> {
  if (marked.blobs.has(digest)) return
  marked.blobs.add(digest)
  const found = await readable(() => read(digest, blobs))
  if (found === undefined) {
    marked.unreadable.add(digest)
    return
  }
  if ('manifests' in found) {
    // Platforms of an index that were never fetched are no damage.
    for (const child of found.manifests) if (await blobs.stat(child.digest)) await mark(child.digest, blobs, marked)
    return
  }
  const manifest = found
  marked.blobs.add(manifest.config.digest)
  for (const layer of manifest.layers) marked.blobs.add(layer.digest)
  // Artifacts have configs that are none of an image: they have no caches.
  const config = await readable(async () => parseConfig(await document(manifest.config.digest, blobs)))
  const diffIds = config?.rootfs.diff_ids ?? []
  for (const diffId of diffIds)
    for (const kind of ['tar', 'erofs', 'spill', 'sums']) marked.caches.add(`${hexOf(diffId)}.${kind}`)
  for (const chainId of chainIds(diffIds)) marked.caches.add(`${hexOf(chainId)}.erofs`)
}

async function read(digest: Digest, blobs: BlobStore): Promise<Manifest | ImageIndex> {
  const raw = await document(digest, blobs)
  return manifestOrIndex(raw, digest) === 'index' ? parseIndex(raw, digest) : parseManifest(raw, digest)
}

function document(digest: Digest, blobs: BlobStore): Promise<Uint8Array> {
  return bytesOfStream(blobs.stream(digest), configLimit, { what: digest })
}

async function readable<T>(attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt()
  } catch (error) {
    if (unreadable.includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** Locks of what is gone. One that somebody holds stays; whoever opens a file that is removed notices. */
async function sweepLocks(disk: Disk, { locks }: Layout, lives: (subject: string) => boolean): Promise<void> {
  for (const name of namesIn(disk, locks)) {
    const [, kind, subject] = /^(upper|layer|tree)-(.+)$/.exec(name) ?? []
    if (kind === undefined || lives(kind === 'upper' ? subject! : `${subject}.erofs`)) continue
    using held = await disk.lock(join(locks, name))
    if (held !== undefined) disk.fs.rmSync(join(locks, name), { force: true })
  }
}

/** Bytes of the files there; of a spill, which is mostly holes, those on the disk. What somebody else is removing meanwhile counts nothing. */
function sizeOf(disk: Disk, path: string): number {
  const holes = path.endsWith('.spill') && disk.kind === 'disk'
  let size = 0
  for (const stat of walk(disk, path)) {
    if (stat.isFile()) size += holes ? Math.min(stat.size, stat.blocks * 512) : stat.size
  }
  return size
}

function namesIn(disk: Disk, directory: string): string[] {
  try {
    return disk.fs.readdirSync(directory) as string[]
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
