import fs from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Image, Layer } from '../image/image.ts'
import { documentsIn, type Parcel, type ParcelBlob } from '../image/parcel.ts'
import { type Digest, digestOf, hexOf } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import { badDocument } from '../model/json.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { memoryBytes } from '../stream/bytes.ts'
import { arriving } from './arriving.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt } from './file.ts'
import { type Outgoing, outgoingBlob } from './outgoing.ts'
import { StagedFile } from './staged-file.ts'

/** One blob of an image and where its bytes come from. */
export interface OutgoingBlob {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  content(operation: Operation): Outgoing
  /** Brings it here, where it is elsewhere, so that `content` has it at rest. */
  readonly fetched?: ((operation?: Operation) => Promise<OutgoingBlob>) | undefined
}

/** Everything an image consists of, each blob once: layers base first, config, manifest. */
export function blobsOf(image: Image): OutgoingBlob[] {
  const config = image.manifest.config
  const blobs: OutgoingBlob[] = [
    ...image.layers.filter(({ elsewhere }) => !elsewhere).map(ofLayer),
    inMemory(config, image.rawConfig),
    inMemory(image.descriptor, image.rawManifest),
  ]
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()]
}

/** Everything that a parcel consists of, each blob once: what a document names comes before it. */
export function blobsOfParcel(parcel: Parcel): OutgoingBlob[] {
  const blobs = documentsIn(parcel).flatMap((one) => {
    const document = inMemory(one.descriptor, one.raw)
    if (one.is === 'index') return [document]
    return [...one.blobs.filter(({ elsewhere }) => !elsewhere).map(outgoingOf), document]
  })
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()]
}

/** A blob on its way out. A layer may lie at rest as its tar too. */
export function outgoingOf(blob: ParcelBlob): OutgoingBlob {
  return ofLayer(blob as ParcelBlob & Partial<Layer>)
}

function ofLayer(layer: ParcelBlob & Partial<Pick<Layer, 'diffId' | 'checkedTar'>>): OutgoingBlob {
  const { digest, size } = layer.descriptor
  const { fetched } = layer
  return {
    digest,
    size,
    content: (operation) => outgoingBlob(layer, operation),
    ...(fetched && { fetched: async (operation) => ofLayer(await fetched(operation)) }),
  }
}

function inMemory({ digest }: Descriptor, bytes: Uint8Array): OutgoingBlob {
  // An image may come from code of the caller's; what is written under a digest has that digest.
  if (digestOf(bytes) !== digest) throw badDocument(`image document ${digest}`, `its bytes hash to ${digestOf(bytes)}`)
  return { digest, size: bytes.length, content: () => ({ is: 'at rest', bytes: memoryBytes(bytes), claim: undefined }) }
}

/** Where each blob of a directory belongs. */
export type PathOf = (digest: Digest) => string

/**
 * Blobs that a directory lacks, on their way in: written under temporary names in a directory of their own, and renamed
 * all together. A blob that is there with the right size is kept. Disposal removes what was not placed.
 */
export class StagedBlobs implements AsyncDisposable {
  readonly #folder: string
  readonly #pathOf: PathOf
  readonly #blobs: readonly OutgoingBlob[]
  readonly #staged = new Map<Digest, string>()
  readonly #placed: string[] = []

  private constructor(folder: string, blobs: readonly OutgoingBlob[], pathOf: PathOf) {
    this.#folder = folder
    this.#blobs = blobs
    this.#pathOf = pathOf
  }

  /** @throws PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH naming the blob; PLY_ABORTED; ENOSPC and the like. Nothing stays behind. */
  static async write(
    root: string,
    blobs: readonly OutgoingBlob[],
    pathOf: PathOf,
    operation: Operation,
  ): Promise<StagedBlobs> {
    const folder = await onDisk(root, () => fs.promises.mkdtemp(join(root, '.ply-')))
    const staged = new StagedBlobs(folder, blobs, pathOf)
    try {
      await staged.#stage(operation)
      return staged
    } catch (error) {
      await staged.discard()
      throw error
    }
  }

  /** What was kept may have gone since: then it is written now. After this, every blob is in its place. */
  async place(operation: Operation): Promise<void> {
    await this.#stage(operation)
    for (const [digest, from] of this.#staged) {
      const to = this.#pathOf(digest)
      if (kindAt(to) === 'none') this.#placed.push(to)
      await onDisk(to, () => fs.promises.rename(from, to))
    }
    this.#staged.clear()
  }

  /** Removes what `place` has added. Only before anybody else could count on it: under the lock that `place` was under. */
  async takeBack(): Promise<void> {
    for (const path of this.#placed.splice(0)) await fs.promises.rm(path, { force: true })
  }

  async discard(): Promise<void> {
    await fs.promises.rm(this.#folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  async #stage(operation: Operation): Promise<void> {
    const missing = this.#blobs.filter(({ digest, size }) => {
      const there = this.#pathOf(digest)
      return !this.#staged.has(digest) && !(kindAt(there) === 'file' && fs.statSync(there).size === size)
    })
    for await (const { digest, size, content } of arriving(missing, operation)) {
      checkAborted(operation.signal)
      const path = join(this.#folder, hexOf(digest))
      await using file = await StagedFile.open(path)
      await file.writeOutgoing(content(operation), { ...operation, what: digest, total: size })
      await file.publish(operation)
      this.#staged.set(digest, path)
    }
  }
}

/** Makes a directory and those above it; answers those that were not there, the innermost first. */
export async function makeDirectories(path: string): Promise<string[]> {
  const top = await onDisk(path, () => fs.promises.mkdir(path, { recursive: true }))
  if (top === undefined) return []
  const made = [path]
  for (let at = path; resolve(at) !== resolve(top); ) made.push((at = dirname(at)))
  return made
}

/** Removes directories that were made for nothing, innermost first. One that somebody uses by now stays. */
export async function removeIfEmpty(directories: readonly string[]): Promise<void> {
  for (const path of directories) {
    try {
      await fs.promises.rmdir(path)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
    }
  }
}
