import { closeSync, constants, openSync } from 'node:fs'
import { lastErrno, libc, systemError } from './libc.ts'

const syncfs = libc('int syncfs(int)')

/**
 * Everything that was written to the file system under a path is on its disk when this returns, whoever wrote it.
 *
 * @param path text or bytes, as `node:fs` takes it.
 * @throws EIO, ENOSPC; PLY_NO_NATIVE.
 */
export function syncFileSystem(path: string | Buffer): void {
  const fd = openSync(path, constants.O_RDONLY)
  try {
    if (syncfs(fd) !== 0) throw systemError('syncfs', lastErrno(), String(path))
  } finally {
    closeSync(fd)
  }
}
