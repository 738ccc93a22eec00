import { type ByteString, displayText } from '../model/bytes.ts'
import { codeOf, isErrnoName, PlyError } from '../model/errors.ts'

/** What the disk answered, with the path in the tree: the one on the disk is gone by the time anybody reads it. */
export function at(path: ByteString, error: unknown): unknown {
  const code = codeOf(error)
  if (!isErrnoName(code)) return error
  const { syscall } = error as NodeJS.ErrnoException
  const details = { path: `/${displayText(path)}`, ...(syscall !== undefined && { syscall }) }
  return new PlyError(code, details, { cause: error })
}
