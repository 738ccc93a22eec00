import type { Kind } from '../../src/model/entry.ts'
import { type Inherited, inherited } from '../../src/union/inheritance.ts'
import type { WritableUnion } from '../../src/union/union.ts'

/** What is driven of a union, and what the plain model offers too. */
export type Verbs = Omit<WritableUnion, 'lower' | 'upper' | 'untouched' | 'room' | 'locks'> & {
  /** What something new gets of its directory. Absent: as the library has it. */
  readonly inherit?: (directory: number, kind: Kind, mode: number, umask: number) => Inherited
}

/** The attributes of what root makes in a directory. */
export function creationIn(verbs: Verbs, directory: number, kind: Kind, mode: number, umask: number) {
  const time = now()
  const { xattrs, ...attributes } =
    verbs.inherit?.(directory, kind, mode, umask) ??
    inherited({ stat: verbs.stat(directory), xattrs: verbs.xattrs(directory) }, kind, mode, { uid: 0, gid: 0, umask })
  return { ...attributes, mtime: time, ...(xattrs !== undefined && { xattrs }) }
}

const special: ReadonlySet<Kind> = new Set(['fifo', 'socket', 'character', 'block'])

/** What is opened of these is no file system's affair. */
export function isSpecial(kind: Kind): boolean {
  return special.has(kind)
}

export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
