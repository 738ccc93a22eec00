import { EventEmitter } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { ReadableStream } from 'node:stream/web'
import type { ReadPlace } from './descriptors.ts'
import { type Writable, writePieces } from './pieces.ts'
import { misuse } from './refusal.ts'
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

const webChunk = 1 << 14

/** What `promises.open` answers: an open file. Closing twice is fine; after that every call is an EBADF. Emits `close`. */
export class FileHandle extends EventEmitter implements AsyncDisposable {
  readonly #fs: SyncVerbs
  #fd: number
  #locked = false

  constructor(fs: SyncVerbs, fd: number) {
    super()
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
      const place =
        typeof offset === 'object' && offset !== null
          ? offset
          : { offset: offset ?? 0, length: length ?? first.byteLength - (offset ?? 0), position }
      return { bytesRead: this.#fs.readSync(this.#open('read'), first, place), buffer: first }
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

  async readv<Views extends readonly View[]>(buffers: Views, position?: number | null) {
    return { bytesRead: this.#fs.readvSync(this.#open('readv'), buffers, position), buffers }
  }

  async writev<Views extends readonly View[]>(buffers: Views, position?: number | null) {
    return { bytesWritten: this.#fs.writevSync(this.#open('writev'), buffers, position), buffers }
  }

  /** From where the last call ended to the end. */
  async readFile<Option extends ReadFileOptions | Encoding = undefined>(
    options?: Option,
  ): Promise<FileContent<Option>> {
    return this.#fs.readFileSync(this.#open('readFile'), options)
  }

  async writeFile(data: Writable, options?: WriteFileOptions | Encoding): Promise<void> {
    await writePieces(this.#fs, this.#open('writeFile'), data, options)
  }

  async appendFile(data: Writable, options?: WriteFileOptions | Encoding): Promise<void> {
    await writePieces(this.#fs, this.#open('writeFile'), data, options)
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
    this.#fs.futimesSync(this.#open('futimes'), atime, mtime)
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

  /** From where the last call ended to the end, once. The handle stays open and stays the caller's. @throws ERR_INVALID_STATE */
  readableWebStream({ type }: { readonly type?: 'bytes' | undefined } = {}): ReadableStream<Uint8Array> {
    if (this.#fd === -1) throw misuse('ERR_INVALID_STATE', 'Invalid state: The FileHandle is closed', Error)
    if (this.#locked) throw misuse('ERR_INVALID_STATE', 'Invalid state: The FileHandle is locked', Error)
    this.#locked = true
    const next = (into: Uint8Array) => (this.#fd === -1 ? 0 : this.#fs.readSync(this.#fd, into))
    if (type === 'bytes') {
      return new ReadableStream({
        type: 'bytes',
        autoAllocateChunkSize: webChunk,
        pull(controller) {
          const request = controller.byobRequest!
          const count = next(request.view as Uint8Array)
          if (count === 0) controller.close()
          request.respond(count)
        },
      })
    }
    return new ReadableStream({
      pull(controller) {
        const piece = new Uint8Array(webChunk)
        const count = next(piece)
        if (count === 0) controller.close()
        else controller.enqueue(piece.subarray(0, count))
      },
    })
  }

  async close(): Promise<void> {
    if (this.#fd === -1) return
    const fd = this.#fd
    this.#closed()
    this.#fs.closeSync(fd)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A stream closes the descriptor that it was given. */
  #handedTo<Stream extends ReadStream | WriteStream>(stream: Stream): Stream {
    stream.once('close', () => this.#fd !== -1 && this.#closed())
    return stream
  }

  #closed(): void {
    this.#fd = -1
    this.emit('close')
  }

  #open(syscall: string): number {
    if (this.#fd === -1) throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall })
    return this.#fd
  }
}
