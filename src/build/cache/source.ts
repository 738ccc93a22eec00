import type { Layer } from '../../image/image.ts'
import { type BlobReader, layerFromBlob, readDocument } from '../../image/image-from-blobs.ts'
import { defaultLimits } from '../../layer/index.ts'
import { type Descriptor, mediaTypes } from '../../model/documents.ts'
import { badDocument } from '../../model/json.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { configLimit } from '../../model/parse-documents.ts'
import { openSource, type SourceOptions } from '../../transport/index.ts'
import { decompressionOf } from '../../transport/options.ts'
import { type CachedLayer, type CachedSteps, decodeCache } from './format.ts'

/**
 * What other builds have made, elsewhere. Nothing is asked for before a step is looked for, and a layer comes when one has made it.
 * Everything that comes is checked against its digests; but who may write such a cache decides what the steps of a build come to.
 */
export interface BuildCache extends AsyncDisposable {
  /** What messages call it. */
  readonly reference: string
  /**
   * What a step has made, by its key: its layer, uncompressed, or `no layer`; `undefined` where it is not known.
   * @throws what the place throws; PLY_BAD_DOCUMENT for what is no cache
   */
  find(key: string, operation?: Operation): Promise<{ readonly layer: Layer | undefined } | undefined>
}

/** Bytes that any layer may become. */
const smallest = 64 << 20

/**
 * A cache that `writeBuildCache` has written, by its reference: `oci:DIR[:TAG]`, `oci-archive:FILE`, `docker://HOST/NAME[:TAG]`.
 * Dispose of it when the build has ended.
 */
export function openBuildCache(reference: string, options: SourceOptions = {}): BuildCache {
  return new DistantCache(reference, options)
}

interface Opened extends AsyncDisposable {
  readonly steps: CachedSteps
  readonly read: BlobReader
}

class DistantCache implements BuildCache {
  readonly reference: string
  readonly #options: SourceOptions
  #opened: Promise<Opened> | undefined
  #failed = false

  constructor(reference: string, options: SourceOptions) {
    this.reference = reference
    this.#options = options
  }

  async find(key: string, operation: Operation = {}) {
    checkAborted(operation.signal)
    this.#opened ??= this.#open()
    const opened = await this.#opened.catch((error) => {
      // Said once: later steps find nothing.
      if (this.#failed) return undefined
      this.#failed = true
      throw error
    })
    if (opened === undefined) return undefined
    const { steps, read } = opened
    if (!steps.has(key)) return undefined
    const layer = steps.get(key)
    return { layer: layer && this.#layer(layer, read) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    this.#opened = undefined
    await opened?.[Symbol.asyncDispose]()
  }

  async #open(): Promise<Opened> {
    const { reference } = this
    const source = await openSource(reference, this.#options)
    try {
      const what = `the cache ${reference}`
      const parcel = await source.parcel?.(undefined, this.#options)
      if (parcel?.is !== 'manifest') throw badDocument(what, 'it is no cache of builds, but images')
      const { manifest } = parcel
      const blobs = new Map(parcel.blobs.map((blob) => [blob.descriptor.digest, blob]))
      const read: BlobReader = ({ digest }: Descriptor, reading) => blobs.get(digest)!.compressed(reading)
      const config = await readDocument(manifest.config, read, configLimit, this.#options)
      const steps = decodeCache(manifest, config, what)
      return { steps, read, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() }
    } catch (error) {
      await source[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The tar, whatever it travelled as: builds have their layers so, and their manifests say it. */
  #layer({ diffId, size, blob }: CachedLayer, read: BlobReader): Layer {
    // It is taken in as a tar, so nobody else sees how much it grows (layer-semantics, section 17).
    if (size > smallest + blob.size * defaultLimits.expansion)
      throw badDocument(
        `the cache ${this.reference}`,
        `its layer ${diffId} says that ${blob.size} bytes become ${size}`,
      )
    const { uncompressed } = layerFromBlob(blob, diffId, read, decompressionOf(this.#options))
    return {
      descriptor: { mediaType: mediaTypes.ociLayer, digest: diffId, size },
      diffId,
      compressed: uncompressed,
      uncompressed,
    }
  }
}
