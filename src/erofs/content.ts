import type { ByteString } from '../model/bytes.ts'
import type { InodeColumns } from './columns.ts'
import type { XattrSets } from './xattr-sets.ts'

/** What a builder collected, as layout and writer read it. */
export interface IndexContent {
  readonly root: number
  readonly columns: InodeColumns
  readonly xattrs: XattrSets
  readonly targets: ReadonlyMap<number, ByteString>
  readonly children: ReadonlyMap<number, ReadonlyMap<ByteString, number>>
  readonly links: ReadonlyMap<number, ReadonlyMap<ByteString, ByteString>>
}
