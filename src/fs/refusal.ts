import { constants } from 'node:os'
import { codeOf, type ErrnoName, isErrnoName, PlyError } from '../model/errors.ts'

/** An answer of the file system as Node gives it: `errno` is negative, the message names the call and the path. */
export type Refusal = PlyError & { readonly errno: number }

const numbers: Readonly<Record<string, number | undefined>> = constants.errno

/** `path` and `dest` are texts, as the caller gave them. */
export function refusal(code: ErrnoName, syscall: string, path?: string, dest?: string, cause?: unknown): Refusal {
  const details = { syscall, ...(path !== undefined && { path }), ...(dest !== undefined && { dest }) }
  const error = new PlyError(code, details, cause === undefined ? undefined : { cause })
  return Object.assign(error, { errno: -(numbers[code] ?? constants.errno.EIO) })
}

/** Says of an error from below which call on which path met it. What is no answer of a file system stays as it is. */
export function asRefusal(error: unknown, syscall: string, path?: string, dest?: string): unknown {
  if (error instanceof PlyError && 'errno' in error) return error
  const code = codeOf(error)
  if (!isErrnoName(code)) return error
  return refusal(code, syscall, path, dest, error instanceof PlyError ? error.cause : error)
}

/** An error of the caller, as Node makes it: a `TypeError` or `RangeError` with a code. */
export function misuse<Code extends string>(
  code: Code,
  message: string,
  type: typeof TypeError = TypeError,
): TypeError & { code: Code } {
  return Object.assign(new type(message), { code })
}
