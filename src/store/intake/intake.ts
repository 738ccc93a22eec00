import type { BlobStore, Draft } from '../../blob/blob-store.ts'
import { Index } from '../../erofs/index.ts'
import type { Layer } from '../../image/image.ts'
import type { WriteOptions } from '../../image/layer-report.ts'
import { Findings } from '../../layer/index.ts'
import type { Digest } from '../../model/digest.ts'
import { checkAborted } from '../../model/operation.ts'
import { timed } from '../../model/phases.ts'
import { untilAborted } from '../../stream/abort.ts'
import type { ZstdDecoders } from '../../stream/compression.ts'
import type { Disk } from '../../sys/disk.ts'
import { arriving } from '../../transport/arriving.ts'
import { pacedStream } from '../../transport/file.ts'
import { type CacheDraft, cacheDraft } from '../layers/cache-draft.ts'
import type { Layout } from '../layout.ts'
import { type Acceptances, raisedLimits } from './acceptances.ts'
import type { Arrivals } from './arrivals.ts'
import { ofLayer } from './of-layer.ts'
import { type Found, type Reading, readLayer } from './reading.ts'
import { ReadingThreads, usefulThreads, worthAThread } from './reading-threads.ts'
import type { ReadLayer } from './taken.ts'

export interface IntakeOptions {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly zstd: ZstdDecoders | undefined
  readonly acceptances: Acceptances
}

/** Where one layer goes while nobody may see it. */
interface Drafts {
  readonly blob: Draft
  readonly tar: CacheDraft
  readonly index: CacheDraft
}

/**
 * Layers on their way into a store: each is read once, verified, inflated, hashed, indexed and written. Large ones that lie in
 * files are read by threads, as many at a time as there are processors; all others here, one after the other.
 */
export class Intake {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #blobs: BlobStore
  readonly #zstd: ZstdDecoders | undefined
  readonly #acceptances: Acceptances

  constructor({ disk, layout, blobs, zstd, acceptances }: IntakeOptions) {
    this.#disk = disk
    this.#layout = layout
    this.#blobs = blobs
    this.#zstd = zstd
    this.#acceptances = acceptances
  }

  /**
   * Prepares layers that are not here; their locks are held. Publishing comes in the order of the layers. `at` tells where in the
   * image a layer is. @throws as `importLayer`, with that place in the details
   */
  async takeIn(
    layers: readonly Layer[],
    arrivals: Arrivals,
    { at, ...options }: WriteOptions & { at(layer: Layer): number },
  ): Promise<Map<Digest, ReadLayer>> {
    const isDistant = layers.some(({ fetched }) => fetched)
    const large = layers.filter(
      (layer) => this.#disk.kind === 'disk' && (layer.atRest || layer.fetched) && layer.descriptor.size >= worthAThread,
    )
    const threads = usefulThreads(large.length)
    const found = new Map<Digest, { readonly drafts: Drafts; readonly found: Found }>()
    const failed = new AbortController()
    const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal])
    const operation = { ...options, signal }
    const pool = new ReadingThreads(threads)
    const openings: Promise<unknown>[] = []
    const endings: Promise<void>[] = []
    const finish = async ({ index, tar, blob }: Drafts, { compression }: Found) => {
      await index.finish(operation)
      if (compression !== 'none') await tar.finish(operation)
      await blob.finish(operation)
    }
    const take = async (layer: Layer, read: (drafts: Drafts) => Promise<Found>, asked = layer) => {
      const opening = this.#drafts(arrivals)
      openings.push(opening)
      const drafts = await opening
      const one = await timed('import', layer.descriptor.digest, () => read(drafts)).catch((error) => {
        throw ofLayer(error, at(asked), asked)
      })
      found.set(layer.descriptor.digest, { drafts, found: one })
      // While the disk takes this one in, the next is read.
      const ending = finish(drafts, one)
      ending.catch(() => {})
      endings.push(ending)
    }
    const here = (layer: Layer, asked?: Layer) =>
      take(layer, (drafts) => this.#readHere(layer, drafts, operation), asked)
    const there = (layer: Layer, asked?: Layer) =>
      take(
        layer,
        async (drafts) => (await readThere(layer, drafts, pool, operation)) ?? this.#readHere(layer, drafts, operation),
        asked,
      )
    /** Layers that are elsewhere are on their way at once, and read as they come. */
    const asTheyCome = async () => {
      const reading = new Set<Promise<void>>()
      let failure: unknown
      let next = 0
      try {
        for await (const layer of arriving(layers, operation)) {
          const asked = layers[next++]!
          if (reading.size >= Math.max(1, threads)) await Promise.race(reading)
          const one = (large.includes(asked) && threads > 0 ? there : here)(layer, asked)
          reading.add(one)
          // What is still on its way need not come any more.
          const fail = (error: unknown) => {
            failure ??= error
            failed.abort()
          }
          one.then(() => reading.delete(one), fail)
        }
        await Promise.all(reading)
      } catch (error) {
        throw failure ?? error
      }
    }
    // The largest first: a large one that is left for the end keeps all other threads waiting.
    const elsewhere = threads === 0 ? [] : large.toSorted((a, b) => b.descriptor.size - a.descriptor.size)
    const inTurn = async (queue: Layer[], one: (layer: Layer) => Promise<void>) => {
      for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
        checkAborted(signal)
        await one(layer)
      }
    }
    const rest = layers.filter((layer) => !elsewhere.includes(layer))
    const tasks = isDistant
      ? [asTheyCome()]
      : [...Array.from({ length: threads }, () => inTurn(elsewhere, there)), inTurn(rest, here)]
    try {
      await untilAborted(
        Promise.all(tasks).then(() => Promise.all(endings)),
        options.signal,
      )
      await pool.end()
    } catch (error) {
      failed.abort()
      // What is just being opened would be nobody's.
      await Promise.allSettled(openings)
      const ending = Promise.allSettled([pool.end(), ...tasks]).then(() => Promise.allSettled(endings))
      // A thread may be waiting for the disk, and whoever aborted must not.
      if (!options.signal?.aborted) await ending
      throw error
    }
    const read = new Map<Digest, ReadLayer>()
    for (const layer of layers) {
      const { drafts, found: one } = found.get(layer.descriptor.digest)!
      this.#publish(layer, drafts, one, arrivals, options)
      const findings = Findings.continued(one, options.strict, options.lenient)
      read.set(layer.descriptor.digest, { ...one, findings, openIndex: () => Index.open(drafts.index.bytes()) })
    }
    return read
  }

  async #drafts(arrivals: Arrivals): Promise<Drafts> {
    return {
      blob: arrivals.hold(await this.#blobs.draft()),
      tar: arrivals.hold(cacheDraft(this.#disk, this.#layout.tmp)),
      index: arrivals.hold(cacheDraft(this.#disk, this.#layout.tmp)),
    }
  }

  async #readHere(layer: Layer, { blob, tar, index }: Drafts, options: WriteOptions): Promise<Found> {
    const { atRest } = layer
    const { signal, onProgress } = options
    // What lies in a file is verified as it is read, and would be hashed twice if the layer did it as well.
    const source = atRest === undefined ? layer.compressed({ signal, onProgress }) : pacedStream(atRest, { signal })
    const into = { blob, openTar: () => tar.open(), openIndex: () => index.open() }
    return readLayer(source, into, readingOf(layer, options), { zstd: this.#zstd, signal, onProgress })
  }

  #publish(
    { diffId, descriptor }: Layer,
    { blob, tar, index }: Drafts,
    { forgiven, compression }: Found,
    arrivals: Arrivals,
    { limits }: WriteOptions,
  ): void {
    arrivals.afterwards(() => index.commit(this.#layout.indexOf(diffId)))
    if (compression !== 'none') arrivals.afterwards(() => tar.commit(this.#layout.tarOf(diffId)))
    const acceptance = { ...(forgiven > 0 && { lenient: true as const }), limits: raisedLimits(limits) }
    arrivals.afterwards(async () => this.#acceptances.note(diffId, acceptance))
    // One that is here is damaged, or it would not have been taken in.
    arrivals.afterwards(() => blob.commit(descriptor.digest, { anew: true }))
  }
}

function readingOf({ descriptor, diffId }: Layer, { strict, lenient, limits }: WriteOptions): Reading {
  const { digest, size, mediaType } = descriptor
  return { expected: { digest, size, diffId }, mediaType, strict, lenient, limits }
}

/**
 * Has a thread read the layer; `undefined`, and nothing done, if it is no run of a file. The file stays open until the thread
 * has done with it, whatever happens here.
 */
async function readThere(
  layer: Layer,
  drafts: Drafts,
  pool: ReadingThreads,
  options: WriteOptions,
): Promise<Found | undefined> {
  const bytes = layer.atRest!()
  try {
    const { extent, size } = bytes
    const blob = drafts.blob.file
    if (extent === undefined || blob === undefined) return undefined
    const tar = await drafts.tar.open()
    const index = await drafts.index.open()
    const { found, sizes } = await pool.read(
      {
        reading: readingOf(layer, options),
        source: { fd: extent.fd, offset: extent.offset, size },
        files: { blob: blob.path, tar: tar.path, index: index.path },
      },
      options,
    )
    blob.written(sizes.blob)
    tar.written(sizes.tar)
    index.written(sizes.index)
    return found
  } finally {
    bytes.close()
  }
}
