import type { ByteString } from '../model/bytes.ts'
import { decodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { koffi } from './libc.ts'

/**
 * A path for a system call: a byte string (one character a byte, since names in layers need not be UTF-8) or the bytes themselves.
 *
 * This differs from `node:fs`, which takes strings as text: a path that a user has typed goes through `encodeText` first,
 * and a byte string goes to `node:fs` as a Buffer (`bytesOf`). For plain ASCII the two are the same.
 */
export type Path = ByteString | Uint8Array

/** PATH_MAX: what the kernel takes, with the NUL. */
const longest = 4096

/**
 * The bytes of a path with a NUL at the end.
 *
 * @throws EINVAL for a NUL inside or a character that is no byte (text that was not encoded); ENAMETOOLONG.
 */
export function pathBytes(path: Path): Buffer {
  const bytes = Buffer.allocUnsafe(path.length + 1)
  writeBytes(path, bytes, longest)
  return bytes
}

/** A fixed place in memory for a path, so that a call allocates nothing. Valid until the next path is put there. */
export class PathSlot {
  readonly #bytes = Buffer.allocUnsafeSlow(longest)
  #address: bigint | undefined
  /** What is there: names of attributes are the same most of the time. */
  #text: ByteString | undefined

  /** Puts a path there, and answers where that is. @throws as `pathBytes`. */
  put(path: Path): bigint {
    if (typeof path !== 'string' || path !== this.#text) {
      this.#text = undefined
      writeBytes(path, this.#bytes, longest)
      if (typeof path === 'string') this.#text = path
    }
    return (this.#address ??= koffi('a system call').address(this.#bytes))
  }
}

/** A path as it is shown in errors. */
export function shown(path: Path): string {
  return typeof path === 'string' ? decodeText(path) : Buffer.from(path).toString('utf8')
}

function writeBytes(path: Path, into: Buffer, limit: number): void {
  const { length } = path
  if (length >= limit) throw new PlyError('ENAMETOOLONG', { path: shown(path) })
  if (typeof path === 'string') {
    if (/[^\x01-\xff]/.test(path)) throw new PlyError('EINVAL', { path })
    into.write(path, 0, length, 'latin1')
  } else {
    if (path.includes(0)) throw new PlyError('EINVAL', { path: shown(path) })
    into.set(path)
  }
  into[length] = 0
}
