/**
 * The index format: an EROFS image that holds metadata only and points into layer tars (docs/store-format.md).
 *
 * `IndexBuilder` collects inodes and names and writes the image; `Index` reads one. Neither knows of OCI's
 * whiteout spelling: whiteouts, ghosts, opaque and implied directories are flags of an inode here.
 */
export { IndexBuilder } from './builder.ts'
export type { Extent, ExternalLink, IndexEntry, InodeFacts, NewInode } from './format.ts'
export { Index } from './reader.ts'
