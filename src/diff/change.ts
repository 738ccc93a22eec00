import { type ByteString, decodeText } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'

/**
 * What differs at a path that stands on both sides.
 *
 * - `kind`: another kind of inode; nothing else is compared then.
 * - `owner`: user or group.
 * - `links`: equal in itself, but it shares its inode with other names than before.
 */
export type Aspect = 'kind' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'mtime' | 'xattrs' | 'links'

interface Named {
  /** For people and for `fs` calls: text with a leading slash. Bytes that are not UTF-8 became U+FFFD: see `bytes`. */
  readonly path: string
  /** The path exactly: a byte string without a leading slash; the root is `''`. */
  readonly bytes: ByteString
}

/** A path that was not there before. In an added directory everything is added, each path with a change of its own. */
export interface Added extends Named {
  readonly kind: 'add'
  readonly after: Stat
}

/** A path that stands on both sides and differs. A directory that became something else takes its content along. */
export interface Modified extends Named {
  readonly kind: 'modify'
  readonly before: Stat
  readonly after: Stat
  /** What differs; never empty. */
  readonly changed: readonly Aspect[]
}

/** A path that is gone, with everything under it: one change for a whole subtree (layer-semantics E-06). */
export interface Deleted extends Named {
  readonly kind: 'delete'
  readonly before: Stat
}

/** One difference between two trees. */
export type Change = Added | Modified | Deleted

/**
 * Changes in the order of layer-semantics E-04: a directory before its content, siblings in byte order, and within a
 * directory what was deleted before everything else.
 */
export type Changeset = AsyncIterable<Change>

export function added(bytes: ByteString, after: Stat): Added {
  return { kind: 'add', path: textOf(bytes), bytes, after }
}

export function modified(bytes: ByteString, before: Stat, after: Stat, changed: readonly Aspect[]): Modified {
  return { kind: 'modify', path: textOf(bytes), bytes, before, after, changed }
}

export function deleted(bytes: ByteString, before: Stat): Deleted {
  return { kind: 'delete', path: textOf(bytes), bytes, before }
}

function textOf(path: ByteString): string {
  return `/${decodeText(path)}`
}
