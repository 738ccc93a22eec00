import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, pathBytes, shown } from './path.ts'

/** Flags of `mount(2)`. */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDevices: 4,
  noExec: 8,
  remount: 32,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  slave: 1 << 19,
  private: 1 << 18,
} as const

/** Flags of `umount2(2)`. */
export const unmountFlags = { force: 1, detach: 2, noFollow: 8 } as const

/** The kernel reads one page of options and silently drops what is beyond it. */
const longestOptions = 4095

const mountCall = libc('int mount(void*, void*, void*, unsigned long, void*)')
const umountCall = libc('int umount2(void*, int)')

/**
 * `mount(2)`. All strings are byte strings (see `path.ts`); a comma or a backslash in an option's value must be escaped by the caller.
 *
 * @throws EPERM, EBUSY, EINVAL, ENODEV (no such file system), ENOTBLK (a file needs a loop device), ENOENT …; E2BIG for
 * options of more than 4095 bytes; PLY_NO_NATIVE.
 */
export function mount(source: Path, target: Path, type: ByteString, flags: number, data: Path = ''): void {
  if (data.length > longestOptions) throw new PlyError('E2BIG', { syscall: 'mount', path: shown(target) })
  const result = mountCall(pathBytes(source), pathBytes(target), pathBytes(type), flags, pathBytes(data))
  if (result !== 0) throw systemError('mount', lastErrno(), shown(target))
}

/** `umount2(2)`. @throws EBUSY, EINVAL (not a mount point), EPERM; PLY_NO_NATIVE. */
export function umount(target: Path, flags = 0): void {
  if (umountCall(pathBytes(target), flags) !== 0) throw systemError('umount', lastErrno(), shown(target))
}
