import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Cuts off everybody who waits for an answer of a FUSE mount, and the server with them. Its user may do it, where the kernel shows its
 * connections. Answers whether that was so.
 *
 * @param device the minor number of the mount's device, which names its connection
 */
export function abortFuseConnection(device: number): boolean {
  try {
    writeFileSync(`/sys/fs/fuse/connections/${device}/abort`, '1')
    return true
  } catch {
    return false
  }
}

/** Whether `/etc/fuse.conf` lets ordinary users open their mounts to others. */
export function usersMayAllowOther(path = '/etc/fuse.conf'): boolean {
  try {
    return /^user_allow_other\s*$/m.test(readFileSync(path, 'latin1'))
  } catch {
    return false
  }
}
