import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { type Unit, unitsOf } from './units.ts'

/** Bytes and files of one part of a store, as the disk counts them. */
export interface UsagePart {
  readonly files: number
  /** Bytes allocated on the disk. */
  readonly bytes: number
}

/**
 * What a store occupies; the parts add up to the total. Blobs and uppers are truth and state; caches come back when they are
 * deleted. What the file system shares between files (`ply dedupe`, copies by reflink) it counts in each of them, as `du` does.
 */
export interface Usage {
  readonly blobs: UsagePart
  readonly layerCaches: UsagePart
  readonly treeCaches: UsagePart
  /** Digests of files outside the store. Those of layers are among the layer caches. */
  readonly fileDigests: UsagePart
  readonly uppers: UsagePart
  /** Names, records, locks, work in progress, and the directories that hold everything. */
  readonly records: UsagePart
  readonly total: UsagePart
}

const parts: readonly (readonly [RegExp, Exclude<keyof Usage, 'total'>])[] = [
  [/^blobs(\/|$)/, 'blobs'],
  [/^cache\/layers(\/|$)/, 'layerCaches'],
  [/^cache\/trees(\/|$)/, 'treeCaches'],
  [/^cache\/files\.sums$/, 'fileDigests'],
  [/^uppers(\/|$)/, 'uppers'],
]

/** Adds units up, part by part. */
export class UsageSum {
  readonly #sums = new Map<keyof Usage, { files: number; bytes: number }>()

  add({ path, files, bytes }: Unit): void {
    const part = parts.find(([pattern]) => pattern.test(path))?.[1] ?? 'records'
    for (const key of [part, 'total'] as const) {
      const sum = this.#sum(key)
      sum.files += files
      sum.bytes += bytes
    }
  }

  get usage(): Usage {
    return {
      blobs: this.#sum('blobs'),
      layerCaches: this.#sum('layerCaches'),
      treeCaches: this.#sum('treeCaches'),
      fileDigests: this.#sum('fileDigests'),
      uppers: this.#sum('uppers'),
      records: this.#sum('records'),
      total: this.#sum('total'),
    }
  }

  #sum(key: keyof Usage): { files: number; bytes: number } {
    let sum = this.#sums.get(key)
    if (sum === undefined) this.#sums.set(key, (sum = { files: 0, bytes: 0 }))
    return sum
  }
}

export function usageOf(disk: Disk, { root }: Layout): Usage {
  const sum = new UsageSum()
  for (const unit of unitsOf(disk, root)) sum.add(unit)
  return sum.usage
}
