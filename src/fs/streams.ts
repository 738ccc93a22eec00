import { Readable, Writable } from 'node:stream'
import type { OpenFiles } from './open-files.ts'
import { type PathLike, pathText } from './texts.ts'

export interface ReadStreamOptions {
  readonly flags?: string
  readonly encoding?: BufferEncoding | null
  readonly fd?: number
  readonly mode?: number
  readonly autoClose?: boolean
  readonly emitClose?: boolean
  readonly start?: number
  /** The last byte to read: inclusive. */
  readonly end?: number
  readonly highWaterMark?: number
  readonly signal?: AbortSignal | null
}

export interface WriteStreamOptions {
  readonly flags?: string
  readonly encoding?: BufferEncoding | null
  readonly fd?: number
  readonly mode?: number
  readonly autoClose?: boolean
  readonly emitClose?: boolean
  readonly start?: number
  readonly highWaterMark?: number
  readonly flush?: boolean
  readonly signal?: AbortSignal | null
}

type Done = (error?: Error | null) => void

function attempt(done: Done, act: () => void): void {
  try {
    act()
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

/** What `createReadStream` answers: `open` and `ready` are emitted, `bytesRead` counts. */
export class ReadStream extends Readable {
  readonly path: string
  fd: number | null
  bytesRead = 0
  readonly #files: OpenFiles
  readonly #path: PathLike
  readonly #options: ReadStreamOptions
  #position: number | null
  #left: number

  constructor(files: OpenFiles, path: PathLike, options: ReadStreamOptions) {
    const { highWaterMark = 1 << 16, encoding, emitClose = true, autoClose = true, signal, fd, start, end } = options
    super({
      highWaterMark,
      emitClose,
      autoDestroy: autoClose,
      ...(encoding && { encoding }),
      ...(signal && { signal }),
    })
    this.#files = files
    this.#options = options
    this.#path = path
    this.path = pathText(path)
    this.fd = fd ?? null
    this.#position = start ?? (fd === undefined ? 0 : null)
    this.#left = end === undefined ? Number.POSITIVE_INFINITY : Math.max(0, end - (start ?? 0) + 1)
  }

  get pending(): boolean {
    return this.fd === null
  }

  override _construct(done: Done): void {
    attempt(done, () => {
      if (this.fd !== null) return
      this.fd = this.#files.open(this.#path, this.#options.flags ?? 'r', this.#options.mode)
      process.nextTick(() => {
        this.emit('open', this.fd)
        this.emit('ready')
      })
    })
  }

  override _read(size: number): void {
    try {
      const piece = Buffer.allocUnsafe(Math.min(size, this.#left))
      const count = piece.length === 0 ? 0 : this.#files.read(this.fd!, piece, this.#position)
      if (this.#position !== null) this.#position += count
      this.#left -= count
      this.bytesRead += count
      this.push(count === 0 ? null : piece.subarray(0, count))
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  override _destroy(error: Error | null, done: Done): void {
    closing(this.#files, this, error, done)
  }

  close(done?: Done): void {
    if (done) this.once('close', done)
    this.destroy()
  }
}

/** What `createWriteStream` answers: `open` and `ready` are emitted, `bytesWritten` counts. */
export class WriteStream extends Writable {
  readonly path: string
  fd: number | null
  bytesWritten = 0
  readonly #files: OpenFiles
  readonly #path: PathLike
  readonly #options: WriteStreamOptions
  #position: number | null

  constructor(files: OpenFiles, path: PathLike, options: WriteStreamOptions) {
    const { highWaterMark = 1 << 14, encoding, emitClose = true, autoClose = true, signal, fd, start } = options
    super({
      highWaterMark,
      emitClose,
      autoDestroy: autoClose,
      decodeStrings: true,
      ...(encoding && { defaultEncoding: encoding }),
      ...(signal && { signal }),
    })
    this.#files = files
    this.#options = options
    this.#path = path
    this.path = pathText(path)
    this.fd = fd ?? null
    this.#position = start ?? null
  }

  get pending(): boolean {
    return this.fd === null
  }

  override _construct(done: Done): void {
    attempt(done, () => {
      if (this.fd !== null) return
      const { flags, start, mode } = this.#options
      this.fd = this.#files.open(this.#path, flags ?? (start === undefined ? 'w' : 'r+'), mode)
      process.nextTick(() => {
        this.emit('open', this.fd)
        this.emit('ready')
      })
    })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    attempt(done, () => {
      const count = this.#files.write(this.fd!, chunk, this.#position)
      if (this.#position !== null) this.#position += count
      this.bytesWritten += count
    })
  }

  override _final(done: Done): void {
    attempt(done, () => {
      if (this.#options.flush) this.#files.sync(this.fd!)
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    closing(this.#files, this, error, done)
  }

  close(done?: Done): void {
    if (done) this.once('close', done)
    this.end()
  }
}

function closing(files: OpenFiles, stream: { fd: number | null }, error: Error | null, done: Done): void {
  const { fd } = stream
  stream.fd = null
  try {
    if (fd !== null) files.close(fd)
  } catch (closingError) {
    done(error ?? (closingError as Error))
    return
  }
  done(error)
}
