import type { BlobStore } from '../../blob/blob-store.ts'
import type { Digest } from '../../model/digest.ts'
import type { Operation } from '../../model/operation.ts'
import type { ZstdDecoders } from '../../stream/compression.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { Reasons } from '../collection/explain.ts'
import { type Marked, mark } from '../collection/mark.ts'
import { type Roots, rootsOf } from '../collection/roots.ts'
import type { Uppers } from '../containers/uppers.ts'
import type { Names } from '../images/names.ts'
import type { Acceptances } from '../intake/acceptances.ts'
import type { LayerId } from '../layers/layer-files.ts'
import type { Layers } from '../layers/layers.ts'
import type { Layout } from '../layout.ts'
import type { Trees } from '../trees/trees.ts'
import { type Finding, type FsckLevel, fetchAgain } from './findings.ts'

/** The parts of a store that a check needs. */
export interface Checkable {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly names: Names
  readonly layers: Layers
  readonly trees: Trees
  readonly uppers: Uppers
  readonly acceptances: Acceptances
  readonly zstd: ZstdDecoders | undefined
  readonly writable: boolean
  readonly durable: boolean
  /** The stores below, the nearest first. */
  readonly below: readonly Layout[]
  /** Where a blob lies: here or in a store below; here if nowhere. */
  readonly homeOf: (digest: Digest) => Layout
  lease(operation: Operation): Promise<Lock>
}

/** One look at a store: what is alive, and what was found of it. */
export class Survey {
  readonly store: Checkable
  readonly level: FsckLevel
  readonly roots: Roots
  readonly marked: Marked
  readonly #reasons: Reasons
  readonly operation: Operation
  /** Only these files are read as a whole: those that a first look found something about. */
  readonly only: ReadonlySet<string> | undefined
  readonly findings: Finding[] = []
  readonly counted = { blobs: 0, bytes: 0, caches: 0 }
  /** Blobs of layers that are not what their names say. */
  readonly bad = new Set<Digest>()

  private constructor(
    store: Checkable,
    level: FsckLevel,
    roots: Roots,
    marked: Marked,
    reasons: Reasons,
    only: ReadonlySet<string> | undefined,
    operation: Operation,
  ) {
    this.store = store
    this.level = level
    this.roots = roots
    this.marked = marked
    this.#reasons = reasons
    this.only = only
    this.operation = operation
  }

  static async begin(
    store: Checkable,
    level: FsckLevel,
    { only, ...operation }: { readonly only?: ReadonlySet<string> | undefined } & Operation,
  ): Promise<Survey> {
    const roots = rootsOf(store)
    const reasons = new Reasons()
    for (const { id, holder } of roots.kept) reasons.note(`upper ${id}`, holder, 'upper')
    const marked = await mark(roots.images, store.blobs, { because: reasons.note, signal: operation.signal })
    return new Survey(store, level, roots, marked, reasons, only, operation)
  }

  add(finding: Omit<Finding, 'affects'>, ...things: readonly string[]): void {
    this.findings.push({ ...finding, affects: this.#reasons.roots(things) })
  }

  /** What is to be added to what is said of a blob that lies in a store below. */
  where(digest: Digest): string {
    const { layout, homeOf } = this.store
    const home = homeOf(digest)
    return home === layout ? '' : `; it lies in the store below, ${home.root}`
  }

  /** What helps against damage of a blob, or the lack of it. */
  heal(digest: Digest): string {
    const { layout, homeOf, below } = this.store
    const home = homeOf(digest)
    if (home !== layout)
      return `${fetchAgain}; that makes a copy of it here: ply fsck --repair --root ${home.root} heals it where it lies`
    const isHere = this.store.disk.fs.existsSync(layout.blobOf(digest))
    if (isHere || below.length > 0) return fetchAgain
    return `${fetchAgain}; if it is in a store that this one was used over, say --below DIR`
  }

  /** Whether a file is read as a whole this time. */
  reads(file: string): boolean {
    return this.only === undefined || this.only.has(file)
  }

  /** Every layer of an image that is alive, once. */
  *layers(): Generator<LayerId> {
    const seen = new Set<string>()
    for (const { layers } of this.marked.images)
      for (const id of layers) {
        const key = `${id.diffId} ${id.descriptor.digest}`
        if (seen.has(key)) continue
        seen.add(key)
        yield id
      }
  }
}
