import { type DiffId, isDigest } from '../../model/digest.ts'
import { type Descriptor, type Manifest, mediaTypes } from '../../model/documents.ts'
import { badDocument, canonicalJson, parseJson } from '../../model/json.ts'
import { configLimit } from '../../model/parse-documents.ts'

/** What the manifest of a cache says that it is. */
export const cacheType = 'application/vnd.plyfs.build-cache.v1'
export const cacheConfigType = 'application/vnd.plyfs.build-cache.config.v1+json'

/** A layer as a cache has it. */
export interface CachedLayer {
  readonly diffId: DiffId
  /** Bytes of the tar. */
  readonly size: number
  /** The blob: the tar, compressed or not. */
  readonly blob: Descriptor
}

/** Steps by their keys, and the layer that each has made; `undefined` for one that has changed no file. */
export type CachedSteps = ReadonlyMap<string, CachedLayer | undefined>

interface WrittenStep {
  readonly key: string
  /** Which layer of the manifest; absent for none. */
  readonly layer?: number
}

/** The documents of a cache: the same steps give the same bytes. Nothing of them but keys and layers is in there. */
export function encodeCache(steps: CachedSteps): {
  readonly config: Uint8Array
  readonly layers: readonly Descriptor[]
} {
  const layers = new Map<DiffId, CachedLayer>()
  for (const layer of steps.values()) if (layer !== undefined) layers.set(layer.diffId, layer)
  const order = [...layers.values()].sort((a, b) => (a.diffId < b.diffId ? -1 : 1))
  const placeOf = new Map(order.map(({ diffId }, at) => [diffId, at]))
  const written = [...steps]
    .map(([key, layer]): WrittenStep => ({ key, ...(layer && { layer: placeOf.get(layer.diffId)! }) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  return {
    config: canonicalJson({ steps: written, layers: order.map(({ diffId, size }) => ({ diffId, size })) }),
    layers: order.map(({ blob }) => blob),
  }
}

const layerTypes: readonly string[] = [mediaTypes.ociLayer, mediaTypes.ociLayerGzip, mediaTypes.ociLayerZstd]

/**
 * What a cache holds, as somebody else wrote it. Nothing is believed that its layers do not prove when they come.
 *
 * @throws PLY_BAD_DOCUMENT
 */
export function decodeCache(manifest: Manifest, raw: Uint8Array, what: string): CachedSteps {
  if (manifest.config.mediaType !== cacheConfigType)
    throw badDocument(what, `it is no cache of builds: its config is ${manifest.config.mediaType}`)
  const { steps, layers } = fieldsOf(parseJson(raw, what, configLimit), what)
  const known = layers.map((one, at): CachedLayer => {
    const { diffId, size } = fieldsIn(one)
    const blob = manifest.layers[at]
    if (!isDigest(diffId) || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw badDocument(what, `its layer ${at} has no diffId and size`)
    if (blob === undefined || !layerTypes.includes(blob.mediaType) || blob.urls !== undefined)
      throw badDocument(what, `its manifest has no layer ${at}`)
    return { diffId: diffId as DiffId, size, blob }
  })
  const found = new Map<string, CachedLayer | undefined>()
  for (const one of steps) {
    const { key, layer } = fieldsIn(one)
    if (typeof key !== 'string' || !/^[0-9a-f]{64}$/.test(key)) throw badDocument(what, 'a step has no key')
    const isLayer = typeof layer === 'number' && Object.hasOwn(known, layer)
    if (layer !== undefined && !isLayer) throw badDocument(what, `the step ${key} has a layer that there is not`)
    found.set(key, isLayer ? known[layer] : undefined)
  }
  return found
}

function fieldsOf(value: unknown, what: string): { readonly steps: unknown[]; readonly layers: unknown[] } {
  const { steps, layers } = fieldsIn(value)
  if (!Array.isArray(steps) || !Array.isArray(layers)) throw badDocument(what, 'it has no steps and layers')
  return { steps, layers }
}

function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
