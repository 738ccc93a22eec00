import type { Kind } from '../../src/model/entry.ts'
import type { WritableUnion } from '../../src/union/union.ts'

/** What is driven of a union, and what the plain model offers too. */
export type Verbs = Omit<WritableUnion, 'lower' | 'upper' | 'untouched' | 'room' | 'hold' | 'locks'>

const special: ReadonlySet<Kind> = new Set(['fifo', 'socket', 'character', 'block'])

/** What is opened of these is no file system's affair. */
export function isSpecial(kind: Kind): boolean {
  return special.has(kind)
}

export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
