import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import { type CallbackVerbs, callbackVerbs } from './callback-verbs.ts'
import { Dir } from './dir.ts'
import { fsConstants } from './flags.ts'
import { type FsOptions, Namespace } from './namespace.ts'
import { type PromisedVerbs, promisedVerbs } from './promised-verbs.ts'
import { statWatching } from './stat-watching.ts'
import { BigIntStats, Dirent, StatFs, Stats } from './stats.ts'
import { ReadStream, WriteStream } from './streams.ts'
import { type SyncVerbs, syncVerbs } from './sync-verbs.ts'
import { FSWatcher, watching } from './watching.ts'

type PublicVerbs = Omit<SyncVerbs, 'copySteps'>
type Watching = Omit<ReturnType<typeof watching>, 'watchEvents'> & ReturnType<typeof statWatching>
type Access = Readonly<Record<'F_OK' | 'R_OK' | 'W_OK' | 'X_OK', number>>

/**
 * The `node:fs` face of a tree or a writable union: `promises`, the synchronous calls, callbacks, streams and watchers, as Node 20
 * has them on Linux.
 *
 * Paths are text (UTF-8), bytes or `file:` URLs; relative ones start at the root, and no symlink leads out of it. Names
 * that are not UTF-8 are exact with `{ encoding: 'buffer' }`. Errors have Node's `code`, `errno`, `syscall`, `path` and words; a
 * tree without an upper answers EROFS to whatever would change it. What is done is done as root, unless the tree was made `asUser`:
 * then permissions are checked. Reading leaves access times alone.
 *
 * Other than in Node: a recursive listing never follows a symlink; devices, pipes and sockets cannot be opened; copying a directory
 * with `copyFile` is refused before anything is touched; watchers do not keep the process alive. Beyond Node: times may be given as
 * bigint nanoseconds, and `opendir` answers with a `Dir` that `await using` closes.
 */
export interface UnionFs extends PublicVerbs, CallbackVerbs, Watching, Access {
  readonly promises: PromisedVerbs
  readonly constants: typeof fsConstants
  readonly Stats: typeof Stats
  readonly BigIntStats: typeof BigIntStats
  readonly StatFs: typeof StatFs
  readonly Dirent: typeof Dirent
  readonly Dir: typeof Dir
  readonly FSWatcher: typeof FSWatcher
  readonly ReadStream: typeof ReadStream
  readonly WriteStream: typeof WriteStream
}

/** Hand the answer to any library that takes an `fs`. It holds nothing but what it has open; the union stays the caller's. */
export function fsOf(tree: Tree | WritableUnion, options: FsOptions = {}): UnionFs {
  const namespace = new Namespace(tree, options)
  const sync = syncVerbs(namespace)
  const { watchEvents, ...watch } = watching(namespace)
  const { F_OK, R_OK, W_OK, X_OK } = fsConstants
  const { copySteps: _, ...verbs } = sync
  return {
    ...verbs,
    ...callbackVerbs(sync),
    ...watch,
    ...statWatching(namespace),
    promises: promisedVerbs(sync, watchEvents),
    constants: fsConstants,
    ...{ F_OK, R_OK, W_OK, X_OK },
    ...{ Stats, BigIntStats, StatFs, Dirent, Dir, FSWatcher, ReadStream, WriteStream },
  }
}
