import { libc } from './libc.ts'

const close = libc('int close(int)')

/**
 * Closes a descriptor that this thread has not got from Node: a system call made it, or another thread. Threads keep a list of theirs, and
 * Node warns of what is closed and not on it, so it is not told.
 */
export function closeUnmanaged(fd: number): void {
  close(fd)
}
