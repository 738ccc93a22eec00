import type { DiffId } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import type { ByteSink } from '../stream/bytes.ts'
import { Tally } from '../stream/hash.ts'
import { TarReader } from '../tar/index.ts'
import { LayerTree } from './layer-tree.ts'
import { defaultLimits, type LayerLimits } from './limits.ts'
import { PageSums } from './page-sums.ts'
import { Findings } from './report.ts'

/** How a layer is read. */
export interface IndexOptions {
  readonly limits?: Partial<LayerLimits> | undefined
  /** Every warning is an error. */
  readonly strict?: boolean | undefined
  /** The rules that say so (layer-semantics, "lenient") give a warning where they would refuse. */
  readonly lenient?: boolean | undefined
}

/** A layer whose tar has been read. */
export interface IndexedLayer {
  readonly diffId: DiffId
  /** Bytes of the tar. */
  readonly tarSize: number
  /** Where later findings of the same import go: of what only the layers below show. */
  readonly findings: Findings
  /**
   * Whether what is below decides what some of its names mean: it has directories that no entry describes (N-13), or
   * hardlinks to files of other layers (H-06). `false` is certain.
   */
  readonly refersBelow: boolean
  /**
   * Writes the index: the same tar gives the same bytes, always (layer-semantics I-03). May be called again.
   * @throws PLY_UNREPRESENTABLE for what the format cannot hold, PLY_ABORTED.
   */
  writeIndex(sink: ByteSink, operation?: Operation): Promise<void>
}

/**
 * Reads a layer's tar as it is pushed, in chunks of any size, and collects its index. Memory grows with the number of
 * entries, and with the runs of sparse files, never with their size. `push` and `finish` throw PLY_BAD_LAYER with the
 * rule that is broken, and PLY_BUDGET.
 */
export class LayerIndexer {
  readonly findings: Findings
  readonly limits: LayerLimits
  readonly #reader: TarReader
  readonly #tree: LayerTree
  readonly #pages = new PageSums()
  readonly #tally: Tally | undefined

  /** With `hashing: false` the caller knows the diffID otherwise, and says it to `finish`. */
  constructor({ limits, strict, lenient = false, hashing = true }: IndexOptions & { readonly hashing?: boolean } = {}) {
    this.limits = { ...defaultLimits, ...limits }
    this.findings = new Findings(strict, lenient)
    const tree = new LayerTree(this.findings, this.limits)
    this.#tree = tree
    this.#tally = hashing ? new Tally() : undefined
    this.#reader = new TarReader(
      {
        member: (member) => tree.add(member),
        warning: (entry, { rule, text }) => this.findings.warn(entry, rule, text),
      },
      { sparseEntries: this.limits.sparseEntries },
    )
  }

  /** Bytes of tar so far. */
  get size(): number {
    return this.#reader.position
  }

  push(chunk: Uint8Array): void {
    this.#tally?.write(chunk)
    this.#pages.push(chunk)
    this.#reader.push(chunk)
  }

  /** The tar ends here. */
  finish(diffId: DiffId | undefined = this.#tally?.digest()): IndexedLayer {
    if (diffId === undefined) throw new TypeError('an indexer that does not hash must be told the diffID')
    this.#reader.end()
    const tarSize = this.#reader.position
    this.#tree.finish(tarSize)
    return {
      diffId,
      tarSize,
      findings: this.findings,
      refersBelow: this.#tree.refersBelow,
      writeIndex: indexWriter(this.#tree, diffId, tarSize, this.#pages.finish()),
    }
  }
}

/** Writes what a layer's tree became, for a tar of that size with these sums of its pages. */
export function indexWriter(
  { builder, spill }: LayerTree,
  diffId: DiffId,
  tarSize: number,
  tarPages: Uint32Array,
): IndexedLayer['writeIndex'] {
  const tar = { diffId, size: tarSize }
  const written = {
    uuidSeed: diffId,
    tarPages,
    ...(spill.count === 0
      ? { devices: [tar] }
      : { devices: [tar, { diffId, size: spill.size, spill: true } as const], segments: spill }),
  }
  return (sink, { signal } = {}) => builder.write(sink, { ...written, signal })
}
