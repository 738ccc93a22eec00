/** The `node:fs` face of trees and unions. */
export type { Dir } from './dir.ts'
export type { FileHandle } from './file-handle.ts'
export type { FsOptions } from './namespace.ts'
export type { BigIntStats, Dirent, StatFs, Stats } from './stats.ts'
export type { ReadStream, WriteStream } from './streams.ts'
export { fsOf, type UnionFs } from './union-fs.ts'
export type { FSWatcher } from './watching.ts'
