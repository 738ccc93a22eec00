import { join } from 'node:path'
import type { Draft, BlobStore } from '../blob/blob-store.ts'
import { Index } from '../erofs/index.ts'
import type { Layer } from '../image/image.ts'
import { type ImportReport, importLayer, type IndexedView, layerView, rebuildIndex } from '../layer/index.ts'
import type { Descriptor } from '../model/documents.ts'
import type { Digest, DiffId } from '../model/digest.ts'
import { hexOf } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { Bytes, ByteStream } from '../stream/bytes.ts'
import { streamOf } from '../stream/bytes.ts'
import { checkedBytes } from '../stream/checked-bytes.ts'
import { decompressed } from '../stream/compression.ts'
import type { ZstdDecoders } from '../stream/compression.ts'
import type { Disk, Lock } from '../sys/disk.ts'
import { fileBytes } from '../sys/file-bytes.ts'
import type { Layout } from './layout.ts'
import { cacheDraft } from './cache-draft.ts'

/** What names a layer inside a store: its tar, and the blob it travels as. */
export interface LayerId {
  readonly diffId: DiffId
  readonly descriptor: Descriptor
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

  constructor(disk: Disk, layout: Layout, blobs: BlobStore, zstd: ZstdDecoders | undefined) {
    this.#disk = disk
    this.#layout = layout
    this.#blobs = blobs
    this.#zstd = zstd
  }

  /**
   * Takes a layer in: one pass reads, verifies, inflates, hashes, indexes and writes it. What is here already is not read
   * again. The blob appears last, so that whatever died on the way is only cache. `added` learns what is new in the store.
   */
  async take(layer: Layer, operation: Operation = {}, added?: Set<Digest>): Promise<ImportReport | undefined> {
    const { diffId, descriptor } = layer
    using _ = await this.#lock(diffId, operation)
    if (await this.#hasBlob(layer)) {
      if (!this.#isReady(layer)) await this.#rebuild(layer, operation)
      return undefined
    }
    await using blob = await this.#blobs.draft()
    const taken = await this.#import(layer.compressed(operation), blob, layer, operation)
    await blob.commit(descriptor.digest, operation)
    added?.add(descriptor.digest).add(diffId)
    return taken
  }

  /** Takes in a tar that was just made here: it is stored as it is, uncompressed, and its blob is its tar. */
  async make(tar: ByteStream, mediaType: string, operation: Operation = {}, added?: Set<Digest>): Promise<LayerId> {
    await using blob = await this.#blobs.draft()
    await using index = cacheDraft(this.#disk, this.#layout.tmp)
    const made = await rebuildIndex(teeTo(tar, blob), operation)
    await made.writeIndex(await index.open())
    await index.commit(this.#layout.indexOf(made.diffId), operation)
    const known = await this.#blobs.stat(made.diffId)
    await blob.commit(made.diffId, operation)
    if (known === undefined) added?.add(made.diffId)
    return { diffId: made.diffId, descriptor: { mediaType, digest: made.diffId, size: made.tarSize } }
  }

  /** Makes sure that index and tar are on the disk and the index opens; what is gone is built again from the blob. */
  async ready(id: LayerId, operation: Operation = {}): Promise<void> {
    if (this.#isReady(id)) return
    using _ = await this.#lock(id.diffId, operation)
    if (!this.#isReady(id)) await this.#rebuild(id, operation)
  }

  /** What the layer says, name by name. The layer is `ready`; the caller closes the view. */
  view(id: LayerId): IndexedView {
    const index = this.#openIndex(id.diffId)
    if (index === undefined) throw new PlyError('EIO', { syscall: 'open', path: this.#layout.indexOf(id.diffId) })
    return layerView(index, () => this.tar(id))
  }

  /** The layer's tar, each page checked when it is first read. The layer is `ready`; the caller closes the bytes. */
  tar(id: LayerId): Bytes {
    const bytes = fileBytes(this.#disk, this.#pathOfTar(id))
    const index = this.#openIndex(id.diffId)
    const pages = index?.tarPages()
    index?.close()
    return pages === undefined ? bytes : checkedBytes(bytes, pages, { what: `layer ${id.diffId}` })
  }

  async #hasBlob({ descriptor }: LayerId): Promise<boolean> {
    return (await this.#blobs.stat(descriptor.digest))?.size === descriptor.size
  }

  #isReady(id: LayerId): boolean {
    if (!this.#disk.fs.existsSync(this.#pathOfTar(id))) return false
    const index = this.#openIndex(id.diffId)
    index?.close()
    return index !== undefined
  }

  #pathOfTar({ diffId, descriptor }: LayerId): string {
    return descriptor.digest === diffId ? this.#layout.blobOf(diffId) : this.#layout.tarOf(diffId)
  }

  async #import(
    source: AsyncIterable<Uint8Array>,
    blob: Draft,
    { diffId, descriptor }: LayerId,
    operation: Operation,
  ): Promise<ImportReport> {
    await using tar = cacheDraft(this.#disk, this.#layout.tmp)
    await using index = cacheDraft(this.#disk, this.#layout.tmp)
    const imported = await importLayer(
      source,
      { blob, openTar: () => tar.open() },
      {
        ...operation,
        mediaType: descriptor.mediaType,
        expected: { digest: descriptor.digest, size: descriptor.size, diffId },
        ...(this.#zstd && { zstd: this.#zstd }),
      },
    )
    await imported.writeIndex(await index.open())
    await index.commit(this.#layout.indexOf(diffId), operation)
    if (imported.compression !== 'none') await tar.commit(this.#layout.tarOf(diffId), operation)
    return imported.report
  }

  /** Builds the caches from the tar if it is here and good, else from the blob. The layer's lock is held. */
  async #rebuild(id: LayerId, operation: Operation): Promise<void> {
    const { diffId, descriptor } = id
    const expected = { expected: { diffId } }
    await using index = cacheDraft(this.#disk, this.#layout.tmp)
    const path = this.#pathOfTar(id)
    if (this.#disk.fs.existsSync(path)) {
      const tar = fileBytes(this.#disk, path)
      try {
        const rebuilt = await rebuildIndex(streamOf(tar), { ...operation, ...expected })
        await rebuilt.writeIndex(await index.open())
        await index.commit(this.#layout.indexOf(diffId), operation)
        return
      } catch (error) {
        // A damaged cached tar comes back from the blob; a damaged blob does not.
        if (codeOf(error) === 'PLY_ABORTED' || descriptor.digest === diffId) throw error
        this.#disk.fs.rmSync(path, { force: true })
      } finally {
        tar.close()
      }
    }
    await using tar = cacheDraft(this.#disk, this.#layout.tmp)
    const { stream } = decompressed(this.#blobs.stream(descriptor.digest, operation), {
      ...operation,
      ...(this.#zstd && { zstd: this.#zstd }),
    })
    const rebuilt = await rebuildIndex(teeTo(stream, await tar.open()), { ...operation, ...expected })
    await rebuilt.writeIndex(await index.open())
    await index.commit(this.#layout.indexOf(diffId), operation)
    if (descriptor.digest !== diffId) await tar.commit(path, operation)
  }

  #openIndex(diffId: DiffId): Index | undefined {
    const path = this.#layout.indexOf(diffId)
    try {
      return Index.open(fileBytes(this.#disk, path), { what: `layer ${diffId}` })
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      if (codeOf(error) !== 'PLY_BAD_INDEX') throw error
      this.#disk.fs.rmSync(path, { force: true })
      return undefined
    }
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
