import { PlyError } from '../model/errors.ts'
import { fsConstants } from './flags.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { misuse } from './refusal.ts'
import { type PathLike, pathText } from './texts.ts'

export type Encoding = BufferEncoding | null | undefined

export interface ReadFileOptions {
  readonly encoding?: Encoding
  readonly flag?: string | number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WriteFileOptions extends ReadFileOptions {
  readonly mode?: number | string | undefined
  /** Whether to wait until the content is on the disk. */
  readonly flush?: boolean | undefined
}

/** Text where an encoding was asked for, otherwise bytes. */
export type FileContent<Option> = Option extends BufferEncoding | { readonly encoding: BufferEncoding }
  ? string
  : Buffer

const pieceSize = 1 << 18

/** The bytes of what is to be written. @throws ERR_INVALID_ARG_TYPE */
export function bytesToWrite(data: unknown, encoding: Encoding = 'utf8'): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, encoding ?? 'utf8')
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    'The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView',
  )
}

/** @throws ABORT_ERR, as Node's file calls do. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  const error = new Error('The operation was aborted', { cause: signal.reason })
  throw Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}

/** Calls on the content of a file as a whole. A file is a path or a descriptor. */
export function wholeFiles(namespace: Namespace, files: OpenFiles) {
  function using<T>(
    file: PathLike | number,
    flags: string | number,
    mode: number | string | undefined,
    act: (fd: number) => T,
  ): T {
    if (typeof file === 'number') return act(file)
    const fd = files.open(file, flags, mode)
    try {
      return act(fd)
    } finally {
      files.close(fd)
    }
  }

  function isSame(path: PathLike, ino: number): boolean {
    return !namespace.resolveName(path).trailingSlash && namespace.resolve(path, true).ino === ino
  }

  function contentOf(fd: number): Buffer {
    const { content, position, flags } = files.file(fd, 'read')
    const size = flags.read && content ? Math.max(0, content.size - position) : 0
    const pieces: Buffer[] = []
    let total = 0
    for (;;) {
      // One more byte than there should be: a whole file in one piece, and its end in the same call.
      const piece = Buffer.allocUnsafe(total === 0 ? size + 1 : pieceSize)
      const count = files.read(fd, piece, null)
      if (count > 0) pieces.push(piece.subarray(0, count))
      total += count
      if (count < piece.length) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, total)
    }
  }

  function write(
    file: PathLike | number,
    data: unknown,
    options: WriteFileOptions | Encoding | undefined,
    flags: string,
  ): void {
    const {
      encoding,
      flag = flags,
      mode,
      flush,
      signal,
    } = typeof options === 'object' && options !== null ? options : { encoding: options }
    checkSignal(signal)
    const bytes = bytesToWrite(data, encoding)
    using(file, flag, mode, (fd) => {
      files.write(fd, bytes, null)
      if (flush) files.sync(fd)
    })
  }

  return {
    readFileSync<Option extends ReadFileOptions | Encoding = undefined>(
      file: PathLike | number,
      options?: Option,
    ): FileContent<Option> {
      const {
        encoding,
        flag = 'r',
        signal,
      }: ReadFileOptions = typeof options === 'object' && options !== null ? options : { encoding: options as Encoding }
      checkSignal(signal)
      const content = using(file, flag, undefined, contentOf)
      return (encoding ? content.toString(encoding) : content) as FileContent<Option>
    },

    writeFileSync(file: PathLike | number, data: unknown, options?: WriteFileOptions | Encoding): void {
      write(file, data, options, 'w')
    },

    appendFileSync(file: PathLike | number, data: unknown, options?: WriteFileOptions | Encoding): void {
      write(file, data, options, 'a')
    },

    truncateSync(path: PathLike, length = 0): void {
      using(path, 'r+', undefined, (fd) => files.truncate(fd, length))
    },

    /** Copies content and mode. What fails once the copy is open removes it again, as Node does. @throws EEXIST with COPYFILE_EXCL */
    copyFileSync(source: PathLike, target: PathLike, mode = 0): void {
      const exclusive = (mode & fsConstants.COPYFILE_EXCL) !== 0
      const call = () => {
        const from = files.open(source, 'r')
        try {
          const { ino, kind, size, mode: bits } = namespace.tree.stat(files.ino(from, 'fstat'))
          if (kind === 'directory') throw new PlyError('EISDIR')
          const isSource = !exclusive && isSame(target, ino)
          const to = files.open(target, exclusive ? 'wx' : isSource ? 'r+' : 'w', bits)
          if (!isSource) copyTo(target, from, to, { size, mode: bits })
        } finally {
          files.close(from)
        }
      }
      renamed(() => namespace.call('copyfile', source, call, target), pathText(source), pathText(target))
    },
  }

  function copyTo(target: PathLike, from: number, to: number, { size, mode }: { size: number; mode: number }): void {
    try {
      namespace.writable.setAttributes(files.ino(to, 'fchmod'), { mode })
      const piece = Buffer.allocUnsafe(Math.max(1, Math.min(size, pieceSize)))
      for (let count = files.read(from, piece, null); count > 0; count = files.read(from, piece, null)) {
        files.write(to, piece.subarray(0, count), null)
      }
      files.close(to)
    } catch (error) {
      files.close(to)
      try {
        const { directory, name } = namespace.resolveName(target)
        namespace.writable.unlink(directory, name)
      } catch {
        // What went wrong first is what counts; Node looks no further either.
      }
      throw error
    }
  }
}

/** The calls inside speak of `open`; to the caller all of it was one `copyfile`. */
function renamed(act: () => void, path: string, dest: string): void {
  try {
    act()
  } catch (error) {
    if (!(error instanceof PlyError) || error.syscall === undefined) throw error
    throw Object.assign(new PlyError(error.code, { syscall: 'copyfile', path, dest }, { cause: error.cause }), {
      errno: (error as PlyError & { errno?: number }).errno,
    })
  }
}
