import type { WritableUnion } from '../union/union.ts'
import type { Changeset } from './change.ts'
import { type DiffOptions, diff } from './diff.ts'

/**
 * What a container has changed: the difference between a union and what lies under its upper. The cost follows what was
 * touched, not the size of the image.
 */
export function changes(union: WritableUnion, options: Omit<DiffOptions, 'untouched' | 'sameNumbers'> = {}): Changeset {
  return diff(union.lower, union, { ...options, untouched: (ino) => union.untouched(ino), sameNumbers: true })
}
