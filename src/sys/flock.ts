import { setTimeout as sleep } from 'node:timers/promises'
import { PlyError } from '../model/errors.ts'
import { errnoName, lastErrno, libc, systemError } from './libc.ts'

const shared = 1
const exclusive = 2
const nonBlocking = 4
const none = 8

const flock = libc('int flock(int, int)')

/**
 * Tries `flock(2)` on a descriptor; it ends when the descriptor (and every copy of it) is closed. Two descriptors of one process that
 * were opened separately exclude each other, too.
 *
 * @returns whether the lock was taken. @throws ENOTSUP and the like where the file system has no locks; PLY_NO_NATIVE.
 */
export function tryFlock(fd: number, mode: { readonly shared: boolean }): boolean {
  for (;;) {
    if (flock(fd, (mode.shared ? shared : exclusive) | nonBlocking) === 0) return true
    const errno = lastErrno()
    const name = errnoName(errno)
    if (name === 'EAGAIN') return false
    if (name !== 'EINTR') throw systemError('flock', errno)
  }
}

/** Ends a lock that was taken with this descriptor. */
export function unlock(fd: number): void {
  if (flock(fd, none) !== 0) throw systemError('flock', lastErrno())
}

/**
 * Asks again and again, at first at once and then 20 times a second, until `attempt` answers something. Waiting inside the
 * system call would hold a thread that nothing can call back.
 *
 * @throws PLY_ABORTED
 */
export async function patiently<T>(attempt: () => T | undefined, signal: AbortSignal | undefined): Promise<T> {
  for (let pause = 1; ; pause = Math.min(50, pause * 2)) {
    const result = attempt()
    if (result !== undefined) return result
    try {
      await sleep(pause, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      throw new PlyError('PLY_ABORTED', {}, { cause: signal?.reason ?? error })
    }
  }
}
