import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import { type CallbackVerbs, callbackVerbs } from './callback-verbs.ts'
import { fsConstants } from './flags.ts'
import { type FsOptions, Namespace } from './namespace.ts'
import { type PromisedVerbs, promisedVerbs } from './promised-verbs.ts'
import { BigIntStats, Dirent, Stats } from './stats.ts'
import { type SyncVerbs, syncVerbs } from './sync-verbs.ts'

/**
 * The `node:fs` face of a tree or a writable union: `promises`, the synchronous calls, callbacks and streams.
 *
 * Paths are text (UTF-8), bytes or `file:` URLs; relative ones start at the root, and no symlink leads out of it. Names
 * that are not UTF-8 are exact with `{ encoding: 'buffer' }`. Errors have Node's `code`, `errno`, `syscall` and `path`; a
 * tree without an upper answers EROFS to whatever would change it. There are no permission checks. Watching is not
 * offered. Beyond Node: times may be given as bigint nanoseconds.
 */
export interface UnionFs extends SyncVerbs, CallbackVerbs {
  readonly promises: PromisedVerbs
  readonly constants: typeof fsConstants
  readonly Stats: typeof Stats
  readonly BigIntStats: typeof BigIntStats
  readonly Dirent: typeof Dirent
}

/** Hand the answer to any library that takes an `fs`. It holds nothing but what it has open; the union stays the caller's. */
export function fsOf(tree: Tree | WritableUnion, options: FsOptions = {}): UnionFs {
  const sync = syncVerbs(new Namespace(tree, options))
  const promises = promisedVerbs(sync)
  return { ...sync, ...callbackVerbs(sync, promises), promises, constants: fsConstants, Stats, BigIntStats, Dirent }
}
