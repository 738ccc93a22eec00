import { readdirSync } from 'node:fs'
import { libc } from './libc.ts'

const setDescriptorFlags = 2
const closeOnExec = 1

const fcntl = libc('int fcntl(int, int, int)')

/**
 * Sees to it that programs started from here on inherit nothing but standard input, output and error, and what they are given. A
 * descriptor that whoever started this process left open would be theirs too: a lock, or the end of a pipe that somebody waits for.
 *
 * @throws PLY_NO_NATIVE
 */
export function inheritNothing(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    // One of them is the listing's own, and gone by now.
    if (fd > 2) fcntl(fd, setDescriptorFlags, closeOnExec)
  }
}
