import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { encodeText } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { makeNode } from '../../sys/nodes.ts'
import { setXattr } from '../../sys/xattr.ts'
import type { Layout } from '../layout.ts'

/**
 * Whether this process may write overlayfs's own form here: a device 0:0 and an xattr in `trusted.`. Asked of the disk
 * itself, since neither the user id nor the file system's name says it.
 */
export function overlayWorks(disk: Disk, layout: Layout): boolean {
  if (disk.kind !== 'disk' || process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const path = join(layout.tmp, `probe-${randomBytes(8).toString('hex')}`)
  const probe = encodeText(path)
  try {
    makeNode(probe, { kind: 'character', major: 0, minor: 0, mode: 0o600 })
    setXattr(probe, 'trusted.overlay.opaque', Buffer.from('y'))
    return true
  } catch (error) {
    if (['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'PLY_NO_NATIVE'].includes(codeOf(error) ?? ''))
      return false
    throw error
  } finally {
    disk.fs.rmSync(path, { force: true })
  }
}
