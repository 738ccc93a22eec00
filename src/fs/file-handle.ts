import { createInterface, type Interface } from 'node:readline'
import type { ReadPlace } from './descriptors.ts'
import { refusal } from './refusal.ts'
import type { StatOptions, StatsFor } from './stats.ts'
import type { ReadStream, ReadStreamOptions, WriteStream, WriteStreamOptions } from './streams.ts'
import type { SyncVerbs } from './sync-verbs.ts'
import type { TimeLike } from './times.ts'
import type { Encoding, FileContent, ReadFileOptions, WriteFileOptions } from './whole-files.ts'

type View = NodeJS.ArrayBufferView

interface BytesRead<Buffers> {
  readonly bytesRead: number
  readonly buffer: Buffers
}

/** What `promises.open` answers: an open file. Closing twice is fine; after that every call is an EBADF. */
export class FileHandle implements AsyncDisposable {
  readonly #fs: SyncVerbs
  #fd: number

  constructor(fs: SyncVerbs, fd: number) {
    this.#fs = fs
    this.#fd = fd
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd
  }

  async read(
    buffer: View,
    offset?: number | ReadPlace | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<BytesRead<View>>
  async read(options?: ReadPlace & { readonly buffer?: View }): Promise<BytesRead<View>>
  async read(
    first?: View | (ReadPlace & { readonly buffer?: View }),
    offset?: number | ReadPlace | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<BytesRead<View>> {
    if (ArrayBuffer.isView(first)) {
      return { bytesRead: this.#fs.readSync(this.#open('read'), first, offset, length, position), buffer: first }
    }
    const buffer = first?.buffer ?? Buffer.alloc(16384)
    return { bytesRead: this.#fs.readSync(this.#open('read'), buffer, first ?? null), buffer }
  }

  async write<Data extends View | string>(
    data: Data,
    offset?: number | ReadPlace | null,
    length?: number | BufferEncoding | null,
    position?: number | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Data }> {
    return { bytesWritten: this.#fs.writeSync(this.#open('write'), data, offset, length, position), buffer: data }
  }

  async readv(buffers: readonly View[], position?: number | null) {
    return { bytesRead: this.#fs.readvSync(this.#open('read'), buffers, position), buffers }
  }

  async writev(buffers: readonly View[], position?: number | null) {
    return { bytesWritten: this.#fs.writevSync(this.#open('write'), buffers, position), buffers }
  }

  /** From where the last call ended to the end. */
  async readFile<Option extends ReadFileOptions | Encoding = undefined>(
    options?: Option,
  ): Promise<FileContent<Option>> {
    return this.#fs.readFileSync(this.#open('read'), options)
  }

  async writeFile(data: unknown, options?: WriteFileOptions | Encoding): Promise<void> {
    this.#fs.writeFileSync(this.#open('write'), data, options)
  }

  async appendFile(data: unknown, options?: WriteFileOptions | Encoding): Promise<void> {
    this.#fs.appendFileSync(this.#open('write'), data, options)
  }

  async stat<Options extends StatOptions | undefined = undefined>(options?: Options): Promise<StatsFor<Options>> {
    return this.#fs.fstatSync(this.#open('fstat'), options)
  }

  async truncate(length = 0): Promise<void> {
    this.#fs.ftruncateSync(this.#open('ftruncate'), length)
  }

  async chmod(mode: number | string): Promise<void> {
    this.#fs.fchmodSync(this.#open('fchmod'), mode)
  }

  async chown(uid: number, gid: number): Promise<void> {
    this.#fs.fchownSync(this.#open('fchown'), uid, gid)
  }

  async utimes(atime: TimeLike, mtime: TimeLike): Promise<void> {
    this.#fs.futimesSync(this.#open('futime'), atime, mtime)
  }

  async sync(): Promise<void> {
    this.#fs.fsyncSync(this.#open('fsync'))
  }

  async datasync(): Promise<void> {
    this.#fs.fdatasyncSync(this.#open('fdatasync'))
  }

  createReadStream(options: Omit<ReadStreamOptions, 'fd' | 'flags'> = {}): ReadStream {
    return this.#handedTo(this.#fs.createReadStream('', { ...options, fd: this.#open('read') }))
  }

  createWriteStream(options: Omit<WriteStreamOptions, 'fd' | 'flags'> = {}): WriteStream {
    return this.#handedTo(this.#fs.createWriteStream('', { ...options, fd: this.#open('write') }))
  }

  readLines(options: Omit<ReadStreamOptions, 'fd' | 'flags'> = {}): Interface {
    return createInterface({ input: this.createReadStream(options), crlfDelay: Number.POSITIVE_INFINITY })
  }

  async close(): Promise<void> {
    if (this.#fd === -1) return
    const fd = this.#fd
    this.#fd = -1
    this.#fs.closeSync(fd)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A stream closes the descriptor that it was given. */
  #handedTo<Stream extends ReadStream | WriteStream>(stream: Stream): Stream {
    stream.once('close', () => {
      this.#fd = -1
    })
    return stream
  }

  #open(syscall: string): number {
    if (this.#fd === -1) throw refusal('EBADF', syscall)
    return this.#fd
  }
}
