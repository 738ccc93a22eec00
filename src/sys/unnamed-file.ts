import * as fs from 'node:fs'
import { type ByteString, bytesOf } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

const currentDirectory = -100
const followSymlink = 0x400
/** `O_TMPFILE`, which `node:fs` has no name for: its own bit, and that of a directory. */
const unnamedFlag = 0o20000000 | (fs.constants.O_DIRECTORY ?? 0)

const slots = { from: new PathSlot(), to: new PathSlot() }
const linkat = libc('int linkat(int, uintptr_t, int, uintptr_t, int)')

/** What file systems and kernels answer that have no files without names. */
const unable = new Set(['EOPNOTSUPP', 'ENOTSUP', 'EISDIR', 'EINVAL'])

/**
 * Opens a new file that has no name, on the file system of a directory, for reading and writing (`O_TMPFILE`): it is gone when it is
 * closed. `undefined` where there are none.
 *
 * @param directory a byte string.
 * @throws ENOENT, EACCES, ENOSPC, EMFILE …
 */
export function openUnnamed(directory: ByteString, mode: number): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return fs.openSync(bytesOf(directory), unnamedFlag | fs.constants.O_RDWR, mode)
  } catch (error) {
    if (unable.has(codeOf(error) ?? '')) return undefined
    throw error
  }
}

/** Gives such a file its first name, through `/proc`. @throws EEXIST, ENOENT, EXDEV, ENOSPC …; PLY_NO_NATIVE. */
export function nameUnnamed(fd: number, path: Path): void {
  const from = slots.from.put(`/proc/self/fd/${fd}`)
  if (linkat(currentDirectory, from, currentDirectory, slots.to.put(path), followSymlink) !== 0)
    throw systemError('linkat', lastErrno(), shown(path))
}
