import { PlyError } from '../model/errors.ts'
import type { Disk } from './disk.ts'
import { withPath } from './system-error.ts'

/** A file, open for reading: `Bytes` of `stream/bytes.ts`, which this folder cannot import. */
export interface FileBytes {
  readonly size: number
  read(into: Uint8Array, position: number): number
  close(): void
  readonly extent: { readonly fd: number; readonly offset: number }
}

/**
 * The content of a file on a disk, as large as it is now. The caller closes it. `extent.fd` belongs to that disk: hand it to
 * no other one's `copy`.
 *
 * @param path text, as `node:fs` takes it.
 * @throws ENOENT, EACCES and other errnos of open; EISDIR for a directory.
 */
export function fileBytes({ fs }: Pick<Disk, 'fs'>, path: string): FileBytes {
  let fd: number
  try {
    fd = fs.openSync(path, 'r')
  } catch (error) {
    throw withPath(error, path)
  }
  const stat = fs.fstatSync(fd)
  if (stat.isDirectory()) {
    fs.closeSync(fd)
    throw new PlyError('EISDIR', { syscall: 'read', path })
  }
  let open = true
  return {
    size: stat.size,
    extent: { fd, offset: 0 },
    read(into, position) {
      // The number may name another file by now.
      if (!open) throw new PlyError('EBADF', { syscall: 'read', path })
      try {
        let filled = 0
        while (filled < into.length) {
          const got = fs.readSync(fd, into, filled, into.length - filled, position + filled)
          if (got === 0) break
          filled += got
        }
        return filled
      } catch (error) {
        throw withPath(error, path)
      }
    },
    close() {
      if (!open) return
      open = false
      fs.closeSync(fd)
    },
  }
}
