import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

/** `O_CLOEXEC`, which `node:fs` sets and has no name for. */
const closeOnExec = 0x80000

const slot = new PathSlot()
const openat = libc('int openat(int, uintptr_t, int, unsigned int)')

/**
 * Opens a name in a directory that is open: nothing on the way to it is walked again. Linux.
 *
 * @param name a byte string without a slash.
 * @param mode octal, of a file that is made (`O_CREAT`).
 * @returns a descriptor, closed by `fs.closeSync`.
 * @throws ENOENT, EEXIST, ENOSPC, EMFILE …; PLY_NO_NATIVE.
 */
export function openAt(directory: number, name: Path, flags: number, mode = 0): number {
  const fd = Number(openat(directory, slot.put(name), flags | closeOnExec, mode))
  if (fd < 0) throw systemError('open', lastErrno(), shown(name))
  return fd
}
