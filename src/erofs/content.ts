import type { ByteString } from '../model/bytes.ts'
import type { InodeColumns } from './columns.ts'
import type { XattrSets } from './xattr-sets.ts'

/** The names of a directory in byte order, each with its inode. */
export interface Listing {
  readonly names: readonly ByteString[]
  readonly inodes: readonly number[]
}

/** What a builder collected, as layout and writer read it. */
export interface IndexContent {
  readonly root: number
  readonly columns: InodeColumns
  readonly xattrs: XattrSets
  readonly targets: ReadonlyMap<number, ByteString>
  /** By directory: names in the order in which they came, or in byte order where they came so. */
  readonly children: ReadonlyMap<number, ReadonlyMap<ByteString, number> | Listing>
  readonly links: ReadonlyMap<number, ReadonlyMap<ByteString, ByteString>>
}
