import { fsOf } from '../../src/fs/index.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper } from '../../src/union/upper.ts'
import { answer, closeAll, type Operation, sideOf } from '../fs/operations.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'

export const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env.PLYFS_RUNS ?? 250)
/** Of fast-check. */
export const settings = { seed, numRuns, ...(process.env.PLYFS_PATH && { path: process.env.PLYFS_PATH }) }

const start: PlainSpec = {
  '/': { xattrs: { 'user.root': '1' }, mtime: 5n },
  'a/b/c': { content: 'deep', xattrs: { 'user.c': 'c' } },
  'a/c': { content: 'linked', mode: 0o4755 },
  'a/d': { target: 'b' },
  'b/a': { hardlink: 'a/c' },
  'b/c/d/a': { hardlink: 'a/c' },
  'b/b': { hardlink: 'b/x' },
  'b/x': 'second group',
  'b/d/': { mode: 0o711 },
  c: { content: 'c', mtime: 9n },
  'd/a/b/c': 'deeper',
  'd/a/b/d/': {},
  'd/b': { kind: 'character', major: 1, minor: 3 },
}

export interface RandomUnion {
  readonly merged: RestackableUnion
  perform(operation: Operation): unknown
  /** Closes every handle. */
  done(): void
}

/** A small tree with an upper over it, on which operations of `test/fs/operations.ts` are performed at a time of its own. */
export function randomUnion(upper: Upper): RandomUnion {
  let time = 0n
  const now = () => 1_000_000_000n + time++
  const merged = union(plainTree(start), upper, { now })
  const side = sideOf(fsOf(merged, { now }), '')
  return { merged, perform: (operation) => answer(side, operation), done: () => closeAll(side) }
}
