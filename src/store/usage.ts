import { join } from 'node:path'
import type { Disk } from '../sys/disk.ts'
import type { Layout } from './layout.ts'
import { walk } from './walk.ts'

/** Bytes and files of one part of a store, as the disk counts them. */
export interface UsagePart {
  readonly files: number
  /** Bytes allocated on the disk. */
  readonly bytes: number
}

/** What a store occupies. Blobs and uppers are truth and state; caches come back when they are deleted. */
export interface Usage {
  readonly blobs: UsagePart
  readonly layerCaches: UsagePart
  readonly treeCaches: UsagePart
  /** Digests of files outside the store. Those of layers are among the layer caches. */
  readonly fileDigests: UsagePart
  readonly uppers: UsagePart
  readonly total: UsagePart
}

export function usageOf(disk: Disk, layout: Layout): Usage {
  const total = measure(disk, layout.root)
  return {
    blobs: measure(disk, join(layout.root, 'blobs')),
    layerCaches: measure(disk, layout.layerCache),
    treeCaches: measure(disk, layout.treeCache),
    fileDigests: measure(disk, layout.fileSums),
    uppers: measure(disk, layout.uppers),
    total,
  }
}

function measure(disk: Disk, path: string): UsagePart {
  const seen = new Set<number>()
  let files = 0
  let bytes = 0
  for (const stat of walk(disk, path)) {
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (seen.has(stat.ino)) continue
      seen.add(stat.ino)
    }
    // memfs allocates no blocks: there the size is what it costs.
    bytes += disk.kind === 'memory' ? stat.size : stat.blocks * 512
    if (!stat.isDirectory()) files++
  }
  return { files, bytes }
}
