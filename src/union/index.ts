/**
 * The resolver: a lower tree (or layer views) and a writable upper as one file system, by inode. `resolvePath` walks
 * paths over any tree, `openDirectory` lists a directory with offsets, `copyRange` copies between open files, and `advisoryLocks`
 * are what a union's `locks` are.
 */
export { copyRange } from './copy-range.ts'
export { type DirectoryHandle, openDirectory } from './directory-handle.ts'
export {
  type AdvisoryLocks,
  advisoryLocks,
  type CancelWait,
  type Granted,
  type LockKind,
  type LockOwner,
  type LockRange,
  lockGranted,
  type RangeLock,
} from './locks.ts'
export { type MemoryUpperOptions, memoryUpper } from './memory-upper.ts'
export {
  lookupResolved,
  type Resolved,
  type ResolvedName,
  type ResolvedParent,
  realPath,
  resolveName,
  resolveParent,
  resolvePath,
} from './resolve.ts'
export { shiftedUnion } from './shifted-union.ts'
export type { OnBehalf, WritableUnion } from './union.ts'
export { type UnionOptions, union } from './union-tree.ts'
export {
  type Allocation,
  type AttributeChange,
  type Creation,
  firstNewInode,
  largestFile,
  type Room,
  type Standing,
  type Unnamed,
  type Upper,
  type WritableBytes,
} from './upper.ts'
