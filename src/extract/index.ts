/** A tree written to a directory of the disk, and a directory read as a tree (layer-semantics, sections 14 and 16). */
export type { XattrChoice } from './attribute-writer.ts'
export { type DirectoryTreeOptions, directoryTree } from './directory-tree.ts'
export { type ExtractOptions, extractTree } from './extract-tree.ts'
export { type FileDigests, memoryFileDigests } from './file-digests.ts'
export { type ForeignUpperOptions, type UpperWarning, upperTree } from './foreign-upper.ts'
export type { Compromise, Compromised, ExtractReport } from './report.ts'
export { restoredTree } from './restored-tree.ts'
export { decodeWritten, encodeWritten, type Written } from './written.ts'
