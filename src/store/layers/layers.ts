import { join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import type { Layer } from '../../image/image.ts'
import type { LayerReport, WriteOptions } from '../../image/layer-report.ts'
import { importLayer, rebuildIndex } from '../../layer/index.ts'
import type { DiffId, Digest } from '../../model/digest.ts'
import { hexOf } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteStream } from '../../stream/bytes.ts'
import type { ZstdDecoders } from '../../stream/compression.ts'
import { tee } from '../../stream/hash.ts'
import type { Lock } from '../../sys/disk.ts'
import { type Acceptances, raisedLimits } from '../intake/acceptances.ts'
import type { Arrivals } from '../intake/arrivals.ts'
import { Intake } from '../intake/intake.ts'
import { compareLayers, type ReadLayer, type Taken } from '../intake/taken.ts'
import { isWhole } from '../whole.ts'
import { cacheDraft } from './cache-draft.ts'
import { LayerFiles, type LayerFilesOptions, type LayerId } from './layer-files.ts'
import { rebuildCaches } from './rebuild-caches.ts'
import { hasSpill, writeSpill } from './spills.ts'

export interface LayersOptions extends LayerFilesOptions {
  readonly blobs: BlobStore
  readonly zstd: ZstdDecoders | undefined
  readonly acceptances: Acceptances
}

/**
 * The layers of a store: blobs are truth; the tar of a compressed blob and the index are caches, and come back from the
 * blob when they are gone or damaged. One process at a time works on a layer; the others wait and find it done.
 */
export class Layers extends LayerFiles {
  readonly #blobs: BlobStore
  readonly #zstd: ZstdDecoders | undefined
  readonly #acceptances: Acceptances
  readonly #intake: Intake

  constructor(options: LayersOptions) {
    super(options)
    const { disk, layout, blobs, zstd, acceptances } = options
    this.#blobs = blobs
    this.#zstd = zstd
    this.#acceptances = acceptances
    this.#intake = new Intake({ disk, layout, blobs, zstd, acceptances })
  }

  /**
   * Takes layers in: one pass over each reads, verifies, inflates, hashes, indexes and writes it. What is here already and is
   * what its name says is not taken in again; what is not is replaced. Nothing is visible before `arrivals` are published, and then a layer's caches before its blob.
   *
   * Layers are locked until then, in one order for everybody, so that two imports never wait for each other.
   *
   * @throws PLY_BAD_LAYER, PLY_BUDGET and the like for what a layer holds, also for what it refers to below (N-13, H-06)
   */
  async take(
    layers: readonly Layer[],
    arrivals: Arrivals,
    options: WriteOptions & {
      /** So many at the bottom were looked at just now: they are only compared with. */
      readonly settled?: number
    } = {},
  ): Promise<Taken> {
    const { onReport: _, settled = 0, ...judged } = options
    const added: Digest[] = []
    const read = new Map<Digest, ReadLayer>()
    const locked = new Set<DiffId>()
    const distinct = new Map(layers.slice(settled).map((layer) => [layer.descriptor.digest, layer]))
    const missing: Layer[] = []
    for (const layer of [...distinct.values()].sort((a, b) => (a.diffId < b.diffId ? -1 : 1))) {
      const { diffId, descriptor } = layer
      if (!locked.has(diffId)) arrivals.hold(await this.#lock(diffId, judged))
      locked.add(diffId)
      // What is here is hashed before anybody counts on it: importing a layer heals one that is damaged.
      if (await isWhole(this.#blobs, descriptor, { signal: options.signal })) {
        if (!this.isReady(layer)) await this.#rebuild(layer, judged)
        if (options.strict) read.set(descriptor.digest, await this.#readAgain(layer, judged))
      } else {
        missing.push(layer)
        added.push(descriptor.digest, diffId)
      }
    }
    for (const [digest, one] of await this.#intake.takeIn(missing, arrivals, {
      ...judged,
      at: (layer) => layers.indexOf(layer),
    }))
      read.set(digest, one)
    const openIndex = (layer: LayerId) => this.indexOf(layer)
    return { added, reports: await compareLayers(layers, { ...judged, blobs: this.#blobs, read, openIndex }) }
  }

  /**
   * Takes in a tar that was just made here, from what its image shows: it is stored as it is, uncompressed, and its blob is
   * its tar. It is not compared with the layers below, because it was made from them (layer-semantics E-05, E-09).
   */
  async make(
    tar: ByteStream,
    mediaType: string,
    arrivals: Arrivals,
    { onReport: _, ...operation }: WriteOptions = {},
  ): Promise<LayerId & { readonly report: Omit<LayerReport, 'layer'> }> {
    const blob = arrivals.hold(await this.#blobs.draft())
    const index = arrivals.hold(cacheDraft(this.disk, this.layout.tmp))
    const made = await rebuildIndex(tee(tar, blob), operation)
    await made.writeIndex(await index.open())
    await index.finish(operation)
    await blob.finish(operation)
    // Only what it takes is kept until the publishing: many layers may be made before that.
    const { diffId, tarSize, findings } = made
    arrivals.afterwards(() => index.commit(this.layout.indexOf(diffId)))
    arrivals.afterwards(async () => this.#acceptances.note(diffId, { limits: raisedLimits(operation.limits) }))
    arrivals.afterwards(() => blob.commit(diffId, { anew: true }))
    const about = { digest: diffId, diffId, size: tarSize, tarSize, compression: 'none', known: false } as const
    const descriptor = { mediaType, digest: diffId, size: tarSize }
    return { diffId, descriptor, report: { ...about, ...findings.report() } }
  }

  /** Makes sure that the layer `isReady`; what is gone is built again from the blob. */
  async ready(id: LayerId, operation: Operation = {}): Promise<void> {
    if (this.isReady(id)) return
    using _ = await this.#lock(id.diffId, operation)
    if (!this.isReady(id)) await this.#rebuild(id, operation)
  }

  /**
   * The path of the layer's spill file, for mounts by the kernel; `undefined` if it has none, for it has no sparse files. It is
   * built if it is missing. The caller holds off collection. @throws PLY_STORE_READ_ONLY if it would have to be built
   */
  async spill(id: LayerId, operation: Operation = {}): Promise<string | undefined> {
    await this.ready(id, operation)
    const home = this.homeOf(id)
    const there = home.layout.spillOf(id.diffId)
    const lent = home !== this && this.disk.fs.existsSync(there)
    const path = lent ? there : this.layout.spillOf(id.diffId)
    const content = this.spillContent(id)
    if (content === undefined) return undefined
    try {
      if (hasSpill(this.disk, path, content.size)) return path
      if (lent || !this.writable) throw new PlyError('PLY_STORE_READ_ONLY', { root: (lent ? home : this).layout.root })
      using _ = await this.#lock(id.diffId, operation)
      if (!hasSpill(this.disk, path, content.size))
        await writeSpill({ disk: this.disk, tmp: this.layout.tmp }, path, content, operation)
      return path
    } finally {
      content.close()
    }
  }

  /** Judges a layer that is here as if it came now; nothing is written. */
  async #readAgain(layer: Layer, operation: WriteOptions): Promise<ReadLayer> {
    const { diffId, descriptor } = layer
    const nowhere = { write() {} }
    const again = await importLayer(
      this.#blobs.stream(descriptor.digest, { signal: operation.signal }),
      { blob: nowhere, openTar: async () => nowhere },
      {
        ...operation,
        mediaType: descriptor.mediaType,
        expected: { digest: descriptor.digest, size: descriptor.size, diffId },
        ...(this.#zstd && { zstd: this.#zstd }),
      },
    )
    return { ...again, openIndex: () => this.indexOf(layer) }
  }

  /** The layer's lock is held. */
  async #rebuild(id: LayerId, { signal, onProgress }: Operation): Promise<void> {
    const from = { disk: this.disk, files: this, blobs: this.#blobs, zstd: this.#zstd, acceptances: this.#acceptances }
    await rebuildCaches(from, id, { signal, onProgress })
  }

  async #lock(diffId: DiffId, { signal }: Operation): Promise<Lock> {
    return (await this.disk.lock(join(this.layout.locks, `layer-${hexOf(diffId)}`), { wait: true, signal }))!
  }
}
