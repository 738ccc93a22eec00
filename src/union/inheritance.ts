import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { accessAcl, defaultAcl, fromDefault, parseAcl, serializeAcl } from './acl.ts'

/** Who makes something. */
export interface Maker {
  readonly uid: number
  readonly gid: number
  /** Mode bits that what is made does not get. It does not count under a default ACL. */
  readonly umask: number
  /** Whether a set-group-id bit may be had for this group: members and the privileged may. Absent: for any. */
  readonly mayHaveSetGroup?: (gid: number) => boolean
}

/** What a directory hands on to what is made in it: by its mode, its group, and the default ACL among its xattrs. */
export interface Heritage {
  readonly stat: Pick<Stat, 'mode' | 'gid'>
  readonly xattrs: Xattrs
}

export interface Inherited {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Absent: none. */
  readonly xattrs?: Xattrs
}

const setUser = 0o4000
const setGroup = 0o2000
const groupExecute = 0o010

/**
 * What a new inode gets of its directory and of who makes it: owner and group (that of a set-group-id directory, which hands the
 * bit on to directories), the mode less the umask or as a default ACL narrows it, and the ACLs. `mode` is the one that was asked
 * for; a symlink has always 0777.
 */
export function inherited(
  directory: Heritage,
  kind: Kind,
  mode: number,
  { uid, gid, umask, mayHaveSetGroup }: Maker,
): Inherited {
  const handsGroupOn = (directory.stat.mode & setGroup) !== 0
  const owner = { uid, gid: handsGroupOn ? directory.stat.gid : gid }
  if (kind === 'symlink') return { mode: 0o777, uid, gid: owner.gid }
  const isDirectory = kind === 'directory'
  // `mkdir` takes no set-id bits; a set-group-id program of the directory's group is not to be had by making it there.
  let wanted = isDirectory ? mode & ~(setUser | setGroup) : mode
  const wantsSetGroup = (wanted & setGroup) !== 0 && (wanted & groupExecute) !== 0
  if (wantsSetGroup && handsGroupOn && mayHaveSetGroup?.(owner.gid) === false) wanted &= ~setGroup
  const bit = isDirectory && handsGroupOn ? setGroup : 0
  const value = directory.xattrs.get(defaultAcl)
  const acl = value && parseAcl(value)
  if (!acl) return { mode: (wanted & ~umask) | bit, uid, gid: owner.gid }
  const { mode: narrowed, access } = fromDefault(acl, wanted)
  const xattrs = new Map<string, Uint8Array>()
  if (access) xattrs.set(accessAcl, serializeAcl(access))
  if (isDirectory) xattrs.set(defaultAcl, value)
  return { mode: narrowed | bit, ...owner, ...(xattrs.size > 0 && { xattrs }) }
}
