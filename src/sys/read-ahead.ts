import { writeFileSync } from 'node:fs'
import { codeOf } from '../model/errors.ts'

/**
 * Lets the kernel read so many bytes of a mount ahead, where this process may say so: what it offers FUSE servers is 128 KiB, of which
 * each request has the same cost as of more. `device` is the minor number of the mount.
 */
export function widenReadAhead(device: number, bytes: number): void {
  try {
    writeFileSync(`/sys/class/bdi/0:${device}/read_ahead_kb`, String(bytes >> 10))
  } catch (error) {
    // Not root of this machine, no /sys, or one that is read only: then it stays as it is.
    if (codeOf(error) === undefined) throw error
  }
}
