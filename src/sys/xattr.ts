import type { ByteString } from '../model/bytes.ts'
import { noXattrs, type Xattrs } from '../model/entry.ts'
import type { PlyError } from '../model/errors.ts'
import { errnoName, koffi, lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

/**
 * Extended attributes, byte for byte. The target is a path (a byte string, see `path.ts`), whose last symlink is not
 * followed, or an open descriptor. Names are full (`user.x`) and byte strings.
 */
export type XattrTarget = Path | number

/** The kernel's limit, for one value and for all names together: no call has to be tried twice. */
const largest = 64 << 10
/** Bytes of a value that are copied rather than pointed to. */
const small = 256

const slots = { path: new PathSlot(), name: new PathSlot() }
let scratch: { readonly bytes: Buffer; readonly address: bigint } | undefined

const lgetxattr = libc('long lgetxattr(uintptr_t, uintptr_t, uintptr_t, size_t)')
const fgetxattr = libc('long fgetxattr(int, uintptr_t, uintptr_t, size_t)')
const lsetxattr = libc('int lsetxattr(uintptr_t, uintptr_t, uintptr_t, size_t, int)')
const fsetxattr = libc('int fsetxattr(int, uintptr_t, uintptr_t, size_t, int)')
const llistxattr = libc('long llistxattr(uintptr_t, uintptr_t, size_t)')
const flistxattr = libc('long flistxattr(int, uintptr_t, size_t)')
const lremovexattr = libc('int lremovexattr(uintptr_t, uintptr_t)')
const fremovexattr = libc('int fremovexattr(int, uintptr_t)')

/**
 * The value, in a buffer of its own; `undefined` if there is no such attribute.
 *
 * @throws ENOTSUP where the file system has none; ENOENT, EACCES …; PLY_NO_NATIVE.
 */
export function getXattr(target: XattrTarget, name: ByteString): Buffer | undefined {
  const size = read(target, name)
  return size === undefined ? undefined : Buffer.from(answers().bytes.subarray(0, size))
}

/**
 * Sets a value. `create` refuses to replace one (EEXIST), `replace` to make one (ENODATA).
 *
 * @throws ENOTSUP, ENOSPC, EDQUOT, E2BIG, ERANGE (the name), EPERM; PLY_NO_NATIVE.
 */
export function setXattr(target: XattrTarget, name: ByteString, value: Uint8Array, only?: 'create' | 'replace'): void {
  const flags = only === undefined ? 0 : only === 'create' ? 1 : 2
  const nameAt = slots.name.put(name)
  const valueAt = valueAddress(value)
  const result =
    typeof target === 'number'
      ? fsetxattr(target, nameAt, valueAt, value.length, flags)
      : lsetxattr(slots.path.put(target), nameAt, valueAt, value.length, flags)
  if (result !== 0) fail('setxattr', target)
}

/** @throws ENODATA if there is no such attribute, and as `getXattr`. */
export function removeXattr(target: XattrTarget, name: ByteString): void {
  const nameAt = slots.name.put(name)
  const result =
    typeof target === 'number' ? fremovexattr(target, nameAt) : lremovexattr(slots.path.put(target), nameAt)
  if (result !== 0) fail('removexattr', target)
}

/** The full names that this process may see, in the file system's order. @throws as `getXattr`. */
export function listXattrs(target: XattrTarget): ByteString[] {
  const { bytes, address } = answers()
  const size =
    typeof target === 'number'
      ? flistxattr(target, address, largest)
      : llistxattr(slots.path.put(target), address, largest)
  if (size === 0) return []
  if (size < 0) fail('listxattr', target)
  // Each name ends with a NUL.
  return bytes.toString('latin1', 0, Number(size) - 1).split('\0')
}

/** All names with their values. One that is removed meanwhile, or hidden from this process, is left out. @throws as `getXattr`. */
export function readXattrs(target: XattrTarget): Xattrs {
  const names = listXattrs(target)
  if (names.length === 0) return noXattrs
  const all = new Map<ByteString, Uint8Array>()
  for (const name of names) {
    const value = getXattr(target, name)
    if (value !== undefined) all.set(name, value)
  }
  return all
}

function read(target: XattrTarget, name: ByteString): number | undefined {
  const { address } = answers()
  const nameAt = slots.name.put(name)
  const size =
    typeof target === 'number'
      ? fgetxattr(target, nameAt, address, largest)
      : lgetxattr(slots.path.put(target), nameAt, address, largest)
  if (size >= 0) return Number(size)
  const errno = lastErrno()
  if (errnoName(errno) === 'ENODATA') return undefined
  throw failure('getxattr', errno, target)
}

/** Where a value lies for the kernel: to copy a small one takes less than to ask where it is. */
function valueAddress(value: Uint8Array): bigint {
  if (value.length > small) return koffi('an extended attribute').address(value)
  const { bytes, address } = answers()
  bytes.set(value)
  return address
}

/** Where the kernel writes what it is asked for. */
function answers(): { readonly bytes: Buffer; readonly address: bigint } {
  if (scratch === undefined) {
    const bytes = Buffer.allocUnsafeSlow(largest)
    scratch = { bytes, address: koffi('an extended attribute').address(bytes) }
  }
  return scratch
}

function fail(syscall: string, target: XattrTarget): never {
  throw failure(syscall, lastErrno(), target)
}

function failure(syscall: string, errno: number, target: XattrTarget): PlyError {
  return systemError(
    typeof target === 'number' ? `f${syscall}` : `l${syscall}`,
    errno,
    typeof target === 'number' ? undefined : shown(target),
  )
}
