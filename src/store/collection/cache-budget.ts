import { join } from 'node:path'
import { type Digest, hexOf } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import type { MarkedBlob, MarkedImage } from './mark.ts'

/** Files that come and go together, since one is of no use without the others. */
export interface CacheGroup {
  readonly kind: 'tree' | 'layer'
  readonly paths: string[]
  /** Bytes on the disk. */
  bytes: number
  /** Milliseconds since the epoch. */
  used: number
  /** It cannot be built again, or somebody stands on it. */
  stays: boolean
}

/**
 * Takes caches until the rest is no more than `caches` bytes, the least recently used first. What containers stand on stays, and so does
 * the tar of a layer whose blob is not here, for nothing else has its content.
 *
 * A tree counts as used when it was last opened, to the hour, and so do the layers in it: none is taken before the trees over it.
 */
export function takeOverBudget({
  disk,
  layout,
  blobs,
  images,
  inUse,
  caches,
  take,
}: {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: ReadonlyMap<Digest, MarkedBlob>
  readonly images: readonly MarkedImage[]
  /** Manifests that containers stand on. */
  readonly inUse: ReadonlySet<Digest>
  readonly caches: number
  /** Answers whether they go. */
  take(group: CacheGroup): boolean
}): void {
  const groups = new Map<string, CacheGroup>()
  const measured = (kind: CacheGroup['kind'], file: string): CacheGroup | undefined => {
    const path = join(kind === 'tree' ? layout.treeCache : layout.layerCache, file)
    const key = `${kind} ${file.slice(0, 64)}`
    const stat = disk.fs.statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return groups.get(key)
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { kind, paths: [], bytes: 0, used: 0, stays: false }))
    if (!group.paths.includes(path)) {
      group.paths.push(path)
      group.bytes += disk.kind === 'disk' ? stat.blocks * 512 : stat.size
      // Building a cache is using it; copies of a file's times may lie in the future.
      group.used = Math.max(group.used, Math.min(Date.now(), Math.max(stat.atimeMs, stat.mtimeMs)))
    }
    return group
  }
  const isHere = (digest: Digest) => {
    const size = disk.fs.statSync(layout.blobOf(digest), { throwIfNoEntry: false })?.size
    return size !== undefined && size === (blobs.get(digest)?.size ?? size)
  }
  for (const { digest, layers, chain } of images) {
    const held = inUse.has(digest)
    const found: (CacheGroup | undefined)[] = []
    for (const { diffId, descriptor } of layers) {
      const hex = hexOf(diffId)
      let group: CacheGroup | undefined
      for (const kind of ['tar', 'erofs', 'spill', 'sums']) group = measured('layer', `${hex}.${kind}`) ?? group
      if (group !== undefined) group.stays ||= held || !isHere(descriptor.digest)
      found.push(group)
    }
    let used = 0
    for (let at = chain.length - 1; at >= 0; at--) {
      const tree = measured('tree', `${hexOf(chain[at]!)}.erofs`)
      if (tree !== undefined) tree.stays ||= held
      used = Math.max(used, tree?.used ?? 0)
      const layer = found[at]
      if (layer !== undefined) layer.used = Math.max(layer.used, used)
    }
  }
  const all = [...groups.values()]
  let bytes = all.reduce((sum, group) => sum + group.bytes, 0)
  const ranks = { tree: 0, layer: 1 }
  const going = all.filter(({ stays }) => !stays)
  for (const group of going.sort((a, b) => a.used - b.used || ranks[a.kind] - ranks[b.kind])) {
    if (bytes <= caches) break
    if (take(group)) bytes -= group.bytes
  }
}

/** How far the time of last use may lag: a tree that is opened again and again is written to once an hour. */
const useStep = 3_600_000

/** Notes that a cache is in use, where file systems do not do it themselves. Of no consequence where that cannot be done. */
export function noteUse(
  disk: Disk,
  path: string,
  { atimeMs, mtimeMs }: { readonly atimeMs: number; readonly mtimeMs: number },
): void {
  if (Math.abs(Date.now() - Math.max(atimeMs, mtimeMs)) < useStep) return
  try {
    disk.fs.utimesSync(path, Date.now() / 1000, mtimeMs / 1000)
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) throw error
  }
}
