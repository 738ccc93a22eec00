import { lastErrno, libc, systemError } from './libc.ts'
import { shown } from './path.ts'

const call = libc('int ioctl(int, unsigned long, void*)')

/** `ioctl(2)` with an argument in memory, which it may change. @throws ENOTTY where nobody knows the command, EPERM, EINVAL …; PLY_NO_NATIVE */
export function ioctl(fd: number, command: number, memory: Uint8Array, path?: string): number {
  const result = Number(call(fd, command, memory))
  if (result < 0) throw systemError('ioctl', lastErrno(), path && shown(path))
  return result
}
