import * as nodeFs from 'node:fs'
import { PlyError } from '../model/errors.ts'
import type { Disk } from './disk.ts'
import { isNativeLoaded, lastErrno, libc, systemError } from './libc.ts'
import { withPath } from './system-error.ts'

const pread = libc('long pread(int, void*, size_t, int64_t)')

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
  const isReal = fs.readSync === nodeFs.readSync
  /** Into all of `into`. Where native calls are at hand they take two thirds of what Node takes for a few kilobytes. */
  const readAt = (into: Uint8Array, position: number): number => {
    if (!isReal || !isNativeLoaded()) return fs.readSync(fd, into, 0, into.length, position)
    const got = Number(pread(fd, into, into.length, position))
    if (got < 0) throw systemError('read', lastErrno(), path)
    return got
  }
  return {
    size: stat.size,
    extent: { fd, offset: 0 },
    read(into, position) {
      // The number may name another file by now.
      if (!open) throw new PlyError('EBADF', { syscall: 'read', path })
      try {
        let filled = readAt(into, position)
        for (let got = filled; got > 0 && filled < into.length; filled += got)
          got = readAt(into.subarray(filled), position + filled)
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
