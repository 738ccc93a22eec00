import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { AttributeChange, Standing } from '../union/upper.ts'
import type { Content, InodeFacts } from './change.ts'

/** One inode of the portable form, in memory. */
export interface UpperInode {
  readonly ino: number
  readonly kind: Kind
  mode: number
  uid: number
  gid: number
  mtime: bigint
  /** Absent as long as it is the modify time. */
  atime: bigint | undefined
  /** Of the last change; absent where nobody knows: then it counts as the modify time. */
  ctime: bigint | undefined
  xattrs: Map<ByteString, Uint8Array> | undefined
  readonly target: ByteString | undefined
  readonly major: number
  readonly minor: number
  content: Content
  /** How many names it has in this upper. */
  names: number
  /** Directories: what stands at each name, an inode number or `whiteoutMark`. */
  readonly entries: Map<ByteString, number> | undefined
  /** Directories: subdirectories, and the directory that holds it. */
  subdirectories: number
  parent: number
  opaque: boolean
  redirect: ByteString | undefined
}

/** An inode as a record tells it, without a name. */
export function inodeOf(facts: InodeFacts): UpperInode {
  return {
    ino: facts.ino,
    kind: facts.kind,
    mode: facts.mode,
    uid: facts.uid,
    gid: facts.gid,
    mtime: facts.mtime,
    atime: facts.atime,
    ctime: undefined,
    xattrs: facts.xattrs && facts.xattrs.size > 0 ? new Map(facts.xattrs) : undefined,
    target: facts.target,
    major: facts.major ?? 0,
    minor: facts.minor ?? 0,
    content: facts.content,
    names: 0,
    entries: facts.kind === 'directory' ? new Map() : undefined,
    subdirectories: 0,
    parent: 0,
    opaque: facts.opaque ?? false,
    redirect: facts.redirect,
  }
}

/** What a record says of an inode. */
export function factsOf(inode: UpperInode): InodeFacts {
  return {
    ino: inode.ino,
    kind: inode.kind,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    mtime: inode.mtime,
    ...(inode.atime !== undefined && inode.atime !== inode.mtime && { atime: inode.atime }),
    content: inode.content,
    ...(inode.opaque && { opaque: true }),
    ...(inode.xattrs && { xattrs: inode.xattrs }),
    ...(inode.target === undefined ? {} : { target: inode.target }),
    ...(inode.kind === 'character' || inode.kind === 'block' ? { major: inode.major, minor: inode.minor } : {}),
    ...(inode.redirect === undefined ? {} : { redirect: inode.redirect }),
  }
}

/** Gives an inode the attributes of a change. The access time stays what it was when the modify time moves away from it. */
export function changeAttributes(inode: UpperInode, { mode, uid, gid, mtime, atime }: AttributeChange): void {
  inode.mode = mode ?? inode.mode
  inode.uid = uid ?? inode.uid
  inode.gid = gid ?? inode.gid
  if (mtime !== undefined || atime !== undefined) inode.atime = atime ?? inode.atime ?? inode.mtime
  inode.mtime = mtime ?? inode.mtime
}

/** Says where a directory that moved stands now. */
export function stand(inode: UpperInode, { redirect, opaque = false }: Standing): void {
  if (inode.kind !== 'directory') return
  inode.redirect = redirect
  inode.opaque ||= opaque
}
