import { Blob } from 'node:buffer'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { copyRange } from '../union/copy-range.ts'
import { fsConstants } from './flags.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { aborted, misuse, refusedAs } from './refusal.ts'
import { type PathLike, pathBytes, pathText } from './texts.ts'
import { checkBoolean, checkInteger, checkObject, checkString, optionsOf, wrongType } from './validation.ts'

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
/** What Node takes into one buffer. */
const largestWhole = 2 ** 31 - 1

/** The bytes of what is to be written. @throws ERR_INVALID_ARG_TYPE */
export function bytesToWrite(data: unknown, encoding: Encoding = 'utf8'): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, encoding ?? 'utf8')
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return wrongType('data', ['string', 'Buffer', 'TypedArray', 'DataView'], data)
}

/** @throws ABORT_ERR, as Node's file calls do. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal)
}

/** Options of a write, with the flags that it has where none are given. */
export function optionsOfWriting(
  options: WriteFileOptions | Encoding | undefined,
  flags: string,
): WriteFileOptions & { readonly flag: string | number } {
  const given = optionsOf<WriteFileOptions>(options)
  return { ...given, encoding: given.encoding as Encoding, flag: given.flag || flags }
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

  function isSame(path: ByteString, ino: number): boolean {
    return !namespace.resolveName(path).trailingSlash && namespace.resolve(path, true).ino === ino
  }

  function contentOf(fd: number): Buffer {
    const { content, position, flags } = files.file(fd, 'read')
    if (flags.read && content && content.size > largestWhole) {
      const message = `File size (${content.size}) is greater than 2 GiB`
      throw misuse('ERR_FS_FILE_TOO_LARGE', message, RangeError)
    }
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
    const given = optionsOfWriting(options, flags)
    const flush = checkBoolean(given.flush ?? false, 'options.flush')
    checkSignal(given.signal)
    const bytes = bytesToWrite(data, given.encoding)
    using(file, given.flag, given.mode, (fd) => {
      files.write(fd, bytes, null)
      if (flush) files.sync(fd)
    })
  }

  function readFileSync<Option extends ReadFileOptions | Encoding = undefined>(
    file: PathLike | number,
    options?: Option,
  ): FileContent<Option> {
    const { encoding, flag = 'r', signal } = optionsOf<ReadFileOptions>(options)
    checkSignal(signal)
    const content = using(file, flag, undefined, contentOf)
    return (encoding ? content.toString(encoding as BufferEncoding) : content) as FileContent<Option>
  }

  /** From where both are open: the mode first, as libuv has it, since a write takes set-id bits. */
  function copyTo(target: ByteString, from: number, to: number, mode: number): void {
    try {
      const { ino, writer, spot } = files.file(to, 'write')
      namespace.writable.setAttributes(ino, { mode })
      const { content } = files.file(from, 'read')
      copyRange(content!, 0, writer!, 0, content!.size)
      namespace.changes.changed(ino, spot)
      files.close(to)
    } catch (error) {
      files.close(to)
      removeCopy(target)
      throw error
    }
  }

  function removeCopy(target: ByteString): void {
    try {
      const { directory, name, ino } = namespace.resolveName(target)
      if (ino !== undefined) namespace.unlink({ directory, name }, ino)
    } catch {
      // What went wrong first is what counts; Node looks no further either.
    }
  }

  return {
    readFileSync,

    writeFileSync(file: PathLike | number, data: unknown, options?: WriteFileOptions | Encoding): void {
      write(file, data, options, 'w')
    },

    appendFileSync(file: PathLike | number, data: unknown, options?: WriteFileOptions | Encoding): void {
      write(file, data, options, 'a')
    },

    truncateSync(path: PathLike | number, length = 0): void {
      using(path, 'r+', undefined, (fd) => files.truncate(fd, Math.max(0, checkInteger(length, 'len'))))
    },

    /**
     * Copies content and mode. What fails once the copy is open removes it again, as Node does.
     * @throws EEXIST with COPYFILE_EXCL; ENOSYS with COPYFILE_FICLONE_FORCE: nothing here can promise to share blocks
     */
    copyFileSync(source: PathLike, target: PathLike, wanted?: number | null): void {
      pathBytes(source, 'src')
      const to = pathBytes(target, 'dest')
      const mode = checkInteger(wanted ?? 0, 'mode', 0, 7)
      const exclusive = (mode & fsConstants.COPYFILE_EXCL) !== 0
      try {
        namespace.call(
          'copyfile',
          source,
          () => {
            if ((mode & fsConstants.COPYFILE_FICLONE_FORCE) !== 0) throw new PlyError('ENOSYS')
            const from = files.open(source, 'r')
            try {
              const stat = namespace.tree.stat(files.file(from, 'fstat').ino)
              if (stat.kind === 'directory') {
                throw new PlyError(exclusive && namespace.resolveName(to).ino !== undefined ? 'EEXIST' : 'EISDIR')
              }
              const isSource = !exclusive && isSame(to, stat.ino)
              const copy = files.open(target, exclusive ? 'wx' : isSource ? fsConstants.O_WRONLY : 'w', stat.mode)
              if (isSource) files.close(copy)
              else copyTo(to, from, copy, stat.mode)
            } finally {
              files.close(from)
            }
          },
          target,
        )
      } catch (error) {
        // The calls inside speak of `open`; to the caller all of it was one `copyfile`.
        throw refusedAs(error, 'copyfile', pathText(source), pathText(target))
      }
    },

    /** The content as it is now: what is written later is not in it. */
    async openAsBlob(path: PathLike, options: { readonly type?: string } = {}): Promise<Blob> {
      checkObject(options, 'options')
      const type = checkString(options.type || '', 'options.type')
      pathBytes(path)
      return new Blob([readFileSync(path)], { type })
    },
  }
}
