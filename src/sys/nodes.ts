import { type Kind, typeBits } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

/** What a node is made of. Device numbers are for the two kinds of device; `mode` is permissions, under the umask. */
export interface NodeSpec {
  readonly kind: Kind & ('character' | 'block' | 'fifo' | 'socket' | 'file')
  readonly mode: number
  readonly major?: number
  readonly minor?: number
}

const currentDirectory = -100
const slot = new PathSlot()
const mknodat = libc('int mknodat(int, uintptr_t, unsigned int, unsigned long)')

/**
 * Makes a node with `mknod(2)`. Anyone may make a fifo, a socket and a character device 0/0 (a whiteout).
 *
 * @param path a byte string, see `path.ts`.
 * @throws EEXIST; EPERM for a device without the privilege; EINVAL for numbers that the kernel does not keep; PLY_NO_NATIVE.
 */
export function makeNode(path: Path, { kind, mode, major = 0, minor = 0 }: NodeSpec): void {
  // The kernel keeps 12 and 20 bits; it would cut off the rest.
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw new PlyError('EINVAL', { syscall: 'mknod', path: shown(path) })
  const device = BigInt((minor & 0xff) | (major << 8)) | (BigInt(minor & 0xfff00) << 12n)
  if (mknodat(currentDirectory, slot.put(path), typeBits[kind] | mode, device) !== 0) {
    throw systemError('mknod', lastErrno(), shown(path))
  }
}

/** A named pipe. @throws as `makeNode`. */
export function makeFifo(path: Path, mode: number): void {
  makeNode(path, { kind: 'fifo', mode })
}
