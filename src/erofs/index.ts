/**
 * The index format: an EROFS image that holds metadata only and points into layer tars (docs/index-format.md).
 *
 * `IndexBuilder` collects inodes and names and writes the image; `Index` reads one. Neither knows of OCI's
 * whiteout spelling: whiteouts, ghosts, opaque and implied directories are flags of an inode here.
 */
export { IndexBuilder, type WriteOptions } from './builder.ts'
export { factBits } from './columns.ts'
export type { Device, Extent, ExternalLink, IndexEntry, InodeFacts, NewInode, SpillSegments } from './format.ts'
export { InodeRow } from './inode-row.ts'
export type { OverlayData } from './overlay-data.ts'
export { pageSize } from './page-output.ts'
export { Index, type IndexOptions } from './reader.ts'

export { storable } from './xattr-sets.ts'
