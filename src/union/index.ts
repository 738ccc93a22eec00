/**
 * The resolver: a lower tree (or layer views) and a writable upper as one file system, by inode. `resolvePath` walks
 * paths over any tree, `openDirectory` lists a directory with offsets, `copyRange` copies between open files, and `advisoryLocks`
 * are what a union's `locks` are.
 */

export type { DirectoryHandle } from './directory-handle.ts'
export type {
  AdvisoryLocks,
  CancelWait,
  Granted,
  LockKind,
  LockOwner,
  LockRange,
  RangeLock,
} from './locks.ts'
export { type MemoryUpperOptions, memoryUpper } from './memory-upper.ts'
export type {
  Resolved,
  ResolvedName,
  ResolvedParent,
} from './resolve.ts'

export type { OnBehalf, WritableUnion } from './union.ts'
export { type UnionOptions, union } from './union-tree.ts'
export type {
  Allocation,
  AttributeChange,
  Creation,
  Room,
  Standing,
  Unnamed,
  Upper,
  WritableBytes,
} from './upper.ts'
