import { composeImage } from '../../image/assemble.ts'
import type { Layer } from '../../image/image.ts'
import type { ManifestParcel } from '../../image/parcel.ts'
import { type DiffId, digestOf } from '../../model/digest.ts'
import { type Descriptor, type Manifest, mediaTypes } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { canonicalJson } from '../../model/json.ts'
import type { Operation } from '../../model/operation.ts'
import { thisPlatform } from '../../model/platform.ts'
import { memoryBytes, streamOf } from '../../stream/bytes.ts'
import type { Compression } from '../../stream/compression.ts'
import { openSink, recompressed, type TransportOptions } from '../../transport/index.ts'
import { type CachedLayer, cacheConfigType, cacheType, encodeCache } from './format.ts'

/** A step of a build that was carried out, or taken from before. */
export interface BuiltStep {
  /** 64 hexadecimal digits. */
  readonly key: string
  /** What it has made, in the store; absent where no file has changed. */
  readonly layer?: Layer | undefined
  /** Where it stands: the name of the stage, or its number, and the instruction, from 1. */
  readonly stage: string
  readonly step: number
  readonly text: string
  /** Whether the result stands on it; else it is of a stage that something was copied from. */
  readonly inResult: boolean
}

/** The steps of builds, as `BuildSettings.made` gathers them: for `writeBuildCache`. */
export class BuiltSteps {
  readonly #steps = new Map<string, BuiltStep>()

  add(step: BuiltStep): void {
    const known = this.#steps.get(step.key)
    if (known === undefined || (step.inResult && !known.inResult)) this.#steps.set(step.key, step)
  }

  /** `min`: those that the result stands on; `max`: all. */
  of(mode: 'min' | 'max'): readonly BuiltStep[] {
    return [...this.#steps.values()].filter(({ inResult }) => mode === 'max' || inResult)
  }
}

/** How much of a build goes into a cache. */
export interface WriteCacheOptions extends TransportOptions {
  /** Default: `min`. */
  readonly mode?: 'min' | 'max' | undefined
  /** How layers travel; default: `gzip`. */
  readonly compression?: Compression | undefined
  readonly level?: number | undefined
}

/**
 * Writes what builds have made to a place that `openBuildCache` opens: keys, and the layers that the steps have made. Of their commands,
 * arguments and secrets there is nothing in it beside what is in those layers; a key is a digest of all that went into a step. The
 * layers of the image below are not in it. Answers the descriptor of what was written.
 *
 * @throws PLY_UNREPRESENTABLE where the place holds nothing but images; what the place throws
 */
export async function writeBuildCache(
  steps: BuiltSteps,
  reference: string,
  { mode = 'min', compression = 'gzip', level, ...options }: WriteCacheOptions = {},
): Promise<Descriptor> {
  const { signal, onProgress } = options
  const operation = { signal, onProgress }
  const kept = steps.of(mode)
  await using travelling = await layersFor(kept, { compression, level, ...options })
  const { layers } = travelling
  const cached = new Map(kept.map(({ key, layer }) => [key, layer && layers.get(layer.diffId)!.cached]))
  const sink = await openSink(reference, options)
  try {
    const parcel = parcelOfCache(encodeCache(cached), layers)
    if (sink.writeParcel === undefined)
      throw new PlyError('PLY_UNREPRESENTABLE', {
        path: 'the cache',
        where: reference,
        reason: 'the place holds nothing but images: write it to oci:DIR or to a registry',
      })
    return await sink.writeParcel(parcel, undefined, operation)
  } finally {
    await sink[Symbol.asyncDispose]()
  }
}

interface Travelling {
  readonly cached: CachedLayer
  readonly layer: Layer
}

/** The layers as they travel, by their diffIDs. */
async function layersFor(
  steps: readonly BuiltStep[],
  options: Operation & { readonly compression: Compression; readonly level: number | undefined },
): Promise<AsyncDisposable & { readonly layers: ReadonlyMap<DiffId, Travelling> }> {
  const own = [...new Map(steps.flatMap(({ layer }) => (layer ? [[layer.diffId, layer] as const] : []))).values()]
  const image = composeImage({
    manifest: { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: { mediaType: mediaTypes.ociConfig } },
    config: { ...thisPlatform() },
    layers: own,
  })
  const other = await recompressed(image, options)
  const layers = new Map(
    other.image.layers.map((layer, at) => {
      const { mediaType, digest, size } = layer.descriptor
      const { diffId, descriptor } = own[at]!
      return [diffId, { layer, cached: { diffId, size: descriptor.size, blob: { mediaType, digest, size } } }]
    }),
  )
  return { layers, [Symbol.asyncDispose]: () => other[Symbol.asyncDispose]() }
}

function parcelOfCache(
  { config, layers }: ReturnType<typeof encodeCache>,
  travelling: ReadonlyMap<DiffId, Travelling>,
): ManifestParcel {
  const about: Descriptor = { mediaType: cacheConfigType, digest: digestOf(config), size: config.length }
  const written: Manifest & { readonly artifactType: string } = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: cacheType,
    config: about,
    // A manifest has at least one layer.
    layers: layers.length > 0 ? layers : [about],
  }
  const raw = canonicalJson(written)
  const read = () => streamOf(memoryBytes(config))
  const blobs = [
    ...[...travelling.values()].map(({ layer }) => layer),
    { descriptor: about, compressed: read, atRest: () => memoryBytes(config) },
  ]
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(raw), size: raw.length }
  return { is: 'manifest', descriptor, raw, manifest: written, blobs }
}
