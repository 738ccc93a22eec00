import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { abortable } from '../stream/abort.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { withPath } from '../sys/system-error.ts'
import { kindAt } from './file.ts'

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
  async writeAll(
    stream: ByteStream,
    operation: Operation & { readonly what: string; readonly total?: number },
  ): Promise<number> {
    const { signal, onProgress, what, total } = operation
    const start = this.#position
    for await (const chunk of abortable(stream, signal)) {
      await this.write(chunk)
      onProgress?.({ what, done: this.#position - start, ...(total !== undefined && { total }) })
    }
    return this.#position - start
  }

  /** Replaces bytes that were written before. */
  async patch(chunk: Uint8Array, position: number): Promise<void> {
    await this.#writeAt(chunk, position)
  }

  async #writeAt(chunk: Uint8Array, position: number): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await this.#file!.write(chunk, at, chunk.length - at, position + at)
        at += bytesWritten
      }
    } catch (error) {
      throw withPath(error, this.#target)
    }
  }

  async publish(): Promise<void> {
    if (this.#file === undefined) return
    try {
      await this.#file.sync()
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
