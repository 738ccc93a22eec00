/** The `node:fs` face of trees and unions. */
export type { FileHandle } from './file-handle.ts'
export type { Dir } from './inspecting.ts'
export type { FsOptions } from './namespace.ts'
export type { BigIntStats, Dirent, Stats } from './stats.ts'
export type { ReadStream, WriteStream } from './streams.ts'
export { fsOf, type UnionFs } from './union-fs.ts'
