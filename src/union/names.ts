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

/** @throws ERANGE for no name or one above 255 bytes, EOPNOTSUPP outside of the four namespaces of Linux. */
export function checkXattrName(name: ByteString, syscall: string): void {
  if (name === '' || name.length > longestName) throw new PlyError('ERANGE', { syscall })
  if (!/^(?:user|trusted|security|system)\..+/s.test(name)) throw new PlyError('EOPNOTSUPP', { syscall })
}
