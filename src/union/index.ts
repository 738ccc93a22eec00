/**
 * The resolver: a lower tree (or layer views) and a writable upper as one file system, by inode. `resolvePath` walks
 * paths over any tree.
 */
export { memoryUpper } from './memory-upper.ts'
export { type Resolved, type ResolvedName, realPath, resolveName, resolvePath } from './resolve.ts'
export type { WritableUnion } from './union.ts'
export { type UnionOptions, union } from './union-tree.ts'
export {
  type AttributeChange,
  type Creation,
  firstNewInode,
  type Upper,
  type WritableBytes,
} from './upper.ts'
