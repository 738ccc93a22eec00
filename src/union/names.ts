import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

/** Bytes of one name, as everywhere on Linux (NAME_MAX). */
export const longestName = 255

/** @throws EINVAL for what is no name (empty, `.`, `..`, with `/` or NUL), ENAMETOOLONG above 255 bytes. */
export function checkName(name: ByteString, syscall: string): void {
  if (name.length > longestName) throw new PlyError('ENAMETOOLONG', { syscall })
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new PlyError('EINVAL', { syscall })
  }
}

/** Bytes of one value (XATTR_SIZE_MAX). */
const largestXattr = 1 << 16

/** @throws ERANGE for no name or one above 255 bytes, EOPNOTSUPP outside of the four namespaces of Linux, E2BIG above 64 KiB. */
export function checkXattr(name: ByteString, value: Uint8Array | undefined, syscall: string): void {
  if (name === '' || name.length > longestName) throw new PlyError('ERANGE', { syscall })
  if (!/^(?:user|trusted|security|system)\..+/s.test(name)) throw new PlyError('EOPNOTSUPP', { syscall })
  if (value && value.length > largestXattr) throw new PlyError('E2BIG', { syscall })
}
