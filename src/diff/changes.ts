import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import type { Changeset } from './change.ts'
import { type DiffOptions, diff } from './diff.ts'

export interface ChangesOptions extends Omit<DiffOptions, 'untouched' | 'sameNumbers'> {
  /** Of a chain of unions, each the lower tree of the next: the one to begin at, or what the first one stands on. Default: what is below. */
  readonly since?: Tree | undefined
}

/**
 * What a container has changed: the difference between a union and what lies under its upper, or further down. The cost follows
 * what was touched, not the size of the image.
 */
export function changes(union: WritableUnion, { since = union.lower, ...options }: ChangesOptions = {}): Changeset {
  const untouched = (ino: number): number | undefined => {
    let at: number | undefined = ino
    for (let tree: Tree = union; tree !== since && at !== undefined; tree = (tree as WritableUnion).lower)
      at = (tree as WritableUnion).untouched(at)
    return at
  }
  return diff(since, union, { ...options, untouched, sameNumbers: true })
}
