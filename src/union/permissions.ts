import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { CheckedTree, isWritable } from './checked-tree.ts'
import { CheckedUnion } from './checked-union.ts'
import type { WritableUnion } from './union.ts'
import type { WritableBytes } from './upper.ts'
import { type Credentials, User } from './user.ts'

export interface Granted {
  /** Do not ask whether the content may be had: it has been asked, or the file was just made by the same user. */
  readonly granted?: boolean
}

/** A tree as somebody sees it. */
export interface UserTree extends Tree {
  readonly user: User
  /** Whether all of `wanted` (read 4, write 2, execute or search 1, as for `access(2)`) may be had. @throws EACCES, EROFS */
  access(ino: number, wanted: number): void
  /** Whether a directory may be passed through. @throws EACCES */
  search(directory: number): void
  open(ino: number, options?: Granted): Bytes
}

/** A union as somebody sees it and may change it. */
export interface UserUnion extends UserTree, WritableUnion {
  open(ino: number, options?: Granted): Bytes
  /** What may be written and not read answers EBADF to reading, unless it was `granted`. */
  writer(ino: number, options?: Granted & { readonly truncate?: boolean }): WritableBytes
}

/**
 * A tree or union on somebody's behalf: before each verb, and so before anything is copied up, it checks what Linux checks, and
 * answers EACCES or EPERM as Linux does. Directories are searched on the way, names need write and search, sticky bits and
 * ACLs count, and what the unprivileged write or give away loses its set-id bits. What is made gets the user's owner and
 * group and what the directory hands on (`inherited`): owner, group and ACLs of the creation do not count. Of xattrs it shows those
 * that the user may read. A read-only tree answers EROFS to asking for write access.
 *
 * Closing it closes what it was made of.
 */
export function asUser(union: WritableUnion, credentials: Credentials): UserUnion
export function asUser(tree: Tree, credentials: Credentials): UserTree
export function asUser(tree: Tree | WritableUnion, credentials: Credentials): UserTree | UserUnion {
  const user = new User(credentials)
  return isWritable(tree) ? new CheckedUnion(tree, user) : new CheckedTree(tree, user)
}
