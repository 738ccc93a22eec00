import { randomBytes } from 'node:crypto'
import type { promises } from 'node:fs'
import { join } from 'node:path'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { partsToWrite } from '../model/zero-blocks.ts'
import { untilAborted } from '../stream/abort.ts'
import type { Disk } from '../sys/disk.ts'
import { withPath } from '../sys/system-error.ts'

/** Bytes that are written at a time. Two writes run while a third buffer fills: 3 MiB for a draft of any size. */
const bufferSize = 1 << 20
const inFlight = 2

/**
 * A file on its way in, under a temporary name. Small pieces are gathered into large writes, which run on the thread pool while the
 * caller decompresses and hashes on. Long runs of zeros are holes, where the disk has any.
 */
export class DiskDraft {
  readonly #disk: Disk
  readonly #handle: promises.FileHandle
  readonly path: string
  #buffer: Buffer | undefined
  #filled = 0
  readonly #spare: Buffer[] = []
  readonly #writing: Promise<void>[] = []
  #failure: unknown
  #size = 0
  /** Where the last part ends that was written: what comes behind is zeros. */
  #reached = 0
  #state: 'open' | 'finished' | 'settled' = 'open'

  private constructor(disk: Disk, handle: promises.FileHandle, path: string) {
    this.#disk = disk
    this.#handle = handle
    this.path = path
  }

  /** Makes the temporary file; the directory must be there. @throws ENOENT, EACCES, ENOSPC … with the path. */
  static async open(disk: Disk, directory: string): Promise<DiskDraft> {
    const path = join(directory, `blob-${randomBytes(8).toString('hex')}`)
    try {
      return new DiskDraft(disk, await disk.fs.promises.open(path, 'wx', 0o600), path)
    } catch (error) {
      throw withPath(error, path)
    }
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size + this.#filled
  }

  /** Takes a copy; asks to wait when the disk is two writes behind. @throws what a write before it failed with. */
  write(chunk: Uint8Array): void | Promise<void> {
    this.#check()
    const taken = this.#take(chunk)
    if (this.#filled === bufferSize) return this.#writeRest(chunk, taken)
  }

  /** Somebody else has written the file, and this has written nothing. */
  written(size: number): void {
    this.#check()
    this.#size = size
    this.#reached = size
  }

  /**
   * Returns when all bytes are on the disk and the file, which nobody may write any more, is closed. An abort ends the waiting, not
   * the syncing. Safe to call twice.
   */
  async finish({ durable, signal }: { readonly durable: boolean } & Operation): Promise<void> {
    if (this.#state === 'finished') return
    this.#check()
    try {
      await untilAborted(this.#written(), signal)
      // Before the sync: what comes after it may be lost.
      this.#disk.fs.fchmodSync(this.#handle.fd, 0o444)
      if (durable) await untilAborted(this.#handle.sync(), signal)
      checkAborted(signal)
    } catch (error) {
      throw withPath(error, this.path)
    }
    this.#state = 'finished'
    // A finished draft may wait for many others before it gets its name.
    this.#spare.length = 0
    await this.#handle.close()
  }

  async #written(): Promise<void> {
    if (this.#filled > 0) await this.#flush()
    while (this.#writing.length > 0) await this.#writing.shift()
    this.#check()
    if (this.#reached < this.#size) await this.#handle.truncate(this.#size)
  }

  /** Removes the file. Does not wait for the disk. Safe to call twice. */
  async discard(): Promise<void> {
    const { fs } = this.#disk
    const state = this.#state
    this.#state = 'settled'
    // Taking back the room of a gigabyte costs a tenth of a second: whoever closes the last descriptor of a file without a
    // name pays, and that is the thread pool.
    const reopened =
      state === 'finished' && fs.existsSync(this.path) ? await fs.promises.open(this.path, 'r') : undefined
    fs.rmSync(this.path, { force: true })
    void reopened?.close().catch(() => {})
    // It closes once the writes and the sync that may still be running are done; nobody is interested in how they end.
    if (state === 'open') void this.#handle.close().catch(() => {})
  }

  async #writeRest(chunk: Uint8Array, from: number): Promise<void> {
    for (let at = from; ; ) {
      await this.#flush()
      at += this.#take(at === 0 ? chunk : chunk.subarray(at))
      if (at >= chunk.length && this.#filled < bufferSize) return
    }
  }

  /** Copies as much as the buffer holds, and answers how much that was. */
  #take(chunk: Uint8Array): number {
    this.#buffer ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferSize)
    const room = bufferSize - this.#filled
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk
    this.#buffer.set(part, this.#filled)
    this.#filled += part.length
    return part.length
  }

  async #flush(): Promise<void> {
    if (this.#writing.length === inFlight) await this.#writing.shift()
    this.#check()
    const buffer = this.#buffer!
    this.#writing.push(this.#writeOut(buffer, this.#filled, this.#size))
    this.#size += this.#filled
    this.#buffer = undefined
    this.#filled = 0
  }

  /** Never rejects: the failure is told to the next call that comes. */
  async #writeOut(buffer: Buffer, size: number, position: number): Promise<void> {
    try {
      const content = buffer.subarray(0, size)
      const parts = this.#disk.kind === 'disk' ? partsToWrite(content, position) : [{ start: 0, end: size }]
      for (const { start, end } of parts) {
        this.#reached = Math.max(this.#reached, position + end)
        for (let done = start; done < end; ) {
          const { bytesWritten } = await this.#handle.write(buffer, done, end - done, position + done)
          done += bytesWritten
        }
      }
      this.#spare.push(buffer)
    } catch (error) {
      this.#failure ??= withPath(error, this.path)
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#state !== 'open') throw new PlyError('EBADF', { syscall: 'write', path: this.path })
  }
}
