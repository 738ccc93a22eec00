import { join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import { append } from '../../image/append.ts'
import type { Image, Layer } from '../../image/image.ts'
import { type PackItem, type PackOptions, packLayer } from '../../layer/index.ts'
import type { Digest } from '../../model/digest.ts'
import { type History, mediaTypes } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import type { Acceptances } from '../intake/acceptances.ts'
import type { ImageIntake } from '../intake/image-intake.ts'
import type { Layers } from '../layers/layers.ts'
import type { Layout } from '../layout.ts'
import type { BuildRecord, BuildRecords } from './build-records.ts'

/** The member of a store that builds stand on, and nobody else. */
export const buildGround: unique symbol = Symbol('what a build stands on')

/** What a store does for builds: layers made of items, images of steps, and the memory of what was built before. */
export interface BuildGround {
  /** Nothing is collected until it is given back. */
  hold(operation: Operation): Promise<Lock>
  /**
   * The image with one more layer, canonical and uncompressed, made of items in the order of layer-semantics E-04.
   * @param finish what else becomes of it
   * @throws as `packLayer`
   */
  append(
    image: Image,
    items: Iterable<PackItem> | AsyncIterable<PackItem>,
    history: History,
    finish: (image: Image) => Image,
    options: PackOptions,
  ): Promise<Image>
  /** Waits until nobody else makes what a key names. */
  alone(key: string, operation: Operation): Promise<Lock>
  /** As `alone`, but `undefined` at once where somebody else has it. */
  aloneNow(key: string): Promise<Lock | undefined>
  /** A directory of the store's disk that builds keep something in, by a name that is safe; made if it is missing. */
  directory(name: string): string
  /** Puts an image that has no new layers into the store, without a name. */
  keep(image: Image, operation: Operation): Promise<Image>
  /** What was made under a key, if all of it is still here. */
  recall(key: string, operation: Operation): Promise<Image | undefined>
  remember(record: BuildRecord): void
  /** What other steps at a place were made of, the last one that was of use first. */
  at(place: string): readonly BuildRecord[]
}

export interface BuildGroundParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly layers: Layers
  readonly blobs: BlobStore
  readonly acceptances: Acceptances
  readonly intake: ImageIntake
  readonly records: BuildRecords
  lease(operation: Operation): Promise<Lock>
  writing(): void
  byDigest(manifest: Digest, operation: Operation): Promise<Image>
}

export function buildGroundOf(parts: BuildGroundParts): BuildGround {
  const { layers, blobs, acceptances, intake, records } = parts
  return {
    hold: (operation) => parts.lease(operation),
    async append(image, items, history, finish, options) {
      const { signal, onProgress } = options
      const operation = { signal, onProgress }
      const limits = acceptances.limitsOf(image.layers)
      return intake.take(undefined, { ...operation, limits }, async (arrivals) => {
        const docker = image.descriptor.mediaType === mediaTypes.dockerManifest
        const type = docker ? mediaTypes.dockerLayer : mediaTypes.ociLayer
        const { descriptor, diffId } = await layers.make(packLayer(items, options), type, arrivals, {
          ...operation,
          limits,
        })
        const read = (reading?: Operation) => blobs.stream(descriptor.digest, reading)
        const layer: Layer = { descriptor, diffId, compressed: read, uncompressed: read }
        return { image: finish(append(image, layer, history)), added: [diffId], reports: [] }
      })
    },
    async alone(key, { signal }) {
      return (await parts.disk.lock(join(parts.layout.locks, `build-${key}`), { wait: true, signal }))!
    },
    async aloneNow(key) {
      return parts.disk.lock(join(parts.layout.locks, `build-${key}`))
    },
    directory(name) {
      if (parts.disk.kind !== 'disk')
        throw new PlyError('PLY_UNSUPPORTED', { what: 'RUN', reason: 'the store is in memory; use one on a disk' })
      const path = join(parts.layout.builds, name)
      parts.disk.fs.mkdirSync(path, { recursive: true, mode: 0o700 })
      return path
    },
    async keep(image, operation) {
      return intake.take(undefined, operation, async (arrivals) => ({
        image,
        ...(await layers.take(image.layers, arrivals, operation)),
      }))
    },
    async recall(key, operation) {
      const record = records.get(key)
      if (record === undefined) return undefined
      try {
        const image = await parts.byDigest(record.manifest, operation)
        for (const layer of image.layers) if (!layers.isReady(layer)) await layers.ready(layer, operation)
        records.touch(key)
        return image
      } catch (error) {
        // What is gone or damaged is made again.
        if (
          [
            'PLY_BLOB_NOT_FOUND',
            'PLY_IMAGE_NOT_FOUND',
            'PLY_BAD_DOCUMENT',
            'PLY_DIGEST_MISMATCH',
            'PLY_SIZE_MISMATCH',
          ].includes(codeOf(error) ?? '')
        )
          return undefined
        throw error
      }
    },
    remember(record) {
      parts.writing()
      records.set(record)
    },
    at(place) {
      const found = [...records.list()].filter((record) => record.place === place)
      return found.sort((a, b) => records.usedAt(b.key) - records.usedAt(a.key))
    },
  }
}
