import { codeOf, PlyError } from '../model/errors.ts'
import { errnoName, lastErrno, libc, systemError } from './libc.ts'

/** What `fallocate(2)` is asked for; none but `extend` changes the size. */
export type AllocationMode = 'extend' | 'reserve' | 'punch' | 'zero'

/** `FALLOC_FL_KEEP_SIZE` 1, `FALLOC_FL_PUNCH_HOLE` 2, `FALLOC_FL_ZERO_RANGE` 16. */
const flags: Readonly<Record<AllocationMode, number>> = { extend: 0, reserve: 1, punch: 3, zero: 17 }

const fallocate = libc('int fallocate(int, int, long, long)')

/**
 * Takes or frees room in an open file, and makes zeros of a range. Bytes.
 *
 * @throws EOPNOTSUPP where the file system cannot, or without native calls; EFBIG, ENOSPC, EDQUOT, EBADF, EINVAL.
 */
export function allocateRange(fd: number, what: AllocationMode, position: number, length: number): void {
  for (;;) {
    let result: number | bigint
    try {
      result = fallocate(fd, flags[what], position, length)
    } catch (error) {
      if (codeOf(error) !== 'PLY_NO_NATIVE') throw error
      throw new PlyError('EOPNOTSUPP', { syscall: 'fallocate' }, { cause: error })
    }
    if (result === 0) return
    const errno = lastErrno()
    const name = errnoName(errno)
    if (name === 'EINTR') continue
    if (name === 'ENOTSUP' || name === 'ENOSYS') throw new PlyError('EOPNOTSUPP', { syscall: 'fallocate' })
    throw systemError('fallocate', errno)
  }
}
