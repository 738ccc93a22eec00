import { join } from 'node:path'
import { type Digest, hexOf, isDigest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import { counted } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import type { Disk } from '../sys/disk.ts'
import { makeDirectoryDurably } from '../sys/durable-directory.ts'
import { fileBytes } from '../sys/file-bytes.ts'
import { withPath } from '../sys/system-error.ts'
import type { BlobStat, BlobStore, Draft } from './blob-store.ts'
import { DiskDraft } from './disk-draft.ts'
import { fileStream } from './file-stream.ts'
import { writeThrough } from './write-through.ts'

export interface DiskBlobStoreOptions {
  readonly disk: Disk
  /** Holds `blobs/sha256`, as an OCI image layout does; made when the first blob comes. Text, as `node:fs` takes it. */
  readonly root: string
  /** Where blobs are while they come in; on the same file system as `root`. */
  readonly tmp: string
  /** Sync before naming. Without it a crash of the machine may leave blobs that are not what their name says. */
  readonly durable?: boolean
}

/**
 * Blobs as files named by their digests: the `blobs` directory of an OCI image layout, on any disk. A file that is
 * there with another size than a blob of that name has is replaced when the blob is written again.
 */
export function diskBlobStore(options: DiskBlobStoreOptions): BlobStore {
  return new DiskBlobStore(options)
}

class DiskBlobStore implements BlobStore {
  readonly #disk: Disk
  readonly #root: string
  readonly #directory: string
  readonly #tmp: string
  readonly #durable: boolean

  constructor({ disk, root, tmp, durable = true }: DiskBlobStoreOptions) {
    this.#disk = disk
    this.#root = root
    this.#directory = join(root, 'blobs', 'sha256')
    this.#tmp = tmp
    this.#durable = durable
  }

  async stat(digest: Digest): Promise<BlobStat | undefined> {
    const size = this.#sizeOf(digest)
    return size === undefined ? undefined : { digest, size }
  }

  async *stream(digest: Digest, { signal, onProgress }: Operation = {}) {
    const path = this.#pathOf(digest)
    try {
      const content = abortable(fileStream(this.#disk, path), signal)
      const total = onProgress && this.#sizeOf(digest)
      const reported = onProgress
        ? counted(content, (done) => onProgress({ what: digest, done, total: total ?? done }))
        : content
      yield* verified(reported, { digest, what: `blob ${digest}` })
    } catch (error) {
      throw this.#explained(error, digest, path)
    }
  }

  async open(digest: Digest) {
    const path = this.#pathOf(digest)
    try {
      return fileBytes(this.#disk, path)
    } catch (error) {
      throw this.#explained(error, digest, path)
    }
  }

  async write(...[content, expected, operation]: Parameters<BlobStore['write']>): Promise<BlobStat> {
    return writeThrough(this, content, expected, operation)
  }

  async draft(): Promise<Draft> {
    const draft = await this.#openDraft()
    return {
      write: (chunk) => draft.write(chunk),
      ...(this.#disk.kind === 'disk' && { file: draft }),
      finish: (operation) => draft.finish({ durable: this.#durable, ...operation }),
      commit: (digest, operation) => this.#commit(draft, digest, operation),
      discard: () => draft.discard(),
      [Symbol.asyncDispose]: () => draft.discard(),
    }
  }

  async delete(digest: Digest): Promise<void> {
    const path = this.#pathOf(digest)
    try {
      await this.#disk.fs.promises.unlink(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw withPath(error, path)
    }
  }

  async *list(): AsyncIterable<Digest> {
    let names: string[]
    try {
      names = await this.#disk.fs.promises.readdir(this.#directory)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return
      throw withPath(error, this.#directory)
    }
    for (const name of names) {
      const digest = `sha256:${name}`
      if (isDigest(digest)) yield digest
    }
  }

  async #openDraft(): Promise<DiskDraft> {
    try {
      return await DiskDraft.open(this.#disk, this.#tmp)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      this.#makeDirectory(this.#tmp)
      return DiskDraft.open(this.#disk, this.#tmp)
    }
  }

  async #commit(
    draft: DiskDraft,
    digest: Digest,
    { anew = false, ...operation }: { readonly anew?: boolean } & Operation = {},
  ): Promise<BlobStat> {
    const path = this.#pathOf(digest)
    const { fs } = this.#disk
    try {
      await draft.finish({ durable: this.#durable, ...operation })
      const { size } = draft
      if (anew || this.#sizeOf(digest) !== size) {
        if (!fs.existsSync(this.#directory)) this.#makeDirectory(this.#directory)
        fs.renameSync(draft.path, path)
      }
      // Also when it was there: whoever put it there may not have come this far yet.
      if (this.#durable) this.#disk.syncDirectory(this.#directory)
      return { digest, size }
    } catch (error) {
      throw withPath(error, path)
    } finally {
      await draft.discard()
    }
  }

  #makeDirectory(path: string): void {
    try {
      if (this.#durable) makeDirectoryDurably(this.#disk, path)
      else this.#disk.fs.mkdirSync(path, { recursive: true })
    } catch (error) {
      throw withPath(error, path)
    }
  }

  #sizeOf(digest: Digest): number | undefined {
    const path = this.#pathOf(digest)
    try {
      const stat = this.#disk.fs.statSync(path, { throwIfNoEntry: false })
      return stat?.isFile() ? stat.size : undefined
    } catch (error) {
      throw withPath(error, path)
    }
  }

  #explained(error: unknown, digest: Digest, path: string): unknown {
    const missing = codeOf(error) === 'ENOENT' || codeOf(error) === 'EISDIR'
    return missing
      ? new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: this.#root }, { cause: error })
      : withPath(error, path)
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, hexOf(digest))
  }
}
