import { dirname } from 'node:path'
import { defaultLimits, type LayerLimits } from '../../layer/index.ts'
import type { DiffId } from '../../model/digest.ts'
import type { Disk } from '../../sys/disk.ts'
import { makeDirectoryDurably } from '../../sys/durable-directory.ts'
import type { Layout } from '../layout.ts'
import { readJson, recordText, writeFileAtomically } from '../records.ts'

/** What it took to accept a layer. */
export interface Acceptance {
  readonly lenient?: true
  /** Those that were raised. */
  readonly limits?: Partial<LayerLimits>
}

/** Those of these limits that are above the defaults. */
export function raisedLimits(limits: Partial<LayerLimits> = {}): Partial<LayerLimits> {
  const all = Object.entries(limits) as [keyof LayerLimits, number][]
  return Object.fromEntries(all.filter(([name, limit]) => limit > defaultLimits[name]))
}

/**
 * Layers that were taken in under other conditions than the usual ones: one small file for each, without which its caches
 * would not come back once they are gone. Written before the layer's blob is visible.
 */
export class Acceptances {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  /** Most stores have none at all. */
  get none(): boolean {
    return !this.#disk.fs.existsSync(this.#layout.accepted)
  }

  /** Nothing for a layer that needed nothing. */
  of(diffId: DiffId): Acceptance {
    const path = this.#layout.acceptanceOf(diffId)
    // Hardly any layer has one, and an error is dear to make.
    return (this.#disk.fs.existsSync(path) ? readJson<Acceptance>(this.#disk, path) : undefined) ?? {}
  }

  /** The raised limits of these layers, the highest of each: what is made of them may need as much. */
  limitsOf(layers: readonly { readonly diffId: DiffId }[]): Partial<LayerLimits> {
    const raised: Partial<Record<keyof LayerLimits, number>> = {}
    if (this.none) return raised
    for (const { diffId } of layers) {
      for (const [name, limit] of Object.entries(this.of(diffId).limits ?? {}) as [keyof LayerLimits, number][])
        raised[name] = Math.max(raised[name] ?? 0, limit)
    }
    return raised
  }

  /**
   * What is noted is on the disk when this returns: who finds a layer here may find what somebody left who died before that was.
   */
  secure(): void {
    if (this.none) return
    this.#disk.syncDirectory(this.#layout.accepted)
    this.#disk.syncDirectory(this.#layout.root)
  }

  /** Adds to what it took before, if anything is to be noted. */
  note(diffId: DiffId, { lenient, limits = {} }: Acceptance): void {
    if (lenient === undefined && Object.keys(limits).length === 0) return
    const before = this.of(diffId)
    const noted: Acceptance = {
      ...((lenient ?? before.lenient) && { lenient: true }),
      limits: { ...before.limits, ...limits },
    }
    const path = this.#layout.acceptanceOf(diffId)
    makeDirectoryDurably(this.#disk, dirname(path), 0o700)
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, path, recordText(noted))
  }
}
