import { constants } from 'node:os'
import { errnoNumber } from '../model/errno.ts'
import { codeOf, type ErrnoName, isErrnoName, PlyError } from '../model/errors.ts'

/** An answer of the file system as Node gives it: `errno` is negative, the message names the call and the path. */
export type Refusal = PlyError & { readonly errno: number }

/** `path` and `dest` are texts, as the caller gave them. */
export function refusal(code: ErrnoName, syscall: string, path?: string, dest?: string, cause?: unknown): Refusal {
  const details = { syscall, ...(path !== undefined && { path }), ...(dest !== undefined && { dest }) }
  const error = new PlyError(code, details, cause === undefined ? undefined : { cause })
  return Object.assign(error, { errno: -(errnoNumber(code) ?? constants.errno.EIO) })
}

/** Says of an error from below which call on which path met it. What is no answer of a file system stays as it is. */
export function asRefusal(error: unknown, syscall: string, path?: () => string, dest?: () => string): unknown {
  if (error instanceof PlyError && 'errno' in error) return error
  const code = codeOf(error)
  if (!isErrnoName(code)) return error
  return refusal(code, syscall, path?.(), dest?.(), error instanceof PlyError ? error.cause : error)
}

/** The same refusal, as that of another call: what one call does by means of others is its own. */
export function refusedAs(error: unknown, syscall: string, path: string, dest?: string): unknown {
  if (!(error instanceof PlyError) || error.syscall === undefined || !isErrnoName(error.code)) return error
  return refusal(error.code, syscall, path, dest, error.cause)
}

/** An error of the caller, as Node makes it: a `TypeError` or `RangeError` with a code. */
export function misuse<Code extends string>(
  code: Code,
  message: string,
  type: new (message: string) => Error = TypeError,
): Error & { code: Code } {
  return Object.assign(new type(message), { code })
}

/** What Node says where it refuses by itself what the system would have done: a `SystemError`. */
export function nodeRefusal(
  code: string,
  prefix: string,
  info: { readonly code: string; readonly message: string; readonly path: string; readonly syscall: string },
): Error {
  const { syscall, path } = info
  const errno = errnoNumber(info.code) ?? constants.errno.EINVAL
  const error = new Error(`${prefix}: ${syscall} returned ${info.code} (${info.message}) ${path}`)
  Object.defineProperty(error, 'name', { value: 'SystemError', enumerable: false })
  return Object.assign(error, { code, info: { ...info, errno }, errno, syscall, path })
}

/** What ends a call whose signal was aborted. */
export function aborted(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' })
}
