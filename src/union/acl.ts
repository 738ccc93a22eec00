import type { ByteString } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** The xattrs that ACLs are kept in, in the kernel's binary form (version 2). */
export const accessAcl = 'system.posix_acl_access'
export const defaultAcl = 'system.posix_acl_default'

/** `e_tag` of `<linux/posix_acl.h>`. */
export const aclTag = { owner: 0x01, user: 0x02, group: 0x04, namedGroup: 0x08, mask: 0x10, other: 0x20 } as const

type Tag = (typeof aclTag)[keyof typeof aclTag]

/** One line of an ACL: who, and which of read (4), write (2) and execute (1). */
export interface AclEntry {
  readonly tag: Tag
  readonly permissions: number
  /** User or group number; -1 where the tag says it all. */
  readonly id: number
}

/** Checked, in the order in which the kernel has them: owner, users, group, groups, mask, other. */
export type Acl = readonly AclEntry[]

const version = 2
const headerSize = 4
const entrySize = 8
const noId = 0xffffffff
const tags = new Set<number>(Object.values(aclTag))

export function isAcl(name: ByteString): boolean {
  return name === accessAcl || name === defaultAcl
}

/** What setting an ACL xattr comes to. */
export interface AclSetting {
  /** What is to be kept: nothing where the mode says it all. */
  readonly value: Uint8Array | undefined
  /** The mode that the inode has afterwards. */
  readonly mode: number
  /** It takes the ACL away, as a value without entries does. */
  readonly removes: boolean
}

/**
 * What setting an ACL xattr (`undefined` removes it) comes to for this inode.
 * @throws EINVAL, EOPNOTSUPP (also for a symlink), EACCES for a default ACL on what is no directory
 */
export function settingAcl({ kind, mode }: Stat, name: ByteString, value: Uint8Array | undefined): AclSetting {
  const acl = value && readAcl(value)
  if (kind === 'symlink') throw new PlyError('EOPNOTSUPP', { syscall: 'setxattr' })
  if (!acl) return { value: undefined, mode, removes: true }
  if (name === defaultAcl && kind !== 'directory') throw new PlyError('EACCES', { syscall: 'setxattr' })
  if (!isValid(acl)) throw invalid()
  if (name === defaultAcl) return { value: serializeAcl(acl), mode, removes: false }
  const shown = modeOfAcl(acl)
  const kept = shown.exact ? undefined : serializeAcl(acl)
  return { value: kept, mode: (mode & ~0o777) | shown.mode, removes: false }
}

/** The access ACL that a change of mode leaves behind; `undefined` if there is none, or it stays as it is. */
export function aclAfterChmod(xattrs: Xattrs, mode: number): Uint8Array | undefined {
  const value = xattrs.get(accessAcl)
  const acl = value && parseAcl(value)
  return acl && modeOfAcl(acl).mode !== (mode & 0o777) ? serializeAcl(withMode(acl, mode)) : undefined
}

/**
 * The ACL in the value of an xattr; `undefined` for one without entries, which stands for none.
 * @throws EINVAL for what the kernel refuses as an ACL, EOPNOTSUPP for another version
 */
export function parseAcl(value: Uint8Array): Acl | undefined {
  const acl = readAcl(value)
  if (acl && !isValid(acl)) throw invalid()
  return acl
}

/** As it stands there: whether its entries make an ACL is not looked at (`posix_acl_from_xattr`). @throws EINVAL, EOPNOTSUPP */
export function readAcl(value: Uint8Array): Acl | undefined {
  if (value.length === 0) return undefined
  if (value.length < headerSize) throw invalid()
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (view.getUint32(0, true) !== version) throw new PlyError('EOPNOTSUPP', { syscall: 'setxattr' })
  if ((value.length - headerSize) % entrySize !== 0) throw invalid()
  const acl: AclEntry[] = []
  for (let at = headerSize; at < value.length; at += entrySize) {
    const tag = view.getUint16(at, true)
    const named = tag === aclTag.user || tag === aclTag.namedGroup
    const id = view.getUint32(at + 4, true)
    if (!isTag(tag) || (named && id === noId)) throw invalid()
    acl.push({ tag, permissions: view.getUint16(at + 2, true), id: named ? id : -1 })
  }
  return acl.length === 0 ? undefined : acl
}

/** The value of the xattr that keeps an ACL. */
export function serializeAcl(acl: Acl): Uint8Array {
  const value = new Uint8Array(headerSize + acl.length * entrySize)
  const view = new DataView(value.buffer)
  view.setUint32(0, version, true)
  acl.forEach(({ tag, permissions, id }, i) => {
    const at = headerSize + i * entrySize
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, permissions, true)
    view.setUint32(at + 4, id === -1 ? noId : id, true)
  })
  return value
}

/** The nine mode bits that an ACL shows, and whether they say all that it says: then there is no need to keep it. */
export function modeOfAcl(acl: Acl): { readonly mode: number; readonly exact: boolean } {
  let mode = 0
  let exact = true
  for (const { tag, permissions } of acl) {
    if (tag === aclTag.owner) mode |= permissions << 6
    else if (tag === aclTag.group) mode |= permissions << 3
    else if (tag === aclTag.other) mode |= permissions
    else exact = false
    if (tag === aclTag.mask) mode = (mode & 0o707) | (permissions << 3)
  }
  return { mode, exact }
}

/** What `chmod` makes of an access ACL: the group bits are the mask, where there is one. */
export function withMode(acl: Acl, mode: number): Acl {
  const masked = acl.some(({ tag }) => tag === aclTag.mask)
  return acl.map((entry) => {
    if (entry.tag === aclTag.owner) return { ...entry, permissions: (mode >> 6) & 7 }
    if (entry.tag === aclTag.other) return { ...entry, permissions: mode & 7 }
    const isGroupBits = entry.tag === (masked ? aclTag.mask : aclTag.group)
    return isGroupBits ? { ...entry, permissions: (mode >> 3) & 7 } : entry
  })
}

/**
 * What a new inode gets from the default ACL of its directory: the mode that it was to have, less what the ACL takes away, and
 * an access ACL where the mode does not say it all.
 */
export function fromDefault(acl: Acl, mode: number): { readonly mode: number; readonly access: Acl | undefined } {
  const wanted = mode & 0o777
  const allowed = modeOfAcl(acl).mode & wanted
  const narrowed = withMode(acl, allowed)
  return { mode: (mode & ~0o777) | allowed, access: modeOfAcl(acl).exact ? undefined : narrowed }
}

/**
 * Whether an ACL grants everything in `wanted` (read 4, write 2, execute 1) to somebody who is not the owner; `inGroup`
 * tells of which groups they are.
 */
export function grants(acl: Acl, uid: number, inGroup: (gid: number) => boolean, gid: number, wanted: number): boolean {
  const mask = acl.find(({ tag }) => tag === aclTag.mask)?.permissions ?? 7
  let member = false
  for (const { tag, permissions, id } of acl) {
    if (tag === aclTag.user && id === uid) return (permissions & mask & wanted) === wanted
    if ((tag === aclTag.group && inGroup(gid)) || (tag === aclTag.namedGroup && inGroup(id))) {
      member = true
      // The first group that grants all of it decides; rights are never added up over groups.
      if ((permissions & wanted) === wanted) return (permissions & mask & wanted) === wanted
    }
    if (tag === aclTag.other) return !member && (permissions & wanted) === wanted
  }
  return false
}

function isTag(tag: number): tag is Tag {
  return tags.has(tag)
}

/** `posix_acl_valid`: each of the three once and in order, and a mask where anybody is named. */
function isValid(acl: Acl): boolean {
  let expected: 'owner' | 'user' | 'group' | 'other' | 'end' = 'owner'
  let needsMask = false
  for (const { tag, permissions } of acl) {
    if (permissions & ~7) return false
    if (tag === aclTag.owner && expected === 'owner') expected = 'user'
    else if (tag === aclTag.user && expected === 'user') needsMask = true
    else if (tag === aclTag.group && expected === 'user') expected = 'group'
    else if (tag === aclTag.namedGroup && expected === 'group') needsMask = true
    else if (tag === aclTag.mask && expected === 'group') expected = 'other'
    else if (tag === aclTag.other && (expected === 'other' || (expected === 'group' && !needsMask))) expected = 'end'
    else return false
  }
  return expected === 'end'
}

function invalid(): PlyError {
  return new PlyError('EINVAL', { syscall: 'setxattr' })
}
