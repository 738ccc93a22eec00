import { FileHandle } from './file-handle.ts'
import type { OpenFiles } from './open-files.ts'
import { refusal } from './refusal.ts'
import { ReadStream, type ReadStreamOptions, WriteStream, type WriteStreamOptions } from './streams.ts'
import type { PathLike } from './texts.ts'
import {
  checkFd,
  checkInt32,
  checkInteger,
  checkObject,
  checkView,
  checkViews,
  optionsOf,
  outOfRange,
  wrongType,
  wrongValue,
} from './validation.ts'

type View = NodeJS.ArrayBufferView

export interface ReadPlace {
  readonly offset?: number | undefined
  readonly length?: number | undefined
  readonly position?: number | bigint | null | undefined
}

type Options<Type> = Type | BufferEncoding | null | undefined

/** What of a stream's options is its opening: a stream may be over a handle, or over a number. */
type StreamOptions<Type> = Options<Omit<Type, 'fd'> & { readonly fd?: number | FileHandle | null }>

/** Calls on descriptors, and streams. */
export function descriptors(files: OpenFiles) {
  function readSync(
    fd: number,
    buffer: View,
    offset?: number | ReadPlace | null,
    ...rest: readonly [length?: number | null, position?: number | bigint | null]
  ): number {
    checkFd(fd)
    checkView(buffer)
    const place = placeOf(buffer, offset, rest)
    const start = place.offset === undefined ? 0 : checkInteger(place.offset, 'offset', 0)
    const count = (place.length ?? 0) | 0
    if (count === 0) return 0
    if (buffer.byteLength === 0) wrongValue('buffer', buffer, 'is empty and cannot be written')
    if (count < 0) outOfRange('length', '>= 0', count)
    if (start + count > buffer.byteLength) outOfRange('length', `<= ${buffer.byteLength - start}`, count)
    return files.read(fd, bytesIn(buffer, start, count), readPosition(place.position))
  }

  /** Of bytes: offset, length, position. Of text: position, encoding. */
  function writeSync(
    fd: number,
    data: View | string,
    offset?: number | ReadPlace | null,
    length?: number | BufferEncoding | null,
    position?: number | null,
  ): number {
    checkFd(fd)
    if (!ArrayBuffer.isView(data)) {
      if (typeof data !== 'string') wrongType('buffer', ['string', 'Buffer', 'TypedArray', 'DataView'], data)
      if (length === 'hex' && data.length % 2 !== 0)
        wrongValue('encoding', length, `is invalid for data of length ${data.length}`)
      const encoding = typeof length === 'string' && Buffer.isEncoding(length) ? length : 'utf8'
      return files.write(fd, Buffer.from(data, encoding), writePosition(offset))
    }
    const place = typeof offset === 'object' ? (offset ?? {}) : { offset, length, position }
    const start = place.offset === undefined || place.offset === null ? 0 : checkInteger(place.offset, 'offset', 0)
    const count = typeof place.length === 'number' ? place.length : data.byteLength - start
    if (start > data.byteLength) outOfRange('offset', `<= ${data.byteLength}`, start)
    if (count > data.byteLength - start) outOfRange('length', `<= ${data.byteLength - start}`, count)
    if (count < 0) outOfRange('length', '>= 0', count)
    checkInt32(count, 'length', 0)
    return files.write(fd, bytesIn(data, start, count), writePosition(place.position))
  }

  function readvSync(fd: number, buffers: readonly View[], position?: number | null): number {
    checkFd(fd)
    checkViews(buffers)
    if (buffers.length === 0) throw refusal('EINVAL', 'read')
    const start = writePosition(position)
    let total = 0
    for (const buffer of buffers) {
      const count = files.read(fd, bytesIn(buffer), start === null ? null : start + total)
      total += count
      if (count < buffer.byteLength) break
    }
    return total
  }

  function writevSync(fd: number, buffers: readonly View[], position?: number | null): number {
    checkFd(fd)
    checkViews(buffers)
    const start = writePosition(position)
    let total = 0
    for (const buffer of buffers) total += files.write(fd, bytesIn(buffer), start === null ? null : start + total)
    return total
  }

  return {
    openSync: (path: PathLike, flags?: string | number | null, mode?: number | string | null): number =>
      files.open(path, flags, mode),
    closeSync: (fd: number): void => files.close(checkFd(fd)),
    readSync,
    writeSync,
    readvSync,
    writevSync,

    /** A negative length is taken for 0, as Node takes it. */
    ftruncateSync: (fd: number, length = 0): void =>
      files.truncate(checkFd(fd), Math.max(0, checkInteger(length, 'len'))),
    fsyncSync: (fd: number): void => files.sync(checkFd(fd)),
    fdatasyncSync: (fd: number): void => files.sync(checkFd(fd), 'fdatasync'),

    createReadStream(path: PathLike, options?: StreamOptions<ReadStreamOptions>): ReadStream {
      const { fd, ...rest } = { ...optionsOf<Exclude<typeof options, string | null | undefined>>(options) }
      if (fd instanceof FileHandle) return fd.createReadStream(rest as ReadStreamOptions)
      return new ReadStream(files, path, { ...rest, ...(fd !== undefined && { fd }) } as ReadStreamOptions)
    },

    createWriteStream(path: PathLike, options?: StreamOptions<WriteStreamOptions>): WriteStream {
      const { fd, ...rest } = { ...optionsOf<Exclude<typeof options, string | null | undefined>>(options) }
      if (fd instanceof FileHandle) return fd.createWriteStream(rest as WriteStreamOptions)
      return new WriteStream(files, path, { ...rest, ...(fd !== undefined && { fd }) } as WriteStreamOptions)
    },
  }
}

/** Where a read goes: from an object of options, or from arguments in a row, of which the length must then be there. */
function placeOf(
  buffer: View,
  offset: number | ReadPlace | null | undefined,
  rest: readonly [length?: number | null, position?: number | bigint | null],
): { readonly offset: number | undefined; readonly length: number | undefined; readonly position: unknown } {
  if (typeof offset === 'object' || rest.length === 0) {
    if (offset !== undefined && offset !== null) checkObject(offset, 'options')
    const {
      offset: start = 0,
      length: count = buffer.byteLength - start,
      position: at = null,
    } = (offset ?? {}) as ReadPlace
    return { offset: start, length: count, position: at }
  }
  const [length, position] = rest
  return { offset, length: length ?? undefined, position }
}

/** Absent, `null` and -1 mean where the last call ended. */
function readPosition(position: unknown): number | null {
  if (position === undefined || position === null) return null
  if (typeof position === 'bigint') {
    if (position < -(2n ** 63n) || position > 2n ** 63n - 1n)
      outOfRange('position', `>= ${-(2n ** 63n)} && <= ${2n ** 63n - 1n}`, position)
  } else if (typeof position !== 'number') wrongType('position', ['integer', 'bigint'], position)
  else checkInteger(position, 'position', -1)
  return Number(position) < 0 ? null : Number(position)
}

/** Of a write, and of several buffers: what is no whole number means where the last call ended. */
function writePosition(position: unknown): number | null {
  return Number.isSafeInteger(position) && (position as number) >= 0 ? (position as number) : null
}

function bytesIn(buffer: View, offset = 0, length: number = buffer.byteLength - offset): Uint8Array {
  if (length === buffer.byteLength && buffer instanceof Uint8Array) return buffer
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length)
}
