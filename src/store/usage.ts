import { join } from 'node:path'
import { codeOf } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Layout } from './layout.ts'

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
  readonly uppers: UsagePart
  readonly total: UsagePart
}

export function usageOf(disk: Disk, layout: Layout): Usage {
  const total = measure(disk, layout.root)
  return {
    blobs: measure(disk, join(layout.root, 'blobs')),
    layerCaches: measure(disk, layout.layerCache),
    treeCaches: measure(disk, layout.treeCache),
    uppers: measure(disk, layout.uppers),
    total,
  }
}

function measure(disk: Disk, path: string): UsagePart {
  const seen = new Set<number>()
  let files = 0
  let bytes = 0
  const visit = (at: string) => {
    let stat: ReturnType<Disk['fs']['lstatSync']>
    try {
      stat = disk.fs.lstatSync(at)
    } catch (error) {
      // Somebody else is at work in the store: what went away meanwhile counts nothing.
      if (codeOf(error) === 'ENOENT') return
      throw error
    }
    if (stat === undefined || (stat.nlink > 1 && !stat.isDirectory() && seen.has(stat.ino))) return
    seen.add(stat.ino)
    // memfs allocates no blocks: there the size is what it costs.
    bytes += disk.kind === 'memory' ? stat.size : stat.blocks * 512
    if (!stat.isDirectory()) {
      files++
      return
    }
    for (const name of readdir(disk, at)) visit(`${at}/${name}`)
  }
  visit(path)
  return { files, bytes }
}

function readdir(disk: Disk, path: string): string[] {
  try {
    return disk.fs.readdirSync(path) as string[]
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
