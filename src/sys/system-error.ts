import { codeOf, isErrnoName, PlyError } from '../model/errors.ts'

/**
 * An error of `node:fs` as a `PlyError` with the same errno code, the error as its cause, and the path that Node leaves out when the
 * call was on a descriptor. Anything that is not an errno comes back as it is.
 */
export function withPath(error: unknown, path: string): unknown {
  const code = codeOf(error)
  if (error instanceof PlyError || !isErrnoName(code)) return error
  const { syscall, path: named = path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string }
  return new PlyError(
    code,
    { path: named, ...(syscall !== undefined && { syscall }), ...(dest !== undefined && { dest }) },
    { cause: error },
  )
}
