import { finished, Readable, Writable } from 'node:stream'
import type { OpenFiles } from './open-files.ts'
import { type PathLike, pathBytes, pathText } from './texts.ts'
import { checkBoolean, checkInteger, outOfRange, wrongType } from './validation.ts'

export interface ReadStreamOptions {
  readonly flags?: string | number
  readonly encoding?: BufferEncoding | null
  readonly fd?: number | null
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
  readonly flags?: string | number
  readonly encoding?: BufferEncoding | null
  readonly fd?: number | null
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
  /** As it was given; text for a URL. */
  readonly path: string | Uint8Array
  readonly flags: string | number
  readonly mode: number
  readonly start: number | undefined
  readonly end: number
  fd: number | null
  bytesRead = 0
  readonly #files: OpenFiles
  #position: number | null
  #left: number

  constructor(files: OpenFiles, path: PathLike, options: ReadStreamOptions) {
    const { highWaterMark = 1 << 16, encoding, emitClose = true, autoClose = true, signal, fd, start } = options
    // Before the stream is one, since a stream opens its file.
    const shown = shownPath(path, fd)
    checkDescriptor(fd)
    if (start !== undefined) checkInteger(start, 'start', 0)
    const end = options.end ?? Number.POSITIVE_INFINITY
    if (end !== Number.POSITIVE_INFINITY) checkInteger(end, 'end', 0)
    if (start !== undefined && start > end) outOfRange('start', `<= "end" (here: ${end})`, start)
    super({
      highWaterMark,
      emitClose,
      autoDestroy: autoClose,
      ...(encoding && { encoding }),
      ...(signal && { signal }),
    })
    this.#files = files
    this.path = shown
    this.flags = options.flags ?? 'r'
    this.mode = options.mode ?? 0o666
    this.fd = fd ?? null
    this.start = start
    this.end = end
    this.#position = start ?? (this.fd === null ? 0 : null)
    this.#left = this.end - (start ?? 0) + 1
  }

  get pending(): boolean {
    return this.fd === null
  }

  override _construct(done: Done): void {
    attempt(done, () => {
      if (this.fd !== null) return
      this.fd = this.#files.open(this.path, this.flags, this.mode)
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

  /** Calls back when it is closed: with ERR_STREAM_PREMATURE_CLOSE if it had not come to its end, as Node has it. */
  close(done?: Done): void {
    if (done) finished(this, done)
    this.destroy()
  }
}

/** What `createWriteStream` answers: `open` and `ready` are emitted, `bytesWritten` counts. */
export class WriteStream extends Writable {
  /** As it was given; text for a URL. */
  readonly path: string | Uint8Array
  readonly flags: string | number
  readonly mode: number
  readonly start: number | undefined
  fd: number | null
  bytesWritten = 0
  readonly #files: OpenFiles
  readonly #flush: boolean
  readonly #autoClose: boolean
  #position: number | null

  constructor(files: OpenFiles, path: PathLike, options: WriteStreamOptions) {
    const { highWaterMark = 1 << 14, encoding, emitClose = true, autoClose = true, signal, fd, start } = options
    // Before the stream is one, since a stream opens, and cuts off, its file.
    const shown = shownPath(path, fd)
    checkDescriptor(fd)
    if (start !== undefined) checkInteger(start, 'start', 0)
    const flush = checkBoolean(options.flush ?? false, 'options.flush')
    super({
      highWaterMark,
      emitClose,
      autoDestroy: autoClose,
      decodeStrings: true,
      ...(encoding && { defaultEncoding: encoding }),
      ...(signal && { signal }),
    })
    this.#files = files
    this.path = shown
    this.flags = options.flags ?? 'w'
    this.mode = options.mode ?? 0o666
    this.fd = fd ?? null
    this.start = start
    this.#flush = flush
    this.#autoClose = autoClose
    this.#position = start ?? null
  }

  get pending(): boolean {
    return this.fd === null
  }

  override _construct(done: Done): void {
    attempt(done, () => {
      if (this.fd !== null) return
      this.fd = this.#files.open(this.path, this.flags, this.mode)
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
      if (this.#flush) this.#files.sync(this.fd!)
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    closing(this.#files, this, error, done)
  }

  /** Ends it, and calls back when it is closed. */
  close(done?: Done): void {
    if (done && this.closed) {
      process.nextTick(done)
      return
    }
    if (done) this.once('close', done)
    if (!this.#autoClose) this.once('finish', () => this.destroy())
    this.end()
  }
}

/** Whether it is open is seen when it is used. @throws ERR_INVALID_ARG_TYPE */
function checkDescriptor(fd: unknown): void {
  if (fd === undefined || fd === null || typeof fd === 'number') return
  wrongType('options.fd', ['number', 'FileHandle'], fd)
}

/** Where a descriptor is given, the path is not looked at. @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
function shownPath(path: PathLike, fd: number | null | undefined): string | Uint8Array {
  if (fd !== undefined && fd !== null) return path as string
  pathBytes(path)
  return typeof path === 'string' || path instanceof Uint8Array ? path : pathText(path)
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
