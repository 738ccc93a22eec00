import { basename, join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { checkAborted } from '../../model/operation.ts'
import type { Disk } from '../../sys/disk.ts'
import { unusedBuilds } from '../builds/unused.ts'
import type { Names } from '../images/names.ts'
import type { Layout } from '../layout.ts'
import { entriesIn, walk } from '../walk.ts'
import { type CacheGroup, takeOverBudget } from './cache-budget.ts'
import { type Marked, mark } from './mark.ts'
import { type Roots, rootsOf } from './roots.ts'
import { Unheld } from './unheld.ts'

/** What a collection may take away. */
export interface CollectOptions extends Operation {
  /** Remove nothing; say what would be removed. */
  readonly dryRun?: boolean | undefined
  /** Bytes that caches may take; what was not used for the longest time goes first, and comes back when it is needed. */
  readonly caches?: number | undefined
  /**
   * Seconds for which blobs stay that another tool has written and nothing needs yet: it may be writing the image that needs
   * them, and cannot be asked. Default: an hour.
   */
  readonly grace?: number | undefined
  /** Seconds after which is forgotten what builds have made and nobody has used since; absent: nothing is. */
  readonly builds?: number | undefined
}

/** What a collection removed (or, on a dry run, would remove). */
export interface Collected {
  readonly blobs: readonly Digest[]
  /** Files of caches and leftovers of interrupted work, relative to the store. */
  readonly files: readonly string[]
  /** Bytes. */
  readonly freed: number
  /** Manifests that something needs and that cannot be read. As long as there is one, no blob is removed. */
  readonly unreadable: readonly Digest[]
  /**
   * Files of records that cannot be read, relative to the store. As long as it is unknown what one of them kept alive, no blob
   * is removed, and where it is a container's, no upper.
   */
  readonly records: readonly string[]
  /** Blobs that another tool has written and that nothing needs, but that are too young to go. */
  readonly kept: readonly Digest[]
  /** Caches that were to go and stay, with what they need, because somebody has them open; files relative to the store. */
  readonly open: readonly string[]
}

/** The parts of a store that a collection needs. */
export interface Collectable {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly names: Names
}

/** What lives, and because of what. */
export interface Living {
  readonly roots: Roots
  readonly marked: Marked
}

/** Reads all that says what lives; nobody is held off. */
export async function livingIn(
  { disk, layout, blobs, names }: Omit<Collectable, 'names'> & { readonly names: Pick<Names, 'survey'> },
  { signal, forgotten }: { readonly forgotten?: ReadonlySet<string> | undefined } & Operation,
): Promise<Living> {
  const roots = rootsOf({ disk, layout, names, forgotten })
  return { roots, marked: await mark(roots.images, blobs, { signal }) }
}

/**
 * Marks from names, unnamed entries of `index.json`, containers, snapshots and the uppers below them; sweeps the rest, but for
 * the trees and layers that somebody has open. The caller holds off every writer meanwhile, so what is in `tmp/` belongs to nobody.
 * `only` leaves everything alone but these blobs and their caches. `living` is what a dry run goes by that need not look again.
 */
export async function collect(
  parts: Collectable,
  {
    dryRun = false,
    caches,
    grace = 3600,
    builds,
    only,
    living,
    signal,
  }: { readonly only?: ReadonlySet<Digest> | undefined; readonly living?: Living } & CollectOptions = {},
): Promise<Collected> {
  const { disk, layout, blobs, names } = parts
  const unused = builds === undefined ? undefined : unusedBuilds({ disk, layout }, builds)
  const { roots, marked } = living ?? (await livingIn(parts, { forgotten: unused?.keys, signal }))
  // What an unreadable document or record needs is unknown: then every blob stays.
  const certain = marked.unreadable.size === 0 && roots.unreadable.every(({ known }) => known)
  // The same for layers of an image whose config is damaged.
  const layersCertain = certain && ![...marked.configs.values()].some(isDamage)
  const usedUppers = new Set(roots.kept.map(({ id }) => id))
  const uppersCertain = roots.unreadable.every(({ kind }) => kind !== 'container' && kind !== 'upper')

  if (!dryRun) secureRoots({ disk, layout })
  const removed: Digest[] = []
  const kept: Digest[] = []
  const files: string[] = []
  let freed = 0
  const remove = (path: string) => {
    freed += sizeOf(disk, path)
    files.push(path.slice(layout.root.length + 1))
    if (!dryRun) disk.fs.rmSync(path, { recursive: true, force: true })
  }
  const mine = (name: string) => only === undefined || only.has(`sha256:${name.slice(0, 64)}` as Digest)
  for (const path of unused?.files ?? []) remove(path)
  const unheld = new Unheld({ disk, layout }, remove)
  unheld.sweepTrees((name) => marked.caches.has(name) || !layersCertain || only !== undefined)
  for (const name of entriesIn(disk, layout.layerCache)) {
    checkAborted(signal)
    if (marked.caches.has(name) || !layersCertain || !mine(name)) continue
    const hex = name.slice(0, 64)
    // A tar whose layer is now its own blob, while the index still serves.
    const goes = marked.caches.has(`${hex}.erofs`) ? !unheld.uses(hex) : unheld.layer(hex)
    if (goes && name !== `${hex}.erofs`) remove(join(layout.layerCache, name))
  }
  for await (const digest of blobs.list()) {
    checkAborted(signal)
    if (marked.blobs.has(digest) || !certain || (only && !only.has(digest)) || unheld.needs(digest)) continue
    if (isForeignAndYoung(disk, layout.blobOf(digest), grace)) {
      kept.push(digest)
      continue
    }
    freed += (await blobs.stat(digest))?.size ?? 0
    removed.push(digest)
    if (!dryRun) await blobs.delete(digest)
  }
  const sweep = (directory: string, lives: (name: string) => boolean) => {
    for (const name of entriesIn(disk, directory)) {
      checkAborted(signal)
      if (!lives(name)) remove(join(directory, name))
    }
  }
  // These are no caches: they stay where the blobs do, also where a loss of power calls the blobs back.
  const accepted = (name: string) => marked.caches.has(name.replace(/json$/, 'erofs')) || !layersCertain
  if (removed.length > 0 && !dryRun && disk.fs.existsSync(layout.accepted))
    disk.syncDirectory(join(layout.root, 'blobs', 'sha256'))
  sweep(layout.accepted, (name) => accepted(name) || !mine(name))
  sweep(layout.sources, (name) => marked.blobs.has(digestOfFile(name)) || !certain || !mine(name))
  const answer = () => ({
    ...{ blobs: removed, files, freed, kept, open: unheld.open, unreadable: [...marked.unreadable.keys()] },
    records: roots.unreadable.map(({ path }) => path),
  })
  if (only !== undefined) return answer()
  sweep(layout.tmp, () => false)
  // An upper that nobody stands on was left by a removal or a creation that was interrupted.
  sweep(layout.uppers, (id) => usedUppers.has(id) || !uppersCertain)
  if (caches !== undefined) {
    const take = ({ kind, paths }: CacheGroup): boolean => {
      const names = paths.map((path) => basename(path))
      if (kind === 'tree') return unheld.tree(names[0]!)
      const hex = names[0]!.slice(0, 64)
      if (!unheld.layer(hex)) return false
      for (const [at, path] of paths.entries()) if (names[at] !== `${hex}.erofs`) remove(path)
      return true
    }
    const { blobs, images } = marked
    takeOverBudget({ disk, layout, blobs, images, inUse: inUse(roots), caches, take })
  }
  if (!dryRun) {
    const lives = (name: string) => usedUppers.has(name) || marked.caches.has(name) || !layersCertain || !uppersCertain
    await sweepLocks(disk, layout, lives)
    // One that cannot be read is what tells what it kept alive.
    if (roots.names.inIndex !== undefined) await names.refresh()
  }
  return answer()
}

/**
 * What the roots say now is on the disk when this returns. Somebody may have died between a change and its sync, and a loss of power
 * would call back a name whose blobs are gone.
 */
function secureRoots({ disk, layout }: Pick<Collectable, 'disk' | 'layout'>): void {
  const containers = entriesIn(disk, layout.containers).map((name) => join(layout.containers, name))
  for (const directory of [layout.root, layout.names, layout.containers, ...containers]) {
    try {
      disk.syncDirectory(directory)
    } catch (error) {
      // Caches and such may be deleted with their directories, and what is no directory holds no names.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

/** Manifests that containers, snapshots and mounts stand on: their caches are not given up. */
function inUse({ containers, uppers, mounted }: Roots): Set<Digest> {
  return new Set([...[...containers.values(), ...uppers.values()].map(({ manifest }) => manifest), ...mounted])
}

/** A document that was one, and is not what its name says any more; not one that is none of an image. */
function isDamage(error: unknown): boolean {
  return ['EIO', 'PLY_DIGEST_MISMATCH', 'PLY_BLOB_NOT_FOUND'].includes(codeOf(error) ?? '')
}

/** Ours are read-only files. */
function isForeignAndYoung(disk: Disk, path: string, grace: number): boolean {
  const stat = disk.fs.statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.mode & 0o222) !== 0 && Date.now() - stat.mtimeMs < grace * 1000
}

function digestOfFile(name: string): Digest {
  return `sha256:${name.slice(0, 64)}` as Digest
}

/** Locks of what is gone. One that somebody holds stays; whoever opens a file that is removed notices. */
async function sweepLocks(disk: Disk, { locks }: Layout, lives: (subject: string) => boolean): Promise<void> {
  for (const name of entriesIn(disk, locks)) {
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
