import type { OpenFiles } from './open-files.ts'
import { ReadStream, type ReadStreamOptions, WriteStream, type WriteStreamOptions } from './streams.ts'
import type { PathLike } from './texts.ts'
import { bytesToWrite } from './whole-files.ts'

export interface ReadPlace {
  readonly offset?: number | undefined
  readonly length?: number | undefined
  readonly position?: number | bigint | null | undefined
}

/** The part of a buffer that a call means. @throws RangeError outside of it */
function part(buffer: NodeJS.ArrayBufferView, offset = 0, length = buffer.byteLength - offset): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > buffer.byteLength) {
    throw Object.assign(new RangeError('The value of "offset" or "length" is out of range'), {
      code: 'ERR_OUT_OF_RANGE',
    })
  }
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length)
}

/** A position as Node takes it: absent, `null` and -1 mean where the last call ended. */
function placeOf(position: number | bigint | null | undefined): number | null {
  return position === undefined || position === null || Number(position) < 0 ? null : Number(position)
}

type Options<Type> = Type | BufferEncoding | null | undefined

/** Calls on descriptors, and streams. */
export function descriptors(files: OpenFiles) {
  const verbs = {
    openSync: (path: PathLike, flags?: string | number, mode?: number | string): number =>
      files.open(path, flags ?? 'r', mode),

    closeSync: (fd: number): void => files.close(fd),

    readSync(
      fd: number,
      buffer: NodeJS.ArrayBufferView,
      offset?: number | ReadPlace | null,
      length?: number | null,
      position?: number | bigint | null,
    ): number {
      const place: ReadPlace =
        typeof offset === 'object' && offset !== null
          ? offset
          : { offset: offset ?? undefined, length: length ?? undefined, position }
      return files.read(fd, part(buffer, place.offset, place.length), placeOf(place.position))
    },

    /** Of bytes: offset, length, position. Of text: position, encoding. */
    writeSync(
      fd: number,
      data: NodeJS.ArrayBufferView | string,
      offset?: number | ReadPlace | null,
      length?: number | BufferEncoding | null,
      position?: number | null,
    ): number {
      if (typeof data === 'string') {
        const at = typeof offset === 'object' ? offset?.position : offset
        return files.write(fd, bytesToWrite(data, typeof length === 'string' ? length : 'utf8'), placeOf(at))
      }
      const place: ReadPlace =
        typeof offset === 'object' && offset !== null
          ? offset
          : { offset: offset ?? undefined, length: typeof length === 'number' ? length : undefined, position }
      return files.write(fd, part(data, place.offset, place.length), placeOf(place.position))
    },

    readvSync(fd: number, buffers: readonly NodeJS.ArrayBufferView[], position?: number | null): number {
      let total = 0
      for (const buffer of buffers) {
        const at = placeOf(position)
        const count = files.read(fd, part(buffer), at === null ? null : at + total)
        total += count
        if (count < buffer.byteLength) break
      }
      return total
    },

    writevSync(fd: number, buffers: readonly NodeJS.ArrayBufferView[], position?: number | null): number {
      let total = 0
      for (const buffer of buffers) {
        const at = placeOf(position)
        total += files.write(fd, part(buffer), at === null ? null : at + total)
      }
      return total
    },

    ftruncateSync: (fd: number, length = 0): void => files.truncate(fd, length),
    fsyncSync: (fd: number): void => files.sync(fd),
    fdatasyncSync: (fd: number): void => files.sync(fd),

    createReadStream: (path: PathLike, options?: Options<ReadStreamOptions>): ReadStream =>
      new ReadStream(files, path, asOptions(options)),

    createWriteStream: (path: PathLike, options?: Options<WriteStreamOptions>): WriteStream =>
      new WriteStream(files, path, asOptions(options)),
  }
  return verbs
}

function asOptions<Type extends object>(
  options: Options<Type>,
): Type | { encoding: BufferEncoding } | Record<string, never> {
  if (typeof options === 'string') return { encoding: options }
  return options ?? {}
}
