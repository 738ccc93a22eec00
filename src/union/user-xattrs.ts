import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { defaultAcl, isAcl, readAcl } from './acl.ts'
import type { User } from './user.ts'

/**
 * `xattr_permission`, and what the capabilities' own module asks: whether write permission for the file is needed too.
 * @throws EPERM; EINVAL and EOPNOTSUPP for what is no ACL at all
 */
export function maySetXattr(user: User, stat: Stat, name: ByteString, value: Uint8Array | undefined): boolean {
  const refused = () => new PlyError('EPERM', { syscall: value === undefined ? 'removexattr' : 'setxattr' })
  if (isAcl(name)) {
    if (value) readAcl(value)
    const applies = stat.kind !== 'symlink' && (name !== defaultAcl || stat.kind === 'directory')
    if (applies && !user.owns(stat)) throw refused()
    return false
  }
  if (name.startsWith('security.')) {
    if (!user.can(name === 'security.capability' ? 'CAP_SETFCAP' : 'CAP_SYS_ADMIN')) throw refused()
    return false
  }
  if (name.startsWith('trusted.')) {
    if (!user.can('CAP_SYS_ADMIN')) throw refused()
    return false
  }
  if (name.startsWith('system.')) return false
  if (name.startsWith('user.')) {
    if (stat.kind !== 'file' && stat.kind !== 'directory') throw refused()
    if (stat.kind === 'directory' && (stat.mode & 0o1000) !== 0 && !user.owns(stat)) throw refused()
  }
  return true
}
