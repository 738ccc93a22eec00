import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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
import type { Containers } from '../containers/containers.ts'
import type { Acceptances } from '../intake/acceptances.ts'
import type { ImageIntake } from '../intake/image-intake.ts'
import type { Layers } from '../layers/layers.ts'
import type { Layout } from '../layout.ts'
import { removeAbandoned } from './abandoned.ts'
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
  /**
   * The image with one more layer that comes from elsewhere: read, checked and compared with what is below as on every import, and kept
   * as its tar. The layers of the image are here.
   * @param layer uncompressed: its digest is its diffId
   * @throws as `Store.write`
   */
  adopt(
    image: Image,
    layer: Layer,
    history: History,
    finish: (image: Image) => Image,
    operation: Operation,
  ): Promise<Image>
  /** Waits until nobody else makes what a key names. */
  alone(key: string, operation: Operation): Promise<Lock>
  /** As `alone`, but `undefined` at once where somebody else has it. */
  aloneNow(key: string): Promise<Lock | undefined>
  /** A directory of the store's disk that builds keep something in, by a name that is safe; made if it is missing. */
  directory(name: string): string
  /**
   * A directory for the time that it is held, in the store where that is on a disk, so that what somebody leaves there who is killed is
   * taken away by the next build or collection. The caller holds off collection.
   */
  scratch(operation: Operation): Promise<Disposable & { readonly path: string }>
  /** Takes away what builds have left whose processes were killed. */
  removeAbandoned(): Promise<void>
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
  readonly containers: Containers
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
    async adopt(image, layer, history, finish, operation) {
      const limits = acceptances.limitsOf(image.layers)
      return intake.take(undefined, { ...operation, limits }, async (arrivals) => {
        const made = finish(append(image, layer, history))
        const options = { ...operation, limits, settled: image.layers.length }
        return { image: made, ...(await layers.take(made.layers, arrivals, options)) }
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
    async scratch(operation) {
      if (parts.disk.kind !== 'disk') return scratchIn(tmpdir())
      const name = `build-${randomBytes(8).toString('hex')}`
      const lock = (await parts.disk.lock(join(parts.layout.locks, name), { wait: true, signal: operation.signal }))!
      return scratchAt(join(parts.layout.tmp, name), lock)
    },
    removeAbandoned: () => removeAbandoned(parts),
    async keep(image, operation) {
      // What is here, and was read when it came, is not hashed again for every step.
      let settled = 0
      for (const layer of image.layers) {
        const { digest, size } = layer.descriptor
        if (!layers.isReady(layer) || (await blobs.stat(digest))?.size !== size) break
        settled++
      }
      return intake.take(undefined, operation, async (arrivals) => ({
        image,
        ...(await layers.take(image.layers, arrivals, { ...operation, settled })),
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

function scratchIn(place: string) {
  return scratchAt(mkdtempSync(join(place, 'ply-build-')))
}

function scratchAt(path: string, lock?: Lock): Disposable & { readonly path: string } {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    lock?.release()
    throw error
  }
  return {
    path,
    [Symbol.dispose]() {
      try {
        rmSync(path, { recursive: true, force: true })
      } finally {
        lock?.release()
      }
    },
  }
}
