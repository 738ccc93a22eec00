import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { abortable, untilAborted } from '../stream/abort.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { checkOf, verified } from '../stream/verify.ts'
import { withPath } from '../sys/system-error.ts'
import { kindAt } from './file.ts'
import { type Outgoing, pieceSize } from './outgoing.ts'

/** What is written to a file, for progress. */
export interface Writing extends Operation {
  readonly what: string
  /** Bytes, where somebody knows. */
  readonly total?: number | undefined
}

/** Most blobs of an image are documents: they need no large buffers. */
const smallPiece = 64 << 10
/** Bytes after which the disk is set to work. */
const syncedEvery = 64 << 20

/**
 * A file on its way to a name. It is written beside its target under a temporary name; `publish` syncs it and renames
 * it over what was there, `discard` leaves nothing. Both may be called twice.
 */
export class StagedFile implements AsyncDisposable {
  readonly #target: string
  readonly #temporary: string
  #file: fs.promises.FileHandle | undefined
  #position = 0
  #there = true
  #synced = 0
  #syncing: Promise<void> | undefined
  #failure: unknown
  /** One is filled while the other one is written. */
  #buffers: readonly Buffer[] = []

  private constructor(target: string, temporary: string, file: fs.promises.FileHandle) {
    this.#target = target
    this.#temporary = temporary
    this.#file = file
  }

  /** @throws ENOENT, EACCES, EISDIR, EROFS … with the path of the target */
  static async open(path: string): Promise<StagedFile> {
    try {
      if (kindAt(path) === 'directory') throw new PlyError('EISDIR', { syscall: 'open', path })
      const target = kindAt(path) === 'none' ? path : fs.realpathSync(path)
      const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
      return new StagedFile(target, temporary, await fs.promises.open(temporary, 'wx+', 0o666))
    } catch (error) {
      throw error instanceof PlyError ? error : withPath(Object.assign(error as Error, { path }), path)
    }
  }

  /** Bytes written in order so far. */
  get position(): number {
    return this.#position
  }

  get fd(): number {
    return this.#file!.fd
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#writeAt(chunk, this.#position)
    this.#position += chunk.length
  }

  /** Answers how many bytes there were. */
  async writeAll(stream: ByteStream, writing: Writing): Promise<number> {
    const start = this.#position
    for await (const chunk of abortable(stream, writing.signal)) {
      await untilAborted(this.write(chunk), writing.signal)
      report(writing, this.#position - start)
    }
    return this.#position - start
  }

  /** Writes what is going out, making sure of it: what was checked is what is written. Answers how many bytes there were. */
  async writeOutgoing(outgoing: Outgoing, writing: Writing): Promise<number> {
    const { claim } = outgoing
    if (outgoing.is === 'flowing') return this.writeAll(verified(outgoing.stream, outgoing.claim), writing)
    const check = claim && checkOf(claim)
    try {
      const size = await this.#copy(outgoing.bytes, writing, check)
      check?.end()
      return size
    } finally {
      outgoing.bytes.close()
    }
  }

  /** Copies bytes at rest. */
  async writeBytes(bytes: Bytes, writing: Writing): Promise<number> {
    return this.#copy(bytes, writing)
  }

  /** A piece is read and looked at while the one before it is being written, from the memory that it was read into. */
  async #copy(bytes: Bytes, writing: Writing, check?: { write(chunk: Uint8Array): void } | undefined): Promise<number> {
    const { signal } = writing
    const start = this.#position
    const [one, two] = this.#buffersFor(bytes.size)
    let filling = one
    let pending: Promise<void> | undefined
    for (let at = 0; at < bytes.size; ) {
      checkAborted(signal)
      const got = bytes.read(filling!.subarray(0, bytes.size - at), at)
      if (got === 0) break
      const piece = filling!.subarray(0, got)
      check?.write(piece)
      if (pending !== undefined) await untilAborted(pending, signal)
      pending = this.#writeAt(piece, this.#position)
      // It may fail before anybody waits for it.
      pending.catch(() => {})
      this.#position += got
      at += got
      filling = filling === one ? two : one
      report(writing, this.#position - start)
    }
    if (pending !== undefined) await untilAborted(pending, signal)
    return this.#position - start
  }

  #buffersFor(size: number): readonly Buffer[] {
    if (size <= smallPiece) return [Buffer.allocUnsafe(size), Buffer.alloc(0)]
    if (this.#buffers.length === 0)
      this.#buffers = [Buffer.allocUnsafeSlow(pieceSize), Buffer.allocUnsafeSlow(pieceSize)]
    return this.#buffers
  }

  /** Replaces bytes that were written before. */
  async patch(chunk: Uint8Array, position: number): Promise<void> {
    await this.#writeAt(chunk, position)
  }

  async #writeAt(chunk: Uint8Array, position: number): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure
      const file = this.#file!
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position + at)
        at += bytesWritten
      }
    } catch (error) {
      throw withPath(error, this.#target)
    }
    if (position + chunk.length - this.#synced >= syncedEvery) this.#startSync(position)
  }

  /** The disk begins with what it has been given: otherwise all of it is waited for at the end. */
  #startSync(position: number): void {
    if (this.#syncing !== undefined || this.#file === undefined) return
    this.#synced = position
    this.#syncing = this.#file.datasync().then(
      () => {
        this.#syncing = undefined
      },
      (error) => {
        // The disk tells of a failure once, and the last sync may be told of none.
        this.#failure ??= error
        this.#syncing = undefined
      },
    )
  }

  /** An abort ends the waiting, not the syncing. @throws PLY_ABORTED, ENOSPC, EIO … */
  async publish({ signal }: Operation = {}): Promise<void> {
    if (this.#file === undefined) return
    try {
      await untilAborted(this.#file.sync(), signal)
      if (this.#syncing !== undefined) await untilAborted(this.#syncing, signal)
      if (this.#failure !== undefined) throw this.#failure
      checkAborted(signal)
      await this.#close()
      await fs.promises.rename(this.#temporary, this.#target)
      this.#there = false
      await syncDirectory(dirname(this.#target))
    } catch (error) {
      throw withPath(error, this.#target)
    }
  }

  async discard(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    if (this.#there) await fs.promises.rm(this.#temporary, { force: true })
    this.#there = false
    // Without its name the file is gone for everybody; taking back its room can be slow, and nobody waits for that.
    void file?.close().catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard()
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}

function report({ onProgress, what, total }: Writing, done: number): void {
  onProgress?.({ what, done, ...(total !== undefined && { total }) })
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.promises.open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Writes a small file whole unless there is one: of several who try at once, one wins, and its file stays. That makes it
 * a file to hold a lock on.
 */
export async function writeOnce(path: string, content: string): Promise<void> {
  if (kindAt(path) !== 'none') return
  const own = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeWhole(own, content)
    await fs.promises.link(own, path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return
    // A file system without hardlinks.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS')
      throw withPath(error, path)
    await writeWhole(path, content)
  } finally {
    await fs.promises.rm(own, { force: true })
  }
}

/** Writes a small file whole, in place of one that is there. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await using file = await StagedFile.open(path)
  await file.write(typeof content === 'string' ? Buffer.from(content) : content)
  await file.publish()
}
