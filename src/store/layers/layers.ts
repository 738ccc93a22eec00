import { join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import { type Device, type Index, pageSize } from '../../erofs/index.ts'
import type { Layer } from '../../image/image.ts'
import type { LayerReport, WriteOptions } from '../../image/layer-report.ts'
import { type IndexedView, importLayer, layerView, rebuildIndex, spillBytes } from '../../layer/index.ts'
import type { DiffId, Digest } from '../../model/digest.ts'
import { hexOf } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteStream, Bytes } from '../../stream/bytes.ts'
import { streamOf } from '../../stream/bytes.ts'
import { checkedBytes } from '../../stream/checked-bytes.ts'
import type { ZstdDecoders } from '../../stream/compression.ts'
import { decompressed } from '../../stream/compression.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { type Acceptances, raisedLimits } from '../intake/acceptances.ts'
import type { Arrivals } from '../intake/arrivals.ts'
import { Intake } from '../intake/intake.ts'
import { compareLayers, type ReadLayer, type Taken } from '../intake/taken.ts'
import type { Layout } from '../layout.ts'
import { isWhole } from '../whole.ts'
import { cacheDraft } from './cache-draft.ts'
import { type CachedIndex, findIndex, openIndex } from './cached-index.ts'
import { hasSpill, writeSpill } from './spills.ts'

/** What names a layer inside a store: its tar, and the blob it travels as. */
export interface LayerId {
  readonly diffId: DiffId
  readonly descriptor: Descriptor
}

export interface LayersOptions {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly zstd: ZstdDecoders | undefined
  readonly acceptances: Acceptances
  /** Whether damaged caches may be removed. */
  readonly writable: boolean
  /** The layers of stores below, which are only read: what is there is used, and not taken in again. */
  readonly below?: readonly Layers[]
}

/**
 * The layers of a store: blobs are truth; the tar of a compressed blob and the index are caches, and come back from the
 * blob when they are gone or damaged. One process at a time works on a layer; the others wait and find it done.
 */
export class Layers {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #blobs: BlobStore
  readonly #zstd: ZstdDecoders | undefined
  readonly #acceptances: Acceptances
  readonly #writable: boolean
  readonly #below: readonly Layers[]
  /** Which of those below has a layer that was asked for. */
  readonly #lent = new Map<DiffId, Layers>()
  readonly #intake: Intake

  constructor({ disk, layout, blobs, zstd, acceptances, writable, below = [] }: LayersOptions) {
    this.#disk = disk
    this.#layout = layout
    this.#blobs = blobs
    this.#zstd = zstd
    this.#acceptances = acceptances
    this.#writable = writable
    this.#below = below
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
  async take(layers: readonly Layer[], arrivals: Arrivals, options: WriteOptions = {}): Promise<Taken> {
    const { onReport: _, ...judged } = options
    const added: Digest[] = []
    const read = new Map<Digest, ReadLayer>()
    const locked = new Set<DiffId>()
    const distinct = new Map(layers.map((layer) => [layer.descriptor.digest, layer]))
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
    const openIndex = (layer: LayerId) => this.#indexOf(layer)
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
    const index = arrivals.hold(cacheDraft(this.#disk, this.#layout.tmp))
    const made = await rebuildIndex(teeTo(tar, blob), operation)
    await made.writeIndex(await index.open())
    await index.finish(operation)
    await blob.finish(operation)
    // Only what it takes is kept until the publishing: many layers may be made before that.
    const { diffId, tarSize, findings } = made
    arrivals.afterwards(() => index.commit(this.#layout.indexOf(diffId)))
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

  /** What the layer says, name by name. The layer is `ready`; the caller closes the view. */
  view(id: LayerId): IndexedView {
    const home = this.#homeOf(id)
    if (home !== this) return home.view(id)
    const index = this.#indexOf(id)
    try {
      return layerView(index, () => this.tar(id))
    } catch (error) {
      index.close()
      throw error
    }
  }

  /**
   * The layer's tar, each page checked when it is first read. The layer is `ready`; the caller closes the bytes. A
   * cached tar that turns out to be damaged is removed, so that whoever opens it next gets it built anew.
   */
  tar(id: LayerId): Bytes {
    const home = this.#homeOf(id)
    if (home !== this) return home.tar(id)
    const path = this.#pathOfTar(id)
    const cached = id.descriptor.digest !== id.diffId
    const index = this.#indexOf(id)
    let bytes: Bytes | undefined
    try {
      bytes = fileBytes(this.#disk, path)
      const pages = index.tarPages()
      if (pages === undefined) return bytes
      const what = `the ${cached ? 'cached tar' : 'blob'} of layer ${id.diffId}`
      const advice = cached
        ? 'open it again and it is built anew'
        : 'remove the images that have it, collect, and import them again'
      const onDamage = () => cached && this.#discard(path)
      const size = index.devices[0]?.size ?? 0
      if (bytes.size !== size) {
        onDamage()
        throw new PlyError('PLY_DAMAGED', { what, advice, page: Math.floor(Math.min(bytes.size, size) / pageSize) })
      }
      return checkedBytes(bytes, pages, { what, advice, onDamage })
    } catch (error) {
      bytes?.close()
      throw error
    } finally {
      index.close()
    }
  }

  /** What a device of a tree over the layer holds: its tar, or its spill, which is read from the tar. As `tar` otherwise. */
  content(id: LayerId, device: Device): Bytes {
    const { spill } = device
    const home = this.#homeOf(id)
    if (home !== this) return home.content(id, device)
    if (!spill) return this.tar(id)
    const content = this.#spillOf(id)
    if (content === undefined) {
      throw new PlyError('PLY_BAD_INDEX', { what: `layer ${id.diffId}`, reason: 'it lacks the segments of its spill' })
    }
    return content
  }

  /**
   * The path of the layer's spill file, for mounts by the kernel; `undefined` if it has none, for it has no sparse files. It is
   * built if it is missing. The caller holds off collection. @throws PLY_STORE_READ_ONLY if it would have to be built
   */
  async spill(id: LayerId, operation: Operation = {}): Promise<string | undefined> {
    await this.ready(id, operation)
    for (const lower of this.#homeOf(id) === this ? [] : this.#below) {
      const there = lower.#layout.spillOf(id.diffId)
      if (this.#disk.fs.existsSync(there) && this.#homeOf(id) === lower) return lower.spill(id, operation)
    }
    const path = this.#layout.spillOf(id.diffId)
    const content = this.#spillOf(id)
    if (content === undefined) return undefined
    try {
      if (hasSpill(this.#disk, path, content.size)) return path
      if (!this.#writable) throw new PlyError('PLY_STORE_READ_ONLY', { root: this.#layout.root })
      using _ = await this.#lock(id.diffId, operation)
      if (!hasSpill(this.#disk, path, content.size))
        await writeSpill({ disk: this.#disk, tmp: this.#layout.tmp }, path, content, operation)
      return path
    } finally {
      content.close()
    }
  }

  /** Whether tar and index are on the disk and fit together. What is inside is checked when it is read. */
  isReady(id: LayerId): boolean {
    if (this.#homeOf(id) !== this) return true
    const index = findIndex(this.#disk, this.#cachedIndex(id))
    if (index === undefined) return false
    try {
      return this.hasTar(id, index.devices[0]?.size)
    } finally {
      index.close()
    }
  }

  /** Whether the layer's tar is there, with as many bytes as somebody knows that it has. */
  hasTar(id: LayerId, size: number | undefined): boolean {
    if (this.#homeOf(id) !== this) return this.#homeOf(id).hasTar(id, size)
    const tar = this.#disk.fs.statSync(this.#pathOfTar(id), { throwIfNoEntry: false })
    return tar?.isFile() === true && tar.size === size
  }

  /**
   * Whether tar and index are on the disk, and nothing more: a folded tree needs no layer's index before content is read, and
   * then what is damaged is told. Two questions to the disk, which hundreds of layers can afford; a `stat` costs three times as much.
   */
  hasContent(id: LayerId): boolean {
    return this.#hasOwn(id) || this.#homeOf(id) !== this
  }

  #hasOwn(id: LayerId): boolean {
    const { fs } = this.#disk
    return fs.existsSync(this.#layout.indexOf(id.diffId)) && fs.existsSync(this.#pathOfTar(id))
  }

  /** Whose files of a layer are used: our own, where we have any. */
  #homeOf(id: LayerId): Layers {
    if (this.#below.length === 0 || this.#hasOwn(id)) return this
    const known = this.#lent.get(id.diffId)
    // What is not whole there is built here.
    const home = known ?? this.#below.find((lower) => lower.isReady(id))
    if (home === undefined) return this
    this.#lent.set(id.diffId, home)
    return home
  }

  #spillOf(id: LayerId): Bytes | undefined {
    const index = this.#indexOf(id)
    let content: Bytes | undefined
    try {
      return (content = spillBytes(index, () => this.tar(id)))
    } finally {
      if (content === undefined) index.close()
    }
  }

  /** The tar may be a blob below of which only the index is here. */
  #pathOfTar(id: LayerId): string {
    const own = this.#ownTar(id)
    if (this.#below.length === 0 || this.#disk.fs.existsSync(own)) return own
    const there = this.#below.map((lower) => lower.#pathOfTar(id))
    return there.find((path) => this.#disk.fs.existsSync(path)) ?? own
  }

  #ownTar({ diffId, descriptor }: LayerId): string {
    return descriptor.digest === diffId ? this.#layout.blobOf(diffId) : this.#layout.tarOf(diffId)
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
    return { ...again, openIndex: () => this.#indexOf(layer) }
  }

  /** Builds the caches from the tar if it is here and good, else from the blob. The layer's lock is held. */
  async #rebuild(id: LayerId, { signal, onProgress }: Operation): Promise<void> {
    const operation = { signal, onProgress }
    const { diffId, descriptor } = id
    const expected = { expected: { diffId }, ...this.#acceptances.of(diffId) }
    await using index = cacheDraft(this.#disk, this.#layout.tmp)
    const path = this.#pathOfTar(id)
    const good = await this.#indexTar(id, path, operation)
    if (good !== undefined) {
      await good.writeIndex(await index.open())
      await index.commit(this.#layout.indexOf(diffId), operation)
      return
    }
    await using tar = cacheDraft(this.#disk, this.#layout.tmp)
    const { stream } = decompressed(this.#blobs.stream(descriptor.digest, operation), {
      ...operation,
      lenient: expected.lenient,
      maxWindow: expected.limits?.zstdWindow,
      ...(this.#zstd && { zstd: this.#zstd }),
    })
    const rebuilt = await rebuildIndex(teeTo(stream, await tar.open()), { ...operation, ...expected })
    await rebuilt.writeIndex(await index.open())
    await index.commit(this.#layout.indexOf(diffId), operation)
    await tar.commit(this.#ownTar(id), operation)
  }

  /** Indexes the tar that is there; `undefined` if there is none, or a cached one that is not the layer's. */
  async #indexTar({ diffId, descriptor }: LayerId, path: string, operation: Operation) {
    let tar: Bytes
    try {
      tar = fileBytes(this.#disk, path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      if (descriptor.digest !== diffId) return undefined
      throw new PlyError('PLY_BLOB_NOT_FOUND', { digest: diffId, where: this.#layout.root }, { cause: error })
    }
    try {
      const accepted = this.#acceptances.of(diffId)
      return await rebuildIndex(streamOf(tar), { ...operation, ...accepted, expected: { diffId } })
    } catch (error) {
      // A damaged cached tar comes back from the blob; a damaged blob does not.
      if (descriptor.digest === diffId || !/^PLY_(BAD_|DIGEST_|UNSUPPORTED|BUDGET)/.test(codeOf(error) ?? ''))
        throw error
      this.#discard(path)
      return undefined
    } finally {
      tar.close()
    }
  }

  /** @throws ENOENT, PLY_BAD_INDEX if the layer is not `ready` */
  #indexOf(id: LayerId): Index {
    const home = this.#homeOf(id)
    if (home !== this) return home.#indexOf(id)
    return openIndex(this.#disk, this.#cachedIndex(id))
  }

  #cachedIndex({ diffId }: LayerId): CachedIndex {
    return { path: this.#layout.indexOf(diffId), of: diffId, what: `layer ${diffId}`, writable: this.#writable }
  }

  #discard(path: string): void {
    // Nothing below is ours to remove.
    if (this.#writable && path.startsWith(this.#layout.root)) this.#disk.fs.rmSync(path, { force: true })
  }

  async #lock(diffId: DiffId, { signal }: Operation): Promise<Lock> {
    return (await this.#disk.lock(join(this.#layout.locks, `layer-${hexOf(diffId)}`), { wait: true, signal }))!
  }
}

async function* teeTo(source: AsyncIterable<Uint8Array>, sink: { write(chunk: Uint8Array): void | Promise<void> }) {
  for await (const chunk of source) {
    await sink.write(chunk)
    yield chunk
  }
}
