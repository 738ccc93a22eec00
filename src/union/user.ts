import type { Stat, Xattrs } from '../model/entry.ts'
import { accessAcl, grants, readAcl } from './acl.ts'

/** The capabilities of Linux that file systems ask for. */
export const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_MKNOD',
  'CAP_SETFCAP',
  'CAP_SYS_ADMIN',
] as const

/** A capability of Linux that counts in a tree, as <linux/capability.h> calls it. */
export type Capability = (typeof capabilities)[number]

/** On whose behalf something is done. */
export interface Credentials {
  readonly uid: number
  readonly gid: number
  /** Supplementary groups. */
  readonly groups?: readonly number[]
  /** Mode bits that what is made does not get. Default: 022. */
  readonly umask?: number
  /** Default: all of them for uid 0, none for anybody else. */
  readonly capabilities?: readonly Capability[]
  /**
   * Whether to link to other people's files only what may be read and written anyway (`fs.protected_hardlinks`). Default:
   * true, as distributions set it.
   */
  readonly protectedHardlinks?: boolean
}

/** What is asked for, as bits that may be added up: those of `access(2)`. */
export const wants = { read: 4, write: 2, execute: 1 } as const

const setGroup = 0o2000

/** Somebody with rights: answers what Linux's VFS asks about the one who calls. */
export class User {
  readonly uid: number
  readonly gid: number
  readonly umask: number
  readonly protectedHardlinks: boolean
  readonly #groups: ReadonlySet<number>
  readonly #capabilities: ReadonlySet<Capability>

  constructor(given: Credentials) {
    this.uid = given.uid
    this.gid = given.gid
    this.umask = given.umask ?? 0o022
    this.protectedHardlinks = given.protectedHardlinks ?? true
    this.#groups = new Set([given.gid, ...(given.groups ?? [])])
    this.#capabilities = new Set(given.capabilities ?? (given.uid === 0 ? capabilities : []))
  }

  can(capability: Capability): boolean {
    return this.#capabilities.has(capability)
  }

  /** `in_group_p` */
  readonly inGroup = (gid: number): boolean => this.#groups.has(gid)

  /** Whether it is the user's, or may be treated so: `inode_owner_or_capable`. */
  owns({ uid }: Stat): boolean {
    return uid === this.uid || this.can('CAP_FOWNER')
  }

  /** Whether a set-group-id bit may be had for a group: `in_group_or_capable`. */
  readonly mayHaveSetGroup = (gid: number): boolean => this.inGroup(gid) || this.can('CAP_FSETID')

  /** `generic_permission`: whether all of `wanted` is granted by owner, ACL, group, others or a capability. */
  may(stat: Stat, wanted: number, xattrs: () => Xattrs): boolean {
    if (this.#granted(stat, wanted, xattrs)) return true
    if (stat.kind === 'directory') {
      return this.can('CAP_DAC_OVERRIDE') || ((wanted & wants.write) === 0 && this.can('CAP_DAC_READ_SEARCH'))
    }
    if (wanted === wants.read && this.can('CAP_DAC_READ_SEARCH')) return true
    const runnable = (wanted & wants.execute) === 0 || (stat.mode & 0o111) !== 0
    return runnable && this.can('CAP_DAC_OVERRIDE')
  }

  /** `check_sticky`: whether a name in a directory is kept from this user by its sticky bit. */
  keptBySticky(directory: Stat, stat: Stat): boolean {
    return (directory.mode & 0o1000) !== 0 && stat.uid !== this.uid && !this.owns(directory)
  }

  /** A mode without the set-group-id bit, where it may not be had for the group. */
  allowedMode(mode: number, gid: number): number {
    return this.mayHaveSetGroup(gid) ? mode : mode & ~setGroup
  }

  /** The mode that a write, or a change of owner, leaves behind: `setattr_should_drop_suidgid`. */
  withoutSetId({ kind, mode, gid }: Stat): number {
    if (kind === 'directory') return mode
    const dropsGroup = (mode & 0o010) !== 0 || !this.mayHaveSetGroup(gid)
    return mode & ~0o4000 & (dropsGroup ? ~setGroup : ~0)
  }

  /** `acl_permission_check` */
  #granted({ kind, uid, gid, mode }: Stat, wanted: number, xattrs: () => Xattrs): boolean {
    if (uid === this.uid) return (wanted & ~(mode >> 6)) === 0
    // Without rights for the group there are none in the ACL: its mask is those bits.
    if ((mode & 0o070) !== 0 && kind !== 'symlink') {
      const value = xattrs().get(accessAcl)
      const acl = value && readAcl(value)
      if (acl) return grants(acl, this.uid, this.inGroup, gid, wanted)
    }
    return (wanted & ~(this.inGroup(gid) ? mode >> 3 : mode)) === 0
  }
}
