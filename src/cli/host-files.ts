import { randomBytes } from 'node:crypto'
import { lstat, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Library } from './library.ts'

/** A path on this machine as a byte string or text, with another name for it that nobody uses. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`)
}

/**
 * Writes a file wholly or not at all: under another name first, synced, then renamed. What is not a regular file (a device, a
 * pipe) is written to as it stands.
 */
export async function writeWhole(
  path: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  library: Library,
): Promise<void> {
  const existing = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  const direct = existing !== undefined && !existing.isFile() && !existing.isDirectory()
  const target = direct ? path : temporaryBeside(path)
  if (existing?.isDirectory()) throw new library.PlyError('EISDIR', { syscall: 'open', path })
  const file = await open(target, direct ? 'w' : 'wx', 0o666).catch((error: unknown) => {
    throw withoutTemporary(error)
  })
  try {
    try {
      for await (const chunk of content) {
        if (signal.aborted) throw new library.PlyError('PLY_ABORTED', {}, { cause: signal.reason })
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten
      }
      if (!direct) await file.sync()
    } finally {
      await file.close()
    }
    if (!direct) await rename(target, path)
  } catch (error) {
    if (!direct) await unlink(target).catch(() => {})
    throw withPath(withoutTemporary(error), path)
  }
}

/** Errors name the file that was asked for, not the temporary one beside it. */
export function withoutTemporary(error: unknown): unknown {
  const failed = error as NodeJS.ErrnoException
  if (!(error instanceof Error) || failed.syscall === undefined) return error
  const asked = (text: string) => text.replace(/\.([^/']+)\.[0-9a-f]{12}\.tmp/g, '$1')
  failed.message = asked(failed.message)
  if (typeof failed.path === 'string') failed.path = asked(failed.path)
  return failed
}

/** Node does not say which file a failed write was to. Answers the same error, with the path in it. */
export function withPath(error: unknown, path: string): unknown {
  const failed = error as NodeJS.ErrnoException
  if (!(error instanceof Error) || failed.syscall === undefined || failed.path !== undefined) return error
  failed.path = path
  failed.message += ` '${path}'`
  return failed
}
