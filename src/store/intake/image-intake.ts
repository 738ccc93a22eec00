import { join } from 'node:path'
import type { BlobStore } from '../../blob/blob-store.ts'
import type { Image } from '../../image/image.ts'
import type { WriteOptions } from '../../image/layer-report.ts'
import { type Digest, digestOf } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { collect } from '../collection/collect.ts'
import { rememberSource } from '../fsck/sources.ts'
import type { Names } from '../images/names.ts'
import type { Layout } from '../layout.ts'
import { isWhole } from '../whole.ts'
import type { Acceptances } from './acceptances.ts'
import { Arrivals } from './arrivals.ts'
import type { Taken } from './taken.ts'

/** Where images go. */
export interface ImageIntakeParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
  readonly names: Names
  readonly acceptances: Acceptances
  /** Held while blobs are written that no name leads to yet. @throws PLY_STORE_READ_ONLY */
  lease(operation: Operation): Promise<Lock>
}

/** Images on their way into a store: blobs first, then manifest and config, and the name last. */
export class ImageIntake {
  readonly #parts: ImageIntakeParts

  constructor(parts: ImageIntakeParts) {
    this.#parts = parts
  }

  /**
   * Prepares an image with `make`, then publishes its blobs and sets its name. Until the publishing starts an abort or an
   * error leaves nothing behind; a failure in the middle of it (a full disk) takes back what it can.
   */
  async take(
    as: string | undefined,
    { onReport, source, ...operation }: WriteOptions,
    make: (arrivals: Arrivals) => Promise<{ readonly image: Image } & Taken>,
  ): Promise<Image> {
    let unnamed: readonly Digest[] = []
    try {
      using _ = await this.#parts.lease(operation)
      await using arrivals = new Arrivals()
      const { image, added, reports } = await make(arrivals)
      const documents = await this.#prepareDocuments(image, arrivals, operation)
      checkAborted(operation.signal)
      unnamed = [...added, ...documents]
      await arrivals.publish()
      if (!documents.includes(image.digest)) this.secureBlobs()
      else this.#parts.acceptances.secure()
      if (as !== undefined) await this.#parts.names.set(as, image.descriptor)
      if (source !== undefined) rememberSource(this.#parts, image.digest, source)
      for (const report of reports) onReport?.(report)
      return image
    } catch (error) {
      // What cannot be taken back is litter for the next collection; the error that led here is the one to tell.
      if (unnamed.length > 0) await this.#withdraw(unnamed).catch(() => {})
      throw error
    }
  }

  /**
   * Blobs that no name led to may have been left by somebody who died before their names were on the disk. Whoever gives one a name
   * that lasts does this first; a manifest that was just written has done it.
   */
  secureBlobs(): void {
    const { disk, layout } = this.#parts
    disk.syncDirectory(join(layout.root, 'blobs', 'sha256'))
    this.#parts.acceptances.secure()
  }

  /** Manifest and config, where they are not here already. */
  async #prepareDocuments(image: Image, arrivals: Arrivals, operation: Operation): Promise<Digest[]> {
    const { blobs } = this.#parts
    const added: Digest[] = []
    for (const [content, { digest, size }] of [
      [image.rawConfig, image.manifest.config],
      [image.rawManifest, image.descriptor],
    ] as const) {
      const what = `image ${image.digest}`
      const actual = digestOf(content)
      if (actual !== digest) throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual })
      if (content.length !== size)
        throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual: content.length })
      if (await isWhole(blobs, { digest, size: content.length })) continue
      const draft = arrivals.hold(await blobs.draft())
      await draft.write(content)
      await draft.finish(operation)
      // A damaged one of the same size would stay otherwise.
      arrivals.afterwards(() => draft.commit(digest, { anew: true }))
      added.push(digest)
    }
    return added
  }

  /** If somebody else is writing just now, they may count on what they found: then the next collection takes the rest. */
  async #withdraw(added: readonly Digest[]): Promise<void> {
    const { disk, layout } = this.#parts
    using held = await disk.lock(join(layout.locks, 'collect'))
    if (held !== undefined) await collect(this.#parts, { only: new Set(added) })
  }
}

/** An image that was put together by hand may hold other layers than its documents say. @throws PLY_BAD_DOCUMENT */
export function checkLayers({ digest, manifest, config, layers }: Image): void {
  const agree = layers.every(
    ({ descriptor, diffId }, i) =>
      descriptor.digest === manifest.layers[i]?.digest && diffId === config.rootfs.diff_ids[i],
  )
  if (!agree || layers.length !== manifest.layers.length)
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: `image ${digest}`,
      reason: 'its layers are not those that its manifest and config name',
    })
}
